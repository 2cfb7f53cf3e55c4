"""Rewritings and undos as runs: processes die anywhere, and each reference is changed once and put back once."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import ThrottledError
from domain.references.ports import ItemChange
from domain.references.reports import ReferenceOutcome
from domain.runs.run import Run, RunState
from domain.runs.works import ITEMS, Work
from handlers.operations import reference_run, undo_run
from handlers.operations.operator import Shut
from handlers.operations.reference_run import outcomes_of
from handlers.operations.rewrite_run import (
    RewriteOptions,
    RewriteWork,
    rewrite_options_of,
)
from handlers.operations.runs import RunView, begin_run, cancel_run, join_run
from handlers.operations.slice_work import SliceWork
from handlers.operations.slices import CLAIM_SECONDS
from handlers.operations.undo_run import UndoOptions, UndoWork, undo_options_of
from tests.fakes.clock import FakeClock
from tests.fakes.runs import InMemoryRunBook
from tests.worlds.augmented_manifests import REWRITTEN, ManifestWorld
from tests.worlds.runs import worker_of

JOBS, SEGMENTS = 9, 2
REFERENCES = JOBS + 3
"""The first three jobs name their object twice."""
LAPSED = 2_000.0
"""Seconds after which each claim has lapsed: of a slice, and of a record."""


class DiedError(Exception):
    """The process ends here."""


class Desk:
    """Jobs and an augmented manifest that name objects which are migrated, and the runs of two works."""

    def __init__(self) -> None:
        self.world = ManifestWorld()
        self.references = replace(self.world.references, manifests=self.world.scan)
        self.clock = FakeClock()
        self.book = InMemoryRunBook()
        for number in range(JOBS):
            key = f"old//{number}"
            self.world.put(key)
            self.world.migrate(key)
            uri = {"S": f"s3://line-1/{key}"}
            self.world.put_job(f"{number}", uri=uri, **({"bare": {"S": key}} if number < 3 else {}))
        self.before = self.world.stored("jobs")

    def work(self, work: Work) -> SliceWork[Any]:
        """As each process opens it."""
        if work is Work.UNDO:
            return UndoWork(self.references, UndoOptions(SEGMENTS, yes=True), sleep=self.clock.advance)
        return RewriteWork(self.references, RewriteOptions(SEGMENTS, yes=work is Work.REWRITE))

    def begin(self, work: Work) -> Run:
        """A command begins the run."""
        run = Run(work.value, f"run of {work}", sum(self.work(work).phases))
        assert begin_run(self.book, run) is None
        return run

    def process(self, run: Run, *, stopping: Callable[[], bool] = lambda: False) -> None:
        """A process works until it has nothing to do."""
        work = self.work(Work(run.work))
        worker_of(self.book, run, work, self.clock, stopping=stopping).work_off()

    def whole(self, work: Work) -> RunView:
        """A run that one process does from its begin to its end."""
        run = self.begin(work)
        self.process(run)
        view = self.view(run)
        assert view.end(by="ana", now=1.0) is RunState.ENDED
        return view

    def view(self, run: Run) -> RunView:
        """As commands show it."""
        view = RunView(self.book, run, self.book.read_slices(run))
        assert view.is_whole
        return view

    def outcomes(self, run: Run) -> Counter[str]:
        """What the run counts of the table's references."""
        return Counter(outcomes_of(self.view(run).counts))

    def assert_rewritten(self) -> None:
        """Each item by one write, each reference once in the journal, and the manifest."""
        assert all("old/" not in str(item) for item in self.world.stored("jobs"))
        assert len(self.world.tables.changes) == JOBS
        assert sum(len(entry.switches) for entry in self.world.tables.journal.values()) == REFERENCES
        assert self.world.content() == REWRITTEN

    def assert_undone(self) -> None:
        """Each item is what it was, by one write, and the journal has nothing left."""
        assert self.world.stored("jobs") == self.before
        assert len(self.world.tables.changes) == 2 * JOBS
        assert not list(self.world.tables.scan_entries())


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is an item, or two entries: there are many writes to die between."""
    monkeypatch.setattr(reference_run, "BYTES_AT_ONCE", 1)
    monkeypatch.setattr(undo_run, "RECORDS_AT_ONCE", 2)


def test_a_rewriting_and_an_undo_report_each_reference_once() -> None:
    """In the run's figures, and in the lines that commands show."""
    desk = Desk()
    view = desk.whole(Work.REWRITE)
    desk.assert_rewritten()
    counts = outcomes_of(view.counts)
    assert counts["rewritten"] == REFERENCES + 1, "and the manifest as a whole"
    assert sum('"table jobs' in line for line in view.look()) == REFERENCES
    undone = desk.whole(Work.UNDO)
    desk.assert_undone()
    assert outcomes_of(undone.counts) == {"restored": REFERENCES}
    assert undone.counts[ITEMS] == JOBS


