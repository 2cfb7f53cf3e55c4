"""Writers of one chain in any order of their calls: it never looks broken, and what was added never looks whole."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.audit.chain import Link, link_of, seal_segment
from domain.audit.events import AuditEvent
from domain.audit.reading import Fault
from domain.audit.writing import ChainWriter
from domain.errors import UnavailableError
from tests.worlds.audited import MIGRATION, Audited

CALLS = ("write_segment", "read_segment", "last_sequence", "read_head", "advance_head", "doubt_segments")


@dataclass
class Turn:
    """One process; each of its calls to the archive or the head waits until it is let go on."""

    made: Audited
    events: Sequence[AuditEvent]
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    stands: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    is_done: bool = False
    dies: bool = False

    def begin(self) -> None:
        """Run up to the first call."""
        threading.Thread(target=self._run, daemon=True).start()
        self.stands.acquire()

    def step(self, *, dies: bool = False) -> None:
        """Make one call, and run up to the next; a process that dies makes no call any more."""
        self.dies = dies
        self.go.release()
        self.stands.acquire()

    def __getattr__(self, name: str) -> Any:
        if name not in CALLS:
            raise AttributeError(name)
        port = self.made.head if hasattr(self.made.head, name) else self.made.archive

        def call(*arguments: Any, **named: Any) -> Any:
            self.stands.release()
            self.go.acquire()
            if self.dies:
                raise UnavailableError("the process died")
            return getattr(port, name)(*arguments, **named)

        return call

    def _run(self) -> None:
        ports: Any = self
        try:
            ChainWriter(migration=MIGRATION, archive=ports, head=ports).append_events(self.events)
            self.is_done = True
        except UnavailableError:
            pass
        self.stands.release()


schedules = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 11)), max_size=60)
"""Who makes the next call, and whether its process dies instead (0)."""


def run(made: Audited, batches: Sequence[Sequence[AuditEvent]], schedule: Sequence[tuple[int, int]]) -> None:
    """Let the processes call in this order, then each to its end; the batch of a dead one comes again."""
    turns = [Turn(made, batch) for batch in batches]
    for turn in turns:
        turn.begin()

    def step(who: int, *, dies: bool) -> None:
        turns[who].step(dies=dies)
        if dies:
            turns[who] = Turn(made, batches[who])
            turns[who].begin()

    for number, luck in schedule:
        who = number % len(turns)
        if not turns[who].is_done:
            step(who, dies=luck == 0)
    for who, turn in enumerate(turns):
        while not turn.is_done:
            step(who, dies=False)


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
            made.archive.segments[last + 1] = seal_segment([invented], after=after, migration=MIGRATION).body
        elif left:
            left[0] -= 1
        return write(sequence, body)

    vars(made.archive)["write_segment"] = write_after
    run(made, [[made.change(number)] for number in range(writers)], schedule)
    found = {one.fault for one in made.verify()}
    assert found == (set() if left else {Fault.NOT_ANCHORED, Fault.RECORD_UNKNOWN})
