"""Dependencies for handler tests: the real protocol over a small world in memory."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import md5
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from domain.errors import KeyshiftError
from domain.keys import Location
from domain.objects import ObjectState
from domain.parts import Part
from domain.protocol.attempt import MigrationPolicy, MigrationPorts
from domain.protocol.ports import ClaimAnswer, Deleted, Refused, SourceObject, TargetObject, TopMarker, Written
from domain.protocol.record import ClaimRequest, Record, claimed, refusal
from domain.queues import Message
from handlers.config.rules_file import read_rules
from handlers.config.settings import Settings
from handlers.engine.concurrency import Pace
from handlers.engine.dependencies import CachedControl, EngineDependencies
from handlers.engine.observability import Observer
from tests.fakes.bus import InMemoryEventBus
from tests.fakes.engine import NoBreaker, OpenGate, no_item_event
from tests.fakes.lifecycle import InMemoryProbeBook
from tests.fakes.panel import InMemoryControlPanel, InMemoryProgressCounters

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
    """One bucket and its manifest; ``faults`` are raised, one for each claim, before anything happens."""

    def __init__(self) -> None:
        self.objects: dict[Location, bytes] = {}
        self.records: dict[str, Record] = {}
        self.faults: list[Exception] = []
        self.copies = 0
        self.seconds = 1_000.0

    def put(self, key: str, body: bytes) -> None:
        """An owner writes."""
        self.objects[Location(BUCKET, key)] = body

    def now(self) -> float:
        """Seconds since 1970."""
        return self.seconds

    def monotonic(self) -> float:
        """The same seconds."""
        return self.seconds

    def look_at_object(
        self, location: Location, *, version_id: str | None = None, with_tags: bool = False
    ) -> ObjectState | None:
        """The object, with no tags."""
        body = self.objects.get(location)
        return None if body is None else ObjectState(etag_of(body), len(body), tags={} if with_tags else None)

    def copy_object(self, source: SourceObject, target: TargetObject, *, seen: ObjectState | None) -> Written | Refused:
        """Copy on both conditions."""
        body = self.objects.get(source.location)
        if body is None:
            return Refused.SOURCE_ABSENT
        there = self.objects.get(target.location)
        met = there is None if target.if_match is None else there is not None and etag_of(there) == target.if_match
        if etag_of(body) != source.etag or not met:
            return Refused.PRECONDITION
        self.objects[target.location] = body
        self.copies += 1
        return Written(etag_of(body))

    def delete_object(self, location: Location, *, if_match: str, send_before: float) -> Deleted | Refused:
        """Delete on condition."""
        body = self.objects.get(location)
        if body is None:
            return Refused.SOURCE_ABSENT
        if etag_of(body) != if_match:
            return Refused.PRECONDITION
        del self.objects[location]
        return Deleted()

    def find_top_marker(self, location: Location) -> TopMarker | None:
        """No versions here."""
        return None

    def remove_delete_marker(self, location: Location, *, marker_id: str, send_before: float) -> None:
        """No versions here."""

    def create_upload(self, target: TargetObject, *, seen: ObjectState) -> str:
        """An upload that only ever gets parts."""
        return "upload-1"

    def copy_parts(
        self, source: SourceObject, target: TargetObject, *, upload_id: str, parts: Sequence[Part]
    ) -> Mapping[int, str] | Refused:
        """Takes longer than a short attempt has."""
        self.seconds += 10_000
        return {part.number: etag_of(b"part") for part in parts}

    def list_parts(self, target: Location, *, upload_id: str) -> Mapping[int, str] | None:
        """Never asked here."""
        return None

    def complete_upload(
        self, target: TargetObject, *, upload_id: str, etags: Mapping[int, str], size: int
    ) -> Written | Refused:
        """Never asked here."""
        return Refused.SOURCE_ABSENT

    def abort_upload(self, target: Location, *, upload_id: str) -> None:
        """Nothing is kept."""

    def claim_record(self, request: ClaimRequest) -> ClaimAnswer:
        """Claim by the domain's own rule."""
        if self.faults:
            raise self.faults.pop(0)
        before = self.records.get(request.notice.source.record_id)
        if refusal(before, request) is not None:
            return ClaimAnswer(granted=False, before=before)
        self.records[request.notice.source.record_id] = claimed(before, request)
        return ClaimAnswer(granted=True, before=before)

    def write_record(self, record: Record, *, before: Record | None) -> bool:
        """Compare and set."""
        if self.records.get(record.record_id) != before:
            return False
        self.records[record.record_id] = record
        return True

    def read_record(self, record_id: str) -> Record | None:
        """The record now."""
        return self.records.get(record_id)

    def read_records(self, record_ids: Sequence[str]) -> dict[str, Record]:
        """Those records now."""
        return {one: self.records[one] for one in record_ids if one in self.records}

    def scan_records(self, *, segment: int = 0, segments: int = 1) -> Iterator[Record]:
        """Every record."""
        yield from list(self.records.values())


