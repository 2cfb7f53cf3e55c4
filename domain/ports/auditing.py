"""The audit chain's places: segments in S3, the head in DynamoDB, and a book to check them with."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from domain.chain import Link


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """One stored object; ``sequence`` is ``None`` for a key that no segment has, ``body`` is empty then."""

    key: str
    sequence: int | None
    body: bytes


class SegmentArchive(Protocol):
    """The segments of one migration's chain."""

    def write_segment(self, sequence: int, body: bytes) -> bool:
        """Store it if there is none of that number; ``True`` also when these very bytes are there already."""

    def read_segment(self, sequence: int) -> bytes | None:
        """Its bytes; ``None`` only where there certainly is none."""

    def last_sequence(self) -> int:
        """The highest number that is stored, 0 where nothing is."""

    def read_segments(self, *, after: int = 0) -> Iterator[StoredSegment]:
        """Every stored segment with a higher number, in order, and every key beside them that is no segment's."""


class ChainHead(Protocol):
    """The newest link, kept away from the segments so that a cut-off end is found."""

    def read_head(self) -> Link | None:
        """The newest link, strongly consistent; ``None`` where none was ever written."""

    def advance_head(self, link: Link) -> bool:
        """Set it if it is higher than the one there; ``False`` when another writer is further."""


@dataclass(frozen=True, slots=True)
class BookedEvent:
    """The first event of a subject and number; ``told`` is the record's digest that it tells, if any."""

    digest: bytes
    told: str
    segment: int
    line: int


@dataclass(frozen=True, slots=True)
class Deferred:
    """A record's state of which no event was known when it was read; ``changed_at`` in seconds since 1970."""

    subject: str
    uri: str
    revision: int
    digest: str
    changed_at: float


class EventBook(Protocol):
    """Millions of events by subject and number, on disk."""

    def newest_number(self, subject: str) -> int | None:
        """The highest number of a subject."""

    def find_event(self, subject: str, number: int) -> BookedEvent | None:
        """The event that was booked."""

    def book_event(self, subject: str, number: int, event: BookedEvent) -> None:
        """Book it, once for each subject and number."""

    def defer_record(self, state: Deferred) -> None:
        """Keep it for later."""

    def deferred_records(self) -> Iterator[Deferred]:
        """Everything that was kept."""

    def mark_seen(self, subject: str) -> None:
        """Remember that the manifest has it; repeatable."""

    def subjects_not_seen(self) -> Iterator[str]:
        """Booked subjects that were never marked, each with its record's id."""
