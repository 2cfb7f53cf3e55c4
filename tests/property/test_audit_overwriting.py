"""What another program adds or writes over is found: under object lock, without versions, and at the chain's end."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.audit.chain import Link, link_of
from domain.audit.events import AuditEvent
from domain.audit.findings import Fault
from domain.audit.item_events import CONTROL_ID, JOURNAL_ID, STAGE_ID
from domain.audit.ports import Deferred
from domain.audit.verification import QUIET_SECONDS, STREAM_SECONDS
from tests.property.tampering import batches, events_of, places
from tests.worlds.audited import LONG_AGO, VERIFIED_AT, Audited, audited

pytestmark = pytest.mark.usefixtures("each_chain")

ENTRY = JOURNAL_ID + "a" * 64


def reference_event(number: int, entry: str = ENTRY, **detail: object) -> AuditEvent:
    """The nth change of an entry of the journal."""
    return AuditEvent(f"{entry}:{number}", "References Rewritten", 1.0, {"revision": number, **detail})


def rewritten(made: Audited, start: int) -> Link:
    """Write every segment from ``start`` on again with one invented word and right links, as a PutObject does."""
    after = link_of(start - 1, made.archive.segments[start - 1]) if start > 1 else Link()
    for number in range(start, len(made.archive.segments) + 1):
        events = events_of(made, number)
        events[0] = replace(events[0], detail={**events[0].detail, "cause": "invented"})
        segment = made.sealed(events, after=after)
        made.archive.overwrite(number, segment.body)
        after = segment.link
    return after


@given(batches, places)
def test_head_and_segments_written_again_under_lock_are_found(given_batches: list[list[int]], where: int) -> None:
    """Each segment that has a newer version is named, and the head fits the oldest ones no more."""
    made = audited(given_batches)
    last = len(made.archive.segments)
    start = 1 + where % last
    made.head.head = rewritten(made, start)
    found = made.verify()
    overwritten = [one.segment for one in found if one.fault is Fault.SEGMENT_OVERWRITTEN]
    assert overwritten == list(range(start, last + 1))
    assert [one.segment for one in found if one.fault is Fault.HEAD_REPLACED] == [last]


@given(batches, places)
def test_one_segment_written_over_under_lock_is_found(given_batches: list[list[int]], where: int) -> None:
    """By its versions alone: the oldest is read, so nothing else is wrong."""
    made = audited(given_batches)
    sequence = 1 + where % len(made.archive.segments)
    made.archive.overwrite(sequence, b"other")
    made.archive.overwrite(sequence, made.archive.segments[sequence])
    (found,) = made.verify()
    assert (found.fault, found.segment) == (Fault.SEGMENT_OVERWRITTEN, sequence)
    assert "3 versions" in found.text


@given(batches, places)
def test_a_segment_hidden_by_a_delete_marker_is_found_and_read(given_batches: list[list[int]], where: int) -> None:
    """Lock keeps its version, so its events are there."""
    made = audited(given_batches)
    sequence = 1 + where % len(made.archive.segments)
    made.archive.delete(sequence)
    assert [(one.fault, one.segment) for one in made.verify()] == [(Fault.SEGMENT_DELETED, sequence)]
    assert made.figures.segments == len(given_batches)


def test_a_marker_without_any_version_is_found_once() -> None:
    """There is nothing to read, and reading the end again tells nothing twice."""
    made = audited([[0], [1]])
    made.archive.markers[3] = 1
    assert [(one.fault, one.segment) for one in made.verify()] == [(Fault.SEGMENT_DELETED, 3)]


def test_a_bucket_without_versions_is_counted() -> None:
    """There an overwrite leaves no trace, and the figures say so."""
    made = audited([[0], [1]])
    assert (made.verify(), made.figures.unkept) == ([], 0)
    made.archive.keeps_versions = False
    assert (made.verify(), made.figures.unkept) == ([], 2)


@given(batches)
def test_an_invented_next_segment_is_found_when_an_honest_writer_went_on(given_batches: list[list[int]]) -> None:
    """Its links are right and the head anchors what follows, but its writer never came back to tell it again."""
    made = audited(given_batches)
    last = len(made.archive.segments)
    end = link_of(last, made.archive.segments[last])
    made.archive.segments[last + 1] = made.sealed([reference_event(1)], after=end).body
    assert {(one.fault, one.segment) for one in made.verify()} == {
        (Fault.NOT_ANCHORED, last + 1),
        (Fault.RECORD_UNKNOWN, last + 1),
    }
    made.writer().append_events([made.change(0)])
    made.writer().append_events([made.change(1)])
    assert {(one.fault, one.segment) for one in made.verify()} == {
        (Fault.NOT_ANCHORED, last + 1),
        (Fault.RECORD_UNKNOWN, last + 1),
    }


def test_an_invented_event_is_not_confirmed_by_a_second_invention() -> None:
    """What another program tells again stands in a segment without anchor too."""
    made = audited([[0]])
    made.items.items[ENTRY] = Deferred(ENTRY, "an entry", 1, "", LONG_AGO)
    for number in (2, 4):
        end = link_of(number - 1, made.archive.segments[number - 1])
        made.archive.segments[number] = made.sealed([reference_event(1)], after=end).body
        made.writer().append_events([made.change(number)])
    assert [(one.fault, one.segment) for one in made.verify()] == [(Fault.NOT_ANCHORED, 2)]


@pytest.mark.parametrize(
    ("age", "counted"),
    [(0, (1, 0, 0)), (QUIET_SECONDS, (0, 1, 0)), (STREAM_SECONDS - 1, (0, 1, 0)), (STREAM_SECONDS, (0, 0, 1))],
)
@pytest.mark.parametrize("is_followed", [True, False])
def test_a_segment_without_anchor_may_be_a_running_writers(
    age: float, counted: tuple[int, int, int], *, is_followed: bool
) -> None:
    """A young one is pending, whether others went on after it or not; its date is the archive's own."""
    made = audited([[0]])
    lost, end = made.change(0), link_of(1, made.archive.segments[1])
    made.archive.now = VERIFIED_AT - age
    assert made.archive.write_segment(2, made.sealed([lost], after=end).body)
    if is_followed:
        made.writer().append_events([made.change(1)])
    found = made.verify()
    assert (made.figures.pending, made.figures.late, made.figures.findings) == counted
    assert [(one.fault, one.segment, one.is_late) for one in found] == [
        (Fault.NOT_ANCHORED, 2, bool(counted[1]))
    ] * sum(counted[1:])


