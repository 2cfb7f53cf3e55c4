"""The last half minute of the whole migration: what ended, what failed and why, and how old messages were."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A stretch of time under one control item: ``number`` counts stretches since 1970.

    A later fence makes a new window, so that failures before a resume do not count after it.
    """

    fence: int
    number: int

    @classmethod
    def at(cls, now: float, *, fence: int, seconds: float) -> "Window":
        """The window of that moment."""
        return cls(fence, int(now // seconds))


@dataclass(frozen=True, slots=True)
class Tally:
    """What ended in one window; ``denied`` counts failures for a reason that concerns many objects.

    ``oldest_event`` and ``oldest_row`` are the greatest ages (seconds) at which a live event and a backfill message
    were handled.
    """

    ended: int = 0
    failed: int = 0
    denied: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)
    oldest_event: float = 0.0
    oldest_row: float = 0.0

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(
            self.ended + other.ended,
            self.failed + other.failed,
            self.denied + other.denied,
            dict(Counter(self.causes) + Counter(other.causes)),
            max(self.oldest_event, other.oldest_event),
            max(self.oldest_row, other.oldest_row),
        )


LEAST_SHARE = 1 / 3
"""The part of a window that must be over before its rate says anything."""


def ended_per_second(tally: Tally, window: Window, *, now: float, seconds: float) -> float | None:
    """Objects that ended a second in a window of so many ``seconds``; ``None``: it is too young."""
    over = min(now - window.number * seconds, seconds)
    return tally.ended / over if over >= seconds * LEAST_SHARE else None
