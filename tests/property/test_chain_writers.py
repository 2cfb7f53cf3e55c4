"""Writers of one chain in any order of their calls: it never looks broken, and what was added never looks whole."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.audit.chain import Link, link_of
from domain.audit.events import AuditEvent
from domain.audit.findings import Fault
from tests.worlds.audited import Audited
from tests.worlds.turns import run

pytestmark = pytest.mark.usefixtures("each_chain")


schedules = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 11)), max_size=60)
"""Who makes the next call, and whether its process dies instead (0)."""


ANCHORS_AFTER_THE_DOUBT = [(0, 1)] * 2 + [(1, 1)] * 6 + [(0, 1)]
ANCHORS_BEFORE_THE_DOUBT = [(0, 1)] * 2 + [(1, 1)] * 5 + [(0, 1)]


@settings(deadline=None)
@example(2, 0, ANCHORS_AFTER_THE_DOUBT)
@example(2, 0, ANCHORS_BEFORE_THE_DOUBT)
@given(st.integers(1, 4), st.integers(0, 2), schedules)
def test_writers_in_any_order_make_one_whole_chain(writers: int, before: int, schedule: list[tuple[int, int]]) -> None:
    """Whichever is slow or dies at whichever call."""
    made = Audited()
    for _ in range(before):
        made.writer().append_events([made.change(9)])
    run(made, [[made.change(number)] for number in range(writers)], schedule)
    assert made.verify() == []
    assert made.figures.events - made.figures.repeated == writers + before


@settings(deadline=None)
@given(st.integers(1, 3), st.integers(0, 2), schedules, st.integers(0, 20))
def test_an_added_segment_is_found_in_any_order_of_calls(
    writers: int, before: int, schedule: list[tuple[int, int]], when: int
) -> None:
    """Another program that may write to the bucket alone adds a segment with right links at any moment."""
    made = Audited()
    for _ in range(before):
        made.writer().append_events([made.change(9)])
    invented = AuditEvent("keyshift#reference#" + "a" * 64 + ":1", "References Rewritten", 1.0, {"count": 1})
    write, left = made.archive.write_segment, [when]

    def write_after(sequence: int, body: bytes) -> bool:
        if left and not left[0]:
            left.clear()
            last = max(made.archive.segments, default=0)
            after = link_of(last, made.archive.segments[last]) if last else Link()
            made.archive.segments[last + 1] = made.sealed([invented], after=after).body
        elif left:
            left[0] -= 1
        return write(sequence, body)

    vars(made.archive)["write_segment"] = write_after
    run(made, [[made.change(number)] for number in range(writers)], schedule)
    found = {one.fault for one in made.verify()}
    if left:
        assert found == set()
    else:
        # An added segment that tells of a head further than the true one makes the true one look set back.
        assert found - {Fault.RECORD_UNKNOWN} in ({Fault.NOT_ANCHORED}, {Fault.HEAD_MISSING})
        assert Fault.RECORD_UNKNOWN in found
