"""Learned limits of a process: what throttled is held back and shared, everything else goes on."""

from dataclasses import replace

import pytest

from domain.errors import AccessDeniedError, KeyshiftError, ThrottledAt, ThrottledError, UnavailableError
from domain.keys import Location
from domain.steering.learned import Learned, LearningPolicy, rate_at
from domain.steering.places import PlaceNames
from handlers.engine.learned_gate import LEAST_WAIT_SECONDS, MOST_SHARED, MOST_WAIT_SECONDS, LearnedLimits
from handlers.engine.observability import Observer
from tests.fakes.clock import FakeClock
from tests.fakes.panel import InMemoryControlPanel
from tests.fakes.steering import InMemoryRateLedger

POLICY = LearningPolicy()
NAMES = PlaceNames({"line": {"old/a/", "old/b/"}, "far": {"new/a/", "new/b/"}}, table="manifest")
SLOW_A = ThrottledError("slow down", ThrottledAt("SlowDown", bucket="far", key="new/a/1"))
SLOW_TABLE = ThrottledError("slow down", ThrottledAt("ThrottlingException", table="manifest"))


class Town:
    """Processes that share one table, and the migration's rate as they measured it."""

    def __init__(self, processes: int = 1, *, measured: float | None = 16.0) -> None:
        self.clock = FakeClock()
        self.panel = InMemoryControlPanel()
        self.ledger = InMemoryRateLedger()
        self.gates = [self.gate(measured) for _ in range(processes)]

    def gate(self, measured: float | None) -> LearnedLimits:
        """One process, which reads the control item each time."""
        return LearnedLimits(
            POLICY,
            NAMES,
            panel=self.panel,
            ledger=self.ledger,
            current=lambda: self.panel.control,
            refresh=lambda: self.panel.control,
            now=self.clock.now,
            measured=lambda: measured,
            observer=Observer(migration="unit", function="f", level="ERROR"),
        )

    def throttle(self, error: ThrottledError = SLOW_A, *, gate: int = 0, times: int = 1) -> None:
        """Throttled answers, each after the burst of the one before."""
        for _ in range(times):
            assert self.gates[gate].note_throttled(error)
            self.clock.advance(POLICY.burst_seconds)

    def admit(self, side: str = "a", *, gate: int = 0) -> str | None:
        """Why the object is held back."""
        held = self.gates[gate].admit(Location("line", f"old/{side}/1"), Location("far", f"new/{side}/1"))
        return held.why if held is not None else None

    def admitted(self, seconds: float, *, side: str = "a", tries: int = 20) -> int:
        """How many of many objects may begin in so many seconds, over all processes."""
        found = 0
        for _ in range(int(seconds * tries)):
            found += sum(self.admit(side, gate=gate) is None for gate in range(len(self.gates)))
            self.clock.advance(1 / tries)
        return found

    def rate(self) -> float | None:
        """The one shared limit's rate now."""
        (limit,) = self.panel.control.learned.limits
        return rate_at(limit, self.clock.now(), POLICY)


def test_while_nothing_throttles_nothing_is_sent() -> None:
    """Neither the ledger nor the panel is asked."""
    town = Town()
    assert [town.admit(), town.admit("b")] == [None, None]
    town.gates[0].share()
    assert town.ledger.calls == town.panel.calls == []


def test_only_the_place_that_throttled_is_held_back() -> None:
    """The reason names it and its rate."""
    town = Town()
    town.throttle(times=6)
    assert town.admit() is None
    assert town.admit() == "s3://far/new/a/ is throttled: 1.0 objects/s"
    assert [town.admit("b") for _ in range(100)] == [None] * 100


def test_a_throttled_table_holds_back_every_object() -> None:
    """Each needs its record."""
    town = Town()
    town.throttle(SLOW_TABLE, times=6)
    assert [town.admit("a"), town.admit("b")] == [None, "dynamodb://manifest is throttled: 1.0 objects/s"]


@pytest.mark.parametrize("processes", [1, 3])
def test_all_processes_share_one_rate(processes: int) -> None:
    """One of them was throttled; together they begin what the limit allows, at any number of processes."""
    town = Town(processes)
    town.throttle(times=2)
    assert town.rate() == 4.0
    assert 60 <= town.admitted(20) <= 4 * 22


