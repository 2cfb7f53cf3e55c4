"""Wires adapters to ports for every function, worker and command; the modules beside it wire the rest."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
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
from adapters.s3.annotation_store import S3AnnotationStore
from adapters.s3.bucket_encryption import BucketEncryption
from adapters.s3.multipart_store import S3MultipartStore
from adapters.s3.object_store import S3ObjectStore
from adapters.s3.version_history import S3VersionHistory
from domain.protocol.attempt import InPartsOnly, MigrationPolicy, MigrationPorts
from domain.steering.breaker import BreakerPolicy
from domain.steering.learned import LEARNING, LearningPolicy
from domain.steering.places import PlaceNames
from handlers.bootstrap.audit_chain import chains_writer, event_of_item
from handlers.bootstrap.process import Process
from handlers.config.settings import read_settings
from handlers.engine.circuit_breaker import CircuitBreaker
from handlers.engine.concurrency import Pace
from handlers.engine.dependencies import CachedControl, Dependencies, EngineDependencies
from handlers.engine.learned_gate import LearnedLimits
from handlers.engine.observability import Observer
from handlers.engine.rate_gate import RateGate


def wire_command(process: Process, *, function: str, level: str | None = None) -> Dependencies:
    """The dependencies of a command that reads, or that acts on one object after the other; nothing is sent yet.

    ``level`` is the least severe log level that is written; without it POWERTOOLS_LOG_LEVEL decides.
    """
    settings, rules, clients = process.settings, process.rules, process.clients
    clock = SystemClock()
    observer = Observer(migration=rules.migration, function=function, level=level, stream=sys.stderr)

    def tell_in_parts(bucket: str) -> None:
        observer.warn("the bucket takes no CopyObject with a condition (501): objects go in parts", bucket=bucket)

    control = CachedControl(
        DynamoDbControlPanel(clients, process.table),
        seconds=settings.control_seconds,
        monotonic=clock.monotonic,
        stages=DynamoDbStageBook(clients, process.table),
        rules_digest=rules.digest,
    )
    return Dependencies(
        settings=settings,
        rules=rules,
        policy=replace(policy_of(process), in_parts_only=InPartsOnly(tell_in_parts)),
        ports=MigrationPorts(
            store=S3ObjectStore(clients, owners=process.owners, carries_annotations=not rules.promised_unannotated),
            multipart=S3MultipartStore(clients, owners=process.owners, part_workers=settings.parts_at_once),
            manifest=DynamoDbManifest(clients, process.table),
            clock=clock,
            annotations=annotations_of(process),
            history=history_of(process),
        ),
        backfill_queue=SqsMessageQueue(clients, settings.backfill_queue_url),
        progress=DynamoDbProgressCounters(clients, process.table),
        control=control,
        probes=DynamoDbProbeBook(clients, process.table),
        new_token=lambda: uuid4().hex,
        observer=observer,
        learned=learned_limits(process, control, observer),
    )


def bootstrap(process: Process, *, function: str) -> EngineDependencies:
    """The dependencies of the Lambda functions and a worker: a command's, and the engine; nothing is sent yet."""
    return wire_engine(process, wire_command(process, function=function))


def wire_engine(process: Process, wired: Dependencies) -> EngineDependencies:
    """The same with the engine: its queue, rate, circuit breaker and audit; nothing is sent yet."""
    settings, clients, control, clock = process.settings, process.clients, wired.control, wired.ports.clock
    breaker = CircuitBreaker(
        BreakerPolicy(
            settings.breaker_failures, settings.breaker_least, settings.breaker_denied, settings.breaker_seconds
        ),
        panel=DynamoDbControlPanel(clients, process.table),
        pulse=DynamoDbPulseBook(clients, process.table),
        current=control.current,
        refresh=control.refresh,
        now=clock.now,
        observer=wired.observer,
    )
    return EngineDependencies(
        **{field.name: getattr(wired, field.name) for field in fields(Dependencies) if field.name != "learned"},
        events_queue=SqsMessageQueue(clients, settings.events_queue_url),
        batches=DynamoDbManifest(clients, process.table),
        bus=EventBridgeBus(clients, settings.bus, in_packs=not process.rules.single_events),
        record_of_item=record_of_item,
        event_of_item=event_of_item,
        chains=chains_writer(settings, process.rules, clients),
        pace=Pace(settings.concurrency),
        pool=ThreadPoolExecutor(settings.concurrency, thread_name_prefix="object"),
        gate=RateGate(
            DynamoDbRateLedger(clients, process.table),
            current=control.current,
            refresh=control.refresh,
            now=clock.now,
        ),
        learned=learned_limits(process, control, wired.observer, measured=breaker.objects_per_second),
        breaker=breaker,
    )


def learned_limits(
    process: Process,
    control: CachedControl,
    observer: Observer,
    *,
    measured: Callable[[], float | None] = lambda: None,
    policy: LearningPolicy = LEARNING,
) -> LearnedLimits:
    """The learned limits of this process; ``measured`` is the rate of the whole migration, where it is known."""
    return LearnedLimits(
        policy,
        place_names(process),
        panel=DynamoDbControlPanel(process.clients, process.table),
        ledger=DynamoDbRateLedger(process.clients, process.table),
        current=control.current,
        refresh=control.refresh,
        now=SystemClock().now,
        measured=measured,
        observer=observer,
    )


def place_names(process: Process) -> PlaceNames:
    """The prefixes and the table at which throttled answers are told apart."""
    rules = process.rules
    openings: dict[str, set[str]] = {}
    for bucket, found in (
        (rules.source_bucket, rules.source_openings),
        (rules.target_bucket, rules.target_openings),
    ):
        openings.setdefault(bucket, set()).update(found)
    return PlaceNames(openings, table=process.table)


def annotations_of(process: Process) -> S3AnnotationStore | None:
    """Where annotations are looked for; ``None`` where the rules file promises that no source has any."""
    if process.rules.promised_unannotated:
        return None
    return S3AnnotationStore(process.clients, owners=process.owners)


def history_of(process: Process) -> S3VersionHistory | None:
    """Where the versions of a source are listed; ``None`` where the rules file carries current versions only."""
    return S3VersionHistory(process.clients, owners=process.owners) if process.rules.carries_versions else None


def policy_of(process: Process) -> MigrationPolicy:
    """The policy for all objects of the migration; nothing is sent yet."""
    settings, rules = process.settings, process.rules
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
        encrypts_targets=_encryption_of(process),
        kms_keys=rules.kms_keys,
        rules_digest=rules.digest,
    )


def _encryption_of(process: Process) -> Callable[[], bool]:
    told = process.settings.encrypted_targets
    if told is not None:
        return lambda: told
    clock = SystemClock()
    bucket = process.rules.target_bucket
    return BucketEncryption(process.clients, bucket, monotonic=clock.monotonic, owners=process.owners).is_kms


@cache
def process_of() -> Process:
    """The process of a Lambda function, from its environment, made on its first invocation."""
    return Process(read_settings())


@cache
def dependencies_of(function: str) -> EngineDependencies:
    """The dependencies of a Lambda function, made on its first invocation."""
    return bootstrap(process_of(), function=function)
