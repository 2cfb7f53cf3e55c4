"""What one change adds to the figures."""

from dataclasses import replace

from domain.keys import Location
from domain.protocol.causes import Cause
from domain.protocol.record import Claim, Record, State
from domain.reporting.progress import HOUR, MINUTE, history_of, progress_of

NOW = 1_790_000_000.0
COPIED = Record(Location("b", "old/k"), Location("b", "new/k"), State.COPIED)


def test_every_delta_is_a_number_and_no_truth_value() -> None:
    """DynamoDB refuses "True", and the worker that publishes the stream ended at the first failed object."""
    parked = Record(Location("b", "old/k"), Location("b", "new/k"), State.PARKED, cause=Cause.ACCESS_DENIED)
    deltas = progress_of(None, parked)
    assert deltas["failed"] == 1
    assert {type(delta) for delta in deltas.values()} == {int}


def test_counters_count_a_finished_copy_once() -> None:
    """What did not end, ended otherwise, or fails again adds nothing to them."""
    running = replace(COPIED, claim=Claim("t", NOW), changed_at=NOW)
    done = progress_of(running, replace(COPIED, size=5, rule="r", changed_at=NOW + 2))
    counted = {"objects_copied": 1, "bytes_copied": 5, "rule.r": 1, "rule_bytes.r": 5, "copy_milliseconds": 2000}
    assert counted.items() <= done.items()
    assert "bytes_copied" not in progress_of(running, replace(COPIED, size=None))
    assert 0 not in progress_of(running, replace(COPIED, size=None)).values()
    assert "copy_milliseconds" not in progress_of(replace(running, changed_at=NOW + 9), replace(COPIED, changed_at=NOW))
    for before, after in ((COPIED, COPIED), (running, running), (running, replace(COPIED, state=State.GONE))):
        assert "objects_copied" not in progress_of(before, after)
    parked = replace(COPIED, state=State.PARKED, cause=Cause.ARCHIVED)
    assert progress_of(COPIED, parked)["failed"] == 1
    assert progress_of(None, parked)["failed"] == 1
    assert "failed" not in progress_of(parked, parked)


def test_a_batch_of_forty_minutes_is_still_counted_in_minutes() -> None:
    """One more, and only its hours count: a transaction takes no more items."""
    for minutes, lengths in ((40, {HOUR, MINUTE}), (41, {HOUR})):
        history = history_of((minute * 60.0, {"objects_copied": 1}) for minute in range(minutes))
        assert {span.seconds for span in history} == lengths
