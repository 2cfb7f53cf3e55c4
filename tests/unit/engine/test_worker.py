"""The worker works both queues off, survives what it meets, and stops without losing a message."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from domain.errors import MissingResourceError, UnavailableError
from domain.keys import Location
from domain.protocol.ports import SourceObject, TargetObject
from domain.steering.control import Control
from handlers.engine.worker import Worker
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.worlds.handlers import BUCKET, Bench, bench, created_entry, direct


def working(made: Bench, until: Callable[[], bool], **options: Any) -> Worker:
    """Run a worker on a thread of its own until something is so, then stop it."""
    worker = Worker(made.dependencies, lanes=2, **options)
    raised: list[BaseException] = []

    def run() -> None:
        try:
            worker.run()
        except BaseException as error:  # noqa: BLE001  # handed to the test
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    ends = time.monotonic() + 10
    while not until() and time.monotonic() < ends and thread.is_alive():
        time.sleep(0.01)
    worker.stop()
    thread.join(10)
    assert not thread.is_alive()
    if raised:
        raise raised[0]
    assert until()
    return worker


def send_rows(made: Bench, *keys: str) -> None:
    """Enqueue backfill rows."""
    made.backfill.send_messages(
        list(encode_backfill([BackfillRow(key=key) for key in keys], migration="unit", bucket=BUCKET))
    )


def test_both_queues_are_worked_off() -> None:
    """Events and rows are copied, their messages acknowledged."""
    made = bench()
    for key in ("old/a", "old/b"):
        made.world.put(key, b"one")
    made.live.send_messages([direct(created_entry("old/a", b"one"))])
    send_rows(made, "old/b")
    working(made, lambda: made.world.copies == 2)
    assert [made.live.count_messages(), made.backfill.count_messages()] == [(0, 0), (0, 0)]


def test_live_events_go_before_rows() -> None:
    """A lane asks the backfill queue only when no event waits."""
    made = bench()
    send_rows(made, "old/b")
    for key in ("old/a", "old/c"):
        made.world.put(key, b"one")
    made.live.send_messages([direct(created_entry("old/a", b"one"))] * 6 + [direct(created_entry("old/c", b"one"))] * 6)
    order: list[str] = []
    for name, queue in (("live", made.live), ("backfill", made.backfill)):
        receive = queue.receive_messages

        def noted(*, at_most: int, wait: int, name: str = name, receive: Any = receive) -> Any:
            messages = receive(at_most=at_most, wait=wait)
            order.extend([name] if messages else [])
            return messages

        queue.receive_messages = noted  # type: ignore[method-assign]
    working(made, lambda: "backfill" in order)
    assert order[:3] == ["live", "live", "backfill"]


def test_a_server_that_is_briefly_away_is_asked_again() -> None:
    """Polling goes on, nothing is lost."""
    made = bench()
    made.world.put("old/a", b"one")
    made.live.send_messages([direct(created_entry("old/a", b"one"))])
    for _ in range(2):
        made.live.fail_next(UnavailableError("cannot reach the queue"), call="receive_messages")
    working(made, lambda: made.world.copies == 1)
    assert len(made.lines("WARNING")) == 2


def test_a_missing_table_ends_the_worker_and_returns_its_messages() -> None:
    """It says what is missing instead of burning every message's receives."""
    made = bench()
    made.world.put("old/a", b"one")
    made.live.send_messages([direct(created_entry("old/a", b"one"))])
    made.world.fail_claims(*[MissingResourceError("table manifest does not exist")] * 4)
    with pytest.raises(MissingResourceError, match="manifest"):
        working(made, lambda: False)
    assert made.live.count_messages() == (1, 0)


def test_stopping_finishes_what_was_begun_and_returns_the_rest() -> None:
    """One object was in flight: it is done; the others go back at once."""
    made = bench(concurrency=1)
    for key in ("old/a", "old/b", "old/c"):
        made.world.put(key, b"one")
    made.live.send_messages([direct(created_entry(key, b"one")) for key in ("old/a", "old/b", "old/c")])
    copy, entered, go_on = made.world.store.copy_object, threading.Event(), threading.Event()

    def slow(source: SourceObject, target: TargetObject, *, seen: Any) -> Any:
        entered.set()
        go_on.wait(10)
        return copy(source, target, seen=seen)

    made.world.store.copy_object = slow  # type: ignore[method-assign]
    worker = Worker(made.dependencies, lanes=1)
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert entered.wait(10)
    worker.stop()
    go_on.set()
    thread.join(10)
    assert not thread.is_alive()
    assert made.world.copies == 1
    assert made.live.count_messages() == (2, 0)
    assert Location(BUCKET, "new/a") in made.world.objects


def test_a_paused_worker_does_not_poll() -> None:
    """No message is received, so none is counted towards the dead-letter queue."""
    made = bench()
    made.panel.write_control(Control(paused=True), before=Control())
    made.live.send_messages([direct(created_entry("old/a", b"one"))])
    polled: list[int] = []
    receive = made.live.receive_messages

    def noted(*, at_most: int, wait: int) -> Any:
        polled.append(at_most)
        return receive(at_most=at_most, wait=wait)

    made.live.receive_messages = noted  # type: ignore[method-assign]
    ends = time.monotonic() + 0.3
    working(made, lambda: time.monotonic() > ends)
    assert polled == []


class Changes:
    """A stream of prepared batches."""

    def __init__(self, *events: Mapping[str, Any]) -> None:
        self.events = list(events)
        self.confirmed: list[str | None] = []
        self.released = False

    def keep_changes(self) -> bool:
        """It is the only reader."""
        return True

    def release(self) -> None:
        """Another process may read."""
        self.released = True

    def read_changes(self) -> Mapping[str, Any] | None:
        """The first batch that is not confirmed."""
        return self.events[0] if self.events else None

    def confirm_changes(self, event: Mapping[str, Any], failed: str | None) -> None:
        """Go on only when nothing failed."""
        self.confirmed.append(failed)
        if failed is None:
            self.events.pop(0)


def test_changes_are_published_until_they_are_accepted() -> None:
    """A batch that the bus refused in part is confirmed only up to there, and read again."""
    made = bench()
    record = {"eventID": "e1", "dynamodb": {"Keys": {"pk": {"S": "ab"}}, "SequenceNumber": "100", "NewImage": {"x": 1}}}
    changes = Changes({"Records": [record]})
    made.bus.refuse = {"ab:e1:unreadable"}

    def confirmed() -> bool:
        if changes.confirmed:
            made.bus.refuse.clear()
        return changes.confirmed[-1:] == [None]

    working(made, confirmed, changes=changes)
    assert set(changes.confirmed[:-1]) == {"100"}
    assert [event.detail_type for event in made.bus.events] == ["Record Unreadable"]
    assert changes.released


def test_a_heartbeat_says_what_was_done() -> None:
    """Whoever watches the log sees that it lives, and its totals."""
    made = bench()
    made.world.put("old/a", b"one")
    made.live.send_messages([direct(created_entry("old/a", b"one"))])
    working(made, lambda: any(line["message"] == "working" for line in made.lines("INFO")), heartbeat=0.05)
    last = made.lines("INFO")[-1]
    assert (last["message"], last["totals"]["Handled"]) == ("worker stopped", 1)
