"""Chains of several shards: what is done to one of them, or to the head of heads, is found; what is honest is not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.audit.chain import MISSING_SHARD, Link, NamedLink, header_of, link_of, seal_segment
from domain.audit.chains import ChainSet
from domain.audit.events import AuditEvent, audit_event
from domain.audit.findings import Fault, Finding
from domain.audit.ports import StoredSegment
from domain.audit.sharding import NAMED_EVERY, newest_named
from domain.audit.verification import QUIET_SECONDS, STREAM_SECONDS
from domain.errors import UnavailableError
from tests.fakes.archive import InMemorySegmentArchive
from tests.worlds.audited import LONG_AGO, MIGRATION, VERIFIED_AT, Audited, Writer, verifier_of
from tests.worlds.turns import run

FIRST, SECOND = "shardId-b", "shardId-d"
CHILD, OTHER_CHILD, GRANDCHILD = "shardId-a", "shardId-c", "shardId-e"
PARENTS = {CHILD: FIRST, OTHER_CHILD: FIRST, GRANDCHILD: CHILD}
Batch = tuple[str, Sequence[int]]
objects = st.lists(st.integers(0, 3), min_size=1, max_size=3)
histories = st.lists(st.tuples(st.integers(0, 1), objects), min_size=3, max_size=8)


@dataclass
class Stream:
    """A stream of two shards, of which the first splits; an object's changes come through one shard at a time."""

    made: Audited = field(default_factory=Audited)
    writers: dict[str, Writer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.made.shards.parents = dict(PARENTS)

    def tell(self, shard: str, numbers: Sequence[int]) -> None:
        """Changes of objects of this shard's family, in a batch."""
        family = 10 if shard == SECOND else 0
        writer = self.writers.setdefault(shard, self.made.writer(shard))
        writer.append_events([self.made.change(family + number) for number in numbers])

    def archive(self, shard: str) -> InMemorySegmentArchive:
        """The segments of a chain."""
        return self.made.chains.archive(shard)


def told(history: Sequence[tuple[int, Sequence[int]]], *, splits: bool = True) -> Stream:
    """A history of both shards; after its first half the first shard's changes come through a child."""
    stream = Stream()
    stream.tell(FIRST, [0])
    stream.tell(SECOND, [0])
    for number, (which, numbers) in enumerate(history):
        first = CHILD if splits and number >= len(history) // 2 else FIRST
        stream.tell(SECOND if which else first, numbers)
    return stream


def whats(found: Sequence[Finding]) -> set[tuple[Fault, str]]:
    """The faults with their chains."""
    return {(one.fault, one.shard) for one in found}


@given(histories, st.booleans())
def test_untouched_chains_are_good(history: list[tuple[int, list[int]]], splits: bool) -> None:
    """A child's id may stand before its parent's; each chain is read after the one that it continues."""
    stream = told(history, splits=splits)
    assert stream.made.verify() == []
    figures = stream.made.figures
    assert figures.events == 2 + sum(len(numbers) for _, numbers in history)
    assert figures.chains == len([one for one in stream.made.chains.archives.values() if one.segments])
    assert figures.records == len(stream.made.manifest.records)


def test_a_chain_that_is_handed_on_leaves_the_head_of_heads() -> None:
    """Its child's first segment tells its end, and what is left to note is the ends of the others."""
    stream = Stream()
    stream.tell(FIRST, [0])
    stream.tell(SECOND, [0])
    stream.tell(FIRST, [1])
    end = stream.made.chains.head(FIRST).head
    stream.tell(CHILD, [0])
    assert end is not None
    header = header_of(stream.archive(CHILD).segments[1])
    assert header["after"] == {"shard": FIRST, "sequence": 2, "sha256": end.sha256}
    assert [one["shard"] for one in header["others"]] == [FIRST, SECOND]
    assert sorted(stream.made.heads.heads) == [CHILD, SECOND]
    stream.tell(OTHER_CHILD, [2])
    assert sorted(stream.made.heads.heads) == [CHILD, OTHER_CHILD, SECOND]
    assert stream.made.verify() == []
    assert [end.partition("/")[0] for end in stream.made.figures.ends] == [CHILD, OTHER_CHILD, SECOND]


def test_a_generation_without_changes_is_passed_over() -> None:
    """The grandchild continues the nearest ancestor that has a chain."""
    stream = Stream()
    stream.tell(FIRST, [0])
    stream.tell(GRANDCHILD, [0])
    assert header_of(stream.archive(GRANDCHILD).segments[1])["after"]["shard"] == FIRST
    assert stream.made.verify() == []


def test_an_ancestor_that_is_not_listed_any_more_stays_in_the_head_of_heads() -> None:
    """The stream forgets a shard a day after its end; then its chain is told there for good."""
    stream = Stream()
    stream.tell(FIRST, [0])
    stream.made.shards.parents.clear()
    stream.tell(CHILD, [0])
    assert "after" not in header_of(stream.archive(CHILD).segments[1])
    assert sorted(stream.made.heads.heads) == [CHILD, FIRST]
    assert stream.made.verify() == []


@pytest.mark.parametrize(
    "order", [(MISSING_SHARD, FIRST), (MISSING_SHARD, FIRST, MISSING_SHARD), (FIRST, MISSING_SHARD)]
)
def test_the_earlier_layout_is_continued(order: Sequence[str]) -> None:
    """Events without a shard and with one, as before and after a deployment and when it is taken back."""
    stream = Stream()
    for shard in order:
        stream.made.writer(shard).append_events([stream.made.change(0), stream.made.change(1)])
    assert stream.made.verify() == []
    if order[0] == MISSING_SHARD:
        after = header_of(stream.archive(FIRST).segments[1])["after"]
        assert (after["shard"], after["sequence"]) == (MISSING_SHARD, 1)


def remove(stream: Stream, shard: str, *, head: bool, name: bool) -> None:
    """A whole chain, and what names it as far as the table is within reach."""
    stream.archive(shard).segments.clear()
    if head:
        stream.made.chains.head(shard).head = None
    if name:
        stream.made.heads.heads.pop(shard, None)


@given(histories, st.booleans(), st.booleans(), st.sampled_from([FIRST, SECOND]))
def test_a_chain_that_is_removed_as_a_whole_is_found(
    history: list[tuple[int, list[int]]], head: bool, name: bool, shard: str
) -> None:
    """With its head and its name in the table too: the other chains tell of it, also of one that was handed on."""
    stream = told([*history, (0, [0])])
    for _ in range(NAMED_EVERY):
        stream.tell(CHILD, [1])
    remove(stream, shard, head=head, name=name)
    assert (Fault.CHAIN_MISSING, shard) in whats(stream.made.verify())


def test_a_chain_that_no_other_one_told_of_is_missed_by_the_records() -> None:
    """It began last; with its head and its name it goes like a cut-off end."""
    stream = Stream()
    stream.tell(FIRST, [0])
    stream.tell(SECOND, [0])
    remove(stream, SECOND, head=False, name=True)
    assert whats(stream.made.verify()) == {(Fault.RECORD_UNAUDITED, "")}


def unnamed(stream: Stream) -> None:
    """The name of a chain that goes on."""
    del stream.made.heads.heads[SECOND]


def all_unnamed(stream: Stream) -> None:
    """The whole item."""
    stream.made.heads.heads.clear()


def otherwise(stream: Stream) -> None:
    """Another segment in the same place."""
    stream.made.heads.heads[SECOND] = Link(1, "f" * 64)


def further(stream: Stream) -> None:
    """A segment that was never written."""
    stream.made.heads.heads[SECOND] = Link(90, "f" * 64)


def set_back(stream: Stream) -> None:
    """An earlier name, once true."""
    for _ in range(NAMED_EVERY):
        stream.tell(SECOND, [1])
    stream.made.heads.heads[SECOND] = link_of(1, stream.archive(SECOND).segments[1])


def invented(stream: Stream) -> None:
    """A chain that never was."""
    stream.made.heads.heads[GRANDCHILD] = Link(1, "f" * 64)


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (unnamed, {(Fault.CHAIN_UNNAMED, SECOND)}),
        (all_unnamed, {(Fault.CHAIN_UNNAMED, SECOND), (Fault.CHAIN_UNNAMED, CHILD)}),
        (otherwise, {(Fault.HEAD_REPLACED, SECOND)}),
        (further, {(Fault.CHAIN_TRUNCATED, SECOND)}),
        (set_back, {(Fault.HEAD_REPLACED, SECOND)}),
        (invented, {(Fault.CHAIN_MISSING, GRANDCHILD)}),
    ],
)
def test_a_changed_head_of_heads_is_found(tamper: Callable[[Stream], None], found: set[tuple[Fault, str]]) -> None:
    """Each entry, and all of them."""
    stream = told([(0, [0]), (0, [0])])
    assert stream.made.verify() == []
    tamper(stream)
    assert whats(stream.made.verify()) == found


