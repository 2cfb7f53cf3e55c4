"""Operators who let functions do a stage's work: they begin a run, follow it, leave it, join it, and cancel it."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from domain.errors import KeyshiftError, PermanentError, UnavailableError
from domain.lifecycle.verification import Finding
from domain.runs.run import Run, RunState
from domain.runs.works import StageQueue, Work, is_look, queue_of
from handlers.bootstrap.runs import ListedKeys
from handlers.operations.cleanup import begin_cleaning, refuse_cleanup
from handlers.operations.look_at_holders import has_holders
from handlers.operations.operator import Operation, Shut
from handlers.operations.purge import put_references_back, refuse_purge
from handlers.operations.removal_run import CleanupOptions, PurgeOptions, removal_of
from handlers.operations.removals import Removal
from handlers.operations.rewrite_run import RewriteOptions, RewriteWork
from handlers.operations.rollback import begin_rollback, end_rollback, refuse_rollback
from handlers.operations.rollback_run import RollbackOptions, RollbackWork, RolledBack
from handlers.operations.runs import RunView, begin_run, cancel_run, join_run
from handlers.operations.slice_work import SliceWork, Surroundings
from handlers.operations.slices import SliceWorker
from handlers.operations.stage_tasks import Engine
from handlers.operations.undo_run import UndoOptions, UndoWork
from handlers.operations.verify_run import VerifyOptions, finding_of
from tests.simulation.whole.functions import AnyTime, removal_work, verify_work
from tests.simulation.whole.ports_manifest import SimulatedManifest
from tests.simulation.whole.ports_operations import SimulatedQueue
from tests.simulation.whole.ports_runs import SimulatedRuns
from tests.simulation.whole.scheduler import Process
from tests.simulation.whole.site import Site

SEGMENTS = 2
PATIENCE = (60.0, 1_000.0)
"""Seconds after which an operator leaves a run to the functions, and comes back to it."""
CANCELLED = (Work.VERIFY, Work.CLEANUP_DRY, Work.CLEANUP, Work.ROLLBACK, Work.PURGE, Work.REWRITE, Work.UNDO)


@dataclass(frozen=True, slots=True)
class Command:
    """One command with ``--engine``: its work, and what it does when every slice is done."""

    site: Site
    process: Process
    operation: Operation
    work: Work
    end: Callable[[Mapping[str, int]], None] = lambda counts: None  # noqa: ARG005  # as end_rollback

    def work_off(self, made: SliceWork[Any], options: Mapping[str, str]) -> list[str]:
        """The lines of the run that went on, or of a new one; UnavailableError where it does not come to its end."""
        book = SimulatedRuns(self.process, self.site)
        run = self._begun(book, made, options)
        dependencies, patience = self.operation.dependencies, self.site.random.uniform(*PATIENCE)
        leaves_at = self.process.monotonic() + patience
        queue: Any = self._queue(queue_of(self.work))
        looking: Any = self._queue(StageQueue.LOOKING) if self._looks() else None
        Engine(queue, looking).ask(run, migration=dependencies.rules.migration, slices=book.read_slices(run))
        around = Surroundings(
            AnyTime(self.site.random),
            dependencies.ports.clock,
            dependencies.new_token,
            dependencies.sleep,
            stopping=lambda: self.process.monotonic() > leaves_at,
        )
        SliceWorker(book, run, made, around, takes=lambda number: not made.is_portable(number)).work_off()
        return self._ended(RunView(book, run))

    def _looks(self) -> bool:
        return queue_of(self.work) is StageQueue.REMOVING and has_holders(self.operation.dependencies.rules)

    def _queue(self, name: StageQueue | None) -> SimulatedQueue:
        if name is None:
            raise LookupError(f"no function does {self.work}")
        return SimulatedQueue(self.process, self.site, self.site.stage_queues[name], name)

    def _begun(self, book: SimulatedRuns, made: SliceWork[Any], options: Mapping[str, str]) -> Run:
        dependencies = self.operation.dependencies
        before = book.read_run(self.work)
        if before is not None and before.goes_on:
            joined = join_run(book, self.work, rules_digest=dependencies.rules.digest)
            if isinstance(joined, Shut):  # another operator ended it at the same moment
                raise UnavailableError(joined.why)
            return joined
        run = Run(
            self.work.value,
            dependencies.new_token(),
            sum(made.phases),
            options,
            rules_digest=dependencies.rules.digest,
            by=self.operation.by,
            begun_at=dependencies.ports.clock.now(),
        )
        shut = begin_run(book, run)
        if shut is not None:
            raise UnavailableError(shut.why)
        return run

    def _ended(self, view: RunView) -> list[str]:
        lines = list(view.look())
        if view.lost:
            raise PermanentError(view.lost[0].why)
        if view.is_whole:
            self.end(view.counts)
        state = view.end(by=self.operation.by, now=self.operation.dependencies.ports.clock.now())
        if state is not RunState.ENDED:
            raise UnavailableError(f"the run is {state}: {view.why}")
        self.site.run_promises.ended(view.run.run_id, view.counts)
        return lines


def verify_by_functions(site: Site, process: Process) -> list[Finding]:
    """``keyshift verify --engine``, with every finding."""
    operation = site.operation(process)
    options = VerifyOptions(SEGMENTS, keeps_all=True)
    keys = tuple(
        ListedKeys(operation.listing, bucket, prefix)
        for bucket, prefixes in operation.dependencies.rules.prefixes.items()
        for prefix in prefixes
    )
    made = verify_work(site, process, operation, options, keys)
    lines = Command(site, process, operation, Work.VERIFY).work_off(made, options.as_options())
    return list(map(finding_of, lines))


def clean_by_functions(site: Site, process: Process) -> list[Removal]:
    """``keyshift cleanup --yes --engine``."""
    operation = site.operation(process)
    options = CleanupOptions(SEGMENTS, True, 0.0, site.plan.forgets and site.plan.versioned, ())
    if refuse_cleanup(operation, forgets_versions=options.versions) is not None:
        return []
    cancel_all(site, process, (Work.UNDO,))
    begin_cleaning(operation)
    told = options.as_options()
    made = removal_work(site, process, operation, Run(Work.CLEANUP, "", 0, told))
    return list(map(removal_of, Command(site, process, operation, Work.CLEANUP).work_off(made, told)))


def preview_by_functions(site: Site, process: Process) -> list[Removal]:
    """``keyshift cleanup --engine``: the judge sees to it that its functions change nothing."""
    operation = site.operation(process)
    if refuse_cleanup(operation) is not None:
        return []
    told = CleanupOptions(SEGMENTS, False, 0.0, False, ()).as_options()
    made = removal_work(site, process, operation, Run(Work.CLEANUP_DRY, "", 0, told))
    return list(map(removal_of, Command(site, process, operation, Work.CLEANUP_DRY).work_off(made, told)))


def roll_back_by_functions(site: Site, process: Process) -> Shut | None:
    """``keyshift rollback --yes --engine``; why it is refused. A cleanup that goes on is cancelled first."""
    operation = site.operation(process)
    shut = refuse_rollback(operation)
    if shut is not None:
        return shut
    cancel_all(site, process, (Work.CLEANUP, Work.PURGE, Work.REWRITE))
    capture = begin_rollback(operation, say=lambda _: None)
    options = RollbackOptions(SEGMENTS)
    made = RollbackWork(operation, SimulatedManifest(process, site), options)

    def end(counts: Mapping[str, int]) -> None:
        done = RolledBack(counts, capture)
        if done.is_over:
            end_rollback(operation, differences=done.differences)

    Command(site, process, operation, Work.ROLLBACK, end).work_off(made, options.as_options())
    return None


def purge_by_functions(site: Site, process: Process) -> list[Removal] | Shut:
    """``keyshift rollback --purge --yes --engine``."""
    operation = site.operation(process)
    shut = refuse_purge(operation) or put_references_back(operation)
    if shut is not None:
        return shut
    cancel_all(site, process, (Work.REWRITE,))
    told = PurgeOptions(SEGMENTS, True).as_options()
    made = removal_work(site, process, operation, Run(Work.PURGE, "", 0, told))
    return list(map(removal_of, Command(site, process, operation, Work.PURGE).work_off(made, told)))


def rewrite_by_functions(site: Site, process: Process) -> list[dict[str, str]]:
    """``keyshift references rewrite --yes --engine``; each reference as the command prints it. An undo is cancelled."""
    cancel_all(site, process, (Work.UNDO,))
    operation, options = site.operation(process), RewriteOptions(SEGMENTS, yes=True)
    made = RewriteWork(site.references(process), options)
    return list(map(json.loads, Command(site, process, operation, Work.REWRITE).work_off(made, options.as_options())))


def undo_by_functions(site: Site, process: Process) -> None:
    """``keyshift references undo --yes --engine``; what must not go on beside it is cancelled first."""
    cancel_all(site, process, (Work.CLEANUP, Work.REWRITE))
    operation, options = site.operation(process), UndoOptions(SEGMENTS, yes=True)
    made = UndoWork(site.references(process), options, sleep=process.sleep)
    Command(site, process, operation, Work.UNDO).work_off(made, options.as_options())


def cancel_all(site: Site, process: Process, works: tuple[Work, ...]) -> None:
    """``--cancel`` of each of these works."""
    operation, book = site.operation(process), SimulatedRuns(process, site)
    for work in works:
        cancel_run(book, work, by=operation.by, now=operation.dependencies.ports.clock.now())


def cancels(site: Site, process: Process) -> None:
    """Another operator cancels whatever goes on."""
    with suppress(KeyshiftError):
        cancel_all(site, process, CANCELLED)


def ends_runs(site: Site, process: Process) -> None:
    """Until no run goes on: an operator cancels what was left for good.

    A look for holders is not cancelled: nothing takes it up once its run has ended.
    """
    while any(run.goes_on and not is_look(run.work) for run in site.runs.runs.values()):
        cancels(site, process)
        process.sleep(5.0)