WRITES = ("write_slice", "change_item", "write_record", "complete_upload")


def strike(desk: Desk, call: str, nth: int, when: Any) -> None:
    """The process dies at that call of its kind."""
    struck: Any = {"write_slice": desk.book, "change_item": desk.world.tables, "complete_upload": desk.world.store}
    struck.get(call, desk.world.manifest).fail_nth(nth, DiedError(), when=when, call=call)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", WRITES)
@pytest.mark.parametrize("work", [Work.REWRITE, Work.UNDO])
def test_a_process_that_dies_between_any_two_writes_leaves_nothing_half_or_twice(
    work: Work, call: str, when: str
) -> None:
    """Another process finishes the run; figures may lack what a page did that died, and never have it twice."""
    deaths = 0
    for nth in range(200):
        desk = Desk()
        if work is Work.UNDO:
            desk.whole(Work.REWRITE)
        run = desk.begin(work)
        strike(desk, call, nth, when)
        try:
            desk.process(run)
        except DiedError:
            deaths += 1
            desk.clock.advance(LAPSED)
            desk.world.clock.advance(LAPSED)
        else:
            break
        finally:
            for one in (desk.book, desk.world.tables, desk.world.store, desk.world.manifest):
                one.forget_faults()
        desk.process(run)
        (desk.assert_rewritten if work is Work.REWRITE else desk.assert_undone)()
        outcome = (ReferenceOutcome.REWRITTEN if work is Work.REWRITE else ReferenceOutcome.RESTORED).value
        most = REFERENCES + (work is Work.REWRITE)
        assert most - 4 <= desk.outcomes(run)[outcome] <= most, (call, nth, when)
        assert set(desk.outcomes(run)) <= {outcome, "waiting", "stays", "holds"}, (call, nth, when)
    assert deaths >= {"write_slice": 2 * SEGMENTS, "change_item": JOBS}.get(call, int(work is Work.REWRITE))


@pytest.mark.parametrize("work", [Work.REWRITE, Work.UNDO])
@pytest.mark.parametrize("at", range(JOBS))
def test_a_process_that_stood_still_changes_nothing_that_another_one_did(work: Work, at: int) -> None:
    """It wakes just before its write: the other one has done the whole run by then."""
    desk = Desk()
    if work is Work.UNDO:
        desk.whole(Work.REWRITE)
    run, done = desk.begin(work), len(desk.world.tables.changes)

    def another(change: ItemChange) -> None:
        if len(desk.world.tables.changes) < done + at:
            return
        desk.world.tables.between = lambda _: None
        desk.clock.advance(CLAIM_SECONDS + 1)
        desk.process(run)

    desk.world.tables.between = another
    desk.process(run)
    (desk.assert_rewritten if work is Work.REWRITE else desk.assert_undone)()
    assert desk.view(run).counts[ITEMS] >= JOBS - 1, "but what its own page did"


@pytest.mark.parametrize("work", [Work.REWRITE, Work.UNDO])
def test_two_processes_share_a_run(work: Work) -> None:
    """Slice by slice in turn; each does some, and nothing is done twice."""
    desk = Desk()
    if work is Work.UNDO:
        desk.whole(Work.REWRITE)
    run = desk.begin(work)
    workers = [worker_of(desk.book, run, desk.work(work), desk.clock) for _ in range(2)]
    did = [0, 0]
    while workers[0].is_left():
        for number, worker in enumerate(workers):
            did[number] += worker.is_left() and worker.work_on_next()
    assert all(did)
    (desk.assert_rewritten if work is Work.REWRITE else desk.assert_undone)()


@pytest.mark.parametrize("work", [Work.REWRITE, Work.UNDO])
def test_a_cancelled_run_begins_nothing_more(work: Work) -> None:
    """What was done stays done, and another run does the rest."""
    desk = Desk()
    if work is Work.UNDO:
        desk.whole(Work.REWRITE)
    run, done = desk.begin(work), len(desk.world.tables.changes)

    def cancel(change: ItemChange) -> None:
        if len(desk.world.tables.changes) == done + 2:
            cancel_run(desk.book, run.work, by="bea", now=1.0)

    desk.world.tables.between = cancel
    desk.process(run)
    assert 2 < len(desk.world.tables.changes) - done < JOBS
    desk.world.tables.between = lambda _: None
    again = Run(run.work, "again", run.slices)
    assert begin_run(desk.book, again) is None
    desk.process(again)
    (desk.assert_rewritten if work is Work.REWRITE else desk.assert_undone)()


