"""Appending to the chain: beside other writers, and after every crash."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.audit.chain import Link, link_of, unpacked
from domain.audit.findings import Fault
from domain.errors import ThrottledError, UnavailableError
from tests.worlds.audited import Audited, audited

pytestmark = pytest.mark.usefixtures("each_chain")


def test_no_events_make_no_segment() -> None:
    """Nothing to store, nothing stored."""
    made = audited([])
    assert made.writer().append_events([]) is None
    assert made.archive.segments == {}


def test_equal_events_are_equal_bytes() -> None:
    """A segment holds no time of its own, so a repeat is recognised."""
    assert audited([[1, 2], [1]]).archive.segments == audited([[1, 2], [1]]).archive.segments


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=12))
def test_writers_that_take_turns_make_one_chain(turns: list[tuple[int, int]]) -> None:
    """Each finds out by itself how far the others have gone."""
    made = Audited()
    writers = [made.writer() for _ in range(3)]
    for writer, number in turns:
        writers[writer].append_events([made.change(number)])
    assert made.verify() == []
    assert made.figures.segments == len(turns)


@pytest.mark.parametrize("call", ["write_segment", "advance_head"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("process", ["same", "new"])
def test_a_crash_between_segment_and_head_is_mended_by_the_repeat(call: str, when: str, process: str) -> None:
    """The batch comes again and finds its own segment; once it is anchored a repeat is told as one."""
    made = audited([[0]])
    writer = made.writer()
    place = made.archive if call == "write_segment" else made.head
    place.fail_next(UnavailableError("no answer"), when="after" if when == "after" else "before", call=call)
    events = [made.change(0)]
    with pytest.raises(UnavailableError):
        writer.append_events(events)
    (writer if process == "same" else made.writer()).append_events(events)
    assert made.verify() == []
    is_anchored = (call, when) == ("advance_head", "after")
    assert (made.figures.segments, made.figures.repeated) == ((3, 1) if is_anchored else (2, 0))


def test_a_segment_that_its_writer_never_anchored_is_built_upon_and_said_so() -> None:
    """Another batch follows it; the chain is whole when the dead writer's batch has come again."""
    made = audited([[0]])
    lost = [made.change(0)]
    made.head.fail_next(UnavailableError("the process dies"), call="advance_head")
    with pytest.raises(UnavailableError):
        made.writer().append_events(lost)
    assert [one.fault for one in made.verify()] == [Fault.NOT_ANCHORED]
    made.writer().append_events([made.change(1)])
    assert [(one.fault, one.segment) for one in made.verify()] == [(Fault.NOT_ANCHORED, 2)]
    made.writer().append_events(lost)
    assert made.verify() == []
    assert (made.figures.segments, made.figures.repeated) == (4, 1)


def test_a_writer_far_behind_goes_by_the_head() -> None:
    """It does not read every segment that others wrote meanwhile."""
    made = Audited()
    slow, quick = made.writer(), made.writer()
    slow.append_events([made.change(0)])
    for _ in range(20):
        quick.append_events([made.change(0)])
    made.archive.calls.clear()
    slow.append_events([made.change(0)])
    assert made.archive.calls.count("read_segment") == 0
    assert made.verify() == []


def test_a_lost_head_is_remembered_in_the_chain() -> None:
    """The next segment says that it found none, so that a cut-off before it is not forgotten."""
    made = audited([[0], [0]])
    made.head.head = None
    made.writer().append_events([made.change(0)])
    assert [(one.fault, one.segment) for one in made.verify()] == [(Fault.HEAD_MISSING, 3)]
    made.writer().append_events([made.change(0)])
    assert len(made.verify()) == 1


def test_a_segment_that_vanishes_is_a_doubt() -> None:
    """It was refused because one was there, and then none is: try again, conclude nothing."""
    made = audited([[0]])

    class Vanishing(type(made.archive)):  # type: ignore[misc]
        def write_segment(self, sequence: int, body: bytes) -> bool:
            return False

    made.archive = Vanishing()
    with pytest.raises(UnavailableError):
        made.writer().append_events([made.change(0)])


