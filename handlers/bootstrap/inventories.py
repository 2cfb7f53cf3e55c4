"""Inventories and plans: what is read before and during a backfill."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from adapters.aws.clients import AwsClients
from adapters.dynamodb.backfill_journal import DynamoDbBackfillJournal
from adapters.inventory.files import content_file, opened_inventory
from adapters.inventory.rows import plan_inventory, read_rows
from adapters.messaging.queue import SqsMessageQueue
from adapters.s3.listing import S3ObjectListing
from domain.planning.figures import Cutting, PlanFigures
from domain.planning.inventory import Inventory
from domain.rules.compiled import CompiledRules
from handlers.bootstrap.process import Process, owners_of
from handlers.operations.backfill import Rows


def plan_objects(  # noqa: PLR0913  # where the objects are, and what the plan may use
    rules: CompiledRules,
    *,
    inventory: str | None,
    out: Path | None,
    memory: str,
    region: str,
    endpoint_url: str | None,
    cutting: Cutting,
) -> PlanFigures:
    """The figures of an inventory, or without one of a listing of the source bucket."""
    from adapters.duckdb.plan import DuckDbPlanner  # DuckDB is not there in a Lambda function

    clients = AwsClients(region=region, endpoint_url=endpoint_url)
    planner = DuckDbPlanner(rules, memory=memory)
    if inventory is None:
        listing = S3ObjectListing(clients, owners=owners_of(rules))
        return planner.plan_listing(listing, cutting=cutting, out=out)
    with opened_inventory(inventory, clients) as local:
        return planner.plan_inventory(local, cutting=cutting, out=out)


def inventory_queue(process: Process) -> SqsMessageQueue:
    """Where reports arrive and tasks wait."""
    return SqsMessageQueue(process.clients, process.settings.inventory_queue_url)


def journal_of(process: Process) -> DynamoDbBackfillJournal:
    """How far each inventory is enqueued."""
    return DynamoDbBackfillJournal(process.clients, process.table)


@contextmanager
def inventory_files(
    process: Process, place: str, *, only: str | None = None
) -> Iterator[tuple[Inventory, Mapping[str, Rows]]]:
    """An inventory and, for each data file (or the one named ``only``), its rows from a given one on; all verified."""
    with opened_inventory(place, process.clients, only=only) as local:
        inventory = local.inventory
        yield (
            inventory,
            {
                key: lambda start, path=path: read_rows(path, inventory, start=start)  # type: ignore[misc]
                for key, path in local.paths.items()
            },
        )


@contextmanager
def plan_rows(path: Path, bucket: str) -> Iterator[tuple[Inventory, Mapping[str, Rows]]]:
    """A saved plan as an inventory of one file, known by its content: many plans are saved under one name."""
    inventory = plan_inventory(path, bucket)
    inventory = replace(inventory, files=(content_file(path),))
    yield inventory, {path.name: lambda start: read_rows(path, inventory, start=start)}
