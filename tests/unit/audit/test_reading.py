"""What reading the chain says of every damage: the fault, its words, and the place, so that nobody has to search."""

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

import domain.audit.chain
import domain.audit.reading
from domain.audit.chain import GENESIS, Link, canonical, event_fields, line_digest, packed, seal_segment, unpacked
from domain.audit.events import AuditEvent
from domain.audit.findings import Fault, Finding
from domain.audit.reading import ChainedEvent, ChainReader, Reading, read_event, subject_of

HEADER = {"anchored": True, "chain": "1", "count": 0, "migration": "m", "previous": GENESIS, "sequence": 1}


def events(count: int) -> list[AuditEvent]:
    """So many changes of different records."""
    return [AuditEvent(f"s{number}:1", "Object Copied", 1.0, {"n": number}) for number in range(1, count + 1)]


def lines_of(count: int) -> list[bytes]:
    """The lines of a first segment with so many events."""
    return unpacked(seal_segment(events(count), after=Link(), migration="m").body)[0]


def findings(told: Iterator[Reading]) -> list[Finding]:
    """What is wrong."""
    return [one for one in told if isinstance(one, Finding)]


def read_lines(lines: list[bytes]) -> tuple[list[Finding], int]:
    """What is wrong with a first segment of these lines, and how many events it tells all the same."""
    told = list(ChainReader("m").read(1, packed(lines)))
    return findings(iter(told)), sum(isinstance(one, ChainedEvent) for one in told)


def chain(length: int, reader: ChainReader) -> list[bytes]:
    """Segments of one event each, read one after the other without a fault."""
    bodies, after = [], Link()
    for number in range(1, length + 1):
        segment = seal_segment(events(1), after=after, migration="m")
        assert findings(reader.read(number, segment.body)) == []
        bodies.append(segment.body)
        after = segment.link
    return bodies


@pytest.mark.parametrize(("next_number", "text"), [(3, "segment 2 is missing"), (4, "segments 2 to 3 are missing")])
def test_a_gap_names_what_is_missing_and_nothing_else(next_number: int, text: str) -> None:
    """Nobody can say what the segment behind it should be linked to."""
    reader = ChainReader("m")
    chain(1, reader)
    after = Link(next_number - 1, "f" * 64)
    body = seal_segment(events(1), after=after, migration="m").body
    assert findings(reader.read(next_number, body)) == [Finding(Fault.SEGMENT_MISSING, text, 2)]


@pytest.mark.parametrize(
    ("changes", "fault", "text"),
    [
        ({}, None, ""),
        (
            {"sequence": 7},
            Fault.SEGMENT_ALTERED,
            "segment 1 says that it is segment 7: it was copied or moved here",
        ),
        ({"migration": "n"}, Fault.SEGMENT_ALTERED, "segment 1 is of the migration 'n', not 'm'"),
        ({"chain": "2"}, Fault.SEGMENT_ALTERED, "segment 1 has version '2' of the chain; this is '1'"),
        (
            {"anchored": False},
            Fault.HEAD_MISSING,
            "when segment 1 was written the head was gone: what was before may have been cut off",
        ),
        ({"sequence": "1"}, Fault.LINE_ALTERED, "segment 1 has no readable header"),
        ({"count": None}, Fault.LINE_ALTERED, "segment 1 has no readable header"),
        *(
            ({name: ...}, Fault.LINE_ALTERED, "segment 1 has no readable header")
            for name in ("chain", "migration", "previous", "anchored")
        ),
        *(({"head": head}, Fault.LINE_ALTERED, "segment 1 has no readable header") for head in (-1, 1, "0", None)),
        ({"head": 0, "anchored": False}, None, ""),
    ],
)
def test_a_header_says_what_is_wrong_with_it(changes: dict[str, Any], fault: Fault | None, text: str) -> None:
    """At line 0 of its segment."""
    header = {name: value for name, value in (HEADER | changes).items() if value is not ...}
    told = findings(ChainReader("m").read(1, packed([canonical(header)])))
    assert told == ([] if fault is None else [Finding(fault, text, 1, 0)])


def test_a_segment_that_is_not_linked_blames_the_place_before_it() -> None:
    """One of the two was replaced; before the first one there is only itself."""
    reader = ChainReader("m")
    chain(2, reader)
    body = seal_segment(events(1), after=Link(2, "f" * 64), migration="m").body
    (told,) = findings(reader.read(3, body))
    assert (told.fault, told.segment, told.line) == (Fault.SEGMENT_ALTERED, 2, None)
    first = canonical(HEADER | {"previous": "f" * 64})
    (told,) = findings(ChainReader("m").read(1, packed([first])))
    assert (told.segment, told.text[:40]) == (1, "segment 1 is not linked to the segment 0")


