"""The demo's world: an embedded stand-in of AWS with everything that a migration needs."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.demo import provisioning
from adapters.demo.producers_bucket import S3ProducersBucket
from adapters.dynamodb.stage import DynamoDbStageBook
from adapters.local.clock import SystemClock
from adapters.messaging.queue import SqsMessageQueue
from adapters.s3 import notifications
from adapters.standin import StandIn, StandInError, running_standin
from domain.errors import InputError
from domain.lifecycle.stages import Stage, advanced
from domain.protocol.parts import MIB
from domain.rules.compiled import CompiledRules
from domain.runs.works import StageQueue
from handlers.bootstrap.process import Process
from handlers.config.settings import Settings, environment_of
from handlers.demo.readings import URI_ATTRIBUTE, URI_TABLE, URI_TABLE_KEY
from handlers.demo.world import OTHER_CREDENTIALS, DemoWorld

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
"""Short claims, so that a killed worker's objects are taken over within the demo."""


@contextmanager
def demo_world(
    rules: CompiledRules, rules_file: Path, *, versioned: bool = False, port: int = 0, audit_bucket: str | None = None
) -> Iterator[DemoWorld]:
    """A stand-in of AWS in another process, with bucket, queues, table and bus; all of it is deleted afterwards.

    It listens on ``port`` of the loopback, 0: a free one. With ``audit_bucket`` there is an audit chain.
    """
    with _standin(port) as standin:
        os.environ.update(standin.environment())
        for name in OTHER_CREDENTIALS:
            os.environ.pop(name, None)
        audited = {"audit_bucket": audit_bucket, "audit_retention_days": 1} if audit_bucket is not None else {}
        given = Settings(rules_file=rules_file, table="keyshift", bus="keyshift", **DEMO_SETTINGS, **audited)
        clients = Process(given).clients
        events, backfill, audit = (
            provisioning.create_queue(clients, f"keyshift-{name}", visibility=DEMO_VISIBILITY_SECONDS, max_receives=100)
            for name in ("events", "backfill", "audit")
        )
        provisioning.create_bucket(clients, rules.source_bucket, versioned=versioned)
        if audit_bucket is not None:
            provisioning.create_bucket(clients, audit_bucket, locked=True)
        provisioning.create_manifest_table(clients, given.table)
        provisioning.create_bus(clients, given.bus)
        notifications.route_events(clients, "audit", {"source": ["keyshift"]}, audit, bus=given.bus)
        urls = {"events_queue_url": events.url, "backfill_queue_url": backfill.url}
        for name in StageQueue:
            pair = provisioning.create_queue(clients, f"keyshift-{name}", visibility=DEMO_VISIBILITY_SECONDS)
            urls[f"{name}_queue_url"] = pair.url
        settings = given.model_copy(update=urls)
        yield DemoWorld(
            settings=settings,
            rules=rules,
            environment={**standin.environment(), **environment_of(settings)},
            producers_bucket=S3ProducersBucket(clients),
            events_queue=SqsMessageQueue(clients, events.url),
            audit_queue=SqsMessageQueue(clients, audit.url),
            dead_queue=SqsMessageQueue(clients, events.dead_url),
            begin_events=lambda: begin_events(clients, given.table, rules.source_bucket, events),
            write_uris=lambda uris: provisioning.create_uri_table(
                clients, URI_TABLE, key=URI_TABLE_KEY, attribute=URI_ATTRIBUTE, uris=uris
            ),
        )


@contextmanager
def _standin(port: int) -> Iterator[StandIn]:
    """A running stand-in; raises InputError where it does not start, for example without the extra ``demo``."""
    with ExitStack() as stack:
        try:
            standin = stack.enter_context(running_standin(port=port))
        except StandInError as error:
            remedy = "install keyshift with the extra demo (docs/install.md), or correct that first"
            raise InputError(f"{error}; {remedy}") from error
        yield standin


def begin_events(clients: AwsClients, table: str, bucket: str, events: notifications.QueuePair) -> None:
    """``keyshift start`` without its probes: on the stand-in a configuration is in force immediately."""
    notifications.send_bucket_events(clients, bucket, events)
    make_live(clients, table)


def make_live(clients: AwsClients, table: str) -> None:
    """Let objects move, without a check of live capture: for the demo and for tests."""
    stages = DynamoDbStageBook(clients, table)
    before = stages.read_stage()
    stages.write_stage(
        advanced(before, Stage.LIVE, by="demo", why="live capture is on", now=SystemClock().now()), before=before
    )
