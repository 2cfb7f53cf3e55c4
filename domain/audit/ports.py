"""The ports of the audit chains: segments in S3, heads in DynamoDB, a book for checks, and the event bus."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.audit.chain import MISSING_SHARD, Link
from domain.audit.events import AuditEvent


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """One key and its oldest version.

    ``sequence`` is ``None`` for a key that is not a segment's; ``body`` is empty then. ``stored_at`` is the archive's
    own date of that version, in seconds since 1970. ``versions`` counts those with bytes, ``markers`` the delete
    markers beside them. ``keeps_versions`` is false where an overwrite would leave no trace.
    """

    key: str
    sequence: int | None
    body: bytes
    stored_at: float = 0.0
    versions: int = 1
    markers: int = 0
    keeps_versions: bool = True


class SegmentArchive(Protocol):
    """The segments of one chain."""

    def write_segment(self, sequence: int, body: bytes) -> bool:
        """Store the segment if its number is free; ``True`` also when these very bytes are there already."""

    def read_segment(self, sequence: int) -> bytes | None:
        """The segment's present bytes; ``None`` only where it certainly does not exist."""

    def read_original(self, sequence: int) -> bytes | None:
        """The bytes of its oldest version, which a later writer cannot replace; ``None`` where it does not exist."""

    def last_sequence(self) -> int:
        """The highest number that is stored, 0 where nothing is stored."""

    def read_segments(self, *, after: int = 0) -> Iterator[StoredSegment]:
        """Every stored segment with a higher number, in order, and every key beside them that is not a segment's.

        Each comes with the bytes of its oldest version, also where a newer version or a delete marker hides it.
        """


class ChainHead(Protocol):
    """The newest link, kept away from the segments so that a cut-off end is found."""

    def read_head(self) -> Link | None:
        """The newest link, strongly consistent; ``None`` where it was never written."""

    def advance_head(self, link: Link) -> bool:
        """Set the head if the link is higher.

        Returns ``False`` when another writer is further, or has noted this link's segment as unanchored.
        """

    def doubt_segments(self, last: int, *, seen: Link | None) -> bool:
        """Note that another writer builds upon the segments up to ``last``, which the head does not anchor.

        From then on ``advance_head`` refuses their links. Returns ``False``, without a note, when the head is not
        ``seen`` now.
        """


class Chains(Protocol):
    """The chains of one migration by their shards; ``MISSING_SHARD`` names the chain of changes without a shard."""

    def archive(self, shard: str) -> SegmentArchive:
        """The segments of a chain; makes no request."""

    def head(self, shard: str) -> ChainHead:
        """The head of a chain; makes no request."""

    def stored_shards(self) -> Iterator[str]:
        """The shards below whose name anything is stored, in order; other programs may have made some of the names."""


class HeadOfHeads(Protocol):
    """The names of the chains that are not handed on, each with one of its newest links."""

    def read_heads(self) -> Mapping[str, Link]:
        """The link of each chain by its shard, strongly consistent."""

    def name_chain(self, shard: str, link: Link, *, ends: str = MISSING_SHARD) -> None:
        """Set the link of a chain, if it is higher, and take out the chain ``ends``, which was handed on to it.

        Writers of different chains never refuse each other.
        """


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard of the stream with this ARN."""

    shard_id: str = MISSING_SHARD
    stream: str = ""


class ShardTree(Protocol):
    """The shards of a stream by their parents."""

    def find_parent(self, shard: Shard) -> str | None:
        """The id of the shard's parent.

        ``None`` for a shard without a parent, and for one that the stream does not list any more: it lists a shard for
        24 hours after its end.
        """


@dataclass(frozen=True, slots=True)
class BookedEvent:
    """The first event of a subject and number.

    ``told`` is the record's digest in that event, if it has one. ``segment`` is the book's number of the segment.
    """

    digest: bytes
    told: str
    segment: int
    line: int


@dataclass(frozen=True, slots=True)
class Deferred:
    """A record's state without a known event when it was read; ``changed_at`` in seconds since 1970."""

    subject: str
    uri: str
    revision: int
    digest: str
    changed_at: float


