"""Wires adapters to ports: what every function, worker and command needs; the modules beside it wire what some need."""

import sys
from collections.abc import Callable
from functools import cache
from typing import Any
from uuid import uuid4

from adapters.aws.clients import AwsClients
from adapters.dynamodb.control import DynamoDbControlPanel
from adapters.dynamodb.manifest import DynamoDbManifest
from adapters.dynamodb.probes import DynamoDbProbeBook
from adapters.dynamodb.progress import DynamoDbProgressCounters
from adapters.dynamodb.pulse import DynamoDbPulseBook
from adapters.dynamodb.rates import DynamoDbRateLedger
from adapters.dynamodb.record_item import record_of_item
from adapters.dynamodb.stage import DynamoDbStageBook
from adapters.local.clock import SystemClock
from adapters.messaging.event_bus import EventBridgeBus
from adapters.messaging.queue import SqsMessageQueue
from adapters.s3.multipart_store import S3MultipartStore
from adapters.s3.object_store import S3ObjectStore
from adapters.s3.requests import Owners
from domain.protocol.attempt import MigrationPolicy, MigrationPorts
from domain.rules.compiled import CompiledRules
from domain.steering.breaker import BreakerPolicy
from handlers.bootstrap.audit_chain import chain_writer, event_of_item
from handlers.config.rules_file import load_rules
from handlers.config.settings import Settings, read_settings
from handlers.engine.circuit_breaker import CircuitBreaker
from handlers.engine.concurrency import Pace
from handlers.engine.dependencies import CachedControl, Dependencies
from handlers.engine.observability import Observer
from handlers.engine.rate_gate import RateGate

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
    panel = DynamoDbControlPanel(clients, settings.table)
    stages = DynamoDbStageBook(clients, settings.table)
    control = CachedControl(
        panel,
        seconds=settings.control_seconds,
        monotonic=clock.monotonic,
        stages=stages,
        rules_digest=rules.digest,
    )
    observer = Observer(migration=rules.migration, function=function, stream=sys.stderr)
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
        control=control,
        probes=DynamoDbProbeBook(clients, settings.table),
        record_of_item=record_of_item,
        new_token=lambda: uuid4().hex,
        observer=observer,
        pace=Pace(settings.concurrency),
        chain=chain_writer(settings, rules, clients),
        event_of_item=event_of_item,
        gate=RateGate(
            DynamoDbRateLedger(clients, settings.table),
            current=control.current,
            refresh=control.refresh,
            now=clock.now,
        ),
        breaker=CircuitBreaker(
            BreakerPolicy(
                settings.breaker_failures, settings.breaker_least, settings.breaker_denied, settings.breaker_seconds
            ),
            panel=panel,
            pulse=DynamoDbPulseBook(clients, settings.table),
            current=control.current,
            refresh=control.refresh,
            now=clock.now,
            observer=observer,
        ),
    )


def policy_of(settings: Settings, rules: CompiledRules) -> MigrationPolicy:
    """What is decided once for all objects of the migration."""
    return MigrationPolicy(
        mirror_deletes=rules.deletes != "keep",
        mirror_adopted=rules.deletes == "mirror-adopted",
        multipart_above=settings.multipart_above,
        part_size=settings.part_size,
        parts_at_once=settings.parts_at_once,
        request_seconds=settings.request_seconds,
        margin_seconds=settings.margin_seconds,
        promised_storage_class=rules.promised_storage_class,
        promised_plain=rules.promised_plain,
        encrypted_targets=settings.encrypted_targets,
        rules_digest=rules.digest,
    )


@cache
def dependencies_of(function: str) -> Dependencies:
    """The dependencies of a Lambda function, from its environment, made on its first invocation."""
    return bootstrap(read_settings(), function=function)


def seconds_left_of(context: Any) -> Callable[[], float]:
    """How long this invocation may still begin new work."""
    return lambda: float(context.get_remaining_time_in_millis()) / 1000 - RESERVE_SECONDS
