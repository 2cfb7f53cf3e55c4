"""Queues behind a bucket, directly and through EventBridge, and the events of one key that arrive in them."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from adapters.conformance.bench import BODY, Bench, NotOfferedError, wait_until
from adapters.conformance.uploads import begun
from adapters.s3.notifications import QueuePair, read_notifications, route_events, send_bucket_events
from domain.errors import RefusedRequestError

KEY = "told/a b+c"
"""Two characters whose encodings differ."""
EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*")
_DIRECTLY = Counter(
    {
        "ObjectCreated:Put": 2,
        "ObjectCreated:Copy": 1,
        "ObjectCreated:CompleteMultipartUpload": 1,
        "ObjectTagging:Put": 1,
        "ObjectRemoved:Delete": 1,
    }
)
_THROUGH_BUS = Counter({"Object Created": 4, "Object Deleted": 1})
_POLL_SECONDS = 2
_POLICY_SECONDS = 90.0
_AGAIN_SECONDS = 15.0
"""A new configuration takes minutes on AWS, so a first object is written again and again."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event of S3: ``name`` without ``s3:``, ``key`` as the event spells it, ``received`` in monotonic seconds."""

    name: str
    key: str
    record: dict[str, Any]
    received: float

    @property
    def subject(self) -> dict[str, Any]:
        """What it says of the object."""
        subject: dict[str, Any] = self.record.get("s3", self.record.get("detail", {})).get("object", {})
        return subject

    @property
    def sequencer(self) -> str:
        """Empty where it has none."""
        return str(self.subject.get("sequencer", ""))


@dataclass(frozen=True, slots=True)
class Heard:
    """Everything that one way told of the key, in the order of arrival; ``delays`` in seconds, of the first put."""

    events: tuple[Told, ...]
    has_test_event: bool
    delay: float

    def named(self, *names: str) -> list[Told]:
        """Those of one of these types, each sequencer once: delivery is at least once."""
        once = {(one.name, one.sequencer): one for one in self.events if one.name in names}
        return list(once.values())


def directly(bench: Bench) -> Heard:
    """What S3 tells the queue itself; raises NotOfferedError where nothing arrives."""
    return bench.once("heard directly", lambda: _heard(bench, _direct_queue(bench), _DIRECTLY))


def through_eventbridge(bench: Bench) -> Heard:
    """What EventBridge tells; raises NotOfferedError where nothing arrives."""
    return bench.once("heard through EventBridge", lambda: _heard(bench, _routed_queue(bench), _THROUGH_BUS))


def new_queue(bench: Bench, purpose: str) -> QueuePair:
    """A queue of the run."""
    name, sqs = f"{bench.name}-{purpose}", bench.clients.sqs

    def make() -> QueuePair:
        named = (
            f"queue {name}: aws sqs delete-queue --queue-url $(aws sqs get-queue-url --queue-name {name} --output text)"
        )
        with bench.making(named, partial(_delete_queue, sqs, name)):
            url = sqs.create_queue(QueueName=name, Attributes={"MessageRetentionPeriod": "3600"})["QueueUrl"]
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return QueuePair(url, answer["Attributes"]["QueueArn"], "", "")

    return bench.once(f"queue {purpose}", make)


def remove_rule(bench: Bench, rule: str, bus: str) -> None:
    """Remove a rule and its target."""
    bench.clients.events.remove_targets(Rule=rule, EventBusName=bus, Ids=["queue"])
    bench.clients.events.delete_rule(Name=rule, EventBusName=bus)


def receive(bench: Bench, queue: QueuePair) -> Iterator[dict[str, Any]]:
    """What is in the queue now, each once."""
    answer = bench.clients.sqs.receive_message(
        QueueUrl=queue.url, MaxNumberOfMessages=10, WaitTimeSeconds=_POLL_SECONDS
    )
    for message in answer.get("Messages", []):
        bench.clients.sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
        yield json.loads(message["Body"])


def _delete_queue(sqs: Any, name: str) -> None:
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


