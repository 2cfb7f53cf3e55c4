"""The stream reader against scripted histories: splits, empty pages, expiry, trimming, lost shards, a long batch."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from adapters.dynamodb.stream import DynamoDbChangeReader
from domain.audit.events import AuditEvent
from domain.audit.item_events import CONTROL_ID
from domain.errors import MissingResourceError
from handlers.engine.worker import Worker
from tests.fakes.clock import FakeClock
from tests.fakes.streams import ScriptedStreams, Shard
from tests.servers import Server
from tests.worlds.handlers import bench
from tests.worlds.presence import present
from tests.worlds.tables import TableWorld, new_table


@dataclass
class History:
    """A table with a scripted stream, and readers of it that share a clock."""

    table: TableWorld
    streams: ScriptedStreams
    clock: FakeClock

    def reader(self, *, at_most: int = 2) -> DynamoDbChangeReader:
        """A reader of its own token; it holds the stream for ten seconds."""
        clients: Any = _Clients(self.table.clients.dynamodb, self.streams)
        return DynamoDbChangeReader(clients, self.table.table, clock=self.clock, at_most=at_most)


@dataclass(frozen=True)
class _Clients:
    dynamodb: Any
    streams: Any


@pytest.fixture
def history(standin: Server) -> Callable[..., History]:
    """A new table with the shards that are given."""
    return lambda **shards: History(new_table(standin), ScriptedStreams(**shards), FakeClock())


def numbers_of(event: Mapping[str, Any]) -> list[str]:
    """The sequence numbers of a batch."""
    return [entry["dynamodb"]["SequenceNumber"] for entry in event["Records"]]


def read_on(made: History, reader: DynamoDbChangeReader, *, looks: int = 12) -> list[str]:
    """What comes, each batch confirmed, in so many looks four seconds apart; every third one lists the shards."""
    found: list[str] = []
    for _ in range(looks):
        event = reader.read_changes()
        if event is not None:
            found += numbers_of(event)
            reader.confirm_changes(event, None)
        made.clock.advance(4)
    return found


def test_a_childs_changes_come_after_its_parents(history: Callable[..., History]) -> None:
    """Through two splits, and although the list has the children first and comes in pages."""
    made = history(
        grandchild=Shard("child", ["6"]),
        child=Shard("parent", ["4", "5"], is_closed=True),
        other=Shard("parent", ["7"]),
        parent=Shard(None, ["1", "2", "3"], is_closed=True),
    )
    found = read_on(made, made.reader())
    assert sorted(found) == ["1", "2", "3", "4", "5", "6", "7"]
    assert found[:3] == ["1", "2", "3"]
    assert found.index("5") < found.index("6")


def test_a_batch_names_its_shard(history: Callable[..., History]) -> None:
    """As Lambda does where its mapping has a tumbling window."""
    made = history(a=Shard(None, ["1"]), b=Shard(None, ["2"]))
    reader, named = made.reader(), dict[str, str]()
    for _ in range(2):
        event = present(reader.read_changes())
        named[event["shardId"]] = event["Records"][0]["dynamodb"]["SequenceNumber"]
        reader.confirm_changes(event, None)
    assert named == {"a": "1", "b": "2"}


def test_empty_pages_are_not_the_end(history: Callable[..., History]) -> None:
    """Neither in the middle nor before the end of a closed shard."""
    made = history(a=Shard(None, ["1", "2", "3"], is_closed=True, gaps={0, 2, 3}), b=Shard("a", ["4"], gaps={0}))
    assert read_on(made, made.reader()) == ["1", "2", "3", "4"]


def test_an_iterator_that_expired_is_made_again(history: Callable[..., History]) -> None:
    """After what is confirmed, so nothing is lost and nothing comes twice."""
    made = history(a=Shard(None, ["1", "2", "3"]))
    reader = made.reader()
    assert read_on(made, reader, looks=1) == ["1", "2"]
    made.streams.expire()
    assert read_on(made, reader, looks=2) == ["3"]


def test_what_is_trimmed_is_passed_over_and_said(
    history: Callable[..., History], caplog: pytest.LogCaptureFixture
) -> None:
    """The position stands at a change that is older than a day."""
    made = history(a=Shard(None, ["1", "2", "3", "4", "5"]))
    first = made.reader(at_most=1)
    assert read_on(made, first, looks=1) == ["1"]
    first.release()
    made.streams.shards["a"].trimmed = 3
    assert read_on(made, made.reader()) == ["4", "5"]
    assert "gone unread from shard a" in caplog.text


@pytest.mark.parametrize("still_listed", [True, False])
@pytest.mark.parametrize("has_iterator", [True, False])
def test_a_shard_that_is_gone_before_it_was_read_ends_nothing(
    history: Callable[..., History], caplog: pytest.LogCaptureFixture, *, has_iterator: bool, still_listed: bool
) -> None:
    """Its child and the other shards are read, and the log names it; a stale list may have it for a while."""
    made = history(lost=Shard(None, ["1", "2", "3"], is_closed=True), b=Shard("lost", ["4"]), c=Shard(None, ["5"]))
    reader = made.reader()
    expected = ["4", "5"]
    if has_iterator:
        assert read_on(made, reader, looks=1) == ["1", "2"]
    else:
        made.streams.shards["c"].numbers.clear()
        made.streams.shards["lost"].numbers.clear()
        made.streams.shards["lost"].is_closed = False
        assert read_on(made, reader, looks=1) == []
        expected = ["4"]
    made.streams.shards["lost"].is_readable = False
    made.streams.shards["lost"].is_listed = still_listed
    assert sorted(read_on(made, reader)) == expected
    assert "shard lost is gone" in caplog.text


def test_a_shard_that_goes_between_the_list_and_its_first_read_ends_nothing(
    history: Callable[..., History], caplog: pytest.LogCaptureFixture
) -> None:
    """As the position of a table whose workers were stopped for a day finds it."""
    made = history(lost=Shard(None, ["1"], is_closed=True, is_readable=False), b=Shard("lost", ["2"]))
    assert read_on(made, made.reader(), looks=3) == ["2"]
    assert "shard lost is gone" in caplog.text


def test_a_batch_whose_shard_goes_before_its_repeat_holds_nothing_up(history: Callable[..., History]) -> None:
    """The reader died with the batch delivered; its successor goes on with what there is."""
    made = history(lost=Shard(None, ["1", "2", "3"]), b=Shard(None, ["4"]))
    assert made.reader().read_changes() is not None
    made.streams.shards["lost"].is_readable = False
    made.clock.advance(11)
    assert read_on(made, made.reader(), looks=3) == ["4"]


def test_a_stream_that_is_gone_ends_the_worker(history: Callable[..., History]) -> None:
    """Not one shard, but all of it: that needs an operator."""
    made = history(a=Shard(None, ["1"]))
    reader = made.reader()
    assert read_on(made, reader, looks=1) == ["1"]
    made.streams.is_there = False
    with pytest.raises(MissingResourceError):
        read_on(made, reader)


# A batch that takes longer than the lease
def test_the_stream_stays_with_who_keeps_it(history: Callable[..., History]) -> None:
    """As long as it is kept, and not a lease longer."""
    made = history(a=Shard(None, ["1", "2", "3"]))
    first, second = made.reader(), made.reader()
    event = present(first.read_changes())
    for _ in range(5):
        made.clock.advance(8)
        assert first.keep_changes()
        assert second.read_changes() is None
    first.confirm_changes(event, None)
    following = present(first.read_changes())
    assert numbers_of(following) == ["3"]
    made.clock.advance(11)
    taken = present(second.read_changes())
    assert numbers_of(taken) == ["3"]


def test_what_another_reader_took_is_not_kept(history: Callable[..., History]) -> None:
    """A process that slept is told, and what it confirms then sets no other back."""
    made = history(a=Shard(None, ["1", "2", "3"]))
    slept, second = made.reader(), made.reader(at_most=3)
    event = slept.read_changes()
    made.clock.advance(11)
    assert read_on(made, second, looks=1) == ["1", "2"]  # as it was delivered to the one that slept
    assert not slept.keep_changes()
    assert event is not None
    slept.confirm_changes(event, None)
    assert slept.read_changes() is None
    assert read_on(made, second) == ["3"]


def test_what_is_confirmed_after_the_lease_does_not_come_again(history: Callable[..., History]) -> None:
    """Where no other reader came meanwhile, the slow one goes on, or its successor does when it stops."""
    made = history(a=Shard(None, ["1", "2", "3", "4", "5"]))
    reader = made.reader()
    for expected in (["1", "2"], ["3", "4"]):
        event = present(reader.read_changes())
        assert numbers_of(event) == expected
        made.clock.advance(11)
        reader.confirm_changes(event, None)
    reader.release()
    assert read_on(made, made.reader()) == ["5"]


class SlowBus:
    """A bus that takes three leases for a batch; another reader looks at the stream in each of them."""

    def __init__(self, made: History, kept: "Kept", other: DynamoDbChangeReader) -> None:
        self._made = made
        self._kept = kept
        self._other = other
        self.events: list[AuditEvent] = []
        self.taken: list[Mapping[str, Any] | None] = []

    def publish_events(self, events: Sequence[AuditEvent]) -> Sequence[int]:
        """See the port."""
        for _ in range(3):
            self._made.clock.advance(8)
            self._kept.wait()
            self.taken.append(self._other.read_changes())
        self.events += events
        return []


class Kept:
    """Counts how often a reader kept its stream."""

    def __init__(self, reader: DynamoDbChangeReader) -> None:
        self._keep = reader.keep_changes
        self._changed = threading.Condition()
        self._times = 0
        vars(reader)["keep_changes"] = self._counted

    def _counted(self) -> bool:
        answer = self._keep()
        with self._changed:
            self._times += 1
            self._changed.notify_all()
        return answer

    def wait(self) -> None:
        """Until it was kept twice more, as once may have begun before; five seconds where it never is."""
        with self._changed:
            wanted = self._times + 2
            self._changed.wait_for(lambda: self._times >= wanted, timeout=5)


def test_a_worker_keeps_the_stream_while_it_publishes(history: Callable[..., History]) -> None:
    """A batch that takes longer than the lease is published once, by one worker."""
    made = history(a=Shard(None, ["1", "2"], item_id=CONTROL_ID))
    reader = made.reader()
    bus = SlowBus(made, Kept(reader), made.reader())
    dependencies = replace(bench().dependencies, bus=bus, event_of_item=_told)
    worker = Worker(dependencies, lanes=0, changes=reader, renew_seconds=0.01)
    assert worker._publish(reader)
    assert bus.taken == [None] * 3
    assert len(bus.events) == 2
    assert not [one for one in threading.enumerate() if one.name == "stream-lease"]


def _told(item_id: str, _old: Any, _new: Any, migration: str) -> AuditEvent:
    return AuditEvent(f"{item_id}:1", "Control Changed", 1.0, {"migration": migration})