@given(histories)
def test_a_segment_of_another_chain_is_located(history: list[tuple[int, list[int]]]) -> None:
    """It lies at its own number, and says whose it is."""
    stream = told(history, splits=False)
    stream.archive(SECOND).segments[1] = stream.archive(FIRST).segments[1]
    found = [one for one in stream.made.verify() if one.fault is Fault.SEGMENT_ALTERED]
    assert (SECOND, 1, 0) in [(one.shard, one.segment, one.line) for one in found]
    assert any(f"says that it is of the chain {FIRST}" in one.text for one in found)


def forged(stream: Stream, shard: str, sequence: int, events: Sequence[AuditEvent], **ties: Any) -> None:
    """A segment with right links, its head and its name: what a program makes that may write everywhere."""
    archive = stream.archive(shard)
    after = link_of(sequence - 1, archive.segments[sequence - 1]) if sequence > 1 else Link()
    segment = seal_segment(events, after=after, migration=MIGRATION, shard=shard, ties=ties)
    archive.segments[sequence] = segment.body
    stream.made.chains.head(shard).head = segment.link
    stream.made.heads.heads[shard] = segment.link


def test_a_chain_that_was_written_again_contradicts_what_others_told_of_it() -> None:
    """Head and name fit; the header of another chain has the link that was there."""
    stream = told([(0, [0]), (0, [0])], splits=False)
    stream.tell(CHILD, [0])
    forged(stream, SECOND, 1, [AuditEvent("s:1", "Object Copied", 1.0, {})])
    assert (Fault.SEGMENT_ALTERED, SECOND) in whats(stream.made.verify())


