"""The shared rate: how many begin in a stretch of time, and what ends the wait."""

from collections.abc import Callable

import pytest

from domain.errors import ThrottledError
from domain.keys import Location
from domain.protocol.parts import Part
from domain.protocol.ports import MustBeAbsent, SourceObject, TargetObject
from domain.steering.control import Control
from handlers.engine.rate_gate import HeldBackError, PacedMultipartStore, RateGate
from tests.fakes.clock import FakeClock
from tests.fakes.panel import InMemoryControlPanel
from tests.fakes.steering import InMemoryRateLedger
from tests.worlds.handlers import HandlerWorld


class Road:
    """Several gates on one line, and a clock that their waiting turns."""

    def __init__(self, gates: int = 1, **limits: float) -> None:
        self.clock = FakeClock()
        self.panel = InMemoryControlPanel(Control(fence=1, **limits))  # type: ignore[arg-type]  # numbers by name
        self.ledger = InMemoryRateLedger()
        self.gates = [self.gate() for _ in range(gates)]

    def gate(self) -> RateGate:
        """One process."""
        read = self.panel.read_control
        return RateGate(self.ledger, current=read, refresh=read, now=self.clock.now, sleep=self.clock.advance)

    def admit(self, gate: int = 0, *, size: int = 0, seconds: float = 1e9, stopping: bool = False) -> str | None:
        """Why it was held back."""
        ends = self.clock.now() + seconds
        held = self.gates[gate].admit(
            objects=1, size=size, seconds_left=lambda: ends - self.clock.now(), stopping=lambda: stopping
        )
        return held.why if held is not None else None


