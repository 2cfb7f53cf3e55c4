"""A listing becomes messages: all of it, resumable, no faster than it is worked off."""

import json

import pytest

from domain.keys import Location
from handlers.config.rules_file import read_rules
from handlers.operations import listing_feeder as feeding
from handlers.operations.listing_feeder import Enqueued, Feeder
from tests.fakes.object_store import InMemoryObjectStore
from tests.fakes.queue import InMemoryQueue

RULES = read_rules(
    """
version: 1
migration: feeding
source: {bucket: line-1}
target: {bucket: line-1}
rules:
  - {name: move, from: "old/{rest...}", to: "new/{rest...}"}
keep: ["kept/{rest...}"]
"""
)


class DrainingQueue(InMemoryQueue):
    """A queue whose messages are worked off while the feeder waits."""

    def __init__(self, full: int) -> None:
        super().__init__()
        self.full = full
        self.looks = 0

    def count_messages(self) -> tuple[int, int]:
        """Full for some looks, then empty."""
        self.looks += 1
        return (self.full, 0) if self.looks < 3 else (0, 0)


def bucket_of(*keys: str) -> InMemoryObjectStore:
    """A bucket with these objects."""
    store = InMemoryObjectStore()
    store.create_bucket("line-1")
    for key in keys:
        store.put(Location("line-1", key), key.encode())
    return store


def rows_of(queue: InMemoryQueue) -> list[str]:
    """The keys that were enqueued, in order."""
    return [row["key"] for body in queue.bodies for row in json.loads(body)["rows"]]


def test_only_what_moves_is_enqueued() -> None:
    """What is kept, unmapped or already new is counted and costs no message."""
    queue, done = InMemoryQueue(), Enqueued()
    store = bucket_of("old/a", "old/b", "kept/x", "other", "new/y")
    list(Feeder(RULES, store, queue).enqueue(done))
    assert rows_of(queue) == ["old/a", "old/b"]
    expected = {"listed": 5, "keep": 1, "move": 2, "unmapped": 2, "messages": 1, "last_key": "other"}
    assert expected == done.as_json()


def test_a_row_carries_what_the_listing_knows() -> None:
    """Etag, size and storage class spare the worker a look."""
    queue, store = InMemoryQueue(), bucket_of("old/a")
    list(Feeder(RULES, store, queue).enqueue(Enqueued()))
    (listed,) = store.list_objects("line-1")
    row = {"key": "old/a", "etag": listed.etag, "size": 5, "storage_class": "STANDARD"}
    assert [row] == json.loads(queue.bodies[0])["rows"]


def test_a_stopped_backfill_goes_on_where_it_stopped() -> None:
    """Every key is enqueued, and ``last_key`` never runs ahead of what the queue has accepted."""
    keys = [f"old/{number:03}" for number in range(95)]
    queue, store, done = InMemoryQueue(), bucket_of(*keys), Enqueued()
    next(Feeder(RULES, store, queue).enqueue(done, rows=2))
    assert keys[: len(rows_of(queue))] == rows_of(queue)
    assert rows_of(queue)[-1] == done.last_key
    list(Feeder(RULES, store, queue).enqueue(Enqueued(last_key=done.last_key), rows=2))
    assert keys == rows_of(queue)


def test_a_dry_run_sends_nothing() -> None:
    """It counts as the real run would."""
    queue, store = InMemoryQueue(), bucket_of("old/a", "old/b", "old/c")
    dry, real = Enqueued(), Enqueued()
    list(Feeder(RULES, store, queue).enqueue(dry, rows=2, dry_run=True))
    assert queue.bodies == []
    list(Feeder(RULES, store, queue).enqueue(real, rows=2))
    assert dry == real
    assert real.messages == 2


def test_a_long_queue_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """While more messages than the backlog wait, nothing is sent."""
    monkeypatch.setattr(feeding, "BACKLOG_SECONDS", 0.0)
    queue = DrainingQueue(full=11)
    list(Feeder(RULES, bucket_of("old/a"), queue).enqueue(Enqueued(), backlog=10))
    assert queue.looks == 3
    assert rows_of(queue) == ["old/a"]
