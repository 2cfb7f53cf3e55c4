"""What the records say that the keys of both sides hold, and what a listing of them refutes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from domain.keys import Location
from domain.objects import ListedObject, ObjectState
from domain.protocol.record import Mode, Record, State


class Role(StrEnum):
    """What a place is to its record."""

    SOURCE = "source"
    TARGET = "target"


ABSENT = ""
"""Instead of an etag: the record says that nothing is there."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a record says of one place: the etag that it must have, ABSENT, or ``None`` where the record says nothing.

    ``since`` (seconds since 1970) is when that was last proven to be so: what S3 dates later is another object.
    """

    place: Location
    role: Role
    record_id: str
    etag: str | None
    since: float = inf

    @property
    def needs_object(self) -> bool:
        """Whether an object must be there."""
        return bool(self.etag)

    def fits(self, listed: ListedObject) -> bool:
        """Whether a row of a listing is what the record says; a date or an etag that the row lacks refutes nothing."""
        if not self.etag:
            return self.etag is None
        other_bytes = listed.etag is not None and listed.etag != self.etag
        return not other_bytes and not (listed.last_modified is not None and int(listed.last_modified) > self.since)

    def holds(self, seen: ObjectState | None) -> bool:
        """Whether HEAD shows what the record says."""
        if self.etag is None:
            return True
        if seen is None:
            return self.etag == ABSENT
        return seen.etag == self.etag and seen.last_modified <= self.since


def expected_of(record: Record) -> Iterator[Expected]:
    """What a record says of its source and of its target, one of each.

    An attempt that runs is about to say something else; of what was not verified another gate speaks already.
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
    """How many objects a look found, with one example."""

    count: int = 0
    example: str = ""

    def add(self, uri: str) -> None:
        """Count one."""
        self.count += 1
        self.example = self.example or uri


@dataclass(slots=True)
class Compared:
    """What a listing of both sides says about the records.

    ``uncopied`` are sources that the rules move and no record is of; ``changed`` are sources that are not what their
    records say; ``replaced`` are targets that are not the copies that were verified.
    """

    uncopied: Found = field(default_factory=Found)
    changed: Found = field(default_factory=Found)
    replaced: Found = field(default_factory=Found)
