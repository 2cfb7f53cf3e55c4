"""The functions of stage work: each receives from one queue, as Lambda does, and does its part of the run."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any

from domain.errors import KeyshiftError
from domain.rules.lake_tables import LakeTables
from domain.runs.run import Run
from domain.runs.works import StageQueue, Work
from handlers.engine.dependencies import CachedControl, EngineDependencies
from handlers.operations.cleanup import Cleaner, forbid_cleanup, forbid_preview
from handlers.operations.look_at_holders import LookAtHolders, holders_of, look_at_holders
from handlers.operations.operator import Operation, Shut
from handlers.operations.purge import Purger, refuse_purge
from handlers.operations.removal_run import RemovalWork, cleanup_options_of, purge_options_of
from handlers.operations.rewrite_run import RewriteWork, rewrite_options_of
from handlers.operations.rollback import refuse_rollback
from handlers.operations.rollback_run import RollbackWork
from handlers.operations.rollback_run import options_of as rollback_options_of
from handlers.operations.runs import KeptRun
from handlers.operations.slice_work import SliceWork
from handlers.operations.stage_works import StageWorks
from handlers.operations.undo_run import UndoWork, undo_options_of
from handlers.operations.verify import Verifier
from handlers.operations.verify_run import KeySource, Sources, VerifyOptions, VerifyWork
from handlers.operations.verify_run import options_of as verify_options_of
from handlers.stage_work import respond
from tests.simulation.whole.actors import POLL_SECONDS, Body
from tests.simulation.whole.ports_manifest import SimulatedManifest
from tests.simulation.whole.ports_operations import SimulatedQueue
from tests.simulation.whole.ports_runs import SimulatedBurial, SimulatedRuns
from tests.simulation.whole.run_promises import BY_FUNCTION
from tests.simulation.whole.scheduler import Process
from tests.simulation.whole.site import REQUEST_SECONDS, Site
from tests.worlds.site import lambda_event

INVOCATIONS = (2.0, 5.0, 15.0, 120.0)
"""Seconds in which an invocation may begin objects; a short one hands its slice on in the middle of a page."""
NAMES = {
    Work.VERIFY: "looking",
    Work.CLEANUP_DRY: "looking",
    Work.CLEANUP: "cleanup",
    Work.PURGE: "purge",
    Work.ROLLBACK: "rollback",
    Work.REWRITE: "rewriting",
    Work.UNDO: "undo",
}
"""How a function is named while it does this work: the judge asks the name what it may do."""


class AnyTime(Executor):
    """A pool of a process of one thread: a task is done at once, or when its result is awaited."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Take the task."""
        task = _Task(partial(fn, *args, **kwargs))
        if self._random.random() < 0.5:
            task.do()
        return task


class _Task(Future[Any]):
    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__()
        self._call = call

    def do(self) -> None:
        if self.done() or not self.set_running_or_notify_cancel():
            return
        try:
            self.set_result(self._call())
        except BaseException as error:  # noqa: BLE001  # a killed process is told by its future, as in a real pool
            self.set_exception(error)

    def result(self, timeout: float | None = None) -> Any:
        self.do()
        return super().result(timeout)

    def cancel(self) -> bool:
        is_cancelled = super().cancel()
        if is_cancelled:
            self.set_running_or_notify_cancel()  # else a wait for it would have no end
        return is_cancelled


def works_on_runs(name: StageQueue) -> Body:
    """A function with its event source mapping, for one of the queues of stage work."""

    def body(site: Site, process: Process) -> None:
        queue = SimulatedQueue(process, site, site.stage_queues[name], name)
        controls = {rules.digest: site.control(process, rules) for rules in (site.rules, site.other_rules)}
        while not site.closing:
            try:
                messages = queue.receive_messages(at_most=1, wait=0)
                if not messages:
                    process.sleep(POLL_SECONDS)
                    continue
                reserve = 0.0 if name is StageQueue.LOOKING else REQUEST_SECONDS
                ends = process.monotonic() + site.random.choice(INVOCATIONS) + reserve
                dependencies = _deployed(site, process, controls)
                answer = respond(
                    lambda_event(messages),
                    dependencies,
                    _works(site, process, controls, name),
                    seconds_left=lambda ends=ends: ends - process.monotonic(),  # type: ignore[misc]
                )
                kept = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
                done = [message for message in messages if message.message_id not in kept]
                if done:
                    queue.delete_messages(done)
            except KeyshiftError:  # the invocation failed: the message comes back by itself
                process.sleep(POLL_SECONDS)

    return body


