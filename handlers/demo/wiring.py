"""The demo's world: an embedded stand-in of AWS with everything that a migration needs."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.demo import provisioning
from adapters.demo.owners_bucket import S3OwnersBucket
from adapters.dynamodb.stage import DynamoDbStageBook
from adapters.local.clock import SystemClock
from adapters.messaging.queue import SqsMessageQueue
from adapters.s3 import notifications
from adapters.standin import running_standin
from domain.lifecycle.stages import Stage, advanced
from domain.parts import MIB
from domain.rules.compiled import CompiledRules
from handlers.bootstrap.process import Process
from handlers.config.settings import Settings, environment_of
from handlers.demo.world import Stage as DemoStage

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


@contextmanager
def demo_stage(rules: CompiledRules, rules_file: Path, *, versioned: bool = False) -> Iterator[DemoStage]:
    """A stand-in of AWS in a process of its own, with bucket, queues, table and bus; all of it is gone afterwards."""
    with running_standin() as standin:
        os.environ.update(standin.environment())
        given = Settings(rules_file=rules_file, table="keyshift", bus="keyshift", **DEMO_SETTINGS)
        clients = Process(given).clients
        events, backfill, audit = (
            provisioning.create_queue(clients, f"keyshift-{name}", visibility=DEMO_VISIBILITY_SECONDS, max_receives=100)
            for name in ("events", "backfill", "audit")
        )
        provisioning.create_bucket(clients, rules.source_bucket, versioned=versioned)
        provisioning.create_manifest_table(clients, given.table)
        provisioning.create_bus(clients, given.bus)
        notifications.route_events(clients, "audit", {"source": ["keyshift"]}, audit, bus=given.bus)
        settings = given.model_copy(update={"events_queue_url": events.url, "backfill_queue_url": backfill.url})
        yield DemoStage(
            settings=settings,
            rules=rules,
            environment={**standin.environment(), **environment_of(settings)},
            owners_bucket=S3OwnersBucket(clients),
            events_queue=SqsMessageQueue(clients, events.url),
            audit_queue=SqsMessageQueue(clients, audit.url),
            dead_queue=SqsMessageQueue(clients, events.dead_url),
            begin_events=lambda: begin_events(clients, given.table, rules.source_bucket, events),
        )


def begin_events(clients: AwsClients, table: str, bucket: str, events: notifications.QueuePair) -> None:
    """What ``keyshift start`` does on AWS, without its probes: on the stand-in a configuration counts at once."""
    notifications.send_bucket_events(clients, bucket, events)
    make_live(clients, table)


def make_live(clients: AwsClients, table: str) -> None:
    """Let objects move, without a look at live capture: for the demo's own worlds and for tests."""
    stages = DynamoDbStageBook(clients, table)
    before = stages.read_stage()
    stages.write_stage(
        advanced(before, Stage.LIVE, by="demo", why="live capture is on", now=SystemClock().now()), before=before
    )
