"""How many objects are worked on at the same time: one more after a good while, half when S3 throttles."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

CALM_SECONDS = 1.0
"""Requests already on their way are throttled together: within this time (seconds) they count as one throttling."""


class Pace:
    """A limit on concurrent objects, shared by every batch of one process (additive increase, halving)."""

    def __init__(self, most: int = 16, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._limit = float(most)
        self._active = 0
        self._slowed_at: float | None = None
        self._monotonic = monotonic
        self._changed = Condition()

    @property
    def limit(self) -> int:
        """How many objects may be worked on now, at least one."""
        return max(1, int(min(self._limit, self._most)))

    def cap(self, most: int) -> None:
        """The operator's upper bound."""
        with self._changed:
            self._most = max(1, most)
            self._changed.notify_all()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait until one more object may be worked on."""
        with self._changed:
            self._changed.wait_for(lambda: self._active < self.limit)
            self._active += 1
        try:
            yield
        finally:
            with self._changed:
                self._active -= 1
                # One place is free: to wake every waiting thread would cost more than a copy.
                self._changed.notify()

    def speed_up(self) -> None:
        """Note that one object succeeded: a whole round of them allows one more."""
        with self._changed:
            before, self._limit = self.limit, min(self._limit + 1 / self._limit, float(self._most))
            if self.limit > before:
                self._changed.notify()

    def slow_down(self) -> None:
        """Halve the limit after S3 or DynamoDB has throttled."""
        with self._changed:
            now = self._monotonic()
            if self._slowed_at is None or now - self._slowed_at >= CALM_SECONDS:
                self._limit = max(1.0, min(self._limit, float(self._most)) / 2)
                self._slowed_at = now
