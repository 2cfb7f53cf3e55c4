"""The count of all records as a run: each once, however often its processes are killed, in bounded memory."""

from collections import Counter
from random import Random

import pytest

from domain.keys import Location
from domain.protocol.causes import Cause
from domain.protocol.ports import RecordPage
from domain.protocol.record import Record, State
from domain.runs.run import Run
from domain.runs.works import Work
from handlers.operations import segments
from handlers.operations.count_run import CountOptions, count_records, counted_of, options_of
from handlers.operations.record_counts import RecordCounts
from handlers.operations.runs import RunView, begin_run
from tests.fakes.clock import FakeClock
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.runs import InMemoryRunBook
from tests.worlds.runs import process_through_kills, worker_of

RECORDS, SEGMENTS, AT_ONCE = 90, 4, 3


class Counting:
    """A table of records in some states, and the run that counts them."""

    def __init__(self) -> None:
        self.manifest, self.book, self.clock = InMemoryManifest(), InMemoryRunBook(), FakeClock()
        for number in range(RECORDS):
            source = Location("line-1", f"old/{number}")
            state, cause = (State.PARKED, Cause.KMS) if number % 3 == 0 else (State.COPIED, None)
            self.manifest.records[source.record_id] = Record(source, Location("line-1", "new"), state, cause=cause)
        self.options = CountOptions(SEGMENTS)
        self.run = Run(Work.COUNT.value, "r", SEGMENTS, self.options.as_options())
        assert begin_run(self.book, self.run) is None
        self.largest = 0

    def read_page(self, segment: int, many: int, *, cursor: str, at_most: int) -> RecordPage:
        """See RecordPages."""
        page = self.manifest.read_page(segment, many, cursor=cursor, at_most=at_most)
        self.largest = max(self.largest, len(page.records))
        return page

    def process(self) -> None:
        """A process works until it has nothing to do."""
        work = RecordCounts(self, options_of(self.run.options).segments, count_records, sleep=self.clock.advance)
        worker_of(self.book, self.run, work, self.clock).work_off()

    def assert_whole(self) -> None:
        """Every record under its state and its cause, and no line is kept."""
        view = RunView(self.book, self.run)
        assert not list(view.look())
        counted = counted_of(view.counts)
        assert view.is_whole
        assert counted.records == {"COPIED": 60, "PARKED": 30}
        assert counted.causes == {"kms": 30}
        assert Counter(view.counts)["objects"] == RECORDS


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a segment has several."""
    monkeypatch.setattr(segments, "RECORDS_AT_ONCE", AT_ONCE)


def test_each_record_is_counted_once() -> None:
    """A process has one page at a time in memory, and keeps figures alone."""
    counting = Counting()
    counting.process()
    counting.assert_whole()
    assert counting.largest == AT_ONCE


@pytest.mark.parametrize("seed", range(20))
def test_a_count_that_is_killed_again_and_again_counts_each_record_once(seed: int) -> None:
    """Before a page's figures are written, and after."""
    counting, random = Counting(), Random(seed)
    process_through_kills(counting.process, (counting.book, counting.manifest), random)
    counting.assert_whole()
