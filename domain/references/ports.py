"""Tables that hold URIs, the journal of rewritten references, and the contents of augmented manifests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from domain.keys import Location
from domain.protocol.ports import Refused, TargetObject
from domain.protocol.record import Record
from domain.references.holders import Pin, Reference
from domain.references.items import Edit, Switch
from domain.references.pins import HeldUri
from domain.rules.references import Item


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """The before-images of one write on one item; a restored reference is no longer among ``switches``.

    ``written_at`` is when this revision was written, in seconds since 1970.
    """

    entry_id: str
    table: str
    key: Item
    switches: tuple[Switch, ...]
    written_at: float
    revision: int = 1


@dataclass(frozen=True, slots=True)
class ItemChange:
    """One write: the edits of one item, each on the condition of its old value and of unchanged records.

    ``entry`` replaces ``entry_before`` in the journal in the same transaction (``None``: it is new).
    """

    table: str
    key: Item
    edits: tuple[Edit, ...]
    records: tuple[Record, ...]
    entry: JournalEntry
    entry_before: JournalEntry | None = None


class Changed(StrEnum):
    """The result of a change; only DONE wrote anything."""

    DONE = "done"
    ITEM_CHANGED = "item-changed"
    RECORD_CHANGED = "record-changed"
    JOURNAL_CHANGED = "journal-changed"
    TOO_LARGE = "too-large"


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Some items of a scan; ``last_key`` is where the scan continues, ``None`` after the last page.

    ``read_units`` is what reading them used of the table's throughput.
    """

    items: Sequence[Item]
    last_key: Item | None
    read_units: float = 0.0


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Some entries of a segment of the journal; ``cursor`` is where it continues, ``None`` after the last page."""

    entries: Sequence[JournalEntry]
    cursor: str | None


class ReferringTables(Protocol):
    """DynamoDB tables of the application."""

    def scan_items(
        self, table: str, *, segment: int = 0, segments: int = 1, after: Item | None = None
    ) -> Iterator[ItemPage]:
        """Every item, strongly consistent; an item that changes meanwhile is returned as it was or as it is."""

    def find_items(self, table: str, *, index: str, attribute: str, text: str) -> Iterator[Item]:
        """Items with this text in the index, eventually consistent; each contains at least the table's key."""

    def read_item(self, table: str, key: Item) -> Item | None:
        """The current item; ``None`` if it does not exist."""

    def change_item(self, change: ItemChange) -> Changed:
        """Write all edits, the journal entry and the checks of the records in one transaction, or nothing."""


class ReferenceJournal(Protocol):
    """The journal of rewritten references, beside the records."""

    def scan_entries(self) -> Iterator[JournalEntry]:
        """Every entry that still has something to restore."""

    def read_entries(self, segment: int, segments: int, *, cursor: str, at_most: int) -> EntryPage:
        """At most so many such entries of a segment after ``cursor``, empty: from the first; a page may be empty.

        All segments together hold every entry once that was written before their first pages were read.
        """


class ManifestContents(Protocol):
    """The bytes of augmented manifests."""

    def read_content(self, location: Location, *, etag: str) -> Iterator[bytes] | Refused:
        """The bytes of the version with this etag, in blocks.

        Returns PRECONDITION when the object has another etag, SOURCE_ABSENT when it is absent. Raises UnavailableError
        in the middle when the connection breaks.
        """

    def upload_part(self, target: TargetObject, *, upload_id: str, number: int, body: bytes) -> str | Refused:
        """Write one part of an upload; returns its etag. Repeatable. CONCURRENT: the upload no longer exists."""


class RecordReader(Protocol):
    """The part of the manifest table that references need."""

    def read_record(self, record_id: str) -> Record | None:
        """The current record; ``None`` if it does not exist."""

    def read_records(self, record_ids: Sequence[str]) -> Mapping[str, Record]:
        """The current records by their ids; ids without a record are left out."""


class UriHolder(Protocol):
    """A service whose things hold URIs and cannot be edited."""

    def list_uris(self) -> Iterator[HeldUri]:
        """Every URI that it holds, of any bucket."""


class ReferenceFinder(Protocol):
    """Searches everything that the rules file's ``references`` name."""

    def find_references(self) -> Iterator[Reference]:
        """Every reference to a legacy object that the rules move, whether the object is migrated or not.

        Where a text may be a reference, or its key is not certain, there is one reference for each object that it may
        name. A source without a key, or whose key ends in a slash, stands for everything below it.
        """

    def find_copy_references(self) -> Iterator[Reference]:
        """The same for places of the new layout; ``source`` of each reference is then such a place."""


class PinFinder(Protocol):
    """Searches the holders of URIs that cannot be edited."""

    def find_pins(self) -> Iterator[Pin]:
        """Every pin on a legacy object that the rules move."""

    def find_copy_pins(self) -> Iterator[Pin]:
        """Every pin on a place of the new layout; its ``source`` is then that place."""
