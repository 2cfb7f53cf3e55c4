"""What the records expect at the keys of both sides, and what a listing of them disproves."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from domain.keys import Location
from domain.objects import ListedObject, ObjectState
from domain.protocol.record import Mode, Record, State


class Role(StrEnum):
    """The role of a place in its record."""

    SOURCE = "source"
    TARGET = "target"


ABSENT = ""
"""In the place of an etag: by the record, nothing is there."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a record expects at one place: an etag, ABSENT, or ``None`` where the record expects nothing in particular.

    ``since`` (seconds since 1970) is when that was last proven: an object with a later date is another one.
    """

    place: Location
    role: Role
    record_id: str
    etag: str | None
    since: float = inf

    def fits(self, listed: ListedObject) -> bool:
        """Whether a row of a listing is what the record expects; what the row lacks disproves nothing."""
        if not self.etag:
            return self.etag is None
        other_bytes = listed.etag is not None and listed.etag != self.etag
        return not other_bytes and not (listed.last_modified is not None and int(listed.last_modified) > self.since)

    def holds(self, seen: ObjectState | None) -> bool:
        """Whether HEAD shows what the record expects."""
        if self.etag is None:
            return True
        if seen is None:
            return self.etag == ABSENT
        return seen.etag == self.etag and seen.last_modified <= self.since


def expected_of(record: Record) -> Iterator[Expected]:
    """What a record expects at its source and at its target, one of each.

    An attempt that runs will change the record; another gate reports what was not verified.
    """
    yield Expected(record.source, Role.SOURCE, record.record_id, _source_etag(record), _since(record))
    if record.target.key:
        verified = record.state in _MOVED and record.verified_at is not None and not _is_open(record)
        etag = record.target_etag if verified else None
        yield Expected(record.target, Role.TARGET, record.record_id, etag, _since(record))


_MOVED = (State.COPIED, State.CLEANED)
_SOURCE_IS_GONE = (State.CLEANED, State.TOMBSTONE, State.GONE)


def _source_etag(record: Record) -> str | None:
    if _is_open(record):
        return None
    if record.state is State.COPIED:
        return record.source_etag
    return ABSENT if record.state in _SOURCE_IS_GONE else None


def _since(record: Record) -> float:
    return record.verified_at if record.verified_at is not None else inf


def _is_open(record: Record) -> bool:
    return record.mode is not Mode.FORWARD or record.claim is not None


@dataclass(slots=True)
class Found:
    """How many objects were found, with one example."""

    count: int = 0
    example: str = ""

    def add(self, uri: str) -> None:
        """Count one."""
        self.count += 1
        self.example = self.example or uri


@dataclass(slots=True)
class Compared:
    """What a listing of both sides shows about the records.

    ``uncopied`` are sources without a record that the rules move; ``changed`` are sources that differ from their
    records; ``replaced`` are targets that are not the verified copies.
    """

    uncopied: Found = field(default_factory=Found)
    changed: Found = field(default_factory=Found)
    replaced: Found = field(default_factory=Found)
