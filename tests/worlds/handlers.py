"""Dependencies for handler tests: the real protocol over a small world in memory."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import md5
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from domain.keys import Location
from domain.protocol.attempt import MigrationPolicy, MigrationPorts
from domain.protocol.record import Record
from handlers.config.rules_file import read_rules
from handlers.config.settings import Settings
from handlers.engine.concurrency import Pace
from handlers.engine.dependencies import CachedControl, EngineDependencies
from handlers.engine.observability import Observer
from tests.fakes.batches import UnansweredBatches
from tests.fakes.bus import InMemoryEventBus
from tests.fakes.clock import FakeClock
from tests.fakes.engine import NoBreaker, NothingLearned, OpenGate, no_item_event
from tests.fakes.lifecycle import InMemoryProbeBook
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.object_store import InMemoryObjectStore
from tests.fakes.panel import InMemoryControlPanel, InMemoryProgressCounters
from tests.fakes.queue import InMemoryQueue

BUCKET = "line-1"
HANDLER_RULES = """
version: 1
migration: unit
source: {bucket: line-1}
target: {bucket: line-1}
rules:
  - {name: move, from: "old/{rest...}", to: "new/{rest...}"}
keep: ["kept/{rest...}"]
unmapped: report
"""


def etag_of(body: bytes) -> str:
    """The etag of an object put in one request."""
    return md5(body, usedforsecurity=False).hexdigest()


class HandlerWorld:
    """One bucket, or several, with their manifest and a clock."""

    def __init__(self, *other_buckets: str) -> None:
        self.clock = FakeClock(1_000.0)
        self.store = InMemoryObjectStore(self.clock)
        for name in {BUCKET, *other_buckets}:
            self.store.create_bucket(name)
        self.manifest = InMemoryManifest()

    @property
    def objects(self) -> dict[Location, bytes]:
        """Every object of BUCKET with its bytes."""
        keys = (Location(BUCKET, one.key) for one in self.store.list_objects(BUCKET))
        return {one: self.store.body(one) or b"" for one in keys}

    @property
    def records(self) -> dict[str, Record]:
        """The manifest, to be changed too."""
        return self.manifest.records

    @property
    def copies(self) -> int:
        """How many copies were asked for."""
        return self.store.calls.count("copy_object")

    def put(self, key: str, body: bytes) -> None:
        """An owner writes."""
        self.store.put(Location(BUCKET, key), body)

    def remove(self, key: str) -> None:
        """An owner deletes."""
        self.store.remove(Location(BUCKET, key))

    def fail_claims(self, *errors: Exception) -> None:
        """Let the next claims raise these, one each."""
        for error in errors:
            self.manifest.fail_next(error, call="claim_record")


@dataclass
class Bench:
    """Dependencies with everything they are made of within reach."""

    world: HandlerWorld
    live: InMemoryQueue
    backfill: InMemoryQueue
    bus: InMemoryEventBus
    figures: InMemoryProgressCounters
    panel: InMemoryControlPanel
    said: io.StringIO
    slept: list[float]
    dependencies: EngineDependencies

    def lines(self, level: str | None = None) -> list[dict[str, Any]]:
        """The log."""
        lines = [json.loads(line) for line in self.said.getvalue().splitlines()]
        return [line for line in lines if level in (None, line["level"])]


def bench(*, rules: str = HANDLER_RULES, policy: MigrationPolicy | None = None, **settings: Any) -> Bench:
    """A new world with everything in it."""
    compiled = read_rules(rules)
    world, bus = HandlerWorld(compiled.source_bucket, compiled.target_bucket), InMemoryEventBus()
    live, backfill = InMemoryQueue(world.clock), InMemoryQueue(world.clock)
    figures, panel, said, slept = InMemoryProgressCounters(), InMemoryControlPanel(), io.StringIO(), list[float]()
    tokens = count(1)
    dependencies = EngineDependencies(
        settings=Settings(rules_file=Path("rules.yaml"), table="manifest", **({"concurrency": 4} | settings)),
        rules=compiled,
        policy=policy or MigrationPolicy(promised_storage_class="STANDARD", promised_plain=True),
        ports=MigrationPorts(world.store, world.store, world.manifest, world.clock, world.store),
        batches=UnansweredBatches(),
        events_queue=live,
        backfill_queue=backfill,
        bus=bus,
        progress=figures,
        control=CachedControl(panel, seconds=0, monotonic=world.clock.monotonic),
        record_of_item=lambda item: item["record"],
        new_token=lambda: f"token-{next(tokens)}",
        observer=Observer(migration="unit", function=f"f-{uuid4().hex}", level="DEBUG", stream=said),
        event_of_item=no_item_event,
        chains=None,
        probes=InMemoryProbeBook(),
        gate=OpenGate(),
        learned=NothingLearned(),
        breaker=NoBreaker(),
        pace=Pace(4),
        pool=ThreadPoolExecutor(4),
        sleep=slept.append,
    )
    return Bench(world, live, backfill, bus, figures, panel, said, slept, dependencies)


def created_entry(key: str, body: bytes, sequencer: str = "0055AED6DCD90281E5", bucket: str = BUCKET) -> dict[str, Any]:
    """One entry of Records; the key needs no encoding here."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": bucket},
            "object": {"key": key, "size": len(body), "eTag": etag_of(body), "sequencer": sequencer},
        },
    }


def sqs_event(*bodies: str, receive_count: int = 1) -> dict[str, Any]:
    """A Lambda SQS event with one message for each body: m1, m2 and so on."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": f"r{number}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(receive_count), "SentTimestamp": "1700000000000"},
            }
            for number, body in enumerate(bodies, start=1)
        ]
    }


def direct(*entries: dict[str, Any]) -> str:
    """The body of a direct notification."""
    return json.dumps({"Records": list(entries)})
