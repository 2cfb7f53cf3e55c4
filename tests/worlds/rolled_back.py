"""``keyshift rollback --yes`` and ``--purge``, each as a run that one process works off in one thread."""

from dataclasses import dataclass
from itertools import count
from typing import Any

from domain.errors import PermanentError, UnavailableError
from domain.lifecycle.ports import Restored
from domain.protocol.ports import RecordPages
from domain.runs.ports import RunBook
from domain.runs.run import Run
from domain.runs.works import Work
from handlers.operations.operator import Operation, Shut
from handlers.operations.purge import Purger, put_references_back, refuse_purge
from handlers.operations.record_counts import RecordCounts
from handlers.operations.removal_run import PurgeOptions, RemovalWork, removal_of
from handlers.operations.removals import Removal
from handlers.operations.rollback import begin_rollback, end_rollback, refuse_rollback
from handlers.operations.rollback_plan import plan_rollback
from handlers.operations.rollback_run import RollbackOptions, RollbackWork, RolledBack, difference_of
from handlers.operations.runs import RunView, begin_run, join_run
from handlers.operations.slice_work import SliceWork, Surroundings
from handlers.operations.slices import SliceWorker
from tests.fakes.runs import InMemoryRunBook
from tests.worlds.holders import own_holders

SEGMENTS = 2
_IDS = count()


@dataclass(frozen=True, slots=True)
class Rolled:
    """A rollback's result, with its differences."""

    done: RolledBack
    differences: list[tuple[str, str]]

    @property
    def clean(self) -> bool:
        """Whether the original state is back."""
        return self.done.clean

    @property
    def capture(self) -> Restored:
        """What became of the notifications."""
        return self.done.capture


def begun(operation: Operation, book: RunBook, work: Work, slices: int) -> Run:
    """The run that goes on, or a new one."""
    digest = operation.dependencies.rules.digest
    before = book.read_run(work)
    if before is not None and before.goes_on:
        run: Run | Shut = join_run(book, work, rules_digest=digest)
    else:
        run = Run(work, f"run-{next(_IDS)}", slices, rules_digest=digest, by=operation.by)
        run = begin_run(book, run) or run
    if isinstance(run, Shut):  # another process began or ended one at the same moment
        raise UnavailableError(run.why)
    return run


def work_off(operation: Operation, book: RunBook, run: Run, work: SliceWork[Any]) -> tuple[RunView, list[str]]:
    """One process works until no slice is left; the run and its lines."""
    dependencies = operation.dependencies
    with dependencies.objects_at_once(2) as pool:
        around = Surroundings(
            pool, dependencies.ports.clock, dependencies.new_token, dependencies.sleep, stopping=lambda: False
        )
        SliceWorker(book, run, work, around).work_off()
    view = RunView(book, run)
    lines = list(view.look())
    if view.lost:
        raise PermanentError(view.lost[0].why)
    return view, lines


def roll_back_all(operation: Operation, pages: RecordPages, *, book: RunBook | None = None) -> Rolled | Shut:
    """``keyshift rollback --yes``; a run of the book that goes on is joined."""
    book = book or InMemoryRunBook()
    shut = refuse_rollback(operation)
    if shut is not None:
        return shut
    capture = begin_rollback(operation, say=lambda _: None)
    work = RollbackWork(operation, pages, RollbackOptions(SEGMENTS))
    run = begun(operation, book, Work.ROLLBACK, sum(work.phases))
    view, lines = work_off(operation, book, run, work)
    done = RolledBack(view.counts, capture)
    if view.is_whole and done.is_over:
        end_rollback(operation, differences=done.differences)
    view.end(by=operation.by, now=operation.dependencies.ports.clock.now())
    return Rolled(done, list(map(difference_of, lines)))


def purge_all(
    operation: Operation, pages: RecordPages, *, yes: bool = True, book: RunBook | None = None
) -> list[Removal] | Shut:
    """``keyshift rollback --purge``; a run of the book that goes on is joined."""
    book, name = book or InMemoryRunBook(), Work.PURGE if yes else Work.PURGE_DRY
    shut = refuse_purge(operation)
    before = book.read_run(name)
    if shut is None and yes and (before is None or not before.goes_on):
        shut = put_references_back(operation)
    if shut is not None:
        return shut
    work = RemovalWork(
        Purger(operation, own_holders(operation, pages, of_copies=True)),
        pages,
        PurgeOptions(SEGMENTS, yes),
        sleep=operation.dependencies.sleep,
    )
    run = begun(operation, book, name, sum(work.phases))
    view, lines = work_off(operation, book, run, work)
    view.end(by=operation.by, now=operation.dependencies.ports.clock.now())
    return list(map(removal_of, lines))


def rollback_plan(operation: Operation, pages: RecordPages) -> dict[str, int]:
    """What ``keyshift rollback`` counts."""
    work = RecordCounts(pages, SEGMENTS, plan_rollback, sleep=operation.dependencies.sleep)
    book = InMemoryRunBook()
    view, _ = work_off(operation, book, begun(operation, book, Work.ROLLBACK_DRY, sum(work.phases)), work)
    return dict(view.counts)
