"""What the operator (or the circuit breaker) tells everything that runs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Control:
    """The control item; rates are per second for the whole migration, ``None`` means no limit.

    ``fence`` grows by one with every change, ``changed_at`` is seconds since 1970.
    """

    paused: bool = False
    reason: str = ""
    objects_per_second: float | None = None
    bytes_per_second: float | None = None
    concurrency: int | None = None
    fence: int = 0
    changed_at: float = 0.0
