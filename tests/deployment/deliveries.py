"""Messages that reach a function, and the operator who pauses meanwhile."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from adapters.dynamodb.control import DynamoDbControlPanel
from adapters.messaging.queue import SqsMessageQueue
from tests.deployment.place import Place
from tests.worlds.site import Context, lambda_event

SECONDS = 50.0
"""An invocation too short for a second batch of parts."""


def deliver(handler: Any, queue: SqsMessageQueue, body: str) -> None:
    """One message of one invocation."""
    deliver_all(handler, queue, [body])


def deliver_all(handler: Any, queue: SqsMessageQueue, bodies: Iterable[str]) -> None:
    """Messages of one invocation."""
    queue.send_messages(list(bodies))
    messages = queue.receive_messages(at_most=10, wait=1)
    handler(lambda_event(messages), Context(seconds=SECONDS))
    queue.delete_messages(messages)


def event_of(place: Place, key: str, etag: str | None) -> str:
    """An EventBridge event as S3 sends it, without the order of events: the handler looks for itself."""
    subject: dict[str, Any] = {"key": key}
    if etag is not None:
        versions = place.clients.s3.list_object_versions(Bucket=f"{place.name}-source", Prefix=key)["Versions"]
        subject |= {"etag": etag, "version-id": versions[0]["VersionId"], "size": versions[0]["Size"]}
    detail = {"bucket": {"name": f"{place.name}-source"}, "object": subject, "reason": "PutObject"}
    kind = "Object Created" if etag is not None else "Object Deleted"
    return json.dumps({"source": "aws.s3", "detail-type": kind, "detail": detail})


@contextmanager
def paused(place: Place) -> Iterator[None]:
    """The operator's word, while something waits."""
    panel = DynamoDbControlPanel(place.clients, place.name)
    before = panel.read_control()
    during = replace(before, paused=True, reason="a test", fence=before.fence + 1)
    panel.write_control(during, before=before)
    yield
    panel.write_control(replace(before, fence=during.fence + 1), before=during)
