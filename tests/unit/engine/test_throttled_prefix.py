"""While one prefix throttles: its objects wait in their queue, all others go on, and no message dies of it."""

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import ThrottledAt, ThrottledError
from domain.protocol.ports import SourceObject, TargetObject
from domain.protocol.record import State
from domain.steering.learned import LEARNING
from domain.steering.places import PlaceNames
from handlers.engine.batch import handle_messages
from handlers.engine.give_back import give_back
from handlers.engine.learned_gate import LearnedLimits
from handlers.intake.messages import BackfillRow, decode_message, encode_backfill
from tests.fakes.queue import InMemoryQueue
from tests.fakes.steering import InMemoryRateLedger
from tests.worlds.handlers import BUCKET, bench, created_entry, direct, etag_of

RULES = """
version: 1
migration: unit
source: {bucket: line-1}
target: {bucket: line-1}
rules:
  - {name: busy, from: "old/busy/{rest...}", to: "new/busy/{rest...}"}
  - {name: calm, from: "old/calm/{rest...}", to: "new/calm/{rest...}"}
"""
MOST_RECEIVES = 3


class Line:
    """A process, the objects of both rules, and S3, which refuses copies to the busy prefix while ``is_busy``."""

    def __init__(self, *, told: str) -> None:
        self.made = bench(rules=RULES)
        self.clock = self.made.world.clock
        self.is_busy = True
        self.refused = 0
        self._told = told
        self._copy = self.made.world.store.copy_object
        self.made.world.store.copy_object = self.copy  # type: ignore[method-assign]
        self.queue = InMemoryQueue(self.clock, max_receives=MOST_RECEIVES)
        control = self.made.dependencies.control
        learned = LearnedLimits(
            LEARNING,
            PlaceNames({BUCKET: self.made.dependencies.rules.target_openings}, table="manifest"),
            panel=self.made.panel,
            ledger=InMemoryRateLedger(),
            current=control.current,
            refresh=control.refresh,
            now=self.clock.now,
            measured=lambda: 16.0,
            observer=self.made.dependencies.observer,
        )
        self.dependencies = replace(
            self.made.dependencies,
            learned=learned,
            sleep=self.clock.advance,
            batches=self.made.world.manifest,
        )

    def copy(self, source: SourceObject, target: TargetObject, *, seen: Any) -> Any:
        """As S3 does."""
        if self.is_busy and target.location.key.startswith("new/busy/"):
            self.refused += 1
            at = ThrottledAt("SlowDown", bucket=BUCKET, key=target.location.key)
            raise ThrottledError("CopyObject: SlowDown", at)
        return self._copy(source, target, seen=seen)

    def send(self, *names: str) -> None:
        """Objects of these names, in one message of rows or in an event each."""
        for name in names:
            self.made.world.put(f"old/{name}", b"one")
        if self._told == "events":
            self.queue.send_messages([direct(created_entry(f"old/{name}", b"one")) for name in names])
            return
        rows = [
            BackfillRow(key=f"old/{name}", etag=etag_of(b"one"), size=3, storage_class="STANDARD", is_plain=True)
            for name in names
        ]
        self.queue.send_messages(list(encode_backfill(rows, migration="unit", bucket=BUCKET)))

    def work(self, rounds: int = 1, *, seconds: float = 1.0) -> None:
        """Receive and work off, as a function does, so many times, each time so many seconds later."""
        for _ in range(rounds):
            self.clock.advance(seconds)
            ends = self.clock.now() + 300
            messages = self.queue.receive_messages(at_most=10, wait=0)
            handled = handle_messages(
                messages,
                self.dependencies,
                seconds_left=lambda ends=ends: ends - self.clock.now(),  # type: ignore[misc]
            )
            self.queue.delete_messages([one.message for one in handled if one.done])
            returned = [one for one in handled if not one.done]
            renewed = give_back(returned, self.queue, self.dependencies)
            self.queue.delete_messages([one.message for one in returned if one.message.message_id in renewed])

    def copied(self, name: str) -> int:
        """How many records of that rule are done."""
        records = self.made.world.records.values()
        return sum(one.state is State.COPIED and one.source.key.startswith(f"old/{name}/") for one in records)


@pytest.fixture(params=["rows", "events"])
def line(request: pytest.FixtureRequest) -> Line:
    """Twelve busy objects before twelve calm ones."""
    made = Line(told=request.param)
    made.send(*(f"busy/{number:02}" for number in range(12)))
    made.send(*(f"calm/{number:02}" for number in range(12)))
    return made


def test_the_other_prefix_keeps_its_pace(line: Line) -> None:
    """It is done after the rounds that it takes alone, although the busy messages come first."""
    alone = Line(told="rows")
    line.work(4)
    assert (line.copied("busy"), line.copied("calm")) == (0, 12)
    assert line.dependencies.pace.limit == alone.dependencies.pace.limit == 4


def test_the_throttled_prefix_gets_few_requests_and_no_message_dies(line: Line) -> None:
    """An hour of throttling: about one request a second at most, in place of one for each object and receive."""
    line.work(4)
    before = line.refused
    line.work(360, seconds=10.0)
    assert line.refused - before <= 3_600 + 360
    assert line.copied("busy") == 0
    assert line.queue.dead == []
    (limit,) = line.made.panel.control.learned.limits
    assert (limit.rate, limit.answer) == (1.0, "SlowDown")


def test_everything_arrives_when_it_is_quiet_again(line: Line) -> None:
    """No message was lost while it waited."""
    line.work(30)
    line.is_busy = False
    line.work(60, seconds=10.0)
    assert line.copied("busy") == 12
    assert (line.queue.bodies, line.queue.dead) == ([], [])


def test_rows_that_are_done_do_not_come_again() -> None:
    """At one object a second they would take the places of those that wait, and the last rows would never begin."""
    line = Line(told="rows")
    line.send(*(f"busy/{number:02}" for number in range(12)), "calm/a")
    line.work(8, seconds=6.0)
    line.is_busy = False
    line.work(1, seconds=25.0)
    (body,) = line.queue.bodies
    waiting = {notice.source.key for notice in decode_message(body).notices}
    assert 1 <= line.copied("busy") < 12
    assert len(waiting) == 12 - line.copied("busy")


def test_a_throttled_answer_without_a_place_slows_the_whole_process() -> None:
    """A KMS key's quota is shared by every object."""
    line = Line(told="rows")
    line.made.world.store.fail_next(ThrottledError("KMS.ThrottlingException"), call="copy_object")
    line.send("calm/a")
    line.work()
    assert line.copied("calm") == 1
    assert line.dependencies.pace.limit < 4
    assert line.made.panel.control.learned.limits == ()


def test_endless_throttling_without_a_place_brings_no_message_to_the_dead_letter_queue() -> None:
    """What AWS refuses for its rate did not fail."""
    line = Line(told="rows")
    line.send("calm/a")
    for _ in range(200):
        line.made.world.store.fail_next(ThrottledError("KMS.ThrottlingException"), call="copy_object")
    line.work(40, seconds=60.0)
    assert line.queue.dead == []
    assert line.copied("calm") == 1
