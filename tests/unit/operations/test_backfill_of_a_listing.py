"""A listing becomes messages: all of it, resumable, no faster than it is worked off."""

import json

from domain.keys import Location
from handlers.config.rules_file import read_rules
from handlers.operations.backfill import DELETED, Fed, Feeder
from tests.fakes.buckets import Versioning
from tests.fakes.object_store import InMemoryObjectStore
from tests.fakes.queue import InMemoryQueue
from tests.fakes.version_listing import InMemoryVersionListing

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
    queue, fed = InMemoryQueue(), Fed()
    assert Feeder(RULES, queue).feed_listing(bucket_of("old/a", "old/b", "kept/x", "other", "new/y"), fed)
    assert rows_of(queue) == ["old/a", "old/b"]
    expected = {"listed": 5, "keep": 1, "move": 2, "unmapped": 2, "messages": 1, "last_key": "other"}
    assert expected == fed.listed_json()


def test_a_row_carries_what_the_listing_knows() -> None:
    """Etag, size and storage class spare the worker a look."""
    queue, store = InMemoryQueue(), bucket_of("old/a")
    Feeder(RULES, queue).feed_listing(store, Fed())
    (listed,) = store.list_objects("line-1")
    row = {"key": "old/a", "etag": listed.etag, "size": 5, "storage_class": "STANDARD"}
    assert [row] == json.loads(queue.bodies[0])["rows"]


def test_a_stopped_backfill_goes_on_where_it_stopped() -> None:
    """Every key is enqueued, and ``last_key`` never runs ahead of what the queue has accepted."""
    keys = [f"old/{number:03}" for number in range(95)]
    queue, store, fed = InMemoryQueue(), bucket_of(*keys), Fed()
    feeder = Feeder(RULES, queue, rows_per_message=2)
    assert not feeder.feed_listing(store, fed, go_on=lambda: False)
    assert keys[: len(rows_of(queue))] == rows_of(queue)
    assert rows_of(queue)[-1] == fed.last_key
    assert feeder.feed_listing(store, Fed(last_key=fed.last_key))
    assert keys == rows_of(queue)


def test_a_dry_run_sends_nothing() -> None:
    """It counts as the real run would."""
    queue, store = InMemoryQueue(), bucket_of("old/a", "old/b", "old/c")
    dry, real = Fed(), Fed()
    Feeder(RULES, None, rows_per_message=2).feed_listing(store, dry)
    assert queue.bodies == []
    Feeder(RULES, queue, rows_per_message=2).feed_listing(store, real)
    assert dry == real
    assert real.messages == 2


def test_a_long_queue_is_waited_for() -> None:
    """While more messages than the backlog wait, nothing is sent."""
    queue = DrainingQueue(full=11)
    Feeder(RULES, queue, backlog=10, sleep=lambda _: None).feed_listing(bucket_of("old/a"), Fed())
    assert queue.looks == 3
    assert rows_of(queue) == ["old/a"]


def test_a_deleted_key_is_enqueued_with_the_key_alone() -> None:
    """Its earlier versions are carried; one that does not move is not enqueued, and none counts as an object."""
    store, queue, fed = bucket_of(), InMemoryQueue(), Fed()
    store.set_versioning("line-1", Versioning.ENABLED)
    for key in ("old/a", "old/b", "other"):
        store.put(Location("line-1", key), b"1")
    for key in ("old/b", "other"):
        store.remove(Location("line-1", key))
    assert Feeder(RULES, queue).feed_listing(InMemoryVersionListing(store.buckets), fed)
    rows = [row for body in queue.bodies for row in json.loads(body)["rows"]]
    assert [sorted(row) for row in rows] == [["etag", "key", "size", "storage_class", "version_id"], ["key"]]
    assert [row["key"] for row in rows] == ["old/a", "old/b"]
    assert fed.outcomes == {"move": 1, DELETED: 1, "unmapped": 1}
    assert (fed.enqueued, fed.size) == (2, 1)
