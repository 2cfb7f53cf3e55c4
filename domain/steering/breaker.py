"""The circuit breaker's decision: when failures concern the migration and not one object."""

from dataclasses import dataclass, field

from domain.errors import AccessDeniedError, EncryptionError, MissingResourceError, StorageFullError
from domain.steering.pulse import Tally

DENIED = frozenset({AccessDeniedError.cause, EncryptionError.cause, MissingResourceError.cause, StorageFullError.cause})
"""Causes that rarely concern one object alone: the next ten thousand would fail for the same reason."""


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """A ``failure_ratio`` among at least ``least_ended`` objects of one window opens it, or so many denials in a row.

    A ratio of 0 or a number of 0 switches that condition off.
    """

    failure_ratio: float = 0.5
    least_ended: int = 20
    denied_in_a_row: int = 5
    window_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Streak:
    """Different objects that were denied one after the other in one process, without a success between them."""

    record_ids: frozenset[str] = field(default_factory=frozenset)
    cause: str = ""
    said: str = ""

    def denied(self, record_id: str, *, cause: str, said: str) -> "Streak":
        """One more was denied; the same object again does not count, because one object must not stop the others."""
        return Streak(self.record_ids | {record_id}, cause, said)


def trip_reason(tally: Tally, streak: Streak, policy: BreakerPolicy) -> str | None:
    """Why the migration must be paused now, or ``None``."""
    row = policy.denied_in_a_row
    if row and len(streak.record_ids) >= row:
        return f"{streak.cause}: {len(streak.record_ids)} objects one after the other. {streak.said}".strip()
    if row and tally.denied >= row and tally.denied * 2 >= tally.ended:
        said = streak.said or "see the workers' logs"
        return f"{_worst(tally)}: {tally.denied} of {tally.ended} objects in {policy.window_seconds:.0f} s. {said}"
    if not policy.failure_ratio or tally.ended < policy.least_ended:
        return None
    if tally.failed < policy.failure_ratio * tally.ended:
        return None
    return f"{_worst(tally)}: {tally.failed} of {tally.ended} objects failed in {policy.window_seconds:.0f} s"


def _worst(tally: Tally) -> str:
    ranked = sorted(tally.causes.items(), key=lambda one: (-one[1], one[0]))
    return ranked[0][0] if ranked else "failures"
