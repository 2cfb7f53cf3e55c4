"""Wires adapters to ports; the only module that imports adapters. Production and tests call it the same way."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from adapters.aws_clients import AwsClients
from adapters.dynamodb_control import DynamoDbControlPanel
from adapters.dynamodb_journal import DynamoDbBackfillJournal
from adapters.dynamodb_manifest import DynamoDbManifest
from adapters.dynamodb_progress import DynamoDbProgressCounters
from adapters.dynamodb_stream import DynamoDbChangeReader
from adapters.eventbridge_bus import EventBridgeBus
from adapters.record_item import is_record, to_record
from adapters.s3_listing import S3ObjectListing
from adapters.s3_multipart_store import S3MultipartStore
from adapters.s3_object_store import S3ObjectStore
from adapters.s3_requests import Owners
from adapters.sqs_queue import SqsMessageQueue
from adapters.system_clock import SystemClock
from domain.attempt import MigrationPolicy, MigrationPorts
from domain.keys import Location
from domain.parts import MIB
from domain.record import Record
from domain.rules import CompiledRules
from handlers.dependencies import CachedControl, Dependencies
from handlers.observability import Observer
from handlers.pacing import Pace
from handlers.rules_file import load_rules
from handlers.settings import Settings, environment_of, read_settings

if TYPE_CHECKING:
    from adapters.aws_inspector import AwsInspector as AwsInspector  # noqa: PLC0414  # commands name its type
    from domain.inventory import Inventory
    from domain.planning import PlanFigures
    from handlers.demo.stage import Stage
    from handlers.inventory_feeder import Rows

# What only the command line needs is imported where it is used, so that a Lambda function starts without it.
DEMO_VISIBILITY_SECONDS = 20
DEMO_SETTINGS: Mapping[str, Any] = {
    "attempt_seconds": 8.0,
    "batch_seconds": 15.0,
    "request_seconds": 6.0,
    "margin_seconds": 1.0,
    "multipart_above": 6 * MIB,
    "part_size": 5 * MIB,
    "concurrency": 4,
    "control_seconds": 1.0,
}
"""Short claims, so that what a killed worker held is taken over while one watches."""
RESERVE_SECONDS = 10.0
"""What a Lambda invocation keeps for giving messages back and answering."""


def clients_of(settings: Settings) -> AwsClients:
    """The AWS clients of this process; a request that changes S3 is given up before its claim counts on it."""
    return AwsClients(
        connections=2 * settings.concurrency + 8,
        request_seconds=settings.request_seconds * 0.9,
        endpoint_url=settings.endpoint_url,
        region=settings.region,
    )


def owners_of(rules: CompiledRules) -> Owners:
    """The accounts that the rules expect the buckets to belong to."""
    sides = (rules.source, rules.target)
    return Owners({side.bucket: side.expected_owner for side in sides if side.expected_owner is not None})


def bootstrap(
    settings: Settings, *, function: str, rules: CompiledRules | None = None, clients: AwsClients | None = None
) -> Dependencies:
    """Everything that a handler, a worker or a command needs for one migration; nothing is sent yet."""
    rules = rules or load_rules(settings.rules_file)
    clients = clients or clients_of(settings)
    owners = owners_of(rules)
    clock = SystemClock()
    return Dependencies(
        settings=settings,
        rules=rules,
        policy=policy_of(settings, rules),
        ports=MigrationPorts(
            store=S3ObjectStore(clients, owners=owners),
            multipart=S3MultipartStore(clients, owners=owners, part_workers=settings.parts_at_once),
            manifest=DynamoDbManifest(clients, settings.table),
            clock=clock,
        ),
        events_queue=SqsMessageQueue(clients, settings.events_queue_url),
        backfill_queue=SqsMessageQueue(clients, settings.backfill_queue_url),
        bus=EventBridgeBus(clients, settings.bus),
        progress=DynamoDbProgressCounters(clients, settings.table),
        control=CachedControl(
            DynamoDbControlPanel(clients, settings.table), seconds=settings.control_seconds, monotonic=clock.monotonic
        ),
        record_of_item=_record_of_item,
        new_token=lambda: uuid4().hex,
        observer=Observer(migration=rules.migration, function=function, stream=sys.stderr),
        pace=Pace(settings.concurrency),
    )


def object_listing(settings: Settings, rules: CompiledRules) -> S3ObjectListing:
    """Listings of the source and target buckets."""
    return S3ObjectListing(clients_of(settings), owners=owners_of(rules))


def inspector_of(settings: Settings) -> "AwsInspector":
    """What doctor and status look at."""
    from adapters.aws_inspector import AwsInspector

    return AwsInspector(clients_of(settings))


def probe_of(settings: Settings, rules: CompiledRules) -> Iterator[tuple[str, bool]]:
    """Whether the target bucket honours each condition; writes and deletes two small objects."""
    from adapters.conditions_probe import probe_conditions

    target = Location(rules.target_bucket, rules.target_prefix)
    return probe_conditions(clients_of(settings), target=target, owners=owners_of(rules))


def plan_objects(  # noqa: PLR0913  # where the objects are, and what the plan may use
    rules: CompiledRules,
    *,
    inventory: str | None,
    out: Path | None,
    memory: str,
    region: str,
    endpoint_url: str | None,
    part_size: int,
) -> "PlanFigures":
    """The figures of an inventory, or without one of a listing of the source bucket."""
    from adapters.duckdb_plan import DuckDbPlanner
    from adapters.inventory_files import opened_inventory

    clients = AwsClients(region=region, endpoint_url=endpoint_url)
    planner = DuckDbPlanner(rules, memory=memory)
    if inventory is None:
        listing = S3ObjectListing(clients, owners=owners_of(rules))
        return planner.plan_listing(listing, part_size=part_size, out=out)
    with opened_inventory(inventory, clients) as local:
        return planner.plan_inventory(local, part_size=part_size, out=out)


def inventory_queue(settings: Settings) -> SqsMessageQueue:
    """Where reports arrive and tasks wait."""
    return SqsMessageQueue(clients_of(settings), settings.inventory_queue_url)


def journal_of(settings: Settings) -> DynamoDbBackfillJournal:
    """How far each inventory is enqueued."""
    return DynamoDbBackfillJournal(clients_of(settings), settings.table)


@contextmanager
def inventory_files(
    settings: Settings, place: str, *, only: str | None = None
) -> Iterator[tuple["Inventory", Mapping[str, "Rows"]]]:
    """An inventory and, for each data file (or the one named ``only``), its rows from a given one on; all verified."""
    from adapters.inventory_files import opened_inventory
    from adapters.inventory_rows import read_rows

    with opened_inventory(place, clients_of(settings), only=only) as local:
        inventory = local.inventory
        yield (
            inventory,
            {
                key: lambda start, path=path: read_rows(path, inventory, start=start)  # type: ignore[misc]
                for key, path in local.paths.items()
            },
        )


@contextmanager
def plan_rows(path: Path, bucket: str) -> Iterator[tuple["Inventory", Mapping[str, "Rows"]]]:
    """A saved plan as an inventory of one file."""
    from adapters.inventory_rows import plan_inventory, read_rows

    inventory = plan_inventory(path, bucket)
    yield inventory, {path.name: lambda start: read_rows(path, inventory, start=start)}


@contextmanager
def demo_stage(rules: CompiledRules, rules_file: Path) -> Iterator["Stage"]:
    """A stand-in of AWS in a process of its own, with bucket, queues, table and bus; all of it is gone afterwards."""
    from adapters import provisioning
    from adapters.s3_owners_bucket import S3OwnersBucket
    from adapters.standin import running_standin
    from handlers.demo.stage import Stage

    with running_standin() as standin:
        os.environ.update(standin.environment())
        given = Settings(rules_file=rules_file, table="keyshift", bus="keyshift", **DEMO_SETTINGS)
        clients = clients_of(given)
        events, backfill, audit = (
            provisioning.create_queue(clients, f"keyshift-{name}", visibility=DEMO_VISIBILITY_SECONDS, max_receives=100)
            for name in ("events", "backfill", "audit")
        )
        provisioning.create_bucket(clients, rules.source_bucket)
        provisioning.create_manifest_table(clients, given.table)
        provisioning.create_bus(clients, given.bus)
        provisioning.route_events(clients, "audit", {"source": ["keyshift"]}, audit, bus=given.bus)
        settings = given.model_copy(update={"events_queue_url": events.url, "backfill_queue_url": backfill.url})
        yield Stage(
            settings=settings,
            rules=rules,
            environment={**standin.environment(), **environment_of(settings)},
            owners_bucket=S3OwnersBucket(clients),
            events_queue=SqsMessageQueue(clients, events.url),
            audit_queue=SqsMessageQueue(clients, audit.url),
            dead_queue=SqsMessageQueue(clients, events.dead_url),
            begin_events=lambda: provisioning.send_bucket_events(clients, rules.source_bucket, events),
        )


def change_reader(settings: Settings, *, clients: AwsClients | None = None) -> DynamoDbChangeReader:
    """The manifest's stream for a worker; one of several workers reads it at a time."""
    return DynamoDbChangeReader(clients or clients_of(settings), settings.table)


def policy_of(settings: Settings, rules: CompiledRules) -> MigrationPolicy:
    """What is decided once for all objects of the migration."""
    return MigrationPolicy(
        mirror_deletes=rules.deletes == "mirror",
        multipart_above=settings.multipart_above,
        part_size=settings.part_size,
        parts_at_once=settings.parts_at_once,
        request_seconds=settings.request_seconds,
        margin_seconds=settings.margin_seconds,
        promised_storage_class=rules.promised_storage_class,
        encrypted_targets=settings.encrypted_targets,
        rules_digest=rules.digest,
    )


def _record_of_item(item: Mapping[str, Any]) -> Record | None:
    return to_record(item) if is_record(item) else None


@cache
def dependencies_of(function: str) -> Dependencies:
    """The dependencies of a Lambda function, from its environment, made on its first invocation."""
    return bootstrap(read_settings(), function=function)


def seconds_left_of(context: Any) -> Callable[[], float]:
    """How long this invocation may still begin new work."""
    return lambda: float(context.get_remaining_time_in_millis()) / 1000 - RESERVE_SECONDS
