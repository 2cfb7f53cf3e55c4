"""The dependencies of start, verify, cutover, cleanup and rollback."""

from collections.abc import Collection, Iterator
from contextlib import closing
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
from domain.objects import ListedObject
from domain.planning.inventory import Inventory, inventory_fault
from domain.references.reports import ReferenceOutcome
from handlers.bootstrap import wire_command, wire_engine
from handlers.bootstrap.inventories import inventory_files
from handlers.bootstrap.process import Process
from handlers.bootstrap.references import pins_of, references_of
from handlers.config.settings import Settings
from handlers.engine.dependencies import Dependencies
from handlers.operations.operator import Operation, UndoneReference
from handlers.operations.operator_name import operator_name
from handlers.operations.references import References


def operation_for(settings: Settings, *, function: str) -> tuple[Process, Operation]:
    """A command's process, and what an operator's command may need of one migration; nothing is sent yet."""
    process = Process(settings)
    # What a command does is in its output: log lines of each message that it handles would hide that.
    return process, operation_of(process, wire_command(process, function=function, level="WARNING"))


def operation_of(process: Process, dependencies: Dependencies) -> Operation:
    """What an operator's command may need of one migration; nothing is sent yet."""
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
            late=rules.follows_late_changes,
        ),
        panel=DynamoDbControlPanel(clients, process.table),
        mappings=LambdaEventSourceMappings(clients, process.settings.functions),
        reader=S3ByteReader(clients, owners=owners),
        versions=S3ObjectStore(clients, owners=owners),
        listing=S3ObjectListing(clients, owners=owners),
        versioning=lambda: AwsInspector(clients, owners).bucket(rules.source_bucket).versioning,
        target_versioning=lambda: AwsInspector(clients, owners).bucket(rules.target_bucket).versioning,
        key_book=lambda: closing(SqliteKeyBook()),
        census_book=lambda: closing(SqliteCensusBook()),
        by=operator_name(),
        finders=(references,),
        pins=(pins_of(process),),
        undo=UndoneReferences(references),
    )


class UndoneReferences:
    """ReferenceUndo over the journal of rewritten references."""

    def __init__(self, references: References) -> None:
        self._references = references

    def undo_references(self) -> Iterator[UndoneReference]:
        """See the port; a place that no longer exists, or has another text now, holds no URI of keyshift."""
        for reported in self._references.undo_references():
            place = f"{reported.reference.holder} {reported.reference.path}"
            if reported.outcome is ReferenceOutcome.RESTORED:
                yield UndoneReference(place)
            elif not reported.is_gone:
                yield UndoneReference(place, reported.why or reported.outcome.value)

    def rewritten_references(self) -> int:
        """See the port."""
        return sum(len(entry.switches) for entry in self._references.ports.journal.scan_entries())


COMPARED = ("e_tag", "last_modified_date")
"""The columns by which an inventory's rows are compared with records."""


def objects_of_both_sides(
    process: Process, operation: Operation, inventories: tuple[str, ...], *, columns: tuple[str, ...] = ()
) -> Iterator[tuple[str, ListedObject]]:
    """Bucket and row of every object of both sides, from inventories where they are given, else from listings.

    Raises InputError for an inventory without one of ``columns``, or one that is older than live capture.
    """
    rules = operation.dependencies.rules
    wanted = dict(rules.prefixes)
    for place in inventories:
        with inventory_files(process, place) as (inventory, files):
            check_inventory(operation, inventory, place, wanted, columns)
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
    fault = inventory_fault(inventory, live_at=live_at) if says_when else "has no time at which its objects were listed"
    if fault is None:
        return None
    return f"{place} {fault}. Run keyshift backfill --list afterwards: it finds what the report lacks"


def check_inventory(
    operation: Operation, inventory: Inventory, place: str, buckets: Collection[str], columns: tuple[str, ...] = ()
) -> None:
    """Raise InputError for an inventory of none of these buckets, without a column, or older than live capture."""
    if inventory.source_bucket not in buckets:
        raise InputError(f"{place} is of bucket {inventory.source_bucket}, the rules file names {', '.join(buckets)}")
    fault = inventory_fault(inventory, live_at=operation.stages.read_stage().live_at)
    if fault is not None:
        raise InputError(f"{place} {fault}: name a newer report, or omit --inventory")
    missing = [column for column in columns if column not in inventory.columns]
    if missing:
        names = ", ".join(missing)
        raise InputError(
            f"{place} has no column {names}, by which objects are compared with their records:"
            " add ETag and LastModifiedDate to the inventory's configuration, or omit --inventory"
        )