@dataclass(frozen=True, slots=True)
class DoubtedSegment:
    """A segment that its writer had not anchored when others built upon it.

    ``sequence`` is the book's number of it. ``events`` counts the events that only this segment contains.
    """

    sequence: int
    stored_at: float
    events: int
    line: int


CHAIN_SPAN = 1 << 40
"""How far apart the book's numbers of two chains are: a segment's number has at most twelve digits."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers of a subject, ``first`` to ``last``, that were not told when the event at this place told ``number``.

    ``name`` is the subject as a person knows it.
    """

    subject: str
    name: str
    first: int
    last: int
    number: int
    segment: int
    line: int


@dataclass(frozen=True, slots=True)
class UnmetName:
    """A link that another chain or the head of heads tells, and the book does not have.

    ``segment`` is the book's number; ``found`` is the SHA-256 of the segment that was read, ``None`` where none was.
    """

    segment: int
    sha256: str
    by: str
    found: str | None


class EventBook(Protocol):
    """Millions of events by subject and number, on disk; a segment has one number for all chains."""

    def book_segment(self, sequence: int, stored_at: float, sha256: str = "") -> None:
        """Book that a segment was read, once for each."""

    def book_name(self, sequence: int, sha256: str, by: str) -> None:
        """Book that a link was told elsewhere, ``by`` which segment or item; repeatable, the first one stays."""

    def unmet_names(self) -> Iterator[UnmetName]:
        """Told links that are not those of the booked segments.

        Each that differs is told, and of each chain's missing ones the highest. A chain has the numbers between two
        multiples of ``CHAIN_SPAN``.
        """

    def book_gap(self, gap: Gap) -> None:
        """Keep a gap for ``open_gaps``."""

    def open_gaps(self) -> Iterator[Gap]:
        """The gaps of which some numbers are not booked meanwhile, in the order in which they were booked."""

    def segment_sha256(self, sequence: int) -> str | None:
        """The SHA-256 of a booked segment."""

    def segment_stored_at(self, sequence: int) -> float | None:
        """When a booked segment was stored."""

    def doubt_segments(self, first: int, last: int) -> None:
        """Mark the booked segments of this range as built upon before they were anchored; repeatable."""

    def book_repeat(self, subject: str, number: int, segment: int) -> None:
        """Book that a later segment repeats a booked event; repeatable."""

    def unconfirmed_segments(self) -> Iterator[DoubtedSegment]:
        """Marked segments that contain an event first, where no unmarked segment repeats it; in order."""

    def newest_number(self, subject: str) -> int | None:
        """The highest number of a subject."""

    def find_event(self, subject: str, number: int) -> BookedEvent | None:
        """The booked event of this subject and number; ``None`` if there is no such event."""

    def book_event(self, subject: str, number: int, event: BookedEvent) -> None:
        """Book the event, once for each subject and number."""

    def defer_record(self, state: Deferred) -> None:
        """Keep the record's state for ``deferred_records``."""

    def deferred_records(self) -> Iterator[Deferred]:
        """Every state that was kept."""

    def mark_seen(self, subject: str) -> None:
        """Remember that the manifest has this subject; repeatable."""

    def subjects_not_seen(self) -> Iterator[str]:
        """Booked subjects that were never marked: the ids of records and of other items."""


class AuditedItems(Protocol):
    """The audited items beside the records: the control, the stage and the journal of references."""

    def list_items(self) -> Iterator[Deferred]:
        """The control and the stage, also where they were never written, and every entry of the journal."""

    def has_item(self, item_id: str) -> bool:
        """Whether an audited item of this id exists now; ``False`` for an id that is never audited."""


class EventBus(Protocol):
    """EventBridge."""

    def publish_events(self, events: Sequence[AuditEvent]) -> Sequence[int]:
        """Publish the events; returns the indexes (ascending) of those that were not accepted after retries."""
