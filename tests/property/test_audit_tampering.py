"""Whatever is done to the chain, its head or the manifest is found, and found where it was done."""

import gzip
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.audit import chain
from domain.audit.chain import Link, NamedLink, canonical, link_of, packed
from domain.audit.events import audit_event
from domain.audit.findings import Fault, Finding
from domain.protocol.record import State
from tests.property.tampering import batches, events_of, places
from tests.worlds.audited import MIGRATION, VERIFIED_AT, Audited, audited

pytestmark = pytest.mark.usefixtures("each_chain")


def located(findings: list[Finding], *segments: int) -> bool:
    """Whether one of the findings names one of the segments."""
    return any(finding.segment in segments for finding in findings)


@given(batches)
def test_an_untouched_chain_is_good(given_batches: list[list[int]]) -> None:
    """Nothing is found where nothing was done, and every event and record is counted."""
    made = audited(given_batches)
    assert made.verify() == []
    assert (made.figures.segments, made.figures.events) == (len(given_batches), sum(map(len, given_batches)))
    assert made.figures.records == len(made.manifest.records)
    last = len(given_batches)
    assert made.figures.ends == [str(NamedLink(made.shard, link_of(last, made.archive.segments[last])))]


@given(batches, places, places, st.integers(1, 255))
def test_a_flipped_byte_is_located(given_batches: list[list[int]], where: int, at: int, mask: int) -> None:
    """Any byte of any segment, packed as it is stored."""
    made = audited(given_batches)
    sequence = 1 + where % len(made.archive.segments)
    body = bytearray(made.archive.segments[sequence])
    body[at % len(body)] ^= mask
    made.archive.segments[sequence] = bytes(body)
    assert located(made.verify(), sequence)


@given(batches, places, places)
def test_a_line_that_is_removed_is_located(given_batches: list[list[int]], where: int, at: int) -> None:
    """The segment, and the place in it."""
    made = audited(given_batches)
    sequence = 1 + where % len(made.archive.segments)
    lines = made.lines(sequence)
    line = 1 + at % (len(lines) - 1)
    made.rewrite(sequence, lines[:line] + lines[line + 1 :])
    found = [one for one in made.verify() if one.fault is Fault.LINE_MISSING]
    assert [(sequence, line)] == [(one.segment, one.line) for one in found]


@given(batches, places, places, places)
def test_a_line_that_is_inserted_is_located(given_batches: list[list[int]], where: int, at: int, source: int) -> None:
    """A line copied from anywhere in the chain."""
    made = audited(given_batches)
    sequence, other = 1 + where % len(made.archive.segments), 1 + source % len(made.archive.segments)
    lines = made.lines(sequence)
    line = 1 + at % len(lines)
    made.rewrite(sequence, [*lines[:line], made.lines(other)[-1], *lines[line:]])
    faults = {Fault.LINE_OUT_OF_ORDER, Fault.LINE_ALTERED, Fault.LINE_MISSING}
    found = [one for one in made.verify() if one.fault in faults and one.segment == sequence]
    assert min(one.line or 0 for one in found) in (line, line + 1)


@given(batches, places, places)
def test_lines_that_changed_places_are_located(given_batches: list[list[int]], where: int, at: int) -> None:
    """Both places."""
    made = audited(given_batches)
    sequence = 1 + where % len(made.archive.segments)
    lines = made.lines(sequence)
    assume(len(lines) > 2)
    line = 1 + at % (len(lines) - 2)
    lines[line], lines[line + 1] = lines[line + 1], lines[line]
    made.rewrite(sequence, lines)
    assert {line, line + 1} <= {one.line for one in made.verify() if one.segment == sequence}


@given(batches, places, places)
def test_an_altered_event_is_located(given_batches: list[list[int]], where: int, at: int) -> None:
    """The line and the record, even in a line that is well-formed."""
    made = audited(given_batches)
    sequence = 1 + where % len(made.archive.segments)
    lines = made.lines(sequence)
    line = 1 + at % (len(lines) - 1)
    altered = lines[line].replace(b'"rule":"move"', b'"rule":"muve"')
    made.rewrite(sequence, [*lines[:line], altered, *lines[line + 1 :]])
    found = [one for one in made.verify() if one.fault is Fault.LINE_ALTERED]
    event = events_of(made, sequence)[line - 1]
    assert (sequence, line, event.event_id.partition(":")[0]) in [(one.segment, one.line, one.subject) for one in found]


@given(batches, places)
def test_a_removed_segment_is_located(given_batches: list[list[int]], where: int) -> None:
    """In the middle it is missing, at the end the chain is cut off."""
    made = audited(given_batches)
    last = len(made.archive.segments)
    sequence = 1 + where % last
    del made.archive.segments[sequence]
    fault = Fault.CHAIN_TRUNCATED if sequence == last else Fault.SEGMENT_MISSING
    assert [sequence] == [one.segment for one in made.verify() if one.fault is fault]