@pytest.mark.parametrize(
    ("known", "fault"),
    [(None, Fault.RECORD_UNKNOWN), (1, Fault.RECORD_ALTERED), (2, None), (3, Fault.RECORD_UNAUDITED)],
)
def test_events_of_references_are_compared_with_the_journal(known: int | None, fault: Fault | None) -> None:
    """An entry that is not there, one that is behind the chain, one that is ahead of it; also closed entries."""
    made = audited([[0]])
    made.writer().append_events([reference_event(1), reference_event(2)])
    if known is not None:
        made.items.items[ENTRY] = Deferred(ENTRY, "an entry", known, "", LONG_AGO)
    assert [one.fault for one in made.verify()] == [fault] * (fault is not None)


@pytest.mark.parametrize("subject", [CONTROL_ID, STAGE_ID, "keyshift#counters", "keyshift#bogus", "#"])
def test_events_of_items_that_were_never_written_are_found(subject: str) -> None:
    """The control and the stage before any operator changed them, and what is never audited."""
    made = audited([[0]])
    made.writer().append_events([AuditEvent(f"{subject}:1", "Migration Paused", 1.0, {})])
    fault = Fault.RECORD_ALTERED if subject in (CONTROL_ID, STAGE_ID) else Fault.RECORD_UNKNOWN
    assert [(one.fault, one.subject) for one in made.verify()] == [(fault, subject)]


more_told = st.sampled_from([{"added": 1}, {"added": None}, {"limits": {"a": 1, "b": 2}}])


@given(more_told, st.booleans())
def test_a_deployment_between_two_deliveries_contradicts_nothing(more: dict[str, Any], newer_first: bool) -> None:
    """The newer handler tells the same and more; which of the two came first does not matter."""
    made = audited([[0]])
    made.items.items[ENTRY] = Deferred(ENTRY, "an entry", 1, "", LONG_AGO)
    tellings = [reference_event(1, limits={"a": 1}), reference_event(1, **({"limits": {"a": 1}} | more))]
    for event in reversed(tellings) if newer_first else tellings:
        made.writer().append_events([event])
    assert made.verify() == []


@pytest.mark.parametrize(
    "again",
    [
        reference_event(1, count=2, added=1),
        reference_event(1, count="1"),
        reference_event(1, count=True),
        reference_event(1, added=1),
        reference_event(1, count=1, places=["a"]),
        reference_event(1, count=1, places=["a", "b", "c"]),
        replace(reference_event(1, count=1, places=["a", "b"]), detail_type="References Restored"),
        replace(reference_event(1, count=1, places=["a", "b"]), time=2.0),
    ],
)
def test_another_telling_that_says_something_else_is_a_contradiction(again: AuditEvent) -> None:
    """Another value, another kind of value, fewer places, another time; or something more instead of what was told."""
    made = audited([[0]])
    made.items.items[ENTRY] = Deferred(ENTRY, "an entry", 1, "", LONG_AGO)
    for event in (reference_event(1, count=1, places=["a", "b"]), again):
        made.writer().append_events([event])
    assert [(one.fault, one.segment) for one in made.verify()] == [(Fault.REVISION_CONTRADICTED, 3)]


@pytest.mark.parametrize("keeps_versions", [True, False])
def test_a_first_telling_that_was_altered_excuses_no_other(*, keeps_versions: bool) -> None:
    """The second one is compared with the oldest version's line, which must be what was booked when it was read."""
    made = audited([[0]])
    made.items.items[ENTRY] = Deferred(ENTRY, "an entry", 1, "", LONG_AGO)
    made.writer().append_events([reference_event(1, count=1)])
    made.writer().append_events([reference_event(1, count=2)])
    forged = made.sealed([reference_event(1, count=2)], after=Link(1)).body
    if keeps_versions:
        made.archive.overwrite(2, forged)
    else:  # it is written over after it was read
        vars(made.archive)["read_original"] = lambda _sequence: forged
    overwritten = [Fault.SEGMENT_OVERWRITTEN] if keeps_versions else []
    assert [one.fault for one in made.verify()] == [*overwritten, Fault.REVISION_CONTRADICTED]
