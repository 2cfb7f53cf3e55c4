"""The forms in which applications write where an object is, those that nobody can rewrite too, and who reads what."""

import json
import re
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

LEGACY = "legacy"
SWITCHED = (
    "s3a://legacy/{key}",
    "s3n://legacy/{key}",
    "arn:aws:s3:::legacy/{key}",
    "https://legacy.s3.eu-west-1.amazonaws.com/{key}",
    "https://s3.eu-west-1.amazonaws.com/legacy/{key}",
)
"""Forms that are switched like ``s3://``."""
STUCK = (
    "https://legacy.s3.eu-west-1.amazonaws.com/{key}?versionId=v1",
    "https://legacy.s3.eu-west-1.amazonaws.com/{key}#lines",
    "s3://legacy/{key}?versionId=v1",
    "s3://legacy/{encoded}",
    "s3://legacy/{key}, s3://legacy/{key}",
    "arn:aws:s3:eu-west-1:111122223333:accesspoint/readers/object/{key}",
    "s3://readers-abcdefghijklmnopqrstuvwxyz123456-s3alias/{key}",
)
"""Forms that name an object of the source, or may, and that stay as they are."""
BROKEN = '{{"model": {{"uri": "s3://legacy/{key}"'
"""A declared JSON text that is none."""
_OLD = re.compile(r"old(?:/|%2F)(k\d+)")
_NEW = re.compile(r"new(?:/|%2F)(k\d+)")
_MARKS = ("?versionId", "#", "%2F", ", s3:", "accesspoint", "s3alias")


def some_form(uri: str, random: Random) -> str:
    """The same object written in another form."""
    key = uri.partition("://legacy/")[2]
    return random.choice((*SWITCHED, *STUCK)).format(key=key, encoded=key.replace("/", "%2F"))


def broken_json(uri: str) -> str:
    """A text that was to be JSON."""
    return BROKEN.format(key=uri.partition("://legacy/")[2])


def old_names(text: str) -> set[str]:
    """The keys' last parts that a reader finds in it at their old keys."""
    return set(_OLD.findall(text))


def new_names(text: str) -> set[str]:
    """Those that he finds at their new keys."""
    return set(_NEW.findall(text))


def as_written(text: str, target_bucket: str) -> str:
    """The text with the old places, whichever of them are switched."""
    return _NEW.sub(r"old/\1", text.replace(target_bucket, LEGACY))


def switchable_names(item: Mapping[str, Any]) -> set[str]:
    """The old names in those texts of the item that keyshift can rewrite."""
    return {name for text in _texts(item) if not is_stuck(text) for name in old_names(text)}


def is_stuck(text: str) -> bool:
    """Whether nobody can rewrite the text without knowing what its readers make of it."""
    if text.startswith("{"):
        try:
            json.loads(text)
        except ValueError:
            return True
    return any(mark in text for mark in _MARKS)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for child in value.values():
            yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)
