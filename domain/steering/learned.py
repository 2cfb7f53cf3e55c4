"""Learned limits: a place that throttled gets half its rate; quiet time raises it until the limit is gone.

Additive increase, multiplicative decrease, as functions of values and of the time that they are given.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from domain.steering.places import Place, Service

LEAST_RATE = 1.0
"""Objects a second that a learned limit always allows, so that the migration converges."""


@dataclass(frozen=True, slots=True)
class LearningPolicy:
    """How limits are learned; rates are objects a second of the whole migration.

    A cold partition of S3 takes 3,500 writes a second, and an object needs one. A new on-demand table takes 4,000, and
    an object needs two (aws-facts.md §9.1). A limit rises by such a rate in ``rise_seconds``. S3 splits a partition
    gradually, and a table on demand throttles what more than doubles its peak within 30 minutes.
    It rises after ``quiet_seconds`` without a throttled answer. Answers within ``burst_seconds`` count as one: so long
    it takes until every process has read the limit.
    """

    cold_prefix: float = 3_500.0
    cold_table: float = 2_000.0
    rise_seconds: float = 1_800.0
    quiet_seconds: float = 30.0
    burst_seconds: float = 3.0

    def cold_rate(self, place: Place) -> float:
        """What the place takes before AWS has adapted it to its load."""
        return self.cold_prefix if place.service is Service.S3 else self.cold_table


LEARNING = LearningPolicy()
"""What every process uses; ``status`` and ``report`` show the rates by it."""


@dataclass(frozen=True, slots=True)
class LearnedLimit:
    """The limit of one place: ``rate`` objects a second at ``throttled_at``, its last throttled answer that counted.

    ``peak`` is the rate at which it was first throttled: there the limit ends. ``answer`` is AWS's code. Times are
    seconds since 1970.
    """

    place: Place
    rate: float
    peak: float
    throttled_at: float
    begun_at: float
    answer: str


@dataclass(frozen=True, slots=True)
class Learned:
    """The limits that processes share; ``revision`` grows by one with every change."""

    revision: int = 0
    limits: tuple[LearnedLimit, ...] = ()


def rate_at(limit: LearnedLimit, now: float, policy: LearningPolicy) -> float | None:
    """The objects a second that it allows now; ``None``: the limit is gone."""
    quiet = max(0.0, now - limit.throttled_at - policy.quiet_seconds)
    slope = max(limit.peak, policy.cold_rate(limit.place)) / policy.rise_seconds
    rate = limit.rate + slope * quiet
    return rate if rate < limit.peak else None


def first_limit(
    place: Place, answer: str, *, now: float, measured: float | None, policy: LearningPolicy
) -> LearnedLimit:
    """The limit after the first throttled answer of a place: half of the rate ``measured`` of the whole migration.

    Where that is unknown, it is half of what a cold place takes.
    """
    peak = max(2 * LEAST_RATE, measured or policy.cold_rate(place))
    return LearnedLimit(place, peak / 2, peak, now, now, answer)


def lowered(before: LearnedLimit, answer: str, *, now: float, policy: LearningPolicy) -> LearnedLimit:
    """The limit after another throttled answer: half of what it allowed at that moment, at least ``LEAST_RATE``."""
    if now - before.throttled_at < policy.burst_seconds:
        return before
    rate = rate_at(before, now, policy)
    return replace(
        before, rate=max(LEAST_RATE, (before.peak if rate is None else rate) / 2), throttled_at=now, answer=answer
    )


def merged(
    one: Iterable[LearnedLimit], other: Iterable[LearnedLimit], *, now: float, policy: LearningPolicy
) -> tuple[LearnedLimit, ...]:
    """What two processes know together, without limits that are gone; the order does not count, nor a repetition."""
    found: dict[Place, LearnedLimit] = {}
    for limit in (*one, *other):
        if rate_at(limit, now, policy) is not None:
            known = found.get(limit.place)
            found[limit.place] = limit if known is None else _stricter(known, limit, policy)
    return tuple(found[place] for place in sorted(found))


def rates_at(limits: Iterable[LearnedLimit], now: float, policy: LearningPolicy) -> Mapping[Place, float]:
    """The rates of the places that are limited now."""
    rates = ((limit.place, rate_at(limit, now, policy)) for limit in limits)
    return {place: rate for place, rate in rates if rate is not None}


def _stricter(one: LearnedLimit, other: LearnedLimit, policy: LearningPolicy) -> LearnedLimit:
    """The limit whose line lies lower, begun with the earlier one and ended with the later one."""
    slope = policy.cold_rate(one.place) / policy.rise_seconds

    def height(limit: LearnedLimit) -> tuple[float, float, float, str]:
        return limit.rate - slope * limit.throttled_at, limit.rate, limit.throttled_at, limit.answer

    lower = min(one, other, key=height)
    return replace(lower, peak=max(one.peak, other.peak), begun_at=min(one.begun_at, other.begun_at))
