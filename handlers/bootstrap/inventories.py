"""Inventories: what is read during a backfill, and how far it is."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from adapters.dynamodb.backfill_journal import DynamoDbBackfillJournal
from adapters.inventory.files import opened_inventory
from adapters.inventory.rows import read_rows
from adapters.messaging.queue import SqsMessageQueue
from domain.planning.inventory import Inventory
from domain.planning.ports import BackfillJournal
from domain.queues import MessageQueue
from handlers.bootstrap import clients_of
from handlers.config.settings import Settings
from handlers.operations.backfill import Rows


def inventory_queue(settings: Settings) -> MessageQueue:
    """Where reports arrive and tasks wait."""
    return SqsMessageQueue(clients_of(settings), settings.inventory_queue_url)


def journal_of(settings: Settings) -> BackfillJournal:
    """How far each inventory is enqueued."""
    return DynamoDbBackfillJournal(clients_of(settings), settings.table)


@contextmanager
def inventory_files(
    settings: Settings, place: str, *, only: str | None = None
) -> Iterator[tuple[Inventory, Mapping[str, Rows]]]:
    """An inventory and, for each data file (or the one named ``only``), its rows from a given one on; all verified."""
    with opened_inventory(place, clients_of(settings), only=only) as local:
        inventory = local.inventory
        yield (
            inventory,
            {
                key: lambda start, path=path: read_rows(path, inventory, start=start)  # type: ignore[misc]
                for key, path in local.paths.items()
            },
        )
