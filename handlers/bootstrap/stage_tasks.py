"""Wires stage work that functions and workers do: the queues, and for each work what it needs."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cache, partial
from typing import Any

from adapters.messaging.dead_letters import dead_letters_of
from adapters.messaging.queue import SqsMessageQueue
from domain.errors import InputError
from domain.queues import MessageQueue
from domain.runs.run import Run
from domain.runs.works import StageQueue, Work
from handlers.bootstrap.operations import operation_of
from handlers.bootstrap.process import Process
from handlers.bootstrap.references import references_of, shared_units
from handlers.bootstrap.runs import (
    cleanup_work,
    count_work,
    pages_of,
    purge_work,
    reference_scan_work,
    rewrite_work,
    rollback_plan_work,
    rollback_work,
    shared_book,
    undo_work,
    verify_work,
)
from handlers.engine.dependencies import EngineDependencies
from handlers.operations.cleanup import forbid_cleanup, forbid_preview
from handlers.operations.count_run import options_of as count_options_of
from handlers.operations.look_at_holders import LookAtHolders, look_at_holders
from handlers.operations.operator import Operation, Shut
from handlers.operations.purge import refuse_purge
from handlers.operations.reference_run import options_of as scan_options_of
from handlers.operations.removal_run import cleanup_options_of, purge_options_of
from handlers.operations.rewrite_run import rewrite_options_of
from handlers.operations.rollback import refuse_rollback
from handlers.operations.rollback_run import options_of as rollback_options_of
from handlers.operations.runs import KeptRun
from handlers.operations.slice_work import SliceWork
from handlers.operations.stage_works import StageWorks
from handlers.operations.undo_run import undo_options_of
from handlers.operations.verify_run import options_of as verify_options_of


def stage_queue(process: Process, name: StageQueue | None) -> MessageQueue | None:
    """The queue of stage work, or ``None`` where there is none."""
    url = process.settings.stage_queue_urls.get(name) if name is not None else None
    return SqsMessageQueue(process.clients, url) if url is not None else None


def stage_works(process: Process, dependencies: EngineDependencies) -> tuple[StageWorks, ...]:
    """The works of every queue of stage work that the settings name."""
    operation = operation_of(process, dependencies)
    return tuple(_works(process, operation, name, url) for name, url in process.settings.stage_queue_urls.items())


def _works(process: Process, operation: Operation, name: StageQueue, url: str) -> StageWorks:
    @cache
    def dead() -> MessageQueue | None:
        found = dead_letters_of(process.clients, url)
        return SqsMessageQueue(process.clients, found.url) if found is not None else None

    return StageWorks(
        name,
        SqsMessageQueue(process.clients, url),
        dead,
        shared_book(process),
        partial(_open_work, process, operation),
        partial(_refuse, operation),
        partial(_open_look, process, operation),
    )


def _open_work(
    process: Process, operation: Operation, run: Run, seconds_left: Callable[[], float]
) -> AbstractContextManager[SliceWork[Any]]:
    """Raises InputError for options of another version, and for those by which a function cannot work."""
    operation = replace(operation, seconds_left=seconds_left)
    kept = KeptRun(shared_book(process), run.work, run.run_id)
    work, options = Work(run.work), run.options
    if work is Work.VERIFY:
        # A function looks at records alone: key lists and references are slices of the command.
        return verify_work(process, operation, replace(verify_options_of(options), keys=False))
    if work is Work.REFERENCES:
        scan = scan_options_of(options)
        jobs = references_of(process, pace=shared_units(process, scan.read_units, seconds_left))
        return nullcontext(reference_scan_work(process, operation, jobs, scan, kept))
    if work in (Work.COUNT, Work.REPORT):
        return nullcontext(count_work(process, operation, work, count_options_of(options)))
    if work is Work.ROLLBACK_DRY:
        return nullcontext(rollback_plan_work(process, operation, rollback_options_of(options)))
    if work is Work.ROLLBACK:
        return nullcontext(rollback_work(process, operation, rollback_options_of(options)))
    if work is Work.REWRITE:
        rewriting = replace(rewrite_options_of(options), yes=True)
        jobs = references_of(process, pace=shared_units(process, rewriting.read_units, seconds_left))
        return nullcontext(rewrite_work(jobs, rewriting))
    if work is Work.UNDO:
        return nullcontext(undo_work(process, operation, replace(undo_options_of(options), yes=True)))
    # The work alone says whether a function may delete; a run's options cannot say otherwise.
    if work in (Work.PURGE_DRY, Work.PURGE):
        purge = replace(purge_options_of(options), yes=work is Work.PURGE)
        return nullcontext(purge_work(process, operation, purge, kept, looks_here=False))
    cleanup = replace(cleanup_options_of(options), yes=work is Work.CLEANUP)
    if cleanup.tables is None:
        raise InputError("this run names no data-lake tables, and a function has no time to look for them")
    return nullcontext(cleanup_work(process, operation, cleanup, kept, looks_here=False))


def _open_look(process: Process, operation: Operation, run: Run) -> LookAtHolders:
    """Raises InputError for options of another version."""
    kept, of_copies = KeptRun(shared_book(process), run.work, run.run_id), run.work in (Work.PURGE_DRY, Work.PURGE)
    segments = (purge_options_of(run.options) if of_copies else cleanup_options_of(run.options)).segments
    return look_at_holders(operation, kept, pages_of(process), of_copies=of_copies, segments=segments)


def _refuse(operation: Operation, work: Work, options: Mapping[str, str]) -> Shut | None:
    if work is Work.CLEANUP:
        return forbid_cleanup(operation, forgets_versions=cleanup_options_of(options).versions)
    if work is Work.CLEANUP_DRY:
        return forbid_preview(operation)
    if work in (Work.PURGE_DRY, Work.PURGE):
        return refuse_purge(operation)
    return refuse_rollback(operation) if work in (Work.ROLLBACK_DRY, Work.ROLLBACK) else None