@given(batches, places, places)
def test_a_replaced_or_repeated_segment_is_located(given_batches: list[list[int]], where: int, source: int) -> None:
    """A copy of another segment, whole in itself, over this one or after the end."""
    made = audited(given_batches)
    last = len(made.archive.segments)
    sequence, other = 1 + where % (last + 1), 1 + source % last
    assume(sequence != other)
    made.archive.segments[sequence] = made.archive.segments[other]
    assert located(made.verify(), sequence)


@given(batches, places)
def test_exchanged_segments_are_located(given_batches: list[list[int]], where: int) -> None:
    """Both say that they belong elsewhere."""
    made = audited(given_batches)
    first = 1 + where % (len(made.archive.segments) - 1)
    segments = made.archive.segments
    segments[first], segments[first + 1] = segments[first + 1], segments[first]
    said = {one.segment for one in made.verify() if one.fault is Fault.SEGMENT_ALTERED and one.line == 0}
    assert {first, first + 1} == said


@given(batches, places)
def test_a_tail_written_anew_does_not_fit_the_head(given_batches: list[list[int]], where: int) -> None:
    """Every hash is right, but DynamoDB knows another end."""
    made = audited(given_batches)
    last = len(made.archive.segments)
    start = 1 + where % last
    tails = [events_of(made, number) for number in range(start, last + 1)]
    tails[0][0] = replace(tails[0][0], detail={**tails[0][0].detail, "rule": "other"})
    before = made.archive.segments.get(start - 1)
    made.relink(tails, after=Link() if before is None else link_of(start - 1, before))
    by_the_heads = [1] if made.shard and start == 1 else []
    replaced = [one.segment for one in made.verify() if one.fault is Fault.HEAD_REPLACED]
    assert replaced == [last, *by_the_heads]


@given(batches)
def test_a_replaced_head_is_found(given_batches: list[list[int]]) -> None:
    """Another hash, an older segment, a later one, or none at all."""
    made = audited(given_batches)
    last = len(made.archive.segments)
    earlier = link_of(last - 1, made.archive.segments[last - 1])
    heads = [Link(last, "f" * 64), earlier, Link(last + 3, "e" * 64), None]
    faults = [Fault.HEAD_REPLACED, Fault.NOT_ANCHORED, Fault.CHAIN_TRUNCATED, Fault.HEAD_MISSING]
    for head, fault in zip(heads, faults, strict=True):
        made.head.head = head
        assert [one.fault for one in made.verify()] == [fault]


@given(batches, places)
def test_a_tail_cut_off_together_with_the_head_is_found_by_the_records(
    given_batches: list[list[int]], where: int
) -> None:
    """Whoever may change both places is still contradicted by the manifest, and by a link noted elsewhere."""
    made = audited(given_batches)
    last = len(made.archive.segments)
    noted = {last: link_of(last, made.archive.segments[last]).sha256}
    kept = 1 + where % (last - 1)
    lost = {
        event.event_id.partition(":")[0] for number in range(kept + 1, last + 1) for event in events_of(made, number)
    }
    for number in range(kept + 1, last + 1):
        del made.archive.segments[number]
    made.head.head = link_of(kept, made.archive.segments[kept])
    assert lost == {one.subject for one in made.verify() if one.fault is Fault.RECORD_UNAUDITED}
    assert [one.fault for one in made.verify(expected=noted) if one.subject is None] == [Fault.CHAIN_TRUNCATED]


@given(batches, places)
def test_an_event_left_out_of_a_chain_with_right_hashes_is_found(given_batches: list[list[int]], where: int) -> None:
    """Revisions go up one by one, so a chain that was made without one has a gap or ends too early."""
    made = audited(given_batches)
    all_events = [events_of(made, number) for number in sorted(made.archive.segments)]
    sequence = where % len(all_events)
    dropped = all_events[sequence].pop(where % len(all_events[sequence]))
    all_events = [batch for batch in all_events if batch]
    assume(all_events)
    made.head.head = made.relink(all_events, after=Link())
    subject = dropped.event_id.partition(":")[0]
    faults = {Fault.REVISION_MISSING, Fault.RECORD_UNAUDITED}
    assert [subject] == [one.subject for one in made.verify() if one.fault in faults]


@given(batches, places)
def test_a_repeated_delivery_is_no_fault_unless_it_says_something_else(
    given_batches: list[list[int]], where: int
) -> None:
    """The stream may deliver again; the same event in other words is found."""
    made = audited(given_batches)
    again = events_of(made, 1 + where % len(made.archive.segments))
    made.writer().append_events(again)
    assert made.verify() == []
    assert made.figures.repeated == len(again)
    made.writer().append_events([replace(again[0], detail={**again[0].detail, "cause": "forged"})])
    assert [one.fault for one in made.verify()] == [Fault.REVISION_CONTRADICTED]


