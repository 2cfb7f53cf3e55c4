"""What a verification says of records against the chain, to the word, and what it counts."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from domain.audit.chain import Link, unpacked
from domain.audit.events import AuditEvent, audit_event
from domain.audit.findings import Fault, Finding
from domain.audit.ports import Deferred
from domain.audit.verification import QUIET_SECONDS, STREAM_SECONDS, Verification
from tests.fakes.archive import InMemorySegmentArchive
from tests.worlds.audited import MIGRATION, VERIFIED_AT, Audited, audited, placed, verifier_of

pytestmark = pytest.mark.usefixtures("each_chain")


def told(*events: AuditEvent) -> list[Finding]:
    """What is found in a chain of these events; there are no records."""
    made = Audited()
    made.writer().append_events(events)
    verifier = verifier_of(made)
    return [*verifier.read_chains(), *verifier.find_gaps()]


def change(number: int, **detail: object) -> AuditEvent:
    """The nth change of one record."""
    return AuditEvent(f"s:{number}", "Object Copied", 1.0, {"source": "s3://b/k", **detail})


def test_good_is_only_a_verification_without_findings() -> None:
    """The exit code of ``audit verify`` is made of it."""
    made = audited([[0, 0]])
    assert made.verify() == []
    assert made.figures.is_good
    assert (made.figures.segments, made.figures.events, made.figures.records) == (1, 2, 1)
    record = next(iter(made.manifest.records.values()))
    made.manifest.records[record.record_id] = replace(record, rule="another")
    made.manifest.records["x"] = replace(record, rule="else")
    findings = made.verify()
    assert (len(findings), made.figures.findings, made.figures.is_good) == (2, 2, False)
    assert Verification().is_good


@pytest.mark.parametrize(
    ("numbers", "fault", "text"),
    [
        ((1, 3), Fault.REVISION_MISSING, "revision 2 is missing before revision 3 of s3://b/k"),
        ((1, 4), Fault.REVISION_MISSING, "revisions 2 to 3 are missing before revision 4 of s3://b/k"),
        ((2,), Fault.REVISION_MISSING, "revision 1 is missing before revision 2 of s3://b/k"),
        ((1, 3, 2), Fault.REVISION_OUT_OF_ORDER, "revision 2 of s3://b/k comes after revision 3"),
        ((0,), Fault.REVISION_OUT_OF_ORDER, "revision 0 of s3://b/k comes after revision 0"),
    ],
)
def test_revisions_follow_each_other(numbers: Sequence[int], fault: Fault, text: str) -> None:
    """What is missing is counted, and the place is the line that came instead."""
    found = told(*map(change, numbers))[-1]
    place = f"segment 1, line {len(numbers)}"
    assert found == placed(Finding(fault, f"{place}: {text}", 1, len(numbers), "s"))


def test_an_event_without_a_source_is_named_by_its_subject() -> None:
    """As events of the control are."""
    (found,) = told(AuditEvent("keyshift#control:2", "Migration Paused", 1.0, {}))
    assert found.text.endswith("revision 1 is missing before revision 2 of keyshift#control")


def test_a_strange_key_is_told_once_and_hides_nothing() -> None:
    """Also when the end is read again; each segment is heard."""
    made, heard = audited([[0], [1]]), list[int]()
    made.archive.strange += ["~not-a-segment", "~nor-this"]
    verifier = verifier_of(made, on_segment=heard.append)
    assert [one.fault for one in verifier.read_chains()] == [Fault.SEGMENT_FOREIGN] * 2
    made.writer().append_events([made.change(0)])
    made.archive.strange.append("~later")
    (found,) = verifier.read_chains()
    assert found.text.endswith("~later is not a segment's key: another program put it there")
    assert (heard, verifier.figures.segments) == ([1, 2, 3], 3)


def test_a_record_that_leaves_after_it_was_compared_is_not_unknown() -> None:
    """Somebody removed it in between; the next verification says so."""
    made = audited([[0]])
    verifier = verifier_of(made)
    assert list(verifier.read_chains()) == []
    assert list(verifier.compare_records(list(made.manifest.scan_records()))) == []
    made.manifest.records.clear()
    assert list(verifier.settle(made.manifest, made.items, now=VERIFIED_AT)) == []


def test_a_record_that_is_gone_is_told_where_the_chain_knew_it_last() -> None:
    """Its newest event."""
    made = audited([[0], [0]])
    (subject,) = made.manifest.records
    made.manifest.records.clear()
    text = f"the chain tells of the record {subject}, which is not in the manifest"
    assert made.verify() == [placed(Finding(Fault.RECORD_UNKNOWN, text, 2, 1, subject))]


def test_a_record_between_two_revisions_of_the_chain_has_no_place_there() -> None:
    """It was set back to one that the chain does not tell."""
    made = audited([[0, 0, 0]])
    record = next(iter(made.manifest.records.values()))
    made = Audited(manifest=made.manifest)
    events = [audit_event(replace(record, revision=number), migration=MIGRATION) for number in (1, 3)]
    made.writer().append_events(events)
    made.manifest.records[record.record_id] = replace(record, revision=2)
    text = f"{record.source.uri}: the manifest is at revision 2, the chain at 3: it was set back"
    assert Finding(Fault.RECORD_ALTERED, text, subject=record.record_id) in made.verify()


def test_an_item_that_was_never_changed_needs_no_event() -> None:
    """The control and the stage before anybody touched them."""
    item = Deferred("keyshift#stage", "the stage", 0, "", VERIFIED_AT)
    assert list(verifier_of(Audited()).compare_items([item])) == []


@pytest.mark.parametrize(
    ("age", "counted"),
    [
        (QUIET_SECONDS - 1, (1, 0, 0)),
        (QUIET_SECONDS, (0, 1, 0)),
        (STREAM_SECONDS - 1, (0, 1, 0)),
        (STREAM_SECONDS, (0, 0, 1)),
    ],
)
def test_a_change_may_be_on_its_way_for_so_long_and_no_longer(age: float, counted: tuple[int, int, int]) -> None:
    """A young one is pending, one that the stream still holds is told as late, an older one is a finding."""
    made = audited([[0]])
    record = next(iter(made.manifest.records.values()))
    late = replace(record, revision=2, changed_at=VERIFIED_AT - age)
    made.manifest.records[record.record_id] = late
    found = made.verify()
    assert (made.figures.pending, made.figures.late, made.figures.findings) == counted
    assert [(one.fault, one.is_late) for one in found] == [(Fault.RECORD_UNAUDITED, bool(counted[1]))] * sum(
        counted[1:]
    )
    assert made.figures.is_good == bool(counted[0])


def test_an_event_that_comes_while_we_read_is_waited_for() -> None:
    """Its record was exactly at the border when it was compared."""
    made = audited([[0]])
    record = next(iter(made.manifest.records.values()))
    late = replace(record, revision=2, changed_at=VERIFIED_AT - QUIET_SECONDS)
    made.manifest.records[record.record_id] = late
    verifier = verifier_of(made)
    assert list(verifier.read_chains()) == []
    assert list(verifier.compare_records([late])) == []
    made.writer().append_events([audit_event(late, migration=MIGRATION)])
    assert list(verifier.settle(made.manifest, made.items, now=VERIFIED_AT)) == []


# Writing
class Unlisted(InMemorySegmentArchive):
    """An archive of which nobody may list the segments."""

    def last_sequence(self) -> int:
        """See the port."""
        raise AssertionError("nobody needs a listing here")


def test_a_writer_goes_on_by_the_head_even_where_old_segments_are_gone() -> None:
    """It does not begin a second chain in the gap."""
    made = audited([[0], [0], [1]])
    del made.archive.segments[1]
    made.writer().append_events([made.change(1)])
    assert sorted(made.archive.segments) == [2, 3, 4]


@pytest.mark.parametrize(
    ("others", "found"),
    [(1, [(Fault.NOT_ANCHORED, 1)]), (2, [(Fault.HEAD_MISSING, 3)]), (3, [(Fault.HEAD_MISSING, 4)])],
)
def test_a_removed_head_is_found_by_the_next_segment(others: int, found: list[tuple[Fault, int]]) -> None:
    """The first segment may be another writer's that is not anchored yet, but then its events come again."""
    made = audited([[0]] * others)
    made.head.head = None
    made.writer().append_events([made.change(1)])
    header = json.loads(unpacked(made.archive.segments[others + 1])[0][0])
    assert (header["head"], header["anchored"]) == (0, False)
    assert [(one.fault, one.segment) for one in made.verify()] == found


def test_a_head_that_a_segment_saw_and_that_is_gone_is_found_at_once() -> None:
    """However young the chain is; where only the first segment is there, its writer may not have come to the head."""
    for others, counted in ((1, (1, 0)), (2, (0, 1))):
        made = Audited()
        made.archive.now = VERIFIED_AT
        for _ in range(others):
            made.writer().append_events([made.change(0)])
        made.head.head = None
        assert [one.fault for one in made.verify()] == [Fault.HEAD_MISSING] * counted[1]
        assert (made.figures.pending, made.figures.findings) == counted


def test_a_listing_is_needed_only_where_there_is_no_head() -> None:
    """Beside another writer, and when the head goes while a writer works, the next segment is enough."""
    made = Audited(archive=Unlisted())
    one, other = made.writer(), made.writer()
    one.append_events([made.change(0)])
    other.append_events([made.change(1)])
    made.head.head = None
    one.append_events([made.change(2)])
    assert sorted(made.archive.segments) == [1, 2, 3]
    assert made.archive.segments[3] != made.archive.segments[2]
    assert one.append_events([]) is None
    assert isinstance(other.append_events([made.change(3)]), Link)
