"""Strings inside JSON text, changed in place: every other byte of the text stays as it was."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]  # public in the library, absent from its stubs

from domain.rules.paths import Place

MAX_DEPTH = 200
"""Maximum depth of nested objects and lists. DynamoDB's own nest 32 deep; Python's stack ends below 1,000."""

_SPACE = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|null|NaN|-?Infinity")
"""The last two are not valid JSON, but Python writes and reads them."""

_TOO_DEEP = f"it is nested more than {MAX_DEPTH} deep"


@dataclass(frozen=True, slots=True)
class JsonString:
    """A string at a place; ``start`` and ``end`` enclose it with its quotes."""

    place: Place
    value: str
    start: int
    end: int


def strings_of(text: str) -> list[JsonString]:
    """Every string value of a JSON text, in order; raises ValueError for invalid JSON, or JSON nested too deep."""
    try:
        json.loads(text)  # raises for every text that the walk below cannot handle
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    found: list[JsonString] = []
    _walk(text, _space(text, 0), (), found)
    return found


def with_strings(text: str, changed: Mapping[int, str]) -> str:
    """The text with other values for the strings that start at these positions, written in the text's own style."""
    pieces: list[str] = []
    at = 0
    for start in sorted(changed):
        _, end = scanstring(text, start + 1, True)  # its signature
        pieces += [text[at:start], _quoted(changed[start], like=text[start:end])]
        at = end
    return "".join([*pieces, text[at:]])


def _quoted(value: str, *, like: str) -> str:
    written = json.dumps(value, ensure_ascii=like.isascii())
    return written.replace("/", "\\/") if "\\/" in like else written


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found is not None else at


def _walk(text: str, at: int, place: Place, found: list[JsonString]) -> int:
    """The position after the value that begins at ``at``."""
    if text[at] == '"':
        value, end = scanstring(text, at + 1, True)  # its signature
        found.append(JsonString(place, value, at, end))
        return int(end)
    if text[at] not in "{[":
        scalar = _SCALAR.match(text, at)
        return scalar.end() if scalar is not None else at + 1
    if len(place) == MAX_DEPTH:
        raise ValueError(_TOO_DEEP)
    is_object, number = text[at] == "{", 0
    at = _space(text, at + 1)
    while text[at] not in "}]":
        key: str | int = number
        if is_object:
            key, at = scanstring(text, at + 1, True)  # its signature
            at = _space(text, _space(text, at) + 1)
        at = _space(text, _walk(text, at, (*place, key), found))
        if text[at] == ",":
            at = _space(text, at + 1)
        number += 1
    return at + 1
