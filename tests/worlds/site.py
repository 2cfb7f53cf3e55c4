"""One migration set up on the stand-in: bucket, queues, table, bus, and the handlers' environment."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.demo.provisioning import create_bucket, create_bus, create_manifest_table, create_queue
from adapters.messaging.queue import SqsMessageQueue
from adapters.s3.notifications import QueuePair, route_events, send_bucket_events, send_bucket_events_to_eventbridge
from domain.audit.packs import events_of
from domain.queues import Message
from handlers.bootstrap import bootstrap
from handlers.bootstrap.process import Process
from handlers.bootstrap.worker import change_reader
from handlers.config.settings import Settings
from handlers.demo.wiring import make_live
from handlers.engine.batch import respond_to_batch
from handlers.engine.dependencies import EngineDependencies
from handlers.engine.worker import ChangeReader, Worker
from tests.servers import REGION, Server, new_name

SITE_RULES = """
version: 1
migration: site
source: {{bucket: {bucket}}}
target: {{bucket: {bucket}}}
rules:
  - {{name: move, from: "old/{{rest*}}", to: "new/{{rest*}}"}}
allow:
  - {{rule: move, finding: invalid-target, why: "keys such as old//a keep their form"}}
"""


@cache
def _clients(server: Server, *, lane: bool) -> AwsClients:
    """Making clients takes longer than most tests."""
    return AwsClients(
        endpoint_url=server.endpoint_url,
        region=REGION,
        access_key_id=server.access_key,
        secret_access_key=server.secret_key,
        lane=lane,
    )


@dataclass(frozen=True)
class Context:
    """What Lambda hands to a handler, as far as ours look."""

    seconds: float = 300.0
    function_name: str = "keyshift"

    def get_remaining_time_in_millis(self) -> int:
        """How long the invocation may still run."""
        return int(self.seconds * 1000)


class Site:
    """A migration of one bucket, and what its owners and operators see of it.

    ``live`` writes the stage, which is an audit event of its own; ``None`` lets objects move without it, in this
    process only.
    """

    def __init__(  # how the site is made
        self,
        server: Server,
        folder: Path,
        *,
        through_eventbridge: bool = False,
        captured: bool = True,
        versioned: bool = False,
        live: bool | None = True,
        rules_text: str = SITE_RULES,
        lane: bool = True,
        **settings: Any,
    ) -> None:
        self.name = new_name("site")
        self.clients = _clients(server, lane=lane)
        create_bucket(self.clients, self.name, versioned=versioned)
        create_manifest_table(self.clients, self.name)
        if live:
            make_live(self.clients, self.name)
        self.events = create_queue(self.clients, f"{self.name}-events", visibility=30, max_receives=3)
        self.backfill = create_queue(self.clients, f"{self.name}-backfill", visibility=30, max_receives=3)
        self.audit = create_queue(self.clients, f"{self.name}-audit")
        create_bus(self.clients, self.name)
        route_events(self.clients, self.name, {"source": ["keyshift"]}, self.audit, bus=self.name)
        if through_eventbridge:
            send_bucket_events_to_eventbridge(self.clients, self.name)
            pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [self.name]}}}
            route_events(self.clients, f"{self.name}-s3", pattern, self.events)
        elif captured:
            send_bucket_events(self.clients, self.name, self.events)
        rules = folder / "rules.yaml"
        rules.write_text(rules_text.format(bucket=self.name), encoding="utf-8")
        self.settings = Settings(
            **{
                "rules_file": rules,
                "table": self.name,
                "events_queue_url": self.events.url,
                "backfill_queue_url": self.backfill.url,
                "bus": self.name,
                "region": REGION,
                "endpoint_url": server.endpoint_url,
                "control_seconds": 0.0,
                "concurrency": 4,
                **settings,
            }
        )
        self.process = Process(self.settings, clients=self.clients)
        self.dependencies: EngineDependencies = bootstrap(self.process, function=self.name)
        if live is None:
            self.dependencies.control._stages = None

    def environment(self) -> dict[str, str]:
        """The same as variables, as Lambda would have them."""
        given = self.settings.model_dump(mode="json", exclude_none=True, exclude={"own_principals", "functions"})
        return {f"KEYSHIFT_{name.upper()}": str(value) for name, value in given.items()}

    def put(self, key: str, body: bytes, **more: Any) -> None:
        """An owner writes."""
        self.clients.s3.put_object(Bucket=self.name, Key=key, Body=body, **more)

    def read(self, key: str) -> bytes | None:
        """The bytes at a key."""
        try:
            return bytes(self.clients.s3.get_object(Bucket=self.name, Key=key)["Body"].read())
        except self.clients.s3.exceptions.NoSuchKey:
            return None

    def keys(self, prefix: str) -> list[str]:
        """Every key that begins so."""
        answer = self.clients.s3.list_objects_v2(Bucket=self.name, Prefix=prefix)
        return [one["Key"] for one in answer.get("Contents", [])]

    def audited(self) -> Iterator[Mapping[str, Any]]:
        """The audit events that have arrived so far, by themselves or in packs; each once."""
        for delivered in self.delivered():
            yield from events_of(delivered)

    def delivered(self) -> Iterator[dict[str, Any]]:
        """What EventBridge has delivered so far; each once."""
        while messages := self.queue(self.audit).receive_messages(at_most=10, wait=0):
            for message in messages:
                yield json.loads(message.body)
            self.queue(self.audit).delete_messages(messages)

    def queue(self, pair: QueuePair) -> SqsMessageQueue:
        """A queue of the site."""
        return SqsMessageQueue(self.clients, pair.url)

    def change_reader(self) -> ChangeReader:
        """A reader of the manifest's stream."""
        return change_reader(self.process)

    def changes(self) -> list[dict[str, Any]]:
        """What the manifest's stream holds, as Lambda events; everything is confirmed."""
        reader, events = self.change_reader(), []
        while (event := reader.read_changes()) is not None:
            events.append(dict(event))
            reader.confirm_changes(event, None)
        reader.release()
        return events


def lambda_event(messages: Sequence[Message]) -> dict[str, Any]:
    """Received messages as Lambda's event source mapping hands them over."""
    return {
        "Records": [
            {
                "messageId": message.message_id,
                "receiptHandle": message.receipt_handle,
                "body": message.body,
                "attributes": {
                    "ApproximateReceiveCount": str(message.receive_count),
                    "SentTimestamp": str(int(message.sent_at * 1000)),
                },
                "eventSource": "aws:sqs",
            }
            for message in messages
        ]
    }


def deliver(site: Site) -> None:
    """Every live event, as an event source mapping does."""
    queue = site.dependencies.events_queue
    while messages := queue.receive_messages(at_most=10, wait=1):
        respond_to_batch(lambda_event(messages), site.dependencies, queue=queue, seconds_left=lambda: 300.0)
        queue.delete_messages(messages)


def run_until(worker: Worker, is_done: Callable[[], bool], *, seconds: float = 90) -> None:
    """Run the worker until something is so, and stop it gracefully."""
    thread = threading.Thread(target=worker.run)
    thread.start()
    ends = time.monotonic() + seconds
    while not is_done() and time.monotonic() < ends:
        time.sleep(0.05)
    worker.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert is_done()


def variables(site: Site, standin: Server) -> dict[str, str]:
    """The site as an operator's environment."""
    return {**standin.keys, **site.environment()}