def test_damage_says_how_much_can_still_be_read() -> None:
    """And nothing that only follows from it, as that lines are missing."""
    told = findings(ChainReader("m").read(1, b"no gzip"))
    assert told[0].fault is Fault.LINE_ALTERED
    assert (told[1].fault, told[1].line) == (Fault.SEGMENT_ALTERED, 0)
    assert told[1].text.endswith("after 0 readable lines")
    body = packed(lines_of(400))
    (told_of_half,) = findings(ChainReader("m").read(1, body[: len(body) // 2]))
    assert told_of_half.fault is Fault.SEGMENT_ALTERED
    assert "it ends in the middle" in told_of_half.text
    assert told_of_half.line is not None
    assert told_of_half.text.endswith(f"after {told_of_half.line - 1} readable lines")
    (told_of_more,) = findings(ChainReader("m").read(1, body + b"more"))
    assert told_of_more.text == "segment 1 is damaged: something follows its end, after 400 readable lines"


@pytest.mark.parametrize(
    "changed",
    [
        b"no json",
        b"[]",
        json.dumps(json.loads(lines_of(3)[2])).encode(),
        canonical(json.loads(lines_of(3)[2]) | {"line": 2.0}),
        canonical(json.loads(lines_of(3)[2]) | {"sha256": 7}),
        canonical(json.loads(lines_of(3)[2]) | {"event": {}}),
    ],
)
def test_a_line_that_cannot_be_read_is_told_once(changed: bytes) -> None:
    """What stands behind it is taken at its word, also when the last line is gone: how many were there is unknown."""
    lines = lines_of(4)
    lines[2] = changed
    told = [Finding(Fault.LINE_ALTERED, "segment 1, line 2 cannot be read", 1, 2)]
    assert read_lines(lines) == (told, 3)
    assert read_lines(lines[:-1]) == (told, 2)


def test_an_altered_event_is_told_with_its_record() -> None:
    """Once, even where the end is cut off too."""
    lines = lines_of(3)
    lines[2] = lines[2].replace(b'"n":2', b'"n":9')
    text = "segment 1, line 2 is not what was written after line 1 (s2:1)"
    told = [Finding(Fault.LINE_ALTERED, text, 1, 2, "s2")]
    assert read_lines(lines) == (told, 3)
    assert read_lines(lines[:-1]) == (told, 2)


@pytest.mark.parametrize(
    ("order", "fault", "text", "place", "subject"),
    [
        ((0, 1, 3, 4), Fault.LINE_MISSING, "segment 1: line 2 is missing before line 2 (s3:1)", 2, "s3"),
        ((0, 1, 4), Fault.LINE_MISSING, "segment 1: lines 2 to 3 are missing before line 2 (s4:1)", 2, "s4"),
        ((0, 1, 2, 3), Fault.LINE_MISSING, "segment 1 ends at line 3, its header says 4", 4, None),
        (
            (0, 1, 1, 2, 3, 4),
            Fault.LINE_OUT_OF_ORDER,
            "segment 1, line 2 was written as line 1: inserted, repeated or moved here",
            2,
            "s1",
        ),
    ],
)
def test_lines_that_are_gone_or_moved_are_counted(
    order: tuple[int, ...], fault: Fault, text: str, place: int, subject: str | None
) -> None:
    """By the numbers that they were written with."""
    lines = lines_of(4)
    told, _ = read_lines([lines[number] for number in order])
    assert told == [Finding(fault, text, 1, place, subject)]


def test_lines_that_are_too_many_are_told() -> None:
    """Well linked, but the header knows of fewer."""
    header = canonical(HEADER | {"count": 1})
    lines, digest = [header], sha256(header).hexdigest()
    for number, event in enumerate(events(2), start=1):
        digest = line_digest(digest, canonical(event_fields(event)))
        lines.append(canonical({"line": number, "sha256": digest, "event": event_fields(event)}))
    text = "segment 1 ends at line 2, its header says 1"
    assert read_lines(lines) == ([Finding(Fault.LINE_OUT_OF_ORDER, text, 1, 2)], 2)


def test_only_the_newest_links_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded however long the chain is."""
    monkeypatch.setattr(domain.audit.reading, "REMEMBERED", 2)
    reader = ChainReader("m")
    chain(5, reader)
    assert (sorted(reader.known), reader.segments, reader.at.sequence) == ([4, 5], 5, 5)


def test_what_was_noted_elsewhere_is_compared() -> None:
    """A segment that is another one now, and one that is not there any more."""
    bodies = chain(2, ChainReader("m"))
    noted = {1: "0" * 64, 2: Link(2).sha256, 3: "f" * 64}
    reader = ChainReader("m", expected={**noted, 2: domain.audit.chain.link_of(2, bodies[1]).sha256})
    told = [one for number, body in enumerate(bodies, start=1) for one in findings(reader.read(number, body))]
    assert [(one.fault, one.segment) for one in told] == [(Fault.SEGMENT_ALTERED, 1)]
    assert list(reader.end(reader.at, reader.at)) == [
        Finding(Fault.CHAIN_TRUNCATED, "segment 3 was noted when it was written, but the chain ends at 2", 3)
    ]


def test_the_end_is_compared_with_the_head() -> None:
    """Cut off, not anchored yet, without a head, or another one; a head that moves on meanwhile is none of these."""
    reader = ChainReader("m")
    chain(2, reader)
    at, later, last = reader.at, Link(3, "a" * 64), Link(4, "b" * 64)
    assert list(reader.end(at, at)) == list(reader.end(None, at)) == list(reader.end(at, later)) == []
    said = "the chain ends at segment 2, the head says {}: {} removed"
    assert list(reader.end(later, last)) == [Finding(Fault.CHAIN_TRUNCATED, said.format(3, "segment 3 is"), 3)]
    assert list(reader.end(last, last)) == [Finding(Fault.CHAIN_TRUNCATED, said.format(4, "segments 3 to 4 are"), 3)]
    assert list(reader.end(at, None)) == [
        Finding(Fault.HEAD_MISSING, "the chain has 2 segments but no head in DynamoDB")
    ]
    assert list(ChainReader("m").end(None, None)) == []
    (behind,) = reader.end(Link(1, reader.known[1]), Link(1, reader.known[1]))
    assert (behind.fault, behind.segment) == (Fault.NOT_ANCHORED, 2)
    (other,) = reader.end(None, Link(2, "c" * 64))
    assert (other.fault, other.segment) == (Fault.HEAD_REPLACED, 2)
    both = reader.end(Link(1, "c" * 64), Link(2, "d" * 64))
    assert [(one.fault, one.segment) for one in both] == [(Fault.HEAD_REPLACED, 1), (Fault.HEAD_REPLACED, 2)]


@pytest.mark.parametrize(
    ("event_id", "said"),
    [
        ("a:7", ("a", 7, "")),
        ("a:7:removed", ("a", 7, "removed")),
        ("a", ("a", None, "")),
        ("a:x:y", ("a", None, "y")),
        ("a:²", ("a", None, "")),
        ("a:" + "9" * 18, ("a", int("9" * 18), "")),
        ("a:" + "9" * 19, ("a", None, "")),
    ],
)
def test_an_events_id_tells_its_subject_and_its_number(event_id: str, said: tuple[str, int | None, str]) -> None:
    """No number is larger than what 64 bits hold."""
    assert subject_of(event_id) == said


def test_the_event_of_a_line_is_read_also_without_its_links() -> None:
    """For ``audit show``; the header, and whatever is not a line, tells none."""
    header, line = lines_of(1)
    said = json.loads(line)
    assert read_event(line) == said["event"]
    bad = [said | {"line": "1"}, said | {"sha256": 7}, said | {"event": []}]
    bad += [said | {"event": said["event"] | one} for one in ({"event_id": 7}, {"detail": None})]
    assert [read_event(one) for one in (header, b"[]", b"{", *map(canonical, bad))] == [None] * 8


def test_a_segment_unpacks_to_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte above the limit is refused, before the rest is unpacked."""
    monkeypatch.setattr(domain.audit.chain, "MAX_SEGMENT_BYTES", 10)
    assert unpacked(packed([b"123456789"])) == ([b"123456789"], None)
    for size in (10, 11, 5_000):
        assert unpacked(packed([b"x" * size])) == ([], "it unpacks to more than 10 bytes")


def test_the_same_events_are_the_same_bytes_and_anchored() -> None:
    """A writer that repeats itself writes what is there already."""
    one, other = (seal_segment(events(2), after=Link(), migration="m") for _ in range(2))
    assert one == other
    assert json.loads(unpacked(one.body)[0][0]) == HEADER | {"count": 2, "head": 0}
    assert canonical({"ü": 1}) == b'{"\\u00fc":1}'
