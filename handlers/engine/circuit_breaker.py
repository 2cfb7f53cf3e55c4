"""The circuit breaker of one process: counts how objects end, shares the figures, pauses the migration."""

from collections.abc import Callable
from threading import Lock
from typing import Protocol

from domain.errors import KeyshiftError
from domain.steering.breaker import DENIED, BreakerPolicy, Streak, trip_reason
from domain.steering.control import BREAKER, Control, paused
from domain.steering.ports import ControlPanel, PulseBook
from domain.steering.pulse import Tally, Window, ended_per_second
from handlers.engine.observability import Observer

FLUSH_SECONDS = 2.0
"""Figures of successful objects are shared this often (seconds); a denied object is shared immediately."""
TRIES = 5
MOST_KNOWN = 10_000
"""Maximum number of failed objects that one process remembers.

A message that always fails comes back repeatedly and must not pause the others.
"""


_NO_STREAK = Streak()


class Breaker(Protocol):
    """Receives how objects and messages end."""

    def note_success(self, record_id: str) -> None:
        """Note that an object ended as it should."""

    def note_failure(self, record_id: str, *, cause: str, said: str) -> None:
        """Note that an object failed, and the cause."""

    def note_age(self, seconds: float, *, is_event: bool) -> None:
        """Note that a message was done this many seconds after it was sent."""

    def note_fatal(self, error: KeyshiftError) -> None:
        """Note an error after which no object can continue."""

    def share(self, *, at_once: bool = False) -> None:
        """Add the counts to the migration's figures."""

    def objects_per_second(self) -> float | None:
        """The rate of the whole migration lately, as far as this process knows it."""


class CircuitBreaker:
    """Trips once for the whole migration: the control item is written on the condition of its fence."""

    def __init__(  # noqa: PLR0913  # the world behind it
        self,
        policy: BreakerPolicy,
        *,
        panel: ControlPanel,
        pulse: PulseBook,
        current: Callable[[], Control],
        refresh: Callable[[], Control],
        now: Callable[[], float],
        observer: Observer,
    ) -> None:
        self._policy = policy
        self._panel = panel
        self._pulse = pulse
        self._current = current
        self._refresh = refresh
        self._now = now
        self._observer = observer
        self._unshared = Tally()
        self._succeeded = 0
        """Objects that ended as they should and are not in ``_unshared`` yet: this happens for each object."""
        self._oldest_event = self._oldest_row = 0.0
        """The ages that are not in ``_unshared`` yet: this happens for each message."""
        self._streak = Streak()
        self._fence = -1
        self._known: dict[str, None] = {}
        self._shared_at = float("-inf")
        self._rate: tuple[float, float] | None = None
        """The rate of the whole migration, and when it was seen."""
        self._lock = Lock()

    def note_success(self, record_id: str) -> None:
        """Note that an object ended as it should."""
        with self._lock:
            self._known.pop(record_id, None)
            self._streak = _NO_STREAK
            self._succeeded += 1
            if self._now() - self._shared_at < FLUSH_SECONDS:
                return
        self.share()

    def note_failure(self, record_id: str, *, cause: str, said: str) -> None:
        """Note that an object failed, and the cause; a known failure does not count again when it is retried."""
        denied = cause in DENIED
        with self._lock:
            if record_id in self._known:
                return
            self._known[record_id] = None
            if len(self._known) > MOST_KNOWN:
                self._known.pop(next(iter(self._known)))
            if self._fence != self._current().fence:
                # An operator resumed or changed the rate: earlier denials no longer count.
                self._fence, self._streak = self._current().fence, Streak()
            if denied:
                self._streak = self._streak.denied(record_id, cause=cause, said=said)
            self._unshared = self._unshared.plus(Tally(ended=1, failed=1, denied=int(denied), causes={cause: 1}))
        self.share(at_once=denied)

    def note_age(self, seconds: float, *, is_event: bool) -> None:
        """Note that a message was done this many seconds after it was sent."""
        with self._lock:
            if is_event:
                self._oldest_event = max(self._oldest_event, seconds)
            else:
                self._oldest_row = max(self._oldest_row, seconds)

    def note_fatal(self, error: KeyshiftError) -> None:
        """Pause the migration, if possible: the table or a queue itself refused access, so no object can continue."""
        if error.cause in DENIED and self._policy.denied_in_a_row:
            self._trip(f"{error.cause}: {error}")

    def share(self, *, at_once: bool = False) -> None:
        """Add the counts to the migration's figures when that is due, and trip if the figures require it."""
        now = self._now()
        with self._lock:
            if not at_once and now - self._shared_at < FLUSH_SECONDS:
                return
            counted = Tally(self._succeeded, oldest_event=self._oldest_event, oldest_row=self._oldest_row)
            tally = self._unshared.plus(counted)
            if tally == Tally():
                return
            self._unshared, self._shared_at, streak = Tally(), now, self._streak
            self._succeeded, self._oldest_event, self._oldest_row = 0, 0.0, 0.0
        control = self._current()
        window = Window.at(now, fence=control.fence, seconds=self._policy.window_seconds)
        try:
            summed = self._pulse.add_tally(tally, window=window) or Tally()
        except KeyshiftError as error:
            # The streak needs no table. Only the figures of these seconds are missing from the window.
            self._observer.info("figures not shared", cause=error.cause, why=str(error))
            summed = tally
        else:
            rate = ended_per_second(summed, window, now=now, seconds=self._policy.window_seconds)
            self._rate = (rate, now) if rate else self._rate
        reason = None if control.paused else trip_reason(summed, streak, self._policy)
        if reason is not None:
            self._trip(reason)

    def objects_per_second(self) -> float | None:
        """The objects a second that all processes ended in the newest window; ``None`` where it is too old or young."""
        if self._rate is None or self._now() - self._rate[1] > 2 * self._policy.window_seconds:
            return None
        return self._rate[0]

    def _trip(self, reason: str) -> None:
        try:
            for _ in range(TRIES):
                before = self._panel.read_control()
                if before.paused:
                    break
                after = paused(before, reason=reason, by=BREAKER, now=self._now())
                if self._panel.write_control(after, before=before):
                    self._observer.count("BreakerTripped")
                    self._observer.fail("circuit breaker tripped, the migration is paused", reason=reason)
                    break
            self._refresh()
        except KeyshiftError as error:
            self._observer.fail("the circuit breaker could not pause the migration", reason=reason, why=str(error))
