"""Learned limits of one process: it notes what throttled, shares it, and holds back only objects of those places.

While nothing is limited, it is not asked, and sends nothing: the limits are read with the control item. The rate of a
limited place is a line that the processes share, of which each reserves at most one second in a second. A process that
cannot write to the table uses the same limits alone.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from domain.errors import KeyshiftError, ThrottledError
from domain.keys import Location
from domain.steering.control import Control
from domain.steering.learned import Learned, LearnedLimit, LearningPolicy, first_limit, lowered, merged, rates_at
from domain.steering.places import Place, PlaceNames
from domain.steering.ports import ControlPanel, RateLedger
from handlers.engine.observability import Observer
from handlers.engine.rate_gate import IDLE_CREDIT_SECONDS, HeldBack

SHARE_SECONDS = 1.0
"""One process writes learned limits at most this often (seconds)."""
STRETCH_SECONDS = 1.0
"""The part of a place's line that one reservation takes (seconds)."""
MOST_MISSES = 16.0
"""A process that found the line taken asks again later each time, after at most this many seconds."""
LEAST_WAIT_SECONDS, MOST_WAIT_SECONDS = 5.0, 60.0
"""How soon an object that was held back comes again: by its place in the line, within these bounds."""
LOOK_SECONDS = 0.25
MOST_LOOKS = 120
"""An object of a run waits at most half a minute: less than the claim of its slice, and than a function's reserve."""
MOST_SHARED = 50
"""Maximum number of limits in the control item; the newest ones stay."""


class LearnedGate(Protocol):
    """Objects pass it before they are claimed, and throttled answers are told to it."""

    @property
    def unshared(self) -> Sequence[LearnedLimit]:
        """What this process learned and has not written yet; the others are in the control item."""

    def admit(self, source: Location, target: Location) -> HeldBack | None:
        """Whether an object may begin now; it never waits. Returns why it may not, or ``None``."""

    def wait_turn(self, source: Location, target: Location, *, sleep: Callable[[float], object]) -> None:
        """Wait until an object may begin that no queue can hold back; after a while it begins all the same."""

    def note_throttled(self, error: ThrottledError) -> bool:
        """Learn from a throttled answer; ``False``: it names no place, so nothing is learned."""

    def share(self) -> None:
        """Write what this process learned and has not written yet, if that is due."""


@dataclass(slots=True)
class _Line:
    """What this process may still begin in one place, and when it may reserve more."""

    left: float = 0.0
    drops: float = 0.0
    asks_at: float = float("-inf")
    misses: float = 0.0
    back_at: float = float("-inf")
    """When the object that was held back last comes again."""
    lock: Lock = field(default_factory=Lock)