def test_a_link_that_a_header_invents_is_found() -> None:
    """It stands in an added segment, of a chain that is not there."""
    stream = told([(0, [0])], splits=False)
    told_link = {"shard": GRANDCHILD, "sequence": 1, "sha256": "e" * 64}
    last = len(stream.archive(FIRST).segments)
    forged(stream, FIRST, last + 1, [stream.made.change(5)], others=[told_link])
    assert (Fault.CHAIN_MISSING, GRANDCHILD) in whats(stream.made.verify())


@pytest.mark.parametrize("others", [{"a": 1}, [1], [{"shard": "../x", "sequence": 1, "sha256": ""}]])
def test_a_header_that_tells_nonsense_of_others_is_a_finding(others: Any) -> None:
    """And neither a crash nor a request for a strange key."""
    stream = Stream()
    forged(stream, FIRST, 1, [stream.made.change(5)], others=others)
    found = [one for one in stream.made.verify() if one.fault is Fault.LINE_ALTERED]
    assert [(one.shard, one.segment, one.line) for one in found] == [(FIRST, 1, 0)]


def test_a_folder_that_is_not_a_shards_is_found() -> None:
    """Once, however often the end is read."""
    stream = told([(0, [0])])
    stream.made.chains.strange.append("shards/x")
    assert whats(stream.made.verify()) == {(Fault.SEGMENT_FOREIGN, "")}


def test_two_chains_that_continue_each_other_do_not_end_the_reading() -> None:
    """Only a forger makes them; both are read."""
    stream = Stream()
    for shard, after in ((FIRST, SECOND), (SECOND, FIRST)):
        link = {"shard": after, "sequence": 1, "sha256": "e" * 64}
        forged(stream, shard, 1, [stream.made.change(5)], after=link)
    faults = whats(stream.made.verify())
    assert {(Fault.SEGMENT_ALTERED, FIRST), (Fault.HEAD_REPLACED, FIRST)} & faults