CHANGES: dict[str, Callable[[Audited, str], None]] = {
    "state": lambda made, key: made.manifest.records.update(
        {key: replace(made.manifest.records[key], state=State.CLEANED)}
    ),
    "verified": lambda made, key: made.manifest.records.update(
        {key: replace(made.manifest.records[key], verified_at=1.0)}
    ),
    "ahead": lambda made, key: made.manifest.records.update(
        {key: replace(made.manifest.records[key], revision=made.manifest.records[key].revision + 1)}
    ),
    "removed": lambda made, key: made.manifest.records.__delitem__(key) or None,  # type: ignore[func-returns-value]
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_record_changed_behind_our_back_is_found(name: str) -> None:
    """A field, a state, a revision of its own, or the record as a whole."""
    made = audited([[0, 1], [0, 1], [1]])
    record_id = next(iter(made.manifest.records))
    CHANGES[name](made, record_id)
    fault = {"ahead": Fault.RECORD_UNAUDITED, "removed": Fault.RECORD_UNKNOWN}.get(name, Fault.RECORD_ALTERED)
    assert [(fault, record_id)] == [(one.fault, one.subject) for one in made.verify()]


def test_a_record_set_back_is_found() -> None:
    """An old state of it, whole and once true."""
    made = audited([[0], [0]])
    old = made.manifest.changes[0][1]
    made.manifest.records[old.record_id] = old
    assert [one.fault for one in made.verify()] == [Fault.RECORD_ALTERED]


def test_a_young_change_is_waited_for() -> None:
    """Its event may be on its way; an old one's is not."""
    made = audited([[0]])
    late = made.change(0)
    assert made.verify(now=late.time + 10) == []
    assert made.figures.pending == 1
    assert [one.fault for one in made.verify(now=VERIFIED_AT)] == [Fault.RECORD_UNAUDITED]


def test_the_removal_of_a_record_is_a_finding() -> None:
    """Records are kept for ever: whoever removed one was not keyshift."""
    made = audited([[0]])
    (record,) = made.manifest.records.values()
    made.writer().append_events([audit_event(record, migration=MIGRATION, removed=True)])
    del made.manifest.records[record.record_id]
    assert {Fault.RECORD_REMOVED, Fault.RECORD_UNKNOWN} == {one.fault for one in made.verify()}


def test_a_key_beside_the_segments_is_found() -> None:
    """Once, however often the end is read."""
    made = audited([[0]])
    made.archive.strange = ["zzz"]
    assert [one.fault for one in made.verify()] == [Fault.SEGMENT_FOREIGN]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b""],
        [b"nonsense"],
        [canonical({"chain": "1"})],
        [b"[" * 100_000],
        [canonical({"line": 1, "sha256": "x", "event": {"event_id": "a:" + "9" * 5_000, "detail": {}}})] * 2,
    ],
)
def test_nonsense_is_a_finding_and_no_crash(lines: list[bytes]) -> None:
    """Whatever is in a segment's place."""
    made = audited([[0], [1]])
    made.rewrite(1, lines)
    assert located(made.verify(), 1)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda body: body[:-9], "it ends in the middle"),
        (lambda body: body + b"x", "something follows its end"),
        (lambda body: body[:-5] + b"\x00" + body[-4:], "it cannot be unpacked"),
        (lambda _body: packed([b"x" * 300, b""])[:12], "it ends in the middle"),
        (lambda body: gzip.compress(gzip.decompress(body)[:-1]), "its last line does not end"),
    ],
)
def test_a_damaged_segment_says_how(damage: Callable[[bytes], bytes], says: str) -> None:
    """Cut short, lengthened, or altered in its checksum."""
    made = audited([[0], [1]])
    made.archive.segments[1] = damage(made.archive.segments[1])
    assert [says in one.text for one in made.verify() if "is damaged" in one.text] == [True]


def test_a_segment_that_unpacks_to_far_too_much_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays bounded by what a batch can have."""
    made = audited([[0]])
    monkeypatch.setattr(chain, "MAX_SEGMENT_BYTES", 20_000)
    made.rewrite(1, [*made.lines(1), b"0" * 40_000])
    assert ["it unpacks to more than 20,000 bytes" in one.text for one in made.verify() if "damaged" in one.text] == [
        True
    ]


def test_a_noted_link_is_compared() -> None:
    """The right one confirms, a wrong one is found at its segment."""
    made = audited([[0], [1]])
    assert made.verify(expected={1: link_of(1, made.archive.segments[1]).sha256}) == []
    assert [(one.fault, one.segment) for one in made.verify(expected={1: "f" * 64})] == [(Fault.SEGMENT_ALTERED, 1)]