class LearnedLimits:
    """LearnedGate over the control item and the shared lines of rates."""

    def __init__(  # noqa: PLR0913  # the world behind it
        self,
        policy: LearningPolicy,
        names: PlaceNames,
        *,
        panel: ControlPanel,
        ledger: RateLedger,
        current: Callable[[], Control],
        refresh: Callable[[], Control],
        now: Callable[[], float],
        measured: Callable[[], float | None],
        observer: Observer,
    ) -> None:
        self._policy = policy
        self._names = names
        self._panel = panel
        self._ledger = ledger
        self._current = current
        self._refresh = refresh
        self._now = now
        self._measured = measured
        self._observer = observer
        self.unshared: tuple[LearnedLimit, ...] = ()
        self._shared = Learned()
        """The limits of the control item, as this process read them last."""
        self._tried_at = float("-inf")
        self._lines: dict[Place, _Line] = {}
        self._lock = Lock()

    def admit(self, source: Location, target: Location) -> HeldBack | None:
        """See the protocol: an object takes one from the line of each limited place that it asks."""
        now = self._now()
        full = self._full_line(source, target, now)
        if full is None:
            return None
        self._observer.count("HeldBack")
        return _held_back(*full, now)

    def wait_turn(self, source: Location, target: Location, *, sleep: Callable[[float], object]) -> None:
        """See the protocol."""
        for _ in range(MOST_LOOKS):
            is_limited = self._current().learned.limits or self.unshared
            if not is_limited or self._full_line(source, target, self._now()) is None:
                return
            sleep(LOOK_SECONDS)

    def _full_line(self, source: Location, target: Location, now: float) -> tuple[Place, _Line, float] | None:
        """Take one from each limited line that the object asks; or the place, line and rate that has none left."""
        self._shared = self._current().learned
        rates = rates_at(self._limits(now), now, self._policy)
        asked = sorted(self._names.places_of(source, target) & rates.keys())
        with ExitStack() as held:
            lines = [self._line(place) for place in asked]
            for line in lines:
                held.enter_context(line.lock)
            for place, line in zip(asked, lines, strict=True):
                if not self._has_one(place, line, rates[place], now):
                    return place, line, rates[place]
            for line in lines:
                line.left -= 1
        return None

    def note_throttled(self, error: ThrottledError) -> bool:
        """See the protocol."""
        if error.at is None:
            return False
        place, now = self._names.place_of(error.at), self._now()
        with self._lock:
            known = {limit.place: limit for limit in self._limits(now)}
            before, answer = known.get(place), error.at.answer
            after = (
                lowered(before, answer, now=now, policy=self._policy)
                if before is not None
                else first_limit(place, answer, now=now, measured=self._measured(), policy=self._policy)
            )
            if after != before:
                self.unshared = merged(self.unshared, [after], now=now, policy=self._policy)
        if after != before:
            self._observer.info(
                "throttled, its limit is lowered", place=place.uri, rate=after.rate, answer=after.answer
            )
        self.share()
        return True

    def share(self) -> None:
        """See the protocol: at most one write a second, on the condition that no other process wrote meanwhile."""
        now = self._now()
        with self._lock:
            if not self.unshared or now - self._tried_at < SHARE_SECONDS:
                return
            self._tried_at, unshared = now, self.unshared
        try:
            before = self._current().learned
            known = merged(before.limits, (), now=now, policy=self._policy)
            after = merged(known, unshared, now=now, policy=self._policy)
            is_known = after == known or self._panel.write_learned(
                Learned(before.revision + 1, _newest(after)), before=before
            )
            self._shared = self._refresh().learned if after != known else before
        except KeyshiftError as error:
            self._observer.info("learned limits not shared", cause=error.cause, why=str(error))
            return
        if is_known:
            with self._lock:
                self.unshared = tuple(one for one in self.unshared if one not in unshared)

    def _limits(self, now: float) -> tuple[LearnedLimit, ...]:
        return merged(self._shared.limits, self.unshared, now=now, policy=self._policy)

    def _line(self, place: Place) -> _Line:
        with self._lock:
            return self._lines.setdefault(place, _Line())

    def _has_one(self, place: Place, line: _Line, rate: float, now: float) -> bool:
        """Whether one more object may begin there; a stretch is reserved only if it begins now."""
        if line.left >= 1 and now <= line.drops:
            return True
        if now < line.asks_at:
            return False
        begins = self._reserved(place, now)
        if begins > now:
            line.misses = min(MOST_MISSES, 2 * line.misses + STRETCH_SECONDS)
            line.asks_at = max(begins, now + line.misses)
            return False
        line.misses, line.asks_at = 0.0, now + STRETCH_SECONDS
        line.left, line.drops = max(1.0, rate * STRETCH_SECONDS), now + 2 * STRETCH_SECONDS
        return True

    def _reserved(self, place: Place, now: float) -> float:
        """When the next stretch begins; it is reserved if that is now."""
        earliest = now - IDLE_CREDIT_SECONDS
        try:
            begins = self._ledger.reserve_stretch(
                place.uri, STRETCH_SECONDS, earliest=earliest, latest=now, fence=_NO_FENCE
            )
        except KeyshiftError as error:
            # It asks once a second, so alone it keeps to the rate too.
            self._observer.info("a limited rate is kept alone", cause=error.cause, why=str(error))
            return now
        return now + STRETCH_SECONDS if begins is None else begins


_NO_FENCE = 0
"""A line of a place outlives every change by an operator."""


def _newest(limits: tuple[LearnedLimit, ...]) -> tuple[LearnedLimit, ...]:
    newest = sorted(limits, key=lambda one: -one.throttled_at)[:MOST_SHARED]
    return tuple(sorted(newest, key=lambda one: one.place))


def _held_back(place: Place, line: _Line, rate: float, now: float) -> HeldBack:
    """What is held back comes again one after the other, at the rate of the place."""
    line.back_at = max(line.back_at, now) + 1 / rate
    seconds = min(MOST_WAIT_SECONDS, max(LEAST_WAIT_SECONDS, line.back_at - now))
    line.back_at = min(line.back_at, now + MOST_WAIT_SECONDS)
    return HeldBack(f"{place.uri} is throttled: {rate:,.1f} objects/s", seconds, is_throttled=True)
