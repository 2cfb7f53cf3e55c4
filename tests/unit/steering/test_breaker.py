"""The circuit breaker trips on many failures, and at once on what would fail for every object."""

import pytest

from domain.steering.breaker import BreakerPolicy, Streak, trip_reason
from domain.steering.pulse import Tally, Window

POLICY = BreakerPolicy(failure_ratio=0.5, least_ended=20, denied_in_a_row=5, window_seconds=30)


def denied(*record_ids: str) -> Streak:
    """These were denied one after the other."""
    streak = Streak()
    for one in record_ids:
        streak = streak.denied(one, cause="access-denied", said="give the role s3:PutObject")
    return streak


@pytest.mark.parametrize(
    ("tally", "trips"),
    [
        (Tally(), False),
        (Tally(ended=19, failed=19, causes={"unavailable": 19}), False),
        (Tally(ended=20, failed=9, causes={"unavailable": 9}), False),
        (Tally(ended=20, failed=10, causes={"unavailable": 10}), True),
        (Tally(ended=1_000, failed=499, causes={"unavailable": 499}), False),
        (Tally(ended=5, failed=5, denied=5, causes={"kms": 5}), True),
        (Tally(ended=11, failed=5, denied=5, causes={"kms": 5}), False),
        (Tally(ended=4, failed=4, denied=4, causes={"kms": 4}), False),
    ],
)
def test_a_window_trips_on_its_share_of_failures(tally: Tally, trips: bool) -> None:
    """Half of twenty failed, or five denied that are half of all; never fewer."""
    assert trips == (trip_reason(tally, Streak(), POLICY) is not None)


def test_denials_in_a_row_trip_however_much_went_well_before() -> None:
    """Permissions that break half-way must not first fail as many objects as went well."""
    tally = Tally(ended=10_000, failed=5, denied=5, causes={"access-denied": 5})
    reason = trip_reason(tally, denied("a", "b", "c", "d", "e"), POLICY)
    assert reason == "access-denied: 5 objects one after the other. give the role s3:PutObject"
    assert trip_reason(tally, denied("a", "b", "c", "d"), POLICY) is None


def test_one_object_denied_again_and_again_trips_nothing() -> None:
    """A poison object never stops the others."""
    assert trip_reason(Tally(ended=9, failed=9, causes={}), denied(*["a"] * 9), POLICY) is None


def test_the_reason_names_the_cause_that_failed_most() -> None:
    """It is what the operator reads first."""
    tally = Tally(ended=30, failed=20, causes={"unavailable": 5, "refused": 15})
    assert trip_reason(tally, Streak(), POLICY) == "refused: 20 of 30 objects failed in 30 s"


def test_each_half_can_be_switched_off() -> None:
    """A ratio of 0, a row of 0."""
    off = BreakerPolicy(failure_ratio=0.0, denied_in_a_row=0)
    assert trip_reason(Tally(ended=99, failed=99, denied=99), denied("a", "b", "c", "d", "e"), off) is None


def test_a_resume_begins_a_new_window() -> None:
    """Windows are ordered by fence first, and by time within one."""
    before, after = Window.at(100.0, fence=3, seconds=30), Window.at(95.0, fence=4, seconds=30)
    assert before < after < Window.at(120.0, fence=4, seconds=30)
    assert Window.at(119.9, fence=4, seconds=30) == after


def test_tallies_add_up_and_keep_the_greatest_age() -> None:
    """Sums for counts, maxima for ages."""
    one = Tally(1, 1, 0, {"kms": 1}, oldest_event=5.0)
    two = Tally(2, 1, 1, {"kms": 1, "refused": 1}, oldest_event=3.0, oldest_row=9.0)
    assert one.plus(two) == Tally(3, 2, 1, {"kms": 2, "refused": 1}, 5.0, 9.0)


def test_the_reason_names_the_commonest_cause_and_what_was_said() -> None:
    """Half of all are enough; without a word of its own it says where to look."""
    tally = Tally(ended=10, failed=5, denied=5, causes={"a-rare-one": 1, "kms": 4})
    said = trip_reason(tally, denied("a"), POLICY)
    assert said == "kms: 5 of 10 objects in 30 s. give the role s3:PutObject"
    assert trip_reason(tally, Streak(), POLICY) == "kms: 5 of 10 objects in 30 s. see the workers' logs"


def test_of_two_causes_that_failed_as_often_each_worker_names_the_same() -> None:
    """The first by its name, in whatever order they came."""
    for causes in ({"kms": 10, "refused": 10}, {"refused": 10, "kms": 10}):
        assert trip_reason(Tally(20, 20, 0, causes), Streak(), POLICY) == "kms: 20 of 20 objects failed in 30 s"
