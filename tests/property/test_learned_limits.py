"""Learned limits: never zero, lifted in the end, and the same in whatever order processes tell them."""

from hypothesis import given
from hypothesis import strategies as st

from domain.steering.learned import (
    LEAST_RATE,
    LearnedLimit,
    LearningPolicy,
    first_limit,
    lowered,
    merged,
    rate_at,
)
from domain.steering.places import Place, Service

NOW = 1_790_000_000.0
POLICY = LearningPolicy()
PLACES = [
    Place(Service.S3, "line", "old/"),
    Place(Service.S3, "line", "new/"),
    Place(Service.DYNAMODB, "manifest"),
]
ANSWERS = st.sampled_from(["SlowDown", "ThrottlingException"])
MEASURED = st.none() | st.floats(0.01, 100_000.0)
PAUSES = st.lists(st.floats(0.0, 600.0), max_size=30)


@st.composite
def limits(draw: st.DrawFn) -> LearnedLimit:
    """What one process makes of some throttled answers, the last one up to ten minutes ago."""
    place, moments = draw(st.sampled_from(PLACES)), sorted(draw(st.lists(st.integers(0, 600), min_size=1, max_size=9)))
    begun, *later = (NOW - moment for moment in reversed(moments))
    limit = first_limit(place, draw(ANSWERS), now=begun, measured=draw(MEASURED), policy=POLICY)
    for moment in later:
        limit = lowered(limit, draw(ANSWERS), now=moment, policy=POLICY)
    return limit


KNOWN = st.lists(limits(), max_size=6).map(lambda found: merged(found, (), now=NOW, policy=POLICY))


@given(limit=limits(), pauses=PAUSES)
def test_a_limit_is_never_zero(limit: LearnedLimit, pauses: list[float]) -> None:
    """However many throttled answers come, at least one object a second may begin."""
    now = NOW
    for pause in pauses:
        now += pause
        limit = lowered(limit, "SlowDown", now=now, policy=POLICY)
        rate = rate_at(limit, now, POLICY)
        assert rate is not None
        assert rate >= LEAST_RATE


@given(limit=limits(), pauses=PAUSES)
def test_an_answer_after_a_burst_halves_the_rate_of_the_moment(limit: LearnedLimit, pauses: list[float]) -> None:
    """Answers within the burst are the same throttling."""
    now = NOW
    for pause in pauses:
        now += pause
        before, age = rate_at(limit, now, POLICY), now - limit.throttled_at
        after = rate_at(lowered(limit, "SlowDown", now=now, policy=POLICY), now, POLICY)
        if age < POLICY.burst_seconds:
            assert after == before
        elif before is not None:
            assert after == max(LEAST_RATE, before / 2)
        limit = lowered(limit, "SlowDown", now=now, policy=POLICY)


@given(limit=limits(), waits=st.lists(st.floats(0.0, 300.0), max_size=20))
def test_quiet_time_only_raises_and_lifts_in_the_end(limit: LearnedLimit, waits: list[float]) -> None:
    """Not at once, and by the same amount in each second; a cold place is back at its peak in half an hour of quiet."""
    now, before = limit.throttled_at, limit.rate
    assert rate_at(limit, now + POLICY.quiet_seconds, POLICY) == max(LEAST_RATE, limit.rate)
    for wait in waits:
        now += wait
        rate = rate_at(limit, now, POLICY)
        if rate is None:
            break
        assert rate >= before
        before = rate
    lifted = limit.throttled_at + POLICY.quiet_seconds + POLICY.rise_seconds
    assert rate_at(limit, lifted, POLICY) is None


@given(limit=limits(), seconds=st.floats(1.0, 1_800.0))
def test_a_place_is_never_given_twice_its_peak_within_half_an_hour(limit: LearnedLimit, seconds: float) -> None:
    """A table on demand throttles what more than doubles its earlier peak within 30 minutes."""
    rate = rate_at(limit, limit.throttled_at + seconds, POLICY)
    assert rate is None or rate < limit.peak


@given(one=KNOWN, other=KNOWN, third=KNOWN)
def test_the_order_in_which_processes_tell_does_not_count(
    one: tuple[LearnedLimit, ...], other: tuple[LearnedLimit, ...], third: tuple[LearnedLimit, ...]
) -> None:
    """Merging is commutative, associative and idempotent."""

    def together(left: tuple[LearnedLimit, ...], right: tuple[LearnedLimit, ...]) -> tuple[LearnedLimit, ...]:
        return merged(left, right, now=NOW, policy=POLICY)

    both = together(one, other)
    assert both == together(other, one)
    assert together(both, other) == together(both, both) == both
    assert together(both, third) == together(one, together(other, third))


@given(one=KNOWN, other=KNOWN)
def test_what_is_merged_is_as_strict_as_the_stricter_one(
    one: tuple[LearnedLimit, ...], other: tuple[LearnedLimit, ...]
) -> None:
    """No place is forgotten, none is added, and at its last throttled answer none is faster than both say."""
    both = {limit.place: limit for limit in merged(one, other, now=NOW, policy=POLICY)}
    assert both.keys() == {limit.place for limit in (*one, *other)}
    for limit in (*one, *other):
        found = both[limit.place]
        assert found.begun_at <= limit.begun_at
        assert found.peak >= limit.peak
        assert (found.rate, found.throttled_at) in {
            (same.rate, same.throttled_at) for same in (*one, *other) if same.place == limit.place
        }


def test_a_limit_that_is_gone_is_forgotten() -> None:
    """It does not make the next one older than it is."""
    place = PLACES[0]
    old = first_limit(place, "SlowDown", now=NOW - 7_200, measured=50.0, policy=POLICY)
    new = first_limit(place, "SlowDown", now=NOW, measured=400.0, policy=POLICY)
    assert merged([old], [new], now=NOW, policy=POLICY) == (new,)
    assert merged([old], [], now=NOW, policy=POLICY) == ()


def test_a_first_limit_halves_what_was_measured_or_what_a_cold_place_takes() -> None:
    """3,500 writes a second of a prefix; 4,000 of a new table, two for each object."""
    prefix, table = PLACES[0], PLACES[2]
    rates = [
        first_limit(place, "SlowDown", now=NOW, measured=measured, policy=POLICY).rate
        for place, measured in ((prefix, None), (table, None), (prefix, 300.0), (prefix, 0.2))
    ]
    assert rates == [1_750.0, 1_000.0, 150.0, 1.0]