def _deployed(site: Site, process: Process, controls: Mapping[str, CachedControl]) -> EngineDependencies:
    """What a function is given by the deployment of this moment."""
    return replace(
        site.dependencies(process),
        rules=site.deployed,
        control=controls[site.deployed.digest],
        objects_at_once=lambda _: AnyTime(site.random),
    )


def _works(site: Site, process: Process, controls: Mapping[str, CachedControl], name: StageQueue) -> StageWorks:
    queue: Any = SimulatedQueue(process, site, site.stage_queues[name], name)
    dead: Any = SimulatedBurial(process, site, site.stage_queues[name], name)
    operation = replace(site.operation(process), dependencies=_deployed(site, process, controls))

    def open_work(run: Run, seconds_left: Callable[[], float]) -> AbstractContextManager[SliceWork[Any]]:
        return _open_work(site, Acting.of(process, Work(run.work)), controls, run, seconds_left)

    def open_look(run: Run) -> LookAtHolders:
        return look_for(site, process, operation, run)

    book = SimulatedRuns(process, site)
    return StageWorks(name, queue, lambda: dead, book, open_work, partial(_refuse, operation), open_look)


@contextmanager
def _open_work(
    site: Site,
    process: Any,
    controls: Mapping[str, CachedControl],
    run: Run,
    seconds_left: Callable[[], float],
) -> Iterator[SliceWork[Any]]:
    work, options = Work(run.work), run.options
    dependencies = _deployed(site, process, controls)
    operation = replace(site.operation(process), dependencies=dependencies, seconds_left=seconds_left)
    if work is Work.VERIFY:
        yield verify_work(site, process, operation, replace(verify_options_of(options), keys=False))
    elif work is Work.ROLLBACK:
        yield RollbackWork(operation, SimulatedManifest(process, site), rollback_options_of(options))
    elif work is Work.REWRITE:
        yield RewriteWork(site.references(process), rewrite_options_of(options))
    elif work is Work.UNDO:
        yield UndoWork(site.references(process), undo_options_of(options), sleep=process.sleep)
    else:
        yield removal_work(site, process, operation, run)
    site.truth.doubts.asks(process.name, None)


@dataclass(frozen=True, slots=True)
class Acting:
    """A function's process under the name of the work that it does."""

    process: Process
    name: str

    @classmethod
    def of(cls, process: Process, work: Work) -> "Acting":
        """Its name, and the function's."""
        return cls(process, f"{NAMES[work]}{BY_FUNCTION}{process.name}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.process, name)


def _refuse(operation: Operation, work: Work, options: Mapping[str, str]) -> Shut | None:
    if work is Work.CLEANUP:
        return forbid_cleanup(operation, forgets_versions=cleanup_options_of(options).versions)
    if work is Work.CLEANUP_DRY:
        return forbid_preview(operation)
    if work is Work.PURGE:
        return refuse_purge(operation)
    return refuse_rollback(operation) if work is Work.ROLLBACK else None


def verify_work(
    site: Site, process: Process, operation: Operation, options: VerifyOptions, keys: tuple[KeySource, ...] = ()
) -> VerifyWork:
    """The work of a verification, which reads no object's bytes."""
    with operation.key_book() as book:  # it holds nothing open
        verifier = Verifier(operation.dependencies, book=book, reader=None, marks=True)
        sources = Sources(SimulatedManifest(process, site), keys, operation.finders, book)
    return VerifyWork(verifier, sources, options, sleep=operation.dependencies.sleep)


def look_for(site: Site, process: Process, operation: Operation, run: Run) -> LookAtHolders:
    """The looks at what holds the objects that a run removes."""
    kept = KeptRun(SimulatedRuns(process, site), run.work, run.run_id)
    of_copies = run.work == Work.PURGE
    segments = (purge_options_of(run.options) if of_copies else cleanup_options_of(run.options)).segments
    pages = SimulatedManifest(process, site)
    return look_at_holders(operation, kept, pages, of_copies=of_copies, segments=segments)


def removal_work(site: Site, process: Process, operation: Operation, run: Run) -> RemovalWork:
    """The work of a cleanup, or of a purge; functions of another queue look at what holds its objects."""
    pages, sleep = SimulatedManifest(process, site), operation.dependencies.sleep
    holders = holders_of(operation, look_for(site, process, operation, run), looks_here=False)
    if run.work == Work.PURGE:
        return RemovalWork(Purger(operation, holders), pages, purge_options_of(run.options), sleep=sleep)
    cleanup = replace(cleanup_options_of(run.options), yes=run.work == Work.CLEANUP)
    tables = LakeTables({}, operation.dependencies.rules.accepted_tables)
    cleaner = Cleaner(operation, holders, soak=cleanup.soak, forgets_versions=cleanup.versions, tables=tables)
    return RemovalWork(cleaner, pages, cleanup, sleep=sleep)
