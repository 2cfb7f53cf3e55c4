"""Wires adapters to ports: what every function, worker and command needs; the modules beside it wire what some need."""

import sys
from dataclasses import fields
from functools import cache
from uuid import uuid4

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
from domain.protocol.attempt import MigrationPolicy, MigrationPorts
from domain.rules.compiled import CompiledRules
from domain.steering.breaker import BreakerPolicy
from handlers.bootstrap.audit_chain import chain_writer, event_of_item
from handlers.bootstrap.process import Process
from handlers.config.settings import Settings, read_settings
from handlers.engine.circuit_breaker import CircuitBreaker
from handlers.engine.concurrency import Pace
from handlers.engine.dependencies import CachedControl, Dependencies, EngineDependencies
from handlers.engine.observability import Observer
from handlers.engine.rate_gate import RateGate


def wire_command(process: Process, *, function: str) -> Dependencies:
    """What a command needs that looks, or that acts on one object after the other; nothing is sent yet."""
    settings, rules, clients = process.settings, process.rules, process.clients
    clock = SystemClock()
    return Dependencies(
        settings=settings,
        rules=rules,
        policy=policy_of(settings, rules),
        ports=MigrationPorts(
            store=S3ObjectStore(clients, owners=process.owners),
            multipart=S3MultipartStore(clients, owners=process.owners, part_workers=settings.parts_at_once),
            manifest=DynamoDbManifest(clients, process.table),
            clock=clock,
        ),
        backfill_queue=SqsMessageQueue(clients, settings.backfill_queue_url),
        progress=DynamoDbProgressCounters(clients, process.table),
        control=CachedControl(
            DynamoDbControlPanel(clients, process.table),
            seconds=settings.control_seconds,
            monotonic=clock.monotonic,
            stages=DynamoDbStageBook(clients, process.table),
            rules_digest=rules.digest,
        ),
        probes=DynamoDbProbeBook(clients, process.table),
        new_token=lambda: uuid4().hex,
        observer=Observer(migration=rules.migration, function=function, stream=sys.stderr),
    )


def bootstrap(process: Process, *, function: str) -> EngineDependencies:
    """What the Lambda functions and a worker need: what a command has, and the engine; nothing is sent yet."""
    return wire_engine(process, wire_command(process, function=function))


def wire_engine(process: Process, wired: Dependencies) -> EngineDependencies:
    """The same with the engine: its queue, rate, circuit breaker and audit; nothing is sent yet."""
    settings, clients, control, clock = process.settings, process.clients, wired.control, wired.ports.clock
    return EngineDependencies(
        **{one.name: getattr(wired, one.name) for one in fields(Dependencies)},
        events_queue=SqsMessageQueue(clients, settings.events_queue_url),
        bus=EventBridgeBus(clients, settings.bus),
        record_of_item=record_of_item,
        event_of_item=event_of_item,
        chain=chain_writer(settings, process.rules, clients),
        pace=Pace(settings.concurrency),
        gate=RateGate(
            DynamoDbRateLedger(clients, process.table),
            current=control.current,
            refresh=control.refresh,
            now=clock.now,
        ),
        breaker=CircuitBreaker(
            BreakerPolicy(
                settings.breaker_failures, settings.breaker_least, settings.breaker_denied, settings.breaker_seconds
            ),
            panel=DynamoDbControlPanel(clients, process.table),
            pulse=DynamoDbPulseBook(clients, process.table),
            current=control.current,
            refresh=control.refresh,
            now=clock.now,
            observer=wired.observer,
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
def process_of() -> Process:
    """The process of a Lambda function, from its environment, made on its first invocation."""
    return Process(read_settings())


@cache
def dependencies_of(function: str) -> EngineDependencies:
    """The dependencies of a Lambda function, made on its first invocation."""
    return bootstrap(process_of(), function=function)
