"""What runs of stage work are wired with: the book that keeps them, and what a verification reads."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace

from adapters.dynamodb.manifest import DynamoDbManifest
from adapters.dynamodb.runs import DynamoDbRunBook
from adapters.local.run_book import SqliteRunBook
from domain.keys import Location
from domain.lifecycle.ports import ReportedObjects
from domain.planning.ports import ObjectListing
from domain.protocol.ports import RecordPages
from domain.rules.lake_tables import LakeTable, LakeTables, TableFormat
from domain.runs.ports import RunBook
from domain.runs.works import Work
from handlers.bootstrap.inventories import inventory_files
from handlers.bootstrap.operations import check_inventory
from handlers.bootstrap.process import Process
from handlers.bootstrap.references import references_of
from handlers.operations.cleanup import Cleaner, lake_tables_of
from handlers.operations.count_run import (
    CountOptions,
    count_records,
    lines_of_slice,
    show_troubled,
    tally_records,
)
from handlers.operations.look_at_holders import holders_of, look_at_holders
from handlers.operations.operator import Operation
from handlers.operations.purge import Purger
from handlers.operations.record_counts import KeptLines, RecordCounts
from handlers.operations.reference_run import ReferenceScanWork, ScanOptions
from handlers.operations.references import References
from handlers.operations.removal_run import CleanupOptions, PurgeOptions, RemovalWork
from handlers.operations.rewrite_run import RewriteOptions, RewriteWork
from handlers.operations.rollback_plan import plan_rollback
from handlers.operations.rollback_run import RollbackOptions, RollbackWork
from handlers.operations.runs import KeptRun
from handlers.operations.undo_run import UndoOptions, UndoWork
from handlers.operations.verify import Verifier
from handlers.operations.verify_run import KeySource, Sources, VerifyOptions, VerifyWork

MOST_TABLES_TEXT = 50_000
"""Characters of the tables' roots in the options of a run, which are one item of at most 400 KB."""


def shared_book(process: Process) -> RunBook:
    """The book in the manifest table."""
    return DynamoDbRunBook(process.clients, process.table)


def run_book(process: Process, *, is_local: bool) -> AbstractContextManager[RunBook]:
    """The book in the manifest table, or one that ends with this process."""
    return closing(SqliteRunBook()) if is_local else nullcontext(shared_book(process))


@dataclass(frozen=True, slots=True)
class ListedKeys:
    """KeySource over a listing; the cursor is the last key."""

    listing: ObjectListing
    bucket: str
    prefix: str

    def read_keys(self, cursor: str) -> Iterator[tuple[Location, str]]:
        """See the port."""
        for listed in self.listing.list_objects(self.bucket, prefix=self.prefix, after=cursor):
            yield Location(self.bucket, listed.key), listed.key


@dataclass(frozen=True, slots=True)
class InventoryKeys:
    """KeySource over an inventory; the cursor is the number of keys before it."""

    process: Process
    place: str
    prefixes: tuple[str, ...]

    def read_keys(self, cursor: str) -> Iterator[tuple[Location, str]]:
        """See the port; the files before the cursor are read again, which costs no request for a key."""
        done, number = int(cursor or 0), 0
        with inventory_files(self.process, self.place) as (inventory, files):
            for rows in files.values():
                for row in rows(0):
                    if row is not None and row.key.startswith(self.prefixes):
                        number += 1
                        if number > done:
                            yield Location(inventory.source_bucket, row.key), str(number)


def key_sources(process: Process, operation: Operation, inventories: Sequence[str]) -> tuple[KeySource, ...]:
    """The keys of both sides: from inventories where they are given, else from listings; InputError for a wrong one."""
    wanted = dict(operation.dependencies.rules.prefixes)
    found: list[KeySource] = []
    for place in inventories:
        with inventory_files(process, place, only="") as (inventory, _):
            check_inventory(operation, inventory, place, wanted)
            found.append(InventoryKeys(process, place, wanted.pop(inventory.source_bucket)))
    for bucket, prefixes in wanted.items():
        found += [ListedKeys(operation.listing, bucket, prefix) for prefix in prefixes]
    return tuple(found)