def test_the_limit_rises_when_it_is_quiet_and_ends() -> None:
    """Then nothing is reserved any more."""
    town = Town()
    town.throttle(times=3)
    held = town.admitted(10)
    town.clock.advance(POLICY.quiet_seconds + 60)
    town.ledger.calls.clear()
    assert town.admitted(10, tries=50) == 500 > held
    assert town.ledger.calls == []


def test_a_burst_counts_once_and_is_written_once() -> None:
    """Requests already on their way are throttled together, in all processes."""
    town = Town(3)
    for gate in town.gates:
        for _ in range(20):
            gate.note_throttled(SLOW_A)
    assert town.panel.calls == ["write_learned"]
    assert town.rate() == 8.0


def test_a_process_writes_at_most_once_a_second() -> None:
    """However many places throttle."""
    town = Town()
    for number in range(50):
        at = ThrottledAt("SlowDown", bucket="elsewhere", key=f"{number}/x")
        town.gates[0].note_throttled(ThrottledError("slow down", at))
        town.clock.advance(0.1)
    town.clock.advance(1)
    town.gates[0].share()
    assert len(town.panel.calls) <= 6
    assert len(town.panel.control.learned.limits) == MOST_SHARED == 50


def test_a_limited_place_costs_at_most_one_reservation_a_second_and_process() -> None:
    """And fewer where many processes want the same line."""
    town = Town(20)
    town.throttle(times=9)
    town.ledger.calls.clear()
    town.admitted(60)
    assert len(town.ledger.calls) <= 60 * 20 / 4


@pytest.mark.parametrize("error", [UnavailableError("no answer"), AccessDeniedError("no"), SLOW_TABLE])
def test_a_process_that_cannot_write_slows_itself(error: KeyshiftError) -> None:
    """Neither the limit nor its line reaches the table."""
    town = Town()
    for _ in range(1_000):
        town.panel.fail_next(error)
        town.ledger.fail_next(error)
    town.throttle(times=2)
    assert town.panel.control.learned == Learned()
    assert 60 <= town.admitted(20) <= 4 * 22


def test_what_was_not_written_is_written_later() -> None:
    """With the next answer, or at the end of a batch."""
    town = Town()
    town.panel.fail_next(UnavailableError("no answer"), call="write_learned")
    town.throttle()
    assert town.panel.control.learned == Learned()
    town.gates[0].share()
    assert town.rate() == 8.0


def test_two_processes_that_learn_at_once_lose_nothing() -> None:
    """The second write is refused, and comes again on what the first one wrote."""
    town = Town(2)
    stale = town.panel.control
    current, town.gates[1]._current = town.gates[1]._current, lambda: stale
    town.gates[0].note_throttled(SLOW_A)
    town.gates[1].note_throttled(SLOW_TABLE)
    town.gates[1]._current = current
    town.clock.advance(1)
    town.gates[1].share()
    assert [one.place.uri for one in town.panel.control.learned.limits] == ["dynamodb://manifest", "s3://far/new/a/"]
    assert town.panel.control.learned.revision == 2


def test_what_an_operator_forgets_is_gone_until_it_throttles_again() -> None:
    """The processes do not write it back."""
    town = Town(2)
    town.throttle(times=4)
    learned = town.panel.control.learned
    town.panel.control = replace(town.panel.control, learned=Learned(learned.revision + 1))
    for gate in town.gates:
        gate.share()
    assert [town.admit() for _ in range(20)] == [None] * 20
    assert town.panel.control.learned.limits == ()
    town.throttle(gate=1)
    assert town.rate() == 8.0


def test_an_answer_without_a_place_teaches_nothing() -> None:
    """A KMS key's quota is not a prefix's."""
    assert not Town().gates[0].note_throttled(ThrottledError("slow down"))


def test_objects_come_again_one_after_the_other() -> None:
    """At the rate of their place, neither at once nor later than a minute."""
    town = Town()
    town.throttle(times=2)
    held = [town.gates[0].admit(Location("line", "old/a/1"), Location("far", "new/a/1")) for _ in range(400)]
    waits = [one.seconds for one in held if one is not None]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (LEAST_WAIT_SECONDS, MOST_WAIT_SECONDS)
    assert waits[100] == pytest.approx(101 / 4)
