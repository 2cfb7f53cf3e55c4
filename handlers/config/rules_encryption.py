"""Reads ``encryption: map`` of a rules file: which KMS key the copies get."""

import re
from collections.abc import Callable, Iterator

from domain.kms_keys import NO_KEYS, KeyMap, is_same_key, region_of
from handlers.config.rules_model import RulesFile
from handlers.config.yaml_places import Path

_ARN = re.compile(r"arn:aws(-[a-z]+)*:kms:[a-z]{2}(-[a-z]+)+-[0-9]+:[0-9]{12}:key/[A-Za-z0-9-]+")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}")
_PLACE: Path = ("encryption", "map")
_SHAPE = "arn:aws:kms:REGION:ACCOUNT:key/ID"
_DESCRIBE = "aws kms describe-key --key-id ALIAS shows it"


def compile_kms_keys(file: RulesFile, blame: Callable[[Path, str], None]) -> KeyMap:
    """The map of the file; each mistake is blamed on its line."""
    if file.encryption is None:
        return NO_KEYS
    if file.source.encryption is not None:
        blame(
            _PLACE, "'source.encryption: AES256' promises that no source has a KMS key: remove the promise or the map"
        )
    pairs = file.encryption.map
    for at, (old, new) in enumerate(pairs.items()):
        for fault in _faults(old, new, target_region=file.target.region):
            blame((*_PLACE, old), fault)
        twin = next((other for other in list(pairs)[:at] if is_same_key(other, old)), None)
        if twin is not None:
            blame((*_PLACE, old), f"it is the same key as '{twin}' above: remove one of them")
    return KeyMap(dict(pairs))


def _faults(old: str, new: str, *, target_region: str | None) -> Iterator[str]:
    if _ARN.fullmatch(old) is None and _ID.fullmatch(old) is None:
        yield f"'{old}' is not the ARN or the id of a KMS key: write {_SHAPE}{_alias(old)}"
    if _ARN.fullmatch(new) is None:
        yield f"'{new}' is not the ARN of a KMS key: write {_SHAPE}{_alias(new)}"
    elif is_same_key(old, new) or old == new:
        yield "it maps the key to itself: remove the line, copies then keep the key"
    elif target_region not in (None, region_of(new)):
        yield f"'{new}' is a key of {region_of(new)}, but S3 needs one of the target bucket's region, {target_region}"


def _alias(text: str) -> str:
    return f" (S3 returns the key and not its alias; {_DESCRIBE})" if "alias/" in text else ""