@contextmanager
def verify_work(
    process: Process, operation: Operation, options: VerifyOptions, *, reported: ReportedObjects | None = None
) -> Iterator[VerifyWork]:
    """The work of a verification with these options; what ``reported`` proves is not looked at."""
    dependencies = operation.dependencies
    with operation.key_book() as book:
        verifier = Verifier(
            dependencies,
            book=book,
            reader=operation.reader if options.deep else None,
            marks=options.marks,
            fresh_since=options.fresh_since,
        )
        sources = Sources(
            pages=pages_of(process),
            keys=key_sources(process, operation, options.inventories) if options.keys else (),
            finders=operation.finders,
            book=book,
            reported=reported,
        )
        yield VerifyWork(verifier, sources, options, sleep=dependencies.sleep)


def cleanup_work(
    process: Process, operation: Operation, options: CleanupOptions, kept: KeptRun, *, looks_here: bool
) -> RemovalWork:
    """The work of a cleanup with these options, kept so; ``looks_here`` as in ``holders_of``."""
    tables = None
    if options.tables is not None:
        found = (LakeTable(root, TableFormat(kind)) for root, kind in options.tables)
        accepted = operation.dependencies.rules.accepted_tables
        tables = LakeTables({table.root: table for table in found}, accepted)
    look = look_at_holders(operation, kept, pages_of(process), of_copies=False, segments=options.segments)
    holders = holders_of(operation, look, looks_here=looks_here)
    cleaner = Cleaner(operation, holders, soak=options.soak, forgets_versions=options.versions, tables=tables)
    return RemovalWork(cleaner, pages_of(process), options, sleep=operation.dependencies.sleep)


def with_tables(operation: Operation, options: CleanupOptions) -> CleanupOptions:
    """The options with the data-lake tables of the source, so that one process alone lists the bucket for them.

    Where they are too many for an item, each process looks for them.
    """
    found = lake_tables_of(operation.listing, operation.dependencies.rules).roots.values()
    tables = tuple((table.root, table.format.value) for table in found)
    return replace(options, tables=tables if sum(len(root) for root, _ in tables) < MOST_TABLES_TEXT else None)


def purge_work(
    process: Process, operation: Operation, options: PurgeOptions, kept: KeptRun, *, looks_here: bool
) -> RemovalWork:
    """The work of a purge with these options, kept so; ``looks_here`` as in ``holders_of``."""
    look = look_at_holders(operation, kept, pages_of(process), of_copies=True, segments=options.segments)
    purger = Purger(operation, holders_of(operation, look, looks_here=looks_here))
    return RemovalWork(purger, pages_of(process), options, sleep=operation.dependencies.sleep)


def rollback_work(process: Process, operation: Operation, options: RollbackOptions) -> RollbackWork:
    """The work of a rollback with these options."""
    return RollbackWork(operation, pages_of(process), options)


def rollback_plan_work(process: Process, operation: Operation, options: RollbackOptions) -> RecordCounts:
    """The work of a rollback's dry run with these options."""
    return RecordCounts(pages_of(process), options.segments, plan_rollback, sleep=operation.dependencies.sleep)


def rewrite_work(references: References, options: RewriteOptions) -> RewriteWork:
    """The work of a rewriting of these references with these options."""
    return RewriteWork(references, options)


def undo_work(process: Process, operation: Operation, options: UndoOptions) -> UndoWork:
    """The work of an undo with these options."""
    return UndoWork(references_of(process), options, sleep=operation.dependencies.sleep)


def count_work(process: Process, operation: Operation, work: Work, options: CountOptions) -> RecordCounts:
    """The work of a count of all records with these options: for a report, or for ``status --exact``."""
    pages, segments, sleep = pages_of(process), options.segments, operation.dependencies.sleep
    if work is not Work.REPORT:
        return RecordCounts(pages, segments, count_records, sleep=sleep)
    keeps = KeptLines(show_troubled, lines_of_slice(segments))
    return RecordCounts(pages, segments, tally_records, sleep=sleep, keeps=keeps)


def reference_scan_work(
    process: Process, operation: Operation, references: References, options: ScanOptions, kept: KeptRun
) -> ReferenceScanWork:
    """The work of a scan of these references with these options, kept so."""
    return ReferenceScanWork(references, options, pages_of(process), kept, sleep=operation.dependencies.sleep)


def pages_of(process: Process) -> RecordPages:
    """The manifest table's records."""
    return DynamoDbManifest(process.clients, process.table)
