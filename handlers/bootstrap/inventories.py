"""Inventories: the files that a backfill reads, and its progress."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from adapters.dynamodb.backfill_journal import DynamoDbBackfillJournal
from adapters.dynamodb.total import DynamoDbTotalBook
from adapters.inventory.files import opened_inventory
from adapters.inventory.rows import read_rows
from adapters.messaging.queue import SqsMessageQueue
from domain.objects import ListedObject
from domain.planning.inventory import Inventory
from domain.planning.ports import BackfillJournal, TotalBook
from domain.queues import MessageQueue
from handlers.bootstrap.process import Process
from handlers.operations.backfill import Rows


def inventory_queue(process: Process) -> MessageQueue:
    """Where reports arrive and tasks wait."""
    return SqsMessageQueue(process.clients, process.settings.inventory_queue_url)


def journal_of(process: Process) -> BackfillJournal:
    """The progress of each inventory."""
    return DynamoDbBackfillJournal(process.clients, process.table)


def total_book_of(process: Process) -> TotalBook:
    """The number of objects to move."""
    return DynamoDbTotalBook(process.clients, process.table)


@contextmanager
def inventory_files(
    process: Process, place: str, *, only: str | None = None, with_deleted: bool = False
) -> Iterator[tuple[Inventory, Mapping[str, Rows]]]:
    """An inventory and, for each data file (or the one named ``only``), its rows from a given one on; all verified.

    ``with_deleted``: in a migration that carries every version, a key that is deleted now has a row too.
    """
    has_deleted = with_deleted and process.rules.carries_versions
    with opened_inventory(place, process.clients, only=only) as local:
        inventory = local.inventory
        yield (
            inventory,
            {key: partial(_rows, path, inventory, with_deleted=has_deleted) for key, path in local.paths.items()},
        )


def _rows(path: Path, inventory: Inventory, start: int, *, with_deleted: bool) -> Iterator[ListedObject | None]:
    return read_rows(path, inventory, start=start, with_deleted=with_deleted)
