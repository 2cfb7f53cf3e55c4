"""What holds an object where it is, as a look for holders keeps it: a line of text for each place that is held."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from domain.keys import Location
from domain.references.holders import Pin, Reference
from handlers.operations.removals import Hold

_MANIFEST = "manifest"


@dataclass(frozen=True, slots=True)
class Holder:
    """What names an object: a reference or a pin, and where."""

    hold: Hold
    text: str


def line_of(found: Reference | Pin) -> str:
    """The line of a reference, or of a pin."""
    if isinstance(found, Pin):
        hold, text = Hold.PIN, f"a pin: {found.holder} ({found.remedy})"
    else:
        hold, text = Hold.REFERENCE, f"a reference: {found.holder} {found.path}"
    return json.dumps([hold.value, found.source.bucket, found.source.key, text])


def manifest_line(location: Location) -> str:
    """The line of a place at which a record's augmented manifest was read; it holds nothing."""
    return json.dumps([_MANIFEST, location.bucket, location.key, ""])


def held_of(line: str) -> tuple[Location, Holder] | None:
    """The place that is held, and its holder; ``None``: the line is that of a manifest's place."""
    kind, bucket, key, text = json.loads(line)
    return None if kind == _MANIFEST else (Location(bucket, key), Holder(Hold(kind), text))


def manifest_of(line: str) -> Location | None:
    """The place of a manifest, or ``None``: the line is that of a holder."""
    kind, bucket, key, _ = json.loads(line)
    return Location(bucket, key) if kind == _MANIFEST else None


def around(location: Location) -> Iterator[Location]:
    """The location, its bucket as a whole, and every folder that it is in: a holder of any of these also names it."""
    yield location
    at = 0
    while True:
        yield Location(location.bucket, location.key[:at])
        at = location.key.find("/", at) + 1
        if not at:
            return