def of_record(stream: Stream, *revisions: int) -> list[AuditEvent]:
    """So many tellings of one object's changes."""
    while True:
        stream.made.change(0)
        record = next(iter(stream.made.manifest.records.values()))
        if record.revision >= max(revisions):
            break
    records = {after.revision: after for _, after in stream.made.manifest.changes}
    return [audit_event(records[number], migration=MIGRATION) for number in revisions]


def test_a_change_that_a_child_tells_too_late_is_out_of_order() -> None:
    """Its parent told a later change before."""
    stream = Stream()
    first, second, third = of_record(stream, 1, 2, 3)
    for shard, event in ((FIRST, first), (FIRST, third), (CHILD, second)):
        stream.made.writer(shard).append_events([event])
    assert (Fault.REVISION_OUT_OF_ORDER, CHILD) in whats(stream.made.verify())


def test_a_change_that_no_chain_tells_is_missing_where_the_next_one_is_told() -> None:
    """Whichever chain that is."""
    stream = Stream()
    first, third = of_record(stream, 1, 3)
    for shard, event in ((FIRST, first), (CHILD, third)):
        stream.made.writer(shard).append_events([event])
    (found,) = stream.made.verify()
    assert (found.fault, found.shard, found.segment, found.line) == (Fault.REVISION_MISSING, CHILD, 1, 1)
    assert "revision 2 is missing before revision 3" in found.text


def test_a_link_of_a_shard_that_was_noted_elsewhere_is_compared() -> None:
    """Also where nothing of that chain is left, and nothing names it."""
    stream = told([(0, [0])], splits=False)
    noted = link_of(1, stream.archive(SECOND).segments[1]).sha256
    chains = ChainSet(stream.made.chains, MIGRATION, {SECOND: {1: noted}, GRANDCHILD: {7: "f" * 64}})
    verifier = replace(verifier_of(stream.made), chains=chains)
    found = [*verifier.read_chains(), *verifier.settle(stream.made.manifest, stream.made.items, now=VERIFIED_AT)]
    assert (Fault.CHAIN_TRUNCATED, GRANDCHILD) in whats(found)
    assert SECOND not in {one.shard for one in found if one.fault is not Fault.RECORD_UNAUDITED}


# Honest interleavings
@pytest.mark.parametrize(
    ("age", "counted"),
    [(0, (1, 0, 0)), (QUIET_SECONDS, (0, 1, 0)), (STREAM_SECONDS - 1, (0, 1, 0)), (STREAM_SECONDS, (0, 0, 1))],
)
@pytest.mark.parametrize("call", ["advance_head", "name_chain"])
def test_a_chain_that_begins_may_not_be_named_yet(call: str, age: float, counted: tuple[int, int, int]) -> None:
    """Its writer stands between the segment and the head, or between the head and the name."""
    stream = told([(0, [0])], splits=False)
    events = [stream.made.change(5)]
    archive = stream.archive(CHILD)
    archive.now = VERIFIED_AT - age
    segment = seal_segment(events, after=Link(), migration=MIGRATION, shard=CHILD)
    assert archive.write_segment(1, segment.body)
    if call == "name_chain":
        assert stream.made.chains.head(CHILD).advance_head(segment.link)
    stream.made.verify()
    figures = stream.made.figures
    share = 1 if call == "name_chain" else 2  # neither anchored nor named
    assert (figures.pending, figures.late, figures.findings) == tuple(share * one for one in counted)


@pytest.mark.parametrize("when", range(13))
@pytest.mark.parametrize("shard", [FIRST, SECOND, CHILD, GRANDCHILD])
def test_writers_that_go_on_during_a_verification_break_nothing(when: int, shard: str) -> None:
    """Chains grow and begin between any two reads; what they tell of each other may be read before what they tell."""
    stream = told([(0, [0]), (1, [0])], splits=False)
    left = [when]

    def read(archive: InMemorySegmentArchive) -> Callable[..., Any]:
        whole = archive.read_segments

        def read_beside(*, after: int = 0) -> Any:
            found: list[StoredSegment] = list(whole(after=after))
            if left and not left[0]:
                left.clear()
                for other in (SECOND, CHILD, shard):
                    for _ in range(NAMED_EVERY + 1):
                        stream.tell(other, [1])
            elif left:
                left[0] -= 1
            return iter(found)

        return read_beside

    for one in (MISSING_SHARD, FIRST, SECOND, CHILD):
        vars(stream.archive(one))["read_segments"] = read(stream.archive(one))
    assert stream.made.verify(now=LONG_AGO) == []