def _direct_queue(bench: Bench) -> QueuePair:
    queue = new_queue(bench, "direct")
    bucket = bench.told

    def is_sent() -> bool:
        """S3 refuses a queue until its new policy counts everywhere."""
        try:
            send_bucket_events(bench.clients, bucket, queue, events=EVENTS)
        except RefusedRequestError:
            return False
        return True

    if not wait_until(is_sent, seconds=min(bench.options.wait, _POLICY_SECONDS), pause=5.0):
        send_bucket_events(bench.clients, bucket, queue, events=EVENTS)
    return queue


def _routed_queue(bench: Bench) -> QueuePair:
    queue, rule = new_queue(bench, "routed"), f"{bench.name}-s3"
    removal = f"rule {rule} of the default bus: aws events remove-targets --rule {rule} --ids queue; "
    named = f"{removal}aws events delete-rule --name {rule}"
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bench.told]}}}
    with bench.making(named, partial(remove_rule, bench, rule, "default")):
        route_events(bench.clients, rule, pattern, queue)
    configuration: Any = read_notifications(bench.clients, bench.told)
    configuration["EventBridgeConfiguration"] = {}
    bench.s3.put_bucket_notification_configuration(Bucket=bench.told, NotificationConfiguration=configuration)
    return queue


def _heard(bench: Bench, queue: QueuePair, wanted: Counter[str]) -> Heard:
    """Wait until the way is open, do everything with one new key, and gather what arrives."""
    arrived = _Arrivals(bench, queue)
    arrived.await_way()
    prefix = bench.new_key()
    key = f"{prefix}/{KEY}"
    written = time.monotonic()
    _write(bench, key)
    events = arrived.of_key(prefix, wanted)
    first = min((one.received for one in events), default=written)
    return Heard(tuple(events), arrived.has_test_event, max(0.0, first - written))


def _write(bench: Bench, key: str) -> None:
    """Two puts, a copy, an upload in parts, tags and a delete."""
    place = {"Bucket": bench.told, "Key": key}
    source, _ = bench.put(bench.told)
    for body in (BODY, BODY * 2):
        bench.s3.put_object(**place, Body=body)
    origin = {"Bucket": bench.told, "Key": source}
    bench.s3.copy_object(**place, CopySource=origin, AnnotationDirective="EXCLUDE")
    _, request = begun(bench, bench.told, key)
    bench.s3.complete_multipart_upload(**request)
    bench.s3.put_object_tagging(**place, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    bench.s3.delete_object(**place)


class _Arrivals:
    """What arrives in one queue."""

    def __init__(self, bench: Bench, queue: QueuePair) -> None:
        self._bench, self._queue = bench, queue
        self._events: list[Told] = []
        self.has_test_event = False

    def await_way(self) -> None:
        """Write an object again and again until an event of it arrives."""
        bench = self._bench
        until = time.monotonic() + bench.options.wait
        again = 0.0
        while not self._events:
            if time.monotonic() >= until:
                raise NotOfferedError(f"no event arrived within {bench.options.wait:.0f} s (--wait)")
            if time.monotonic() >= again:
                bench.put(bench.told)
                again = time.monotonic() + _AGAIN_SECONDS
            self._receive()

    def of_key(self, prefix: str, wanted: Counter[str]) -> list[Told]:
        """The events of that key; returns once those types came so often, or after the wait."""
        until = time.monotonic() + self._bench.options.wait
        while True:
            self._receive()
            found = [one for one in self._events if one.key.startswith(prefix)]
            came = Counter(name for name, _ in {(one.name, one.sequencer) for one in found})
            if came >= wanted or time.monotonic() >= until:
                return found

    def _receive(self) -> None:
        for body in receive(self._bench, self._queue):
            self.has_test_event |= body.get("Event") == "s3:TestEvent"
            self._events += _events_in(body)


def _events_in(body: dict[str, Any]) -> Iterator[Told]:
    now = time.monotonic()
    for record in body.get("Records", []):
        yield Told(record["eventName"], record["s3"]["object"]["key"], record, now)
    if "detail-type" in body:
        yield Told(body["detail-type"], body["detail"].get("object", {}).get("key", ""), body, now)
