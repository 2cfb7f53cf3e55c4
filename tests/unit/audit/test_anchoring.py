"""What reading the chain says of the head that each segment's writer saw."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from domain.audit.chain import Link, canonical, link_of, packed, seal_segment, unpacked
from domain.audit.events import AuditEvent
from domain.audit.findings import Fault, Finding
from domain.audit.reading import BuiltUpon, ChainedEvent, ChainReader, Reading


def told(heads: Sequence[int]) -> Iterator[tuple[int, Reading]]:
    """What is told of a chain whose writers saw the head at these numbers, each with its segment."""
    reader, after = ChainReader("m"), Link()
    for sequence, head in enumerate(heads, start=1):
        event = AuditEvent(f"s:{sequence}", "Object Copied", 1.0, {})
        segment = seal_segment([event], after=after, migration="m", head=head)
        for one in reader.read(sequence, segment.body):
            yield sequence, one
        after = segment.link


@pytest.mark.parametrize(
    ("heads", "built_upon"),
    [
        ((0, 1, 2, 3), []),
        ((0, 0, 2), [(2, BuiltUpon(1, 1))]),
        ((0, 0, 0, 3), [(2, BuiltUpon(1, 1)), (3, BuiltUpon(1, 2))]),
        ((0, 1, 1, 2), [(3, BuiltUpon(2, 2)), (4, BuiltUpon(3, 3))]),
    ],
)
def test_segments_beyond_the_head_are_told(heads: Sequence[int], built_upon: list[tuple[int, BuiltUpon]]) -> None:
    """By the segment that was built upon them; nothing is wrong with it."""
    assert [(number, one) for number, one in told(heads) if not isinstance(one, ChainedEvent)] == built_upon


def test_a_head_that_went_back_is_found() -> None:
    """Once, where it was seen; what follows is as it should be."""
    found = [(number, one) for number, one in told((0, 1, 2, 1, 4)) if not isinstance(one, ChainedEvent)]
    text = (
        "when segment 4 was written the head was at 1, and at 2 before that: it was removed or set back and segments "
        "may be cut off, or another program added earlier ones"
    )
    assert found == [(4, Finding(Fault.HEAD_MISSING, text, 4, 0))]


def test_the_head_of_a_segment_in_another_place_counts_for_nothing() -> None:
    """A later segment over an earlier one is found there, and not again at each that follows."""
    bodies, after = list[bytes](), Link()
    for sequence in range(1, 6):
        segment = seal_segment([AuditEvent(f"s:{sequence}", "x", 1.0, {})], after=after, migration="m")
        bodies.append(segment.body)
        after = segment.link
    bodies[1] = bodies[4]
    reader, found = ChainReader("m"), list[Any]()
    for sequence, body in enumerate(bodies, start=1):
        found += [one for one in reader.read(sequence, body) if isinstance(one, Finding)]
    assert {(one.fault, one.segment) for one in found} == {(Fault.SEGMENT_ALTERED, 1), (Fault.SEGMENT_ALTERED, 2)}


@pytest.mark.parametrize("anchored", [True, False])
def test_a_segment_of_an_earlier_version_says_only_whether_there_was_a_head(*, anchored: bool) -> None:
    """Its header has no number, and it is read as it was."""
    lines = unpacked(seal_segment([AuditEvent("s:1", "x", 1.0, {})], after=Link(), migration="m").body)[0]
    header = {"anchored": anchored, "chain": "1", "count": 0, "migration": "m", "previous": "0" * 64, "sequence": 1}
    body = packed([canonical(header)])
    assert b'"head":0' in lines[0]
    reader = ChainReader("m")
    text = "when segment 1 was written the head was gone: what was before may have been cut off"
    assert list(reader.read(1, body)) == ([] if anchored else [Finding(Fault.HEAD_MISSING, text, 1, 0)])
    following = seal_segment([AuditEvent("s:2", "x", 1.0, {})], after=link_of(1, body), migration="m").body
    assert [type(one) for one in reader.read(2, following)] == [ChainedEvent]
