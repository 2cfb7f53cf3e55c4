"""Wires the commands that control a migration: queues, dead-letter queues, event source mappings and the pulse."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from adapters.dynamodb.control import DynamoDbControlPanel
from adapters.dynamodb.manifest import DynamoDbManifest
from adapters.dynamodb.pulse import DynamoDbPulseBook
from adapters.dynamodb.runs import DynamoDbRunBook
from adapters.dynamodb.stage import DynamoDbStageBook
from adapters.dynamodb.total import DynamoDbTotalBook
from adapters.local.clock import SystemClock
from adapters.messaging.dead_letters import dead_letters_of
from adapters.messaging.event_source_mappings import LambdaEventSourceMappings
from adapters.messaging.queue import SqsMessageQueue
from domain.lifecycle.ports import StageBook
from domain.protocol.ports import Clock
from domain.queues import DeadLetterQueue, MessageQueue
from domain.steering.ports import ControlPanel, EventSourceMappings
from handlers.bootstrap.process import Process
from handlers.config.settings import Settings
from handlers.engine.dependencies import Dependencies
from handlers.operations.lookout import Lookout
from handlers.operations.runs_under_way import RunsWatch


@dataclass(frozen=True, slots=True)
class Steering:
    """The ports of pause, resume and throttle."""

    panel: ControlPanel
    mappings: EventSourceMappings
    clock: Clock
    stages: StageBook


def steering_of(process: Process) -> Steering:
    """The control item, the stage and the functions' event source mappings."""
    return Steering(
        DynamoDbControlPanel(process.clients, process.table),
        LambdaEventSourceMappings(process.clients, process.settings.functions),
        SystemClock(),
        DynamoDbStageBook(process.clients, process.table),
    )


def queues_of(process: Process) -> Mapping[str, MessageQueue]:
    """Every queue that the settings name."""
    return {name: SqsMessageQueue(process.clients, url) for name, url in _urls(process.settings).items()}


def dead_letter_queues(process: Process) -> Mapping[str, DeadLetterQueue]:
    """The dead-letter queue of each queue that has one; queues that share one have one entry, ``events+backfill``."""
    return _dead_letter_queues(process, _urls(process.settings))


def every_dead_letter_queue(process: Process) -> Mapping[str, DeadLetterQueue]:
    """The same with those of stage work, which hold no gate: a run says itself what is missing."""
    staged = {name.value: url for name, url in process.settings.stage_queue_urls.items()}
    return _dead_letter_queues(process, {**_urls(process.settings), **staged})


def _dead_letter_queues(process: Process, urls: Mapping[str, str]) -> Mapping[str, DeadLetterQueue]:
    found = {name: dead_letters_of(process.clients, url) for name, url in urls.items()}
    names: dict[str, list[str]] = {}
    for name, dead in found.items():
        if dead is not None:
            names.setdefault(dead.arn, []).append(name)
    return {"+".join(names[dead.arn]): dead for name, dead in found.items() if dead and names[dead.arn][0] == name}


def status_lookout_of(process: Process, dependencies: Dependencies) -> Lookout:
    """The view of ``keyshift status``, with the runs that have not ended."""
    watch = RunsWatch(DynamoDbRunBook(process.clients, process.table), dependencies.ports.clock.now)
    return replace(lookout_of(process, dependencies), runs=watch.look)


def lookout_of(process: Process, dependencies: Dependencies) -> Lookout:
    """The view of the gates: without the runs, which hold no gate."""
    stages = DynamoDbStageBook(process.clients, process.table)
    return Lookout(
        dependencies,
        queues=queues_of(process),
        dead=dead_letter_queues(process),
        pulse=DynamoDbPulseBook(process.clients, process.table),
        stage=lambda: stages.read_stage().stage.value,
        pages=DynamoDbManifest(process.clients, process.table),
        total=DynamoDbTotalBook(process.clients, process.table).read_total,
        monotonic=SystemClock().monotonic,
    )


def _urls(settings: Settings) -> dict[str, str]:
    urls = {
        "events": settings.events_queue_url,
        "backfill": settings.backfill_queue_url,
        "inventory": settings.inventory_queue_url,
    }
    return {name: url for name, url in urls.items() if url}
