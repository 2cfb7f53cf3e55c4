"""Objects of a run while a prefix throttles: they wait their turn, all processes learn of it, and none fails."""

from dataclasses import replace

import pytest

from domain.errors import ThrottledAt, ThrottledError, UnavailableError
from domain.keys import Location
from domain.protocol.record import Record
from domain.steering.learned import LEARNING, Learned
from domain.steering.places import PlaceNames
from handlers.engine.dependencies import EngineDependencies
from handlers.engine.learned_gate import LOOK_SECONDS, MOST_LOOKS, LearnedLimits
from handlers.operations.paced import at_learned_rate
from tests.fakes.steering import InMemoryRateLedger
from tests.worlds.handlers import BUCKET, bench

SLOW = ThrottledError("HeadObject: SlowDown", ThrottledAt("SlowDown", bucket=BUCKET, key="new/busy/1"))


class Run:
    """A process that works on records of two prefixes, and the clock that its waits turn."""

    def __init__(self) -> None:
        self.made = bench()
        self.clock = self.made.world.clock
        self.ledger = InMemoryRateLedger()
        control = self.made.dependencies.control
        learned = LearnedLimits(
            LEARNING,
            PlaceNames({BUCKET: {"new/busy/", "new/calm/", "old/busy/", "old/calm/"}}, table="manifest"),
            panel=self.made.panel,
            ledger=self.ledger,
            current=control.current,
            refresh=control.refresh,
            now=self.clock.now,
            measured=lambda: 2.0,
            observer=self.made.dependencies.observer,
        )
        self.dependencies: EngineDependencies = replace(
            self.made.dependencies, learned=learned, sleep=self.clock.advance
        )

    def work(self, name: str, *errors: Exception) -> float:
        """Work on a record of that name, which meets these errors first; the seconds that it took."""
        record = Record(source=Location(BUCKET, f"old/{name}"), target=Location(BUCKET, f"new/{name}"))
        answers, begun = list(errors), self.clock.now()

        def look() -> str:
            if answers:
                raise answers.pop(0)
            return "seen"

        assert at_learned_rate(look, record, self.dependencies) == "seen"
        return self.clock.now() - begun


def test_a_throttled_object_is_tried_again_and_teaches_all_processes() -> None:
    """The limit is in the control item."""
    run = Run()
    assert run.work("busy/1", SLOW, UnavailableError("no answer")) > 0
    (limit,) = run.made.panel.control.learned.limits
    assert (limit.place.uri, limit.rate) == (f"s3://{BUCKET}/new/busy/", 1.0)


def test_objects_of_a_limited_prefix_wait_their_turn_and_others_do_not() -> None:
    """One a second."""
    run = Run()
    run.work("busy/1", SLOW)
    busy = sum(run.work(f"busy/{number}") for number in range(10))
    assert 7 <= busy <= 12
    assert sum(run.work(f"calm/{number}") for number in range(100)) == 0


def test_a_run_ends_although_others_take_every_turn() -> None:
    """After half a minute an object begins all the same: a run needs each of them."""
    run = Run()
    run.work("busy/1", SLOW)
    run.ledger.lines[f"s3://{BUCKET}/new/busy/"] = (0, run.clock.now() + 10_000)
    (limit,) = run.made.panel.control.learned.limits
    lasting = Learned(9, (replace(limit, peak=1_000.0),))
    run.made.panel.control = replace(run.made.panel.control, learned=lasting)
    run.clock.advance(2)
    assert run.work("busy/2") == pytest.approx(MOST_LOOKS * LOOK_SECONDS)


def test_while_nothing_throttles_nothing_is_asked() -> None:
    """A run costs what it did."""
    run = Run()
    assert run.work("busy/1") == 0
    assert (run.ledger.calls, run.made.panel.control.learned) == ([], Learned())
