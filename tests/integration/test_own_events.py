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
from handlers.engine.batch import respond_to_batch
from handlers.operations.start import Opened
from tests.servers import Server
from tests.worlds.life import Life, credentials, life_on
from tests.worlds.site import lambda_event

__all__ = ["credentials"]

OBJECTS = 10


@pytest.fixture
def life(credentials: Server, tmp_path: Path) -> Life:
    """A migration in one bucket whose requests all take boto3, so that they can be counted."""
    return life_on(credentials, tmp_path, lane=False)


@contextmanager
def recorded(clients: AwsClients) -> Iterator[Counter[str]]:
    """How often each operation of S3 and DynamoDB was asked for inside."""
    counts: Counter[str] = Counter()

    def note(model: Any, **_unused: Any) -> None:
        counts[model.name] += 1

    asked = (clients.s3, clients.s3_once, clients.dynamodb)
    for client in asked:
        client.meta.events.register("before-call", note)
    try:
        yield counts
    finally:
        for client in asked:
            client.meta.events.unregister("before-call", note)


def handled(life: Life) -> tuple[int, Counter[str]]:
    """One batch of live events, as the function works it off: how many, and what it asked."""
    queue = life.site.dependencies.events_queue
    messages = queue.receive_messages(at_most=10, wait=2)
    with recorded(life.site.clients) as counts:
        answer = respond_to_batch(
            lambda_event(messages), life.site.dependencies, queue=queue, seconds_left=lambda: 300.0
        )
    assert answer == {"batchItemFailures": []}
    queue.delete_messages(messages)
    return len(messages), counts


def test_events_of_own_requests_cost_what_the_plan_says(life: Life) -> None:
    """A copy's key is only mapped; a delete by cleanup is looked at. Reads of stage and control go by the clock."""
    assert isinstance(life.start(), Opened)
    life.work()
    for number in range(OBJECTS):
        life.site.put(f"old/{number}", b"x")
    assert handled(life)[1]["CopyObject"] == OBJECTS
    events, asked = handled(life)
    assert (events, set(asked)) == (OBJECTS, {"GetItem"})
    assert (COPY_EVENT.looks, COPY_EVENT.table_writes) == (0, 0)
    life.verify()
    life.at(Stage.CUT_OVER)
    life.let_time_pass()
    assert len(life.clean(yes=True)) == OBJECTS
    events, asked = handled(life)
    assert events == OBJECTS
    assert asked["HeadObject"] + asked["GetObjectTagging"] == OBJECTS * DELETE_EVENT.looks
    assert asked["UpdateItem"] + asked["PutItem"] == OBJECTS * DELETE_EVENT.table_writes
    assert {record.state for record in life.records()} == {State.CLEANED}
