"""The count of all records for a report: the figures of one process, whoever counts, in bounded memory and lines."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.keys import Location
from domain.protocol.causes import Cause
from domain.protocol.record import Record, State
from domain.reporting.fidelity import fidelity_of
from domain.reporting.progress import FAILURES, cause_word
from domain.reporting.tallied import SHOWN, FirstTroubled, RecordTally, Tallied, tallied_of
from domain.runs.run import Run
from domain.runs.works import OBJECTS, Work
from handlers.operations import segments
from handlers.operations.count_run import (
    MOST_LINES,
    CountOptions,
    counted_of,
    lines_of_slice,
    options_of,
    show_troubled,
    tally_records,
    troubled_from,
)
from handlers.operations.record_counts import KeptLines, RecordCounts
from handlers.operations.runs import RunView, begin_run
from handlers.operations.segments import LEAST_SEGMENTS, MOST_SEGMENTS
from tests.contract.records import records
from tests.fakes.clock import FakeClock
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.runs import InMemoryRunBook
from tests.worlds.runs import process_through_kills, worker_of

SEGMENTS, AT_ONCE, RECORDS = 4, 3, 90


@pytest.fixture(autouse=True, scope="module")
def small_pages() -> Iterator[None]:
    """So that a segment has several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "RECORDS_AT_ONCE", AT_ONCE)
        yield


class Counting:
    """A table of records, and the run that counts them for a report; a slice keeps so many lines at most."""

    def __init__(self, table: Sequence[Record], *, most_lines: int = SHOWN) -> None:
        self.manifest, self.book, self.clock = InMemoryManifest(), InMemoryRunBook(), FakeClock()
        self.manifest.records = {record.record_id: record for record in table}
        self.run = Run(Work.REPORT.value, "r", SEGMENTS, CountOptions(SEGMENTS).as_options())
        self.keeps = KeptLines(show_troubled, most_lines)
        assert begin_run(self.book, self.run) is None

    def process(self) -> None:
        """A process works until it has nothing to do."""
        many = options_of(self.run.options).segments
        work = RecordCounts(self.manifest, many, tally_records, sleep=self.clock.advance, keeps=self.keeps)
        worker_of(self.book, self.run, work, self.clock).work_off()

    def look(self) -> tuple[RunView, list[str]]:
        """The whole run and the lines that it kept."""
        view = RunView(self.book, self.run)
        lines = list(view.look())
        assert view.is_whole
        return view, lines

    def tallied(self) -> Tallied:
        """As the command reads it back."""
        view, lines = self.look()
        first = FirstTroubled()
        for line in lines:
            first.add(troubled_from(line))
        return tallied_of(view.counts, first.in_order)


def counted_here(table: Sequence[Record]) -> Tallied:
    """As one process counts them in one pass."""
    tally = RecordTally()
    for record in table:
        tally.count(record)
    return tally.tallied


def mixed(many: int) -> list[Record]:
    """Records of which each third needs a person."""
    found = []
    for number in range(many):
        source = Location("line-1", f'old/"{number:03}"\n\u2028')
        state, cause = (State.PARKED, Cause.KMS) if number % 3 == 0 else (State.COPIED, None)
        found.append(Record(source, Location("line-1", "new"), state, cause=cause, size=number))
    return found


@st.composite
def tables(draw: st.DrawFn) -> list[Record]:
    """Random records, each at a key of its own."""
    drawn = draw(st.lists(records(), max_size=25))
    return [replace(one, source=Location("bucket", f"old/{number}")) for number, one in enumerate(drawn)]


@settings(max_examples=100, deadline=None)
@given(tables())
def test_slices_have_the_figures_of_one_process(table: list[Record]) -> None:
    """Of records in any shape: every figure, and the records that need a person with their sentences."""
    counting = Counting(table)
    counting.process()
    assert counting.tallied() == counted_here(table)


@settings(max_examples=100, deadline=None)
@given(tables())
def test_the_figures_are_those_of_the_outcomes(table: list[Record]) -> None:
    """Counted again by what ``fidelity_of`` and the records say, without names of figures."""
    tallied = counted_here(table)
    seen = [fidelity_of(record) for record in table]
    failed = [record for record in table if record.state in FAILURES]
    assert (tallied.records, tallied.size) == (len(table), sum(record.size or 0 for record in table))
    assert tallied.running == sum(record.claim is not None for record in table)
    assert tallied.verified == sum(record.verified_at is not None for record in table)
    assert tallied.outcomes == Counter(one.outcome for one in seen)
    assert tallied.causes == Counter(map(cause_word, failed))
    assert tallied.kept == Counter(note.what for one in seen for note in one.kept)
    assert tallied.changed == Counter(note.what for one in seen for note in one.changed)
    assert tallied.lost == Counter(note.what for one in seen for note in one.lost)
    assert tallied.unseen == Counter(note.what for one in seen for note in one.unseen)
    assert sorted((one.key, one.state, one.why) for one in tallied.troubled) == sorted(
        (record.source.key, record.state, record.why) for record in failed
    )


def test_a_report_counts_what_the_status_counts() -> None:
    """Its figures hold those of ``status --exact``, by the same rule."""
    counting = Counting(mixed(RECORDS))
    counting.process()
    view, _ = counting.look()
    counted = counted_of(view.counts)
    assert (counted.records, counted.causes) == ({"COPIED": 60, "PARKED": 30}, {"kms": 30})
    assert view.counts[OBJECTS] == RECORDS


@pytest.mark.parametrize("seed", range(20))
def test_a_report_whose_processes_are_killed_counts_each_record_once(seed: int) -> None:
    """Before a page's figures are written, and after; no line is kept twice, and none of a full slice is added."""
    table, random = mixed(RECORDS), Random(seed)
    counting = Counting(table, most_lines=4)
    whole = Counting(table, most_lines=4)
    whole.process()
    process_through_kills(counting.process, (counting.book, counting.manifest), random)
    assert counting.tallied() == whole.tallied()
    assert counting.look()[1] == whole.look()[1]
    assert replace(counting.tallied(), troubled=()) == replace(counted_here(table), troubled=())


def test_a_slice_keeps_few_lines_however_many_records_need_a_person() -> None:
    """All of them are counted; those that are shown are real ones, in the order of their keys."""
    table = [replace(record, state=State.CONFLICT, cause=Cause.TARGET_CHANGED) for record in mixed(RECORDS)]
    counting = Counting(table, most_lines=4)
    counting.process()
    tallied = counting.tallied()
    assert len(tallied.troubled) == len(counting.look()[1]) == 4 * SEGMENTS
    assert list(tallied.troubled) == sorted(tallied.troubled)
    assert tallied.causes == {"target-changed": RECORDS}
    assert {one.key for one in tallied.troubled} <= {record.source.key for record in table}


def test_all_slices_together_keep_few_lines() -> None:
    """As many as one command can read; a slice of a small table keeps all that are shown."""
    for many in range(LEAST_SEGMENTS, MOST_SEGMENTS + 1):
        assert many * lines_of_slice(many) <= MOST_LINES
    assert lines_of_slice(LEAST_SEGMENTS) == SHOWN
    assert lines_of_slice(MOST_SEGMENTS) == 4
