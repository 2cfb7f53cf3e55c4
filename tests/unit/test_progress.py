"""What one change adds to the figures."""

from domain.keys import Location
from domain.progress import progress_of
from domain.record import Record, State


def test_every_delta_is_a_number_and_no_truth_value() -> None:
    """DynamoDB refuses "True", and the worker that publishes the stream ended at the first failed object."""
    parked = Record(Location("b", "old/k"), Location("b", "new/k"), State.PARKED, cause="access-denied")
    deltas = progress_of(None, parked)
    assert deltas["failed"] == 1
    assert {type(delta) for delta in deltas.values()} == {int}
