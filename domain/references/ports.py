"""Tables that hold URIs, the journal of what was rewritten in them, and the contents of manifests."""

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
    """The before-images of one write on one item; what is restored is no longer among ``switches``.

    ``written_at`` is when this revision was written, seconds since 1970.
    """

    entry_id: str
    table: str
    key: Item
    switches: tuple[Switch, ...]
    written_at: float
    revision: int = 1


@dataclass(frozen=True, slots=True)
class ItemChange:
    """One write: the edits of one item, each on its old value, while these records are as they were read.

    ``entry`` replaces ``entry_before`` in the journal in the same transaction (``None``: it is new).
    """

    table: str
    key: Item
    edits: tuple[Edit, ...]
    records: tuple[Record, ...]
    entry: JournalEntry
    entry_before: JournalEntry | None = None


class Changed(StrEnum):
    """What became of a change; only DONE wrote anything."""

    DONE = "done"
    ITEM_CHANGED = "item-changed"
    RECORD_CHANGED = "record-changed"
    JOURNAL_CHANGED = "journal-changed"
    TOO_LARGE = "too-large"


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Some items of a scan; ``last_key`` is where it goes on, ``None`` after the last page."""

    items: Sequence[Item]
    last_key: Item | None


@dataclass(frozen=True, slots=True)
class ScanPosition:
    """How far a segment of a scan is."""

    last_key: Item | None = None
    done: bool = False


class ReferringTables(Protocol):
    """DynamoDB tables of the application."""

    def scan_items(
        self, table: str, *, segment: int = 0, segments: int = 1, after: Item | None = None
    ) -> Iterator[ItemPage]:
        """Every item, strongly consistent; what changes meanwhile may be seen as it was or as it is."""

    def find_items(self, table: str, *, index: str, attribute: str, text: str) -> Iterator[Item]:
        """Items with this text in the index, eventually consistent; the table's key at least is in each."""

    def read_item(self, table: str, key: Item) -> Item | None:
        """The item now."""

    def change_item(self, change: ItemChange) -> Changed:
        """All edits, the journal entry and the checks of the records in one transaction, or nothing."""


class ReferenceJournal(Protocol):
    """What was rewritten, beside the records, and how far scans are."""

    def scan_entries(self) -> Iterator[JournalEntry]:
        """Every entry that still has something to restore."""

    def read_position(self, scan_id: str) -> ScanPosition:
        """Where that scan goes on; its beginning where nothing is known."""

    def write_position(self, scan_id: str, position: ScanPosition) -> None:
        """Remember it."""


class ManifestContents(Protocol):
    """The bytes of manifest objects."""

    def read_content(self, location: Location, *, etag: str) -> Iterator[bytes] | Refused:
        """The bytes of the version with this etag, in blocks; PRECONDITION when it is another, SOURCE_ABSENT.

        Raises UnavailableError in the middle when the connection breaks.
        """

    def upload_part(self, target: TargetObject, *, upload_id: str, number: int, body: bytes) -> str | Refused:
        """Write one part of an upload; its etag. Repeatable. CONCURRENT: the upload is gone."""


class RecordReader(Protocol):
    """The part of the manifest that references need."""

    def read_record(self, record_id: str) -> Record | None:
        """The record now."""

    def read_records(self, record_ids: Sequence[str]) -> Mapping[str, Record]:
        """The records now, by their ids; ids without a record are left out."""


class UriHolder(Protocol):
    """A service whose things hold URIs and cannot be edited."""

    def list_uris(self) -> Iterator[HeldUri]:
        """Every URI that it holds, of whatever bucket."""


class ReferenceFinder(Protocol):
    """Looks through everything that the rules file's ``references`` name."""

    def find_references(self) -> Iterator[Reference]:
        """Every place that still holds a legacy URI of an object that the rules move, whether it is migrated or not.

        Where a text may be one, or the key is not certain, there is one for each object that it may name. A source
        without a key, or whose key ends in a slash, stands for everything below it.
        """

    def find_copy_references(self) -> Iterator[Reference]:
        """The same for places of the new layout, which is what each one's ``source`` is then."""


class PinFinder(Protocol):
    """Looks through what holds URIs and cannot be edited."""

    def find_pins(self) -> Iterator[Pin]:
        """Every pin on a legacy object that the rules move."""

    def find_copy_pins(self) -> Iterator[Pin]:
        """Every pin on a place of the new layout, which is what its ``source`` is then."""
