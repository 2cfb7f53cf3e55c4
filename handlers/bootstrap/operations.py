"""The operator's world: what start, verify, cutover, cleanup and rollback act on."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from adapters.doctor.inspector import AwsInspector
from adapters.dynamodb.control import DynamoDbControlPanel
from adapters.dynamodb.stage import DynamoDbStageBook
from adapters.local.census_book import SqliteCensusBook
from adapters.local.key_book import SqliteKeyBook
from adapters.messaging.event_source_mappings import LambdaEventSourceMappings
from adapters.s3.byte_reader import S3ByteReader
from adapters.s3.listing import S3ObjectListing
from adapters.s3.live_capture import S3LiveCapture
from adapters.s3.object_store import S3ObjectStore
from domain.errors import InputError
from domain.lifecycle.ports import CensusBook, KeyBook
from domain.objects import ListedObject
from domain.planning.inventory import Inventory, inventory_fault
from domain.references.items import Outcome
from handlers.bootstrap import wire_engine
from handlers.bootstrap.inventories import inventory_files
from handlers.bootstrap.process import Process
from handlers.bootstrap.references import pins_of, references_of
from handlers.engine.dependencies import Dependencies
from handlers.operations.operator import Operation, ReferencesUndone
from handlers.operations.operator_name import operator_name
from handlers.operations.references import References


def operation_of(process: Process, dependencies: Dependencies) -> Operation:
    """Everything of one migration that an operator's command may need; nothing is sent yet."""
    clients, rules, owners = process.clients, process.rules, process.owners
    references = references_of(process)
    return Operation(
        dependencies=dependencies,
        engine=cache(lambda: wire_engine(process, dependencies)),
        stages=DynamoDbStageBook(clients, process.table),
        capture=S3LiveCapture(
            clients,
            bucket=rules.source_bucket,
            prefix=rules.source_prefix,
            queue_url=process.settings.events_queue_url,
            migration=rules.migration,
            owners=owners,
        ),
        panel=DynamoDbControlPanel(clients, process.table),
        mappings=LambdaEventSourceMappings(clients, process.settings.functions),
        reader=S3ByteReader(clients, owners=owners),
        versions=S3ObjectStore(clients, owners=owners),
        listing=S3ObjectListing(clients, owners=owners),
        versioning=lambda: AwsInspector(clients).bucket(rules.source_bucket).versioning,
        key_book=key_book,
        census_book=census_book,
        by=operator_name(),
        finders=(references,),
        pins=(pins_of(process),),
        undo=UndoneReferences(references),
    )


class UndoneReferences:
    """ReferenceUndo over the journal of rewritten references."""

    def __init__(self, references: References) -> None:
        self._references = references

    def undo_references(self) -> ReferencesUndone:
        """See the port; a place that is gone, or holds something else by now, has nothing of ours to lose."""
        restored, lost = 0, []
        for one in self._references.undo_references():
            if one.outcome is Outcome.RESTORED:
                restored += 1
            elif not one.is_gone:
                lost.append((f"{one.reference.holder} {one.reference.path}", one.why))
        return ReferencesUndone(restored, tuple(lost))

    def rewritten_references(self) -> int:
        """See the port."""
        return sum(len(entry.switches) for entry in self._references.ports.journal.scan_entries())


@contextmanager
def key_book() -> Iterator[KeyBook]:
    """A book of keys in a temporary file."""
    book = SqliteKeyBook()
    try:
        yield book
    finally:
        book.close()


@contextmanager
def census_book() -> Iterator[CensusBook]:
    """A book of what records say, in a temporary file."""
    book = SqliteCensusBook()
    try:
        yield book
    finally:
        book.close()


def keys_of_both_sides(
    process: Process, operation: Operation, inventories: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Bucket and key of every object of both sides."""
    for bucket, listed in objects_of_both_sides(process, operation, inventories):
        yield bucket, listed.key


COMPARED = ("e_tag", "last_modified_date")
"""The columns by which an inventory's rows are compared with records."""


def objects_of_both_sides(
    process: Process, operation: Operation, inventories: tuple[str, ...], *, columns: tuple[str, ...] = ()
) -> Iterator[tuple[str, ListedObject]]:
    """Bucket and row of every object of both sides, from inventories where they are given, else from listings.

    Raises InputError for an inventory that lacks one of ``columns``, or that is older than live capture.
    """
    rules = operation.dependencies.rules
    wanted = dict(rules.prefixes)
    for place in inventories:
        with inventory_files(process, place) as (inventory, files):
            if inventory.source_bucket not in wanted:
                raise InputError(f"{place} is of bucket {inventory.source_bucket}, the rules name {', '.join(wanted)}")
            _check_inventory(operation, inventory, place, columns)
            prefixes = wanted.pop(inventory.source_bucket)
            for rows in files.values():
                for row in rows(0):
                    if row is not None and row.key.startswith(prefixes):
                        yield inventory.source_bucket, row
    for bucket, prefixes in wanted.items():
        for prefix in prefixes:
            for listed in operation.listing.list_objects(bucket, prefix=prefix):
                yield bucket, listed


def inventory_warning(process: Process, inventory: Inventory, place: str) -> str | None:
    """What a backfill from this report or saved plan may leave out, or ``None``."""
    live_at = DynamoDbStageBook(process.clients, process.table).read_stage().live_at
    says_when = inventory.created_at > 0
    fault = inventory_fault(inventory, live_at=live_at) if says_when else "does not say when its objects were listed"
    if fault is None:
        return None
    return f"{place} {fault}. Run keyshift backfill --list afterwards: it finds what the report lacks"


def _check_inventory(operation: Operation, inventory: Inventory, place: str, columns: tuple[str, ...]) -> None:
    fault = inventory_fault(inventory, live_at=operation.stages.read_stage().live_at)
    if fault is not None:
        raise InputError(f"{place} {fault}: name a newer report, or leave --inventory away")
    missing = [column for column in columns if column not in inventory.columns]
    if missing:
        names = ", ".join(missing)
        raise InputError(
            f"{place} has no column {names}, by which objects are compared with their records:"
            " add ETag and LastModifiedDate to the inventory's configuration, or leave --inventory away"
        )