@pytest.mark.parametrize("rate", [0.5, 3.0, 50.0, 2_000.0])
@pytest.mark.parametrize("gates", [1, 3])
def test_the_rate_holds_over_every_stretch_of_time(rate: float, gates: int) -> None:
    """At most rate x (W + 2.5) begin in any W seconds; in the long run the rate itself, not less."""
    road = Road(gates, objects_per_second=rate)
    begun: list[float] = []
    start = road.clock.now()
    number = 0
    while road.clock.now() - start < 60:
        assert road.admit(number % gates) is None
        begun.append(road.clock.now())
        number += 1
    assert len(begun) == pytest.approx(rate * 60, rel=0.05, abs=rate * 2.5 + 2)
    for window in (1.0, 5.0, 20.0):
        for first in begun[:: max(1, len(begun) // 50)]:
            within = sum(1 for moment in begun if first <= moment < first + window)
            assert within <= rate * (window + 2.5) + gates


def test_without_a_limit_the_table_is_not_asked() -> None:
    """Full speed costs nothing."""
    road = Road()
    assert road.admit(size=10**12) is None
    assert road.ledger.calls == []


def test_high_rates_cost_few_reservations() -> None:
    """Four a second and process, however many objects."""
    road = Road(objects_per_second=1_000)
    for _ in range(10_000):
        assert road.admit() is None
    assert len(road.ledger.calls) <= 4 * 10 + 5


def test_bytes_are_paid_for_by_whoever_comes_next() -> None:
    """A large object begins at once, the next waits until its bytes are through."""
    road = Road(bytes_per_second=1_000.0)
    start = road.clock.now()
    assert road.admit(size=60_000) is None
    assert road.clock.now() == start
    assert road.admit(size=1) is None
    assert road.clock.now() - start == pytest.approx(59, abs=1.5)


def test_what_begins_too_late_is_not_reserved() -> None:
    """An object that goes back leaves the line as it was, or one that never fits would starve all others."""
    road = Road(bytes_per_second=1_000.0)
    assert road.admit(size=60_000) is None
    line = dict(road.ledger.lines)
    for _ in range(3):
        assert road.admit(size=60_000, seconds=5) == "bytes per second"
    assert line == road.ledger.lines


def test_a_pause_ends_the_wait() -> None:
    """Also in the middle of it."""
    road = Road(objects_per_second=0.01)
    assert road.admit() is None
    advance = road.clock.advance

    def pause_soon(seconds: float) -> None:
        advance(seconds)
        road.panel.control = Control(paused=True, reason="lunch", fence=2)

    road.gates = [RateGate(road.ledger, current=road.panel.read_control, refresh=road.panel.read_control,
                           now=road.clock.now, sleep=pause_soon)]  # fmt: skip
    assert road.admit() == "paused: lunch"


def test_a_lifted_limit_ends_the_wait() -> None:
    """Nobody sits out a stretch of an old rate."""
    road = Road(objects_per_second=0.001)
    assert road.admit() is None
    waited = road.clock.now()

    def lift(seconds: float) -> None:
        road.clock.advance(seconds)
        road.panel.control = Control(fence=2)

    road.gates = [RateGate(road.ledger, current=road.panel.read_control, refresh=road.panel.read_control,
                           now=road.clock.now, sleep=lift)]  # fmt: skip
    assert road.admit() is None
    assert road.clock.now() - waited < 1


def test_stopping_ends_the_wait() -> None:
    """A worker that is told to stop does not sit it out."""
    assert Road(objects_per_second=1.0).admit(stopping=True) == "stopping"


def test_an_old_word_of_the_operator_is_read_again() -> None:
    """The line knows a newer fence: this process asks before it goes on."""
    road = Road(objects_per_second=1.0)
    road.ledger.lines["objects"] = (2, road.clock.now())
    old = [Control(objects_per_second=1.0, fence=1)]

    def refresh() -> Control:
        old[0] = Control(fence=2)
        return old[0]

    road.gates = [RateGate(road.ledger, current=lambda: old[0], refresh=refresh, now=road.clock.now,
                           sleep=road.clock.advance)]  # fmt: skip
    assert road.admit() is None
    assert old[0].fence == 2


def test_a_busy_table_is_asked_again() -> None:
    """Being slowed down by DynamoDB is no failure of an object."""
    road = Road(objects_per_second=10.0)
    road.ledger.fail_next(ThrottledError("slow down"))
    assert road.admit() is None
    assert len(road.ledger.calls) == 2


PARTS = [Part(1, 0, 99), Part(2, 100, 199)]


def paced(held: Callable[[int], str | None], *, paid: int = 0) -> tuple[PacedMultipartStore, list[int]]:
    """A store over the small world, and what it asked for."""
    asked: list[int] = []

    def wait(size: int) -> object:
        asked.append(size)
        return held(size)

    return PacedMultipartStore(HandlerWorld().store, wait, paid=paid), asked  # type: ignore[arg-type]  # a text is true enough


def copy(store: PacedMultipartStore) -> None:
    """Copy both parts."""
    place = Location("b", "k")
    store.copy_parts(SourceObject(place, "e"), TargetObject(place, MustBeAbsent(), 1e9), upload_id="u", parts=PARTS)


def test_parts_wait_for_their_bytes() -> None:
    """What was paid when the object began is not paid twice."""
    store, asked = paced(lambda _: None, paid=150)
    copy(store)
    copy(store)
    assert asked == [50, 200]


def test_parts_held_back_are_not_sent() -> None:
    """The error says why, and is one that leaves nothing in doubt."""
    from handlers.engine.rate_gate import HeldBack

    store = PacedMultipartStore(HandlerWorld().store, lambda _: HeldBack("paused: lunch"), paid=0)
    with pytest.raises(HeldBackError, match="paused: lunch"):
        copy(store)


def test_a_raised_limit_shortens_the_wait() -> None:
    """What was reserved under the old word is not sat out under the new one."""
    road = Road(objects_per_second=0.001)
    assert road.admit() is None
    waited = road.clock.now()

    def raise_it(seconds: float) -> None:
        road.clock.advance(seconds)
        road.panel.control = Control(objects_per_second=1.0, fence=2)

    read = road.panel.read_control
    road.gates = [RateGate(road.ledger, current=read, refresh=read, now=road.clock.now, sleep=raise_it)]
    assert road.admit() is None
    assert road.clock.now() - waited < 2
