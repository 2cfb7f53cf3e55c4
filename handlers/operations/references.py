"""References as jobs: scan the tables in parallel segments, find the references that are left, undo."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from domain.errors import InputError, TransientError
from domain.keys import Location
from domain.references.holders import Reference
from domain.references.item_rewriting import ReferencePorts, judge_item, reported, rewrite_item
from domain.references.items import held_uris, place_text
from domain.references.judging import Stuck, copies_named, judge
from domain.references.ports import ReferenceJournal, ReferringTables, ScanPosition
from domain.references.reports import ReferenceOutcome, Reported
from domain.references.undo import undo_entry
from domain.rules.compiled import CompiledRules
from domain.rules.references import Item, TableReferences
from handlers.operations.reference_manifests import ManifestScan
from handlers.operations.reference_rates import Rate, ReadPace

PASSES = 3
"""How often an item is tried when a service error prevented its read or write."""
_END = object()


@dataclass(frozen=True, slots=True)
class TableScan:
    """One run over the declared tables; with ``dry_run`` nothing is written.

    ``resume`` continues a stopped run with as many segments and the same rules. After a run that ended, and in a dry
    run, every item is read.
    """

    segments: int = 4
    dry_run: bool = True
    resume: bool = False


@dataclass(frozen=True, slots=True)
class References:
    """The operations on the references of the rules file's tables."""

    rules: CompiledRules
    ports: ReferencePorts
    new_id: Callable[[], str]
    rate: Rate
    units: ReadPace
    manifests: ManifestScan | None = None
    segments_at_once: Callable[[int], Executor] = ThreadPoolExecutor
    """Makes the pool that reads that many segments of a table in parallel."""

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

    def scan(self, tables: Sequence[TableReferences], how: TableScan) -> Iterator[Reported]:
        """Rewrite every reference of these tables, or with a dry run classify it; yields each report when it is known.

        Raises the first error of a segment that retries did not repair; the progress of the other segments is kept.
        """
        for table in tables:
            yield from self._segments(table, how)

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

    def scan_manifests(self, *, dry_run: bool) -> Iterator[Reported]:
        """The manifests that the rules file declares, if it declares any."""
        if self.manifests is not None:
            yield from self.manifests.scan(dry_run=dry_run)

    def rewritten(self) -> Iterator[Reported]:
        """The references that an undo would try to put back; nothing is written."""
        for entry in self.ports.journal.scan_entries():
            holder = TableReferences(entry.table, tuple(entry.key), ()).holder(entry.key)
            for switch in entry.switches:
                source = Location(self.rules.source_bucket, switch.before)
                place = place_text(switch.place, switch.inside)
                yield Reported(
                    Reference(holder, place, switch.before, source), ReferenceOutcome.REWRITTEN, new_uri=switch.after
                )

    def undo_references(self, only: frozenset[str] | None = None) -> Iterator[Reported]:
        """Put back every old URI that was replaced, of these records or of all; yields a report for each.

        For rollback: after the sources are back, before copies are purged. Entries of a table that the rules file no
        longer declares are reported, not changed.
        """
        declared = {one.table: one for one in self.rules.references.tables}
        for entry in self.ports.journal.scan_entries():
            table = declared.get(entry.table)
            if table is not None:
                yield from repeated(lambda: undo_entry(entry, table, ports=self.ports, only=only))  # noqa: B023  # called at once
                continue
            why = f"the rules file no longer declares the table {entry.table}: declare it again, then undo"
            bare = TableReferences(entry.table, tuple(entry.key), ())
            for switch in entry.switches:
                place = place_text(switch.place, switch.inside)
                source = Location(self.rules.source_bucket, switch.before)
                yield Reported(
                    Reference(bare.holder(entry.key), place, switch.before, source),
                    ReferenceOutcome.LOST,
                    why,
                    switch.after,
                )

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

    def _segments(self, table: TableReferences, how: TableScan) -> Iterator[Reported]:
        found: queue.Queue[list[Reported] | object] = queue.Queue(maxsize=100)
        stop = threading.Event()
        begin = self._positions(table, how)
        with self.segments_at_once(how.segments) as pool:

            def put(reports: list[Reported] | object) -> None:
                while not stop.is_set():
                    with suppress(queue.Full):
                        found.put(reports, timeout=0.5)
                        return

            def work(segment: int) -> None:
                try:
                    for reports in self._segment(table, how, segment, begin[segment], stop):
                        put(reports)
                finally:
                    put(_END)

            futures = [pool.submit(work, segment) for segment in range(how.segments)]
            ended = 0
            try:
                while ended < how.segments:
                    reports = found.get()
                    if isinstance(reports, list):
                        yield from reports
                    else:
                        ended += 1
                for future in futures:
                    future.result()
            finally:
                stop.set()

    def _positions(self, table: TableReferences, how: TableScan) -> list[ScanPosition]:
        """Where each segment begins; a run that reads every item first deletes the positions of earlier runs."""
        fresh = [ScanPosition()] * how.segments
        if how.dry_run:
            return fresh
        ids = [self._scan_id(table, how, segment) for segment in range(how.segments)]
        known = [self.ports.journal.read_position(one) for one in ids]
        if how.resume and not all(one.done for one in known):
            return known
        for one, position in zip(ids, known, strict=True):
            if position != ScanPosition():
                self.ports.journal.write_position(one, ScanPosition())
        return fresh

    def _scan_id(self, table: TableReferences, how: TableScan, segment: int) -> str:
        """The id of a scan: other rules read the same items in another way, so their progress does not count."""
        return f"{table.table}#{segment}-of-{how.segments}#{self.rules.digest[:16]}"

    def _segment(
        self, table: TableReferences, how: TableScan, segment: int, position: ScanPosition, stop: threading.Event
    ) -> Iterator[list[Reported]]:
        scan_id = self._scan_id(table, how, segment)
        journal: ReferenceJournal = self.ports.journal
        if position.done:
            return
        tables: ReferringTables = self.ports.tables
        pages = tables.scan_items(table.table, segment=segment, segments=how.segments, after=position.last_key)
        for page in self.units.pace(pages):
            for item in page.items:
                if stop.is_set():
                    return
                self.rate.wait()
                yield repeated(lambda: self.rewrite(table, item, dry_run=how.dry_run))  # noqa: B023  # called at once
            if not how.dry_run:
                journal.write_position(scan_id, ScanPosition(page.last_key, done=page.last_key is None))


def repeated(job: Callable[[], list[Reported]]) -> list[Reported]:
    """The reports of the job, which is tried again when a service error prevented its read or write."""
    for _ in range(PASSES - 1):
        try:
            return job()
        except TransientError:
            continue
    return job()