class ListQueue:
    """A queue whose messages are here, in flight or gone."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.waiting: list[Message] = []
        self.in_flight: dict[str, Message] = {}
        self.returned: list[tuple[str, int]] = []
        self.faults: list[KeyshiftError] = []

    def send_messages(self, bodies: Sequence[str], *, delay: int = 0) -> None:
        """Append."""
        self.waiting += [Message(f"m{number}", f"r{number}", body) for body, number in zip(bodies, self._numbers)]  # noqa: B905  # the numbers never end

    def receive_messages(self, *, at_most: int, wait: int) -> Sequence[Message]:
        """The first ones."""
        if self.faults:
            raise self.faults.pop(0)
        taken, self.waiting = self.waiting[:at_most], self.waiting[at_most:]
        self.in_flight |= {message.message_id: message for message in taken}
        return taken

    def delete_messages(self, messages: Sequence[Message]) -> None:
        """Forget them."""
        for message in messages:
            self.in_flight.pop(message.message_id, None)

    def return_messages(self, messages: Sequence[Message], *, delay: int) -> None:
        """Due again at once when there is no delay, else kept aside for ever."""
        for message in messages:
            self.returned.append((message.message_id, delay))
            back = self.in_flight.pop(message.message_id, None)
            if back is not None and not delay:
                self.waiting.append(replace(back, receive_count=back.receive_count + 1))

    def count_messages(self) -> tuple[int, int]:
        """How many wait and are in flight."""
        return len(self.waiting), len(self.in_flight)


@dataclass
class Bench:
    """Dependencies with everything they are made of within reach."""

    world: HandlerWorld
    live: ListQueue
    backfill: ListQueue
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
    world, live, backfill, bus = HandlerWorld(), ListQueue(), ListQueue(), InMemoryEventBus()
    figures, panel, said, slept = InMemoryProgressCounters(), InMemoryControlPanel(), io.StringIO(), list[float]()
    compiled = read_rules(rules)
    tokens = count(1)
    dependencies = EngineDependencies(
        settings=Settings(rules_file=Path("rules.yaml"), table="manifest", **({"concurrency": 4} | settings)),
        rules=compiled,
        policy=policy or MigrationPolicy(promised_storage_class="STANDARD", promised_plain=True),
        ports=MigrationPorts(world, world, world, world),
        events_queue=live,
        backfill_queue=backfill,
        bus=bus,
        progress=figures,
        control=CachedControl(panel, seconds=0, monotonic=world.monotonic),
        record_of_item=lambda item: item["record"],
        new_token=lambda: f"token-{next(tokens)}",
        observer=Observer(migration="unit", function=f"f-{uuid4().hex}", level="DEBUG", stream=said),
        event_of_item=no_item_event,
        chain=None,
        probes=InMemoryProbeBook(),
        gate=OpenGate(),
        breaker=NoBreaker(),
        pace=Pace(4),
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