CALLS = ("read_heads", "find_parent", "parent.read_head", "read_head", "write_segment", "advance_head", "name_chain")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("process", ["same", "old", "new"])
@pytest.mark.parametrize("before", [0, 1, NAMED_EVERY - 1, NAMED_EVERY])
def test_a_process_that_dies_at_any_call_leaves_a_whole_audit(call: str, when: Any, process: str, before: int) -> None:
    """In a chain's first segments and where it is named; other chains go on meanwhile, then the batch comes again.

    It comes to a process that begins, to the same one after an error, or to one that wrote all segments before.
    """
    stream = Stream()
    stream.tell(FIRST, [0])
    for _ in range(before):
        stream.tell(CHILD, [1])
    chains = stream.made.chains
    child: list[Any] = [chains.head(CHILD), chains.archive(CHILD), stream.made.heads, stream.made.shards]
    name, ports = call.removeprefix("parent."), [chains.head(FIRST)] if "." in call else child
    (port,) = (one for one in ports if hasattr(one, name))
    port.fail_next(UnavailableError("no answer"), when=when, call=name)
    old = stream.writers.setdefault(CHILD, stream.made.writer(CHILD))
    writer = old if process == "old" else stream.made.writer(CHILD)
    events, died = [stream.made.change(2)], False
    try:
        writer.append_events(events)
    except UnavailableError:
        died = True
    port.forget_faults()
    stream.tell(SECOND, [0])
    (stream.made.writer(CHILD) if process == "new" else writer).append_events(events)
    stream.tell(CHILD, [3])
    assert stream.made.verify() == []
    assert stream.made.heads.heads[CHILD].sequence >= newest_named(len(stream.archive(CHILD).segments))
    assert {CHILD, SECOND} <= set(stream.made.heads.heads) <= {CHILD, SECOND, FIRST}
    # Only a segment that was anchored is told again. Another one is found, and so is one after the process's last one.
    is_answer_lost = (call, when) == ("advance_head", "after") and (process != "old" or not before)
    assert stream.made.figures.repeated == (not died or call == "name_chain" or is_answer_lost)


@given(
    st.lists(st.sampled_from([FIRST, SECOND]), min_size=2, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 11)), max_size=60),
)
def test_writers_of_several_shards_in_any_order_make_whole_chains(
    shards: list[str], schedule: list[tuple[int, int]]
) -> None:
    """Whichever is slow or dies at whichever call; two of them may have one shard, as after a time-out."""
    made = Audited()
    run(made, [[made.change(number)] for number in range(len(shards))], schedule, shards)
    assert made.verify() == []
    assert made.figures.events - made.figures.repeated == len(shards)


@given(st.lists(st.integers(0, 2), max_size=60))
def test_a_writer_makes_no_call_more_because_of_writers_of_other_shards(order: list[int]) -> None:
    """Whatever order their calls come in, each makes those that it makes alone: it neither waits nor tries again."""
    shards = [FIRST, SECOND, GRANDCHILD]
    made = Audited()
    run(made, [[made.change(number)] for number in range(3)], [(who, 1) for who in order], shards)
    for shard in shards:
        assert made.chains.archive(shard).calls == ["write_segment"]
        assert made.chains.head(shard).calls == ["read_head", "advance_head"]
    assert sorted(made.heads.calls) == ["name_chain"] * 3 + ["read_heads"] * 3
    assert made.verify() == []


def test_the_link_is_told_once_for_a_chain_that_is_named() -> None:
    """A sixteenth of the segments asks for the other chains; the rest costs what it cost before."""
    stream = Stream()
    for _ in range(2 * NAMED_EVERY + 1):
        stream.tell(FIRST, [0])
    assert stream.made.heads.calls == ["read_heads", "name_chain"] * 3
    assert NamedLink(FIRST, stream.made.heads.heads[FIRST]).link.sequence == 2 * NAMED_EVERY + 1