def test_a_manifest_is_begun_in_its_turn_and_tried_again() -> None:
    """A run that was cancelled before it leaves it alone; a service error does not lose the slice."""
    desk = Desk()
    run, before = desk.begin(Work.REWRITE), desk.world.content()

    def cancel(_: ItemChange) -> None:
        cancel_run(desk.book, run.work, by="bea", now=1.0)

    desk.world.tables.between = cancel
    desk.process(run)
    assert desk.world.content() == before
    desk.world.tables.between = lambda _: None
    desk.world.store.fail_next(ThrottledError("slow down"), call="complete_upload")
    again = Run(run.work, "again", run.slices)
    assert begin_run(desk.book, again) is None
    desk.process(again)
    assert desk.world.content() == REWRITTEN
    assert all(not one.failures for one in desk.book.read_slices(again))


def test_a_process_that_stops_begins_no_other_manifest() -> None:
    """The next one is looked at ahead, and not rewritten."""
    desk = Desk()
    desk.world.put("old//other.manifest", b'{"source-ref": "s3://line-1/old//1"}\n')
    desk.world.migrate("old//other.manifest")
    place, new = desk.world.record("old//other.manifest").target, b'{"source-ref": "s3://line-1/new/1"}\n'

    def rewritten() -> int:
        return (desk.world.content() == REWRITTEN) + (desk.world.store.body(place) == new)

    run = desk.begin(Work.REWRITE)
    desk.process(run, stopping=lambda: bool(desk.book.read_slices(run)[-1].revision))
    assert rewritten() == 0, "a page that is read is not begun"
    desk.process(run, stopping=lambda: bool(rewritten()))
    assert rewritten() == 1
    desk.process(run)
    assert rewritten() == 2


def test_a_resumed_run_after_one_that_ended_sees_everything() -> None:
    """What the application wrote since is not passed over as done: an ended run is not joined, another one begins."""
    desk = Desk()
    desk.whole(Work.REWRITE)
    assert isinstance(join_run(desk.book, Work.REWRITE, rules_digest=""), Shut)
    desk.world.put_job("0", uri={"S": "s3://line-1/old//0"})
    again = Run(Work.REWRITE.value, "again", sum(desk.work(Work.REWRITE).phases))
    assert begin_run(desk.book, again) is None
    desk.process(again)
    assert desk.outcomes(again)["rewritten"] == 1
    assert desk.world.job("0")["uri"] == {"S": "s3://line-1/new/0"}


def test_dry_runs_write_nothing() -> None:
    """They report what the real ones would do."""
    desk = Desk()
    assert outcomes_of(desk.whole(Work.REWRITE_DRY).counts)["ready"] >= REFERENCES
    assert desk.world.stored("jobs") == desk.before
    desk.whole(Work.REWRITE)
    after = desk.world.stored("jobs")
    work = UndoWork(desk.references, UndoOptions(SEGMENTS, yes=False), sleep=desk.clock.advance)
    told = [one for n in range(SEGMENTS) for page in work.read_pages(n, "") for task in page.tasks for one in task()]
    assert Counter(one.outcome for one in told) == {ReferenceOutcome.REWRITTEN: REFERENCES}
    assert desk.world.stored("jobs") == after


def test_entries_of_one_item_are_one_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """No two tasks then write the same item; the order of the journal does not matter."""
    desk = Desk()
    for number in range(120):
        desk.world.put(f"old//x{number}")
        desk.world.migrate(f"old//x{number}")
    many = {"L": [{"M": {"uri": {"S": f"s3://line-1/old//x{number}"}}} for number in range(120)]}
    desk.world.put_job("many", steps=many)
    desk.whole(Work.REWRITE)
    assert len(desk.world.tables.journal) == JOBS + 2
    work = UndoWork(desk.references, UndoOptions(1, yes=True), sleep=desk.clock.advance)
    monkeypatch.setattr(undo_run, "RECORDS_AT_ONCE", 500)
    (page,) = work.read_pages(0, "")
    assert len(page.tasks) == JOBS + 1


def test_options_are_those_of_the_runs() -> None:
    """Also of runs that an earlier version began."""
    options = RewriteOptions(8, "jobs", yes=True, read_units=250.0)
    assert rewrite_options_of(options.as_options()) == options
    assert rewrite_options_of({"segments": "8", "only": '""'}) == RewriteOptions(8)
    assert undo_options_of(UndoOptions(4, yes=True).as_options()) == UndoOptions(4, yes=True)
