"""Which inventory is the whole truth of a bucket whose events are captured."""

from dataclasses import replace

import pytest

from domain.planning.inventory import SETTLING_SECONDS, Inventory, inventory_fault

LIVE_AT = 1_790_000_000.0
REPORT = Inventory("b", "i", "CSV", ("bucket", "key"), (), LIVE_AT)


@pytest.mark.parametrize(
    ("began", "whole"),
    [
        (LIVE_AT - SETTLING_SECONDS, False),
        (LIVE_AT, False),
        (LIVE_AT + SETTLING_SECONDS - 1, False),
        (LIVE_AT + SETTLING_SECONDS, True),
        (LIVE_AT + 9 * SETTLING_SECONDS, True),
    ],
)
def test_only_a_report_that_began_two_days_after_live_capture_holds_all_that_has_no_event(
    began: float, whole: bool
) -> None:
    """What was written before capture must be in the report, and a report may lack what was written lately."""
    fault = inventory_fault(replace(REPORT, created_at=began), live_at=LIVE_AT)
    assert (fault is None) == whole
    if fault is not None:
        assert "2026-09-23 14:13Z" in fault, "it names the time from which on a report may be used"


def test_without_a_known_begin_of_live_capture_no_report_is_the_whole_truth() -> None:
    """A gate that cannot know is shut."""
    assert inventory_fault(REPORT, live_at=0.0) is not None
