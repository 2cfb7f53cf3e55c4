"""Referring tables and their journal in memory: every condition is evaluated, all or nothing."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from json import dumps
from math import ceil
from typing import Any

from adapters.dynamodb.references import update_of
from domain.errors import RefusedRequestError
from domain.protocol.record import Record
from domain.references.items import MAX_ITEM_BYTES, edited, item_size
from domain.references.ports import Changed, EntryPage, ItemChange, ItemPage, JournalEntry
from domain.rules.paths import value_at
from domain.rules.references import Item
from tests.fakes.faults import ScriptedFaults
from tests.fakes.manifest import InMemoryManifest

PAGE = 2


def _nobody(_change: ItemChange) -> None:
    """Nobody writes in between."""


def _is_as_read(manifest: InMemoryManifest, record: Record) -> bool:
    return manifest.records.get(record.record_id) == record


class InMemoryReferences(ScriptedFaults):
    """ReferringTables and ReferenceJournal; ``between`` is what others do just before a change is written."""

    def __init__(self, manifest: InMemoryManifest) -> None:
        super().__init__()
        self._manifest = manifest
        self.tables: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, tuple[str, ...]] = {}
        self.journal: dict[str, JournalEntry] = {}
        self.between: Callable[[ItemChange], None] = _nobody
        self.changes: list[ItemChange] = []

    def create_table(self, table: str, *key: str) -> None:
        """Make an empty table."""
        self.tables[table], self.keys[table] = {}, key

    def put_item(self, table: str, item: Item) -> None:
        """The application writes."""
        self.tables[table][self._id(table, item)] = deepcopy(dict(item))

    def remove_item(self, table: str, key: Item) -> None:
        """The application deletes."""
        self.tables[table].pop(self._id(table, key), None)

    def scan_items(
        self, table: str, *, segment: int = 0, segments: int = 1, after: Item | None = None
    ) -> Iterator[ItemPage]:
        """See the port."""
        ids = [one for one in sorted(self.tables[table]) if sum(one.encode()) % segments == segment]
        if after is not None:
            ids = [one for one in ids if one > self._id(table, after)]
        for start in range(0, max(len(ids), 1), PAGE):
            with self._faulty("scan_items"):
                page = [
                    deepcopy(self.tables[table][one]) for one in ids[start : start + PAGE] if one in self.tables[table]
                ]
            more = start + PAGE < len(ids)
            last = {name: page[-1][name] for name in self.keys[table]} if more and page else None
            yield ItemPage(page, last, float(ceil(sum(map(item_size, page)) / 4_096)))

    def find_items(self, table: str, *, index: str, attribute: str, text: str) -> Iterator[Item]:
        """See the port."""
        with self._faulty("find_items"):
            found = [one for one in self.tables[table].values() if one.get(attribute) == {"S": text}]
        yield from ({name: one[name] for name in self.keys[table]} for one in found)

    def read_item(self, table: str, key: Item) -> Item | None:
        """See the port."""
        with self._faulty("read_item"):
            return deepcopy(self.tables[table].get(self._id(table, key)))

    def change_item(self, change: ItemChange) -> Changed:
        """See the port."""
        self.between(change)
        with self._faulty("change_item"):
            return self._change(change)

    def _change(self, change: ItemChange) -> Changed:
        item = self.tables[change.table].get(self._id(change.table, change.key))
        if any(len(update_of(change)[f"{kind}Expression"].encode()) > 4_096 for kind in ("Update", "Condition")):
            raise RefusedRequestError("TransactWriteItems: Expression size has exceeded the maximum allowed size")
        if item is None or any(value_at(item, edit.place) != edit.before for edit in change.edits):
            return Changed.ITEM_CHANGED
        if self.journal.get(change.entry.entry_id) != change.entry_before:
            return Changed.JOURNAL_CHANGED
        if not all(_is_as_read(self._manifest, record) for record in change.records):
            return Changed.RECORD_CHANGED
        after = edited(item, change.edits)
        if item_size(after) > MAX_ITEM_BYTES:
            return Changed.TOO_LARGE
        self.tables[change.table][self._id(change.table, change.key)] = dict(after)
        self.journal[change.entry.entry_id] = change.entry
        self.changes.append(change)
        return Changed.DONE

    def scan_entries(self) -> Iterator[JournalEntry]:
        """See the port."""
        with self._faulty("scan_entries"):
            entries = list(self.journal.values())
        yield from (entry for entry in entries if entry.switches)

    def read_entries(self, segment: int, segments: int, *, cursor: str, at_most: int) -> EntryPage:
        """See the port; restored entries count too, so a page may hold fewer."""
        with self._faulty("read_entries"):
            ids = [one for one in sorted(self.journal) if sum(one.encode()) % segments == segment and one > cursor]
            page = [self.journal[one] for one in ids[:at_most]]
        last = page[-1].entry_id if len(ids) > at_most else None
        return EntryPage([entry for entry in page if entry.switches], last)

    def _id(self, table: str, item: Item) -> str:
        return dumps([item[name] for name in self.keys[table]])