def test_a_writer_that_is_never_quick_enough_gives_the_batch_back() -> None:
    """It does not try for ever."""
    made = audited([[0]])

    class Contended(type(made.archive)):  # type: ignore[misc]
        def write_segment(self, sequence: int, body: bytes) -> bool:
            self.segments.setdefault(sequence, b"theirs")
            return False

    made.archive = Contended()
    made.head.head = None
    with pytest.raises(ThrottledError):
        made.writer().append_events([made.change(0)])


def test_links_are_of_the_stored_bytes() -> None:
    """Whoever has the object can compute its link with sha256sum."""
    made = audited([[0]])
    assert made.head.head == link_of(1, made.archive.segments[1]) != Link()


class Overtaken(Audited):
    """``steps`` happen in turn, each just before a slow writer's next try to store a segment."""

    def overtake(self, *steps: Callable[[], object]) -> None:
        """Let these be quicker than whoever writes next."""
        left, write = list(steps), self.archive.write_segment

        def write_late(sequence: int, body: bytes) -> bool:
            if left:
                left.pop(0)()
            return write(sequence, body)

        vars(self.archive)["write_segment"] = write_late

    def slow_writer(self, *numbers: int, then: Callable[[], object] = lambda: None) -> Callable[[], object]:
        """A writer that stores its segment; ``then`` happens before it comes to its anchor."""

        def act() -> None:
            advance = self.head.advance_head

            def advance_late(link: Link) -> bool:
                vars(self.head)["advance_head"] = advance
                then()
                return advance(link)

            vars(self.head)["advance_head"] = advance_late
            self.writer().append_events([self.change(number) for number in numbers])

        return act


def test_three_writers_that_begin_at_once_make_one_whole_chain() -> None:
    """The first two are not anchored when the third goes on after them; they tell their events again."""
    made = Overtaken()
    third = lambda: made.writer().append_events([made.change(3)])  # noqa: E731
    second = made.slow_writer(2, then=third)
    made.slow_writer(1, then=second)()
    assert made.verify() == []
    assert made.archive.calls.count("last_sequence") >= 1
    assert (made.figures.segments, made.figures.repeated) == (5, 2)


@given(st.lists(st.sampled_from(["plain", "slow"]), min_size=1, max_size=6), st.integers(0, 2))
def test_slow_writers_inside_each_other_make_one_whole_chain(kinds: list[str], before: int) -> None:
    """However many have stored and not anchored when another one goes on."""
    made = Overtaken()
    for _ in range(before):
        made.writer().append_events([made.change(9)])
    step: Callable[[], object] = lambda: None  # noqa: E731
    for number, kind in enumerate(kinds):
        inner = step
        if kind == "slow":
            step = made.slow_writer(number, then=inner)
        else:

            def step(number: int = number, inner: Callable[[], object] = inner) -> None:
                made.writer().append_events([made.change(number)])
                inner()

    step()
    assert made.verify() == []


def test_a_head_that_moves_on_before_the_doubt_is_believed() -> None:
    """The slow writer anchored its segment just before another one doubted it, which then says that it is anchored."""
    made = Overtaken()
    made.writer().append_events([made.change(0)])
    doubt = made.head.doubt_segments
    finished: list[Callable[[], object]] = []

    def doubt_late(last: int, *, seen: Link | None) -> bool:
        for finish in finished:
            finish()
        finished.clear()
        return doubt(last, seen=seen)

    vars(made.head)["doubt_segments"] = doubt_late

    def second() -> None:
        body = made.archive.segments[2]
        finished.append(lambda: made.head.advance_head(link_of(2, body)))
        made.writer().append_events([made.change(2)])

    made.slow_writer(1, then=second)()
    assert made.verify() == []
    assert json.loads(unpacked(made.archive.segments[3])[0][0])["head"] == 2


def test_others_who_anchored_meanwhile_are_no_lost_head() -> None:
    """The writer saw an empty chain; when it was refused there were segments, and their head."""
    made = Overtaken()
    quick = made.writer()
    made.overtake(lambda: [quick.append_events([made.change(number)]) for number in range(3)])
    made.writer().append_events([made.change(9)])
    assert made.verify() == []
    assert made.figures.segments == 4
    assert made.archive.calls.count("last_sequence") == 0
