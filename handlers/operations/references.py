"""What is done with the references of the rules file: rewrite those of an item, find them, put old URIs back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from domain.errors import InputError, TransientError
from domain.keys import Location
from domain.references.holders import Reference
from domain.references.item_rewriting import ReferencePorts, judge_item, reported, rewrite_item
from domain.references.items import Switch, held_uris, place_text
from domain.references.judging import Stuck, copies_named, judge
from domain.references.ports import JournalEntry
from domain.references.reports import ReferenceOutcome, Reported
from domain.references.undo import undo_entry
from domain.rules.compiled import CompiledRules
from domain.rules.references import Item, TableReferences
from handlers.operations.reference_manifests import ManifestScan
from handlers.operations.reference_rates import ReadPace

PASSES = 3
"""How often an item is tried when a service error prevented its read or write."""


@dataclass(frozen=True, slots=True)
class References:
    """The operations on the references of the rules file's tables."""

    rules: CompiledRules
    ports: ReferencePorts
    new_id: Callable[[], str]
    units: ReadPace
    manifests: ManifestScan | None = None

    def tables(self, name: str | None = None) -> Sequence[TableReferences]:
        """The declared tables, or the one with that name."""
        return [table for table in self.rules.references.tables if name in (None, table.table)]

    def tables_named(self, name: str | None) -> Sequence[TableReferences]:
        """The declared tables, or the one with that name; raises InputError where there is none of that name."""
        tables = self.tables(name)
        if name is not None and not tables:
            known = ", ".join(table.table for table in self.tables()) or "none"
            raise InputError(f"the rules file declares no table '{name}' among its references; it knows: {known}")
        return tables

    def rewrite(self, table: TableReferences, item: Item, *, dry_run: bool = False) -> list[Reported]:
        """Rewrite the references of one item."""
        if dry_run:
            return judge_item(item, table, rules=self.rules, ports=self.ports)
        return rewrite_item(item, table, rules=self.rules, ports=self.ports, new_id=self.new_id())

    def find_references(self) -> Iterator[Reference]:
        """See the port ReferenceFinder: every place that holds, or may hold, a legacy URI of an object that moves."""
        yield from self._in_tables(of_copies=False)
        if self.manifests is not None:
            yield from self.manifests.find_references()

    def find_copy_references(self) -> Iterator[Reference]:
        """See the port ReferenceFinder: every reference to a place of the new layout."""
        yield from self._in_tables(of_copies=True)
        if self.manifests is not None:
            yield from self.manifests.find_copy_references()

    def references_in(self, table: TableReferences, item: Item, *, of_copies: bool) -> Iterator[Reference]:
        """What is found in one item."""
        if not of_copies:
            yield from self._legacy(table, item)
            return
        for held in held_uris(item, table):
            for place in copies_named(held, self.rules):
                yield Reference(table.holder(table.key_of(item)), held.text, held.uri, place)

    def journaled(self, entry: JournalEntry) -> list[Reported]:
        """The references of an entry, which an undo would try to put back."""
        return self._told(entry, ReferenceOutcome.REWRITTEN)

    def undo(self, entry: JournalEntry, only: frozenset[str] | None = None) -> list[Reported]:
        """Put back the old URIs of an entry, of these records or of all; tried again after a service error.

        An entry of a table that the rules file no longer declares is reported, not changed. Raises TransientError.
        """
        tables = self.tables(entry.table)
        if tables:
            return repeated(lambda: undo_entry(entry, tables[-1], ports=self.ports, only=only))
        why = f"the rules file no longer declares the table {entry.table}: declare it again, then undo"
        return self._told(entry, ReferenceOutcome.LOST, why)

    def undo_references(self, only: frozenset[str] | None = None) -> Iterator[Reported]:
        """Put back every old URI that was replaced, of these records or of all; yields a report for each.

        For rollback: after the sources are back, before copies are purged.
        """
        for entry in self.ports.journal.scan_entries():
            yield from self.undo(entry, only)

    def _told(self, entry: JournalEntry, outcome: ReferenceOutcome, why: str = "") -> list[Reported]:
        holder = TableReferences(entry.table, tuple(entry.key), ()).holder(entry.key)

        def told(switch: Switch) -> Reported:
            source = Location(self.rules.source_bucket, switch.before)
            reference = Reference(holder, place_text(switch.place, switch.inside), switch.before, source)
            return Reported(reference, outcome, why, switch.after)

        return [told(switch) for switch in entry.switches]

    def _in_tables(self, *, of_copies: bool) -> Iterator[Reference]:
        for table in self.tables():
            for page in self.ports.tables.scan_items(table.table):
                for item in page.items:
                    yield from self.references_in(table, item, of_copies=of_copies)

    def _legacy(self, table: TableReferences, item: Item) -> Iterator[Reference]:
        holder = table.holder(table.key_of(item))
        for held in held_uris(item, table):
            judged = judge(held, self.rules)
            if isinstance(judged, Stuck):
                yield from reported(judged, holder, held.text, held.uri, rules=self.rules).held
            elif judged is not None:
                for source in (judged.source, *judged.also):
                    yield Reference(holder, held.text, held.uri, source)


def repeated(job: Callable[[], list[Reported]]) -> list[Reported]:
    """The reports of the job, which is tried again when a service error prevented its read or write."""
    for _ in range(PASSES - 1):
        try:
            return job()
        except TransientError:
            continue
    return job()
