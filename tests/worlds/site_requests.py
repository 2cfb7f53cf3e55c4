"""What a worker of a site asks of S3, recorded at the SDK."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from adapters.aws.clients import AwsClients
from handlers.engine.batch import respond_to_batch
from handlers.operations.backfill import Fed, Feeder
from tests.worlds.site import Site, lambda_event


@contextmanager
def recorded(clients: AwsClients) -> Iterator[Counter[str]]:
    """How often each operation of S3 was asked for inside; a repeat by the SDK counts once.

    The SDK's hooks see no call that takes the lean lane.
    """
    sent: list[str] = []
    counts: Counter[str] = Counter()

    def note(model: Any, **_unused: Any) -> None:
        sent.append(model.name)

    for client in (clients.s3, clients.s3_once):
        client.meta.events.register("before-call", note)
    try:
        yield counts
    finally:
        for client in (clients.s3, clients.s3_once):
            client.meta.events.unregister("before-call", note)
        counts.update(sent)


def move(site: Site, rows: Any) -> Counter[str]:
    """Enqueue the rows and let a worker move them: what it asked of S3."""
    queue = site.dependencies.backfill_queue
    assert Feeder(site.process.rules, queue).feed(rows, Fed())
    with recorded(site.clients) as counts:
        while messages := queue.receive_messages(at_most=10, wait=0):
            event = lambda_event(messages)
            answer = respond_to_batch(event, site.dependencies, queue=queue, seconds_left=lambda: 300.0)
            assert answer == {"batchItemFailures": []}
            queue.delete_messages(messages)
    return counts
