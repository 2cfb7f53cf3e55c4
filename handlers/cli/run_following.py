"""Works on a run and shows it, from its first kept result to its end, with what other processes did of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from typing import Any, TypeVar

from domain.errors import PermanentError
from domain.runs.ports import RunBook
from domain.runs.run import Run, RunState
from domain.runs.works import Work, waits_in_pause
from handlers.cli.output import say
from handlers.cli.progress import progress
from handlers.operations.operator import Operation
from handlers.operations.parallel import Rate
from handlers.operations.runs import MOST_LANES, Crew, RunView
from handlers.operations.slice_work import SliceWork, Surroundings
from handlers.operations.slices import SliceWorker
from handlers.operations.stage_tasks import Engine

STILL_LOOKS = 10
"""After so many looks at a run that does not move, the command says what it waits for."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Following:
    """How a command works on a run and shows it.

    It works on ``threads`` objects in parallel, and begins at most ``per_second`` objects in a second. Each kept line
    is given to ``show``. The progress adds up the figures ``counted``, of about ``total``. ``end`` is called with all
    figures when every slice is done, before the run is noted as ended.
    """

    threads: int
    show: Callable[[str], None]
    counted: Sequence[str]
    total: int
    per_second: float | None = None
    end: Callable[[Mapping[str, int]], None] = lambda counts: None  # noqa: ARG005  # as end_rollback


@dataclass(frozen=True, slots=True)
class Followed:
    """The run's figures, and the state in which this command left it."""

    counts: Mapping[str, int]
    state: RunState


def work_and_follow(  # the run and its work, and who does it
    operation: Operation,
    book: RunBook,
    run: Run,
    work: SliceWork[Result],
    *,
    is_local: bool,
    how: Following,
    engine: Engine | None = None,
) -> Followed:
    """Work on the run's slices, and show what they keep, until nothing is left to do.

    With ``engine`` functions are asked to do the slices that they can; the others are done here.

    Raises PermanentError where slices failed so often that no process tries them again by itself.
    """
    view, dependencies = RunView(book, run), operation.dependencies
    again = f"keyshift {run.work}" if is_local else f"keyshift {run.work} --join"
    takes: Callable[[int], bool] = _every
    if engine is not None:
        again, takes = f"{again} --engine", _only_here(work)
        asked = engine.ask(run, migration=dependencies.rules.migration, slices=book.read_slices(run))
        say(f"the functions work on it, {asked} at once at most; Ctrl-C leaves it to them", err=True)
    own = sum(map(takes, range(run.slices)))
    with dependencies.objects_at_once(how.threads) as pool:
        rate = Rate(how.per_second, sleep=dependencies.sleep)

        def work_off(stopped: Event) -> None:
            clock = dependencies.ports.clock
            around = Surroundings(pool, clock, dependencies.new_token, stopped.wait, stopped.is_set, rate.wait)
            SliceWorker(book, run, work, around, takes=takes).work_off()

        try:
            with Crew(work_off, lanes=max(1, min(MOST_LANES, how.threads, own))) as crew:
                _follow(view, crew, how, idle=lambda: _idle(operation, run, engine))
                crew.check()
        except KeyboardInterrupt:
            if engine is not None:
                say(f"the functions go on with the run: {again} shows it and does what they cannot do", err=True)
            elif not is_local:
                say(f"the run stays in the manifest table: {again} resumes it", err=True)
            raise
    if view.lost:
        one = view.lost[0]
        raise PermanentError(
            f"{len(view.lost)} of {run.slices} slices could not be finished, such as slice {one.number} ({one.why});"
            f" run {again}"
        )
    if view.is_whole:
        how.end(view.counts)
    state = view.end(by=operation.by, now=dependencies.ports.clock.now())
    if view.why:
        say(f"the run was stopped: {view.why}", err=True)
    return Followed(view.counts, state)


def _every(number: int) -> bool:  # noqa: ARG001  # whichever it is
    return True


def _only_here(work: SliceWork[Any]) -> Callable[[int], bool]:
    """Whether a slice is left to the command."""
    return lambda number: not work.is_portable(number)


def _follow(view: RunView, crew: Crew, how: Following, *, idle: Callable[[], str]) -> None:
    """Show what the run does until the crew has ended; where only claims of others are left, say that it waits."""
    for line in view.look():
        how.show(line)
    shown, still, has_ended = _counted(view, how), 0, False
    reached: list[tuple[str, bool]] = []
    with progress(view.run.work, how.total or None, done=shown) as step:
        while not has_ended:
            has_ended = crew.wait(view.pause)
            for line in view.look():
                how.show(line)
            now = _counted(view, how)
            step(now - shown)
            shown, before, reached = now, reached, [(one.cursor, one.is_done) for one in view.slices]
            still = still + 1 if reached == before else 0
            if still == STILL_LOOKS and not has_ended:
                say(_waiting(view, idle), err=True)


def _counted(view: RunView, how: Following) -> int:
    counts = view.counts
    return sum(counts.get(name, 0) for name in how.counted)


def _idle(operation: Operation, run: Run, engine: Engine | None) -> str:
    """Why no process works on what is left, with the remedy."""
    if engine is None:
        return "waiting: no process has what is left"
    control, here = operation.control(), "--join --no-engine works here"
    if control.paused and waits_in_pause(Work(run.work)):
        return f"waiting: the migration is paused ({control.reason}), and the functions wait; {here}"
    if engine.looking is not None:
        return (
            "waiting: no function has taken a slice; functions look at references and pins first, and again every ten"
            f" minutes. keyshift doctor --stack STACK looks at them, {here}"
        )
    return f"waiting: no function has taken a slice; keyshift doctor --stack STACK looks at them, {here}"


def _waiting(view: RunView, idle: Callable[[], str]) -> str:
    claims = [one.claim.deadline for one in view.slices if one.claim is not None and not one.is_done]
    if not claims:
        return idle()
    last = f"{datetime.fromtimestamp(max(claims), UTC):%H:%M:%S}Z"
    return (
        f"waiting: slices that are claimed: {len(claims)}, the last one until {last}; a process that works renews its"
        " claim, a killed one does not"
    )


def say_end(state: RunState) -> bool:
    """Whether the run was done whole; prints that another command ended it before."""
    if state is not RunState.ENDED:
        say(f"the run was {state.value.lower()} before its end", err=True)
    return state is RunState.ENDED
