"""Works on a run and shows it, from its first kept result to its end, with what other processes did of it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from domain.errors import InputError, PermanentError
from domain.reporting.progress import RECORDS
from domain.runs.ports import RunBook
from domain.runs.run import Run, RunState
from handlers.cli.output import refuse, say
from handlers.cli.progress import progress
from handlers.operations.operator import Operation, Shut
from handlers.operations.parallel import Rate
from handlers.operations.runs import ANOTHER_VERSION, MOST_LANES, Crew, RunView, begin_run, cancel_run, join_run
from handlers.operations.slice_work import SliceWork, Surroundings
from handlers.operations.slices import SliceWorker

SHARED_FROM = 5_000
"""Fewer records are worked through again sooner than a run of them is joined."""
STILL_LOOKS = 10
"""After so many looks at a run that does not move, the command says what it waits for."""
Command = TypeVar("Command", bound=Callable[..., Any])
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Runs:
    """Which run a command works on: a new one, kept in the table or in this process, or the shared one."""

    shared: bool | None
    join: bool
    cancel: bool

    def is_local(self, records: int) -> bool:
        """Whether the run is kept in this process, with about so many records."""
        if self.join or self.cancel:
            return False
        return records < SHARED_FROM if self.shared is None else not self.shared


def run_options(command: Command) -> Command:
    """Give the command the arguments ``shared``, ``join`` and ``cancel``."""
    kept = f"Keep the run in the manifest table, or in this process. Shared from {SHARED_FROM:,} records on."
    for option in (
        click.option("--cancel", is_flag=True, help="End the shared run that has not ended."),
        click.option("--join", is_flag=True, help="Work on the shared run that has not ended, and show it."),
        click.option("--shared/--local", default=None, help=kept),
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Followed:
    """The run's figures, and the state in which this command left it."""

    counts: Mapping[str, int]
    state: RunState


def work_and_follow(
    operation: Operation,
    book: RunBook,
    run: Run,
    work: SliceWork[Result],
    *,
    is_local: bool,
    threads: int,
    per_second: float | None = None,
    total: int,
    counted: str,
    show: Callable[[str], None],
) -> Followed:
    """Work on the run's slices with so many threads, and ``show`` each kept line, until nothing is left to do.

    This process begins at most ``per_second`` objects in a second.

    ``counted`` is the figure that the progress counts, of about ``total``. Raises PermanentError where slices failed so
    often that no process tries them again by itself.
    """
    view, dependencies = RunView(book, run), operation.dependencies
    again = f"keyshift {run.work}" if is_local else f"keyshift {run.work} --join"
    with dependencies.objects_at_once(threads) as pool:
        rate = Rate(per_second, sleep=dependencies.sleep)

        def work_off(stopped: Event) -> None:
            clock = dependencies.ports.clock
            around = Surroundings(pool, clock, dependencies.new_token, stopped.wait, stopped.is_set, rate.wait)
            SliceWorker(book, run, work, around).work_off()

        try:
            with Crew(work_off, lanes=min(MOST_LANES, threads, run.slices)) as crew:
                _follow(view, crew, total=total, counted=counted, show=show)
                crew.check()
        except KeyboardInterrupt:
            if not is_local:
                say(f"the run stays in the manifest table: {again} resumes it", err=True)
            raise
    if view.lost:
        one = view.lost[0]
        raise PermanentError(
            f"{len(view.lost)} of {run.slices} slices could not be finished, such as slice {one.number} ({one.why});"
            f" run {again}"
        )
    return Followed(view.counts, view.end(by=operation.by, now=dependencies.ports.clock.now()))


