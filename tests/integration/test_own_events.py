"""What S3's events of keyshift's own copies and deletes cost in one bucket, where live capture receives them too."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.aws.clients import AwsClients
from domain.lifecycle.stages import Stage
from domain.planning.own_events import COPY_EVENT, DELETE_EVENT
from domain.protocol.record import State
from domain.queues import Message
from handlers.engine.batch import respond_to_batch
from handlers.operations.start import Opened
from tests.servers import Server
from tests.worlds.life import Life, life_on
from tests.worlds.site import lambda_event

OBJECTS = 10
MOST_RECEIVES = 60
ITEMS_OF_ITS_OWN = "keyshift#"
"""Stage, control and figures, which are read and written by the clock."""


@pytest.fixture
def life(credentials: Server, tmp_path: Path) -> Life:
    """A migration in one bucket whose requests all take boto3, so that they can be counted."""
    return life_on(credentials, tmp_path, lane=False)


@contextmanager
def recorded(clients: AwsClients) -> Iterator[Counter[str]]:
    """How often each operation was asked for inside: of S3 on objects, and of DynamoDB on records."""
    counts: Counter[str] = Counter()

    def note(params: Any, model: Any, **_unused: Any) -> None:
        item = params.get("Item") or params.get("Key")
        if not (isinstance(item, dict) and item["pk"]["S"].startswith(ITEMS_OF_ITS_OWN)):
            counts[model.name] += 1

    asked = (clients.s3, clients.s3_once, clients.dynamodb)
    for client in asked:
        client.meta.events.register("provide-client-params", note)
    try:
        yield counts
    finally:
        for client in asked:
            client.meta.events.unregister("provide-client-params", note)


def handled(life: Life, prefix: str) -> Counter[str]:
    """The live events of all objects below the prefix, as the function works them off: what it asked."""
    queue, chosen = life.site.dependencies.events_queue, list[Message]()
    for _ in range(MOST_RECEIVES):
        for message in queue.receive_messages(at_most=10, wait=1):
            if f'"{prefix}' in message.body:
                chosen.append(message)
            else:  # a probe's event, which came back while nothing might move yet
                queue.delete_messages([message])
        if len(chosen) == OBJECTS:
            break
    assert len(chosen) == OBJECTS
    with recorded(life.site.clients) as counts:
        answer = respond_to_batch(lambda_event(chosen), life.site.dependencies, queue=queue, seconds_left=lambda: 300.0)
    assert answer == {"batchItemFailures": []}
    queue.delete_messages(chosen)
    return counts


def test_events_of_own_requests_cost_what_the_plan_says(life: Life) -> None:
    """A copy's key is only mapped; a delete by cleanup is looked at."""
    assert isinstance(life.start(), Opened)
    life.work()
    for number in range(OBJECTS):
        life.site.put(f"old/{number}", b"x")
    assert handled(life, "old/")["CopyObject"] == OBJECTS
    assert handled(life, "new/") == Counter()
    assert (COPY_EVENT.looks, COPY_EVENT.table_writes) == (0, 0)
    life.verify()
    life.at(Stage.CUT_OVER)
    life.let_time_pass()
    assert len(life.clean(yes=True)) == OBJECTS
    asked = handled(life, "old/")
    assert asked["HeadObject"] + asked["GetObjectTagging"] == OBJECTS * DELETE_EVENT.looks
    assert asked["UpdateItem"] + asked["PutItem"] == OBJECTS * DELETE_EVENT.table_writes, asked
    assert {record.state for record in life.records()} == {State.CLEANED}