def _follow(view: RunView, crew: Crew, *, total: int, counted: str, show: Callable[[str], None]) -> None:
    """Show what the run does until the crew has ended; where only claims of others are left, say that it waits."""
    for line in view.look():
        show(line)
    shown, still, has_ended = view.counts.get(counted, 0), 0, False
    reached: list[tuple[str, bool]] = []
    with progress(view.run.work, total or None, done=shown) as step:
        while not has_ended:
            has_ended = crew.wait(view.pause)
            for line in view.look():
                show(line)
            now = view.counts.get(counted, 0)
            step(now - shown)
            shown, before, reached = now, reached, [(one.cursor, one.is_done) for one in view.slices]
            still = still + 1 if reached == before else 0
            if still == STILL_LOOKS and not has_ended:
                say(_waiting(view), err=True)


def _waiting(view: RunView) -> str:
    claims = [one.claim.deadline for one in view.slices if one.claim is not None and not one.is_done]
    last = f"{datetime.fromtimestamp(max(claims), UTC):%H:%M:%S}Z" if claims else "now"
    return (
        f"waiting: slices that are claimed: {len(claims)}, the last one until {last}; a process that works renews its"
        " claim, a killed one does not"
    )


def count_records(operation: Operation) -> int:
    """About how many records there are, by the counters that the stream's handler adds up."""
    counters = operation.dependencies.progress.read_progress()
    return max(0, sum(count for name, count in counters.items() if name.startswith(RECORDS)))


def new_run(operation: Operation, work: str, slices: int, options: Mapping[str, str]) -> Run:
    """A run that begins now."""
    dependencies = operation.dependencies
    return Run(
        work,
        dependencies.new_token(),
        slices,
        options,
        rules_digest=dependencies.rules.digest,
        by=operation.by,
        begun_at=dependencies.ports.clock.now(),
    )


def begun_run(context: click.Context, book: RunBook, run: Run, joined: Run | None, *, as_json: bool) -> Run:
    """The run that was joined, or else ``run``, begun; or the end of the command, which says why it may not begin.

    Raises InputError where this version of keyshift would cut the run that was joined into other slices.
    """
    if joined is not None:
        if joined.slices != run.slices:
            raise InputError(ANOTHER_VERSION)
        return joined
    shut = begin_run(book, run)
    if shut is not None:
        refuse(context, shut.why, as_json=as_json)
    return run


def joined_run(context: click.Context, operation: Operation, book: RunBook, work: str, *, as_json: bool) -> Run:
    """The run that goes on; or the end of the command, which says why it cannot be joined."""
    run = join_run(book, work, rules_digest=operation.dependencies.rules.digest)
    if isinstance(run, Shut):
        refuse(context, run.why, as_json=as_json)
    return run


def cancel_shared_run(context: click.Context, operation: Operation, book: RunBook, work: str, *, as_json: bool) -> None:
    """Cancel the run that goes on, and print what it did."""
    run = cancel_run(book, work, by=operation.by, now=operation.dependencies.ports.clock.now())
    if isinstance(run, Shut):
        refuse(context, run.why, as_json=as_json)
    view = RunView(book, run, book.read_slices(run))
    if as_json:
        click.echo(json.dumps({"cancelled": work, "done": view.done, "slices": run.slices, "counts": view.counts}))
        return
    figures = ", ".join(f"{count:,} {name}" for name, count in sorted(view.counts.items()) if count)
    say(f"cancelled: {view.done:,} of {run.slices:,} slices were done ({figures or 'nothing was looked at'})")


def refuse_options(context: click.Context, names: Sequence[str], *, join: bool, cancel: bool) -> None:
    """Raise InputError where one of these options stands beside ``--join`` or ``--cancel``."""
    if join and cancel:
        raise InputError("--join and --cancel exclude each other")
    for name in names if join or cancel else ():
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{'--join' if join else '--cancel'}: {option} is chosen when a run begins: omit it")


def say_end(state: RunState) -> bool:
    """Whether the run was done whole; prints that another command ended it before."""
    if state is not RunState.ENDED:
        say(f"the run was {state.value.lower()} before its end", err=True)
    return state is RunState.ENDED
