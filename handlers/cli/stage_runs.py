"""What the commands whose work is a run share: begin one, join it or cancel it, and work on it to its end."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import click
from click.core import ParameterSource

from domain.errors import InputError
from domain.reporting.progress import RECORDS
from domain.runs.ports import RunBook
from domain.runs.run import Run
from domain.runs.works import Work
from handlers.cli.output import refuse, say
from handlers.cli.run_engine import find_engine, need_engine
from handlers.cli.run_following import Followed, Following, work_and_follow
from handlers.operations.operator import Operation, Shut
from handlers.operations.runs import ANOTHER_VERSION, KeptRun, RunView, begin_run, cancel_run, find_obstacle, join_run
from handlers.operations.slice_work import SliceWork
from handlers.operations.stage_tasks import Engine

if TYPE_CHECKING:
    from handlers.bootstrap.process import Process

SHARED_FROM = 5_000
"""Fewer records are worked through again sooner than a run of them is joined."""
Command = TypeVar("Command", bound=Callable[..., Any])


class RunOptions(Protocol):
    """What every process of a run does alike."""

    def as_options(self) -> Mapping[str, str]:
        """As a run keeps them."""


Options = TypeVar("Options", bound=RunOptions)


@dataclass(frozen=True, slots=True)
class Runs:
    """Which run a command works on: a new one, kept in the table or in this process, or the shared one.

    ``engine`` says whether functions do its slices; ``None``: where they can and it is worth it.
    """

    shared: bool | None
    join: bool
    cancel: bool
    engine: bool | None = None

    @property
    def is_given(self) -> bool:
        """Whether the command is about a run that has begun."""
        return self.join or self.cancel

    def is_local(self, records: int) -> bool:
        """Whether the run is kept in this process, with about so many records."""
        if self.is_given or (self.engine and self.shared is None):
            return False
        return records < SHARED_FROM if self.shared is None else not self.shared


def run_options(command: Command) -> Command:
    """Give the command the arguments ``shared``, ``join``, ``cancel`` and ``engine``."""
    engine = (
        "Let the deployed functions, or workers, do the slices, or do them here. Functions, where the settings name"
        f" their queue, from {SHARED_FROM:,} records on."
    )
    kept = f"Keep the run in the manifest table, or in this process. Shared from {SHARED_FROM:,} records on."
    for option in (
        click.option("--cancel", is_flag=True, help="End the shared run that has not ended."),
        click.option("--join", is_flag=True, help="Work on the shared run that has not ended, and show it."),
        click.option("--engine/--no-engine", default=None, help=engine),
        click.option("--shared/--local", default=None, help=kept),
    ):
        command = option(command)
    return command


def refuse_options(context: click.Context, names: Sequence[str], *, join: bool, cancel: bool) -> None:
    """Raise InputError where one of these options stands beside ``--join`` or ``--cancel``."""
    if join and cancel:
        raise InputError("--join and --cancel exclude each other")
    for name in names if join or cancel else ():
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{'--join' if join else '--cancel'}: {option} is chosen when a run begins: omit it")


@dataclass(frozen=True, slots=True)
class StageWork(Generic[Options]):
    """The work of a command; ``decide`` makes the options of a new run, for about so many records.

    ``check`` returns why the command is refused with these options, ``check_begin`` what else forbids that a run
    begins. ``prepare`` is called before a new run begins, and before a run is joined. ``only_here`` says why functions
    cannot do it with these options, empty: they can. ``needs_look`` says whether functions have to look at what holds
    the objects. ``share`` adds to the options of a new shared run what is found once for all its processes.
    """

    work: Work
    decide: Callable[[int], Options]
    decode: Callable[[Mapping[str, str]], Options]
    open: Callable[[Options, KeptRun], AbstractContextManager[SliceWork[Any]]]
    follow: Callable[[int], Following]
    check: Callable[[Options], Shut | None] = lambda options: None  # noqa: ARG005  # a command without a gate
    check_begin: Callable[[], Shut | None] = lambda: None
    prepare: Callable[[], None] = lambda: None
    only_here: Callable[[Options], str] = lambda options: ""  # noqa: ARG005  # whatever the options are
    share: Callable[[Options], Options] = lambda options: options
    is_always_local: bool = False
    needs_look: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class StageCommand:
    """A command whose work is a run, as it was given; ``rate`` is the maximum number of objects a second."""

    context: click.Context
    process: "Process"
    operation: Operation
    runs: Runs
    threads: int
    rate: float | None
    as_json: bool

    def work_off(self, stage_work: StageWork[Options]) -> Followed | None:
        """Begin the run, or join or cancel it, and work on it to its end; ``None``: it was cancelled.

        The command ends here where it is refused. What may be wrong with the options is found before the run begins.
        """
        from handlers.bootstrap.runs import run_book, shared_book

        work, records, shared = stage_work.work, count_records(self.operation), shared_book(self.process)
        is_local = self.runs.is_local(records) or (stage_work.is_always_local and not self.runs.is_given)
        if self.runs.engine and is_local:
            raise InputError("--engine: this run is kept in the command's own process, where no function sees it")
        with ExitStack() as stack:
            book = stack.enter_context(run_book(self.process, is_local=is_local))
            if self.runs.cancel:
                self._cancel(book, work)
                return None
            joined = self._join(book, work) if self.runs.join else None
            options = stage_work.decode(joined.options) if joined is not None else stage_work.decide(records)
            engine = self._engine(stage_work, options, records) if not is_local else None
            self._go_on_unless(stage_work.check(options))
            if joined is None and not is_local:
                options = stage_work.share(options)
            run_id = joined.run_id if joined is not None else self.operation.dependencies.new_token()
            slices = stack.enter_context(stage_work.open(options, KeptRun(book, work.value, run_id)))
            if joined is None:
                self._go_on_unless(find_obstacle(book, work, shared=shared) or stage_work.check_begin())
            elif joined.slices != sum(slices.phases):
                raise InputError(ANOTHER_VERSION)
            stage_work.prepare()
            run = joined or self._new_run(work, run_id, sum(slices.phases), options.as_options())
            if joined is None:
                self._go_on_unless(begin_run(book, run, shared=shared))
            how = stage_work.follow(records)
            return work_and_follow(self.operation, book, run, slices, is_local=is_local, how=how, engine=engine)

    def _engine(self, stage_work: StageWork[Options], options: Options, records: int) -> Engine | None:
        """The functions that do the slices, ``None``: they are done here."""
        fault = stage_work.only_here(options)
        if self.rate is not None:
            fault = "--rate is of one command; keyshift throttle limits the functions"
        if self.runs.engine:
            return need_engine(self.process, stage_work.work, fault=fault, looks=stage_work.needs_look())
        if self.runs.engine is False or fault or records < SHARED_FROM:
            return None
        return find_engine(self.process, self.operation, stage_work.work, looks=stage_work.needs_look())

    def _go_on_unless(self, shut: Shut | None) -> None:
        if shut is not None:
            refuse(self.context, shut.why, as_json=self.as_json)

    def _new_run(self, work: Work, run_id: str, slices: int, options: Mapping[str, str]) -> Run:
        dependencies = self.operation.dependencies
        return Run(
            work.value,
            run_id,
            slices,
            options,
            rules_digest=dependencies.rules.digest,
            by=self.operation.by,
            begun_at=dependencies.ports.clock.now(),
        )

    def _join(self, book: RunBook, work: Work) -> Run:
        run = join_run(book, work, rules_digest=self.operation.dependencies.rules.digest)
        if isinstance(run, Shut):
            refuse(self.context, run.why, as_json=self.as_json)
        return run

    def _cancel(self, book: RunBook, work: Work) -> None:
        """Cancel the run that goes on, and print what it did."""
        run = cancel_run(book, work, by=self.operation.by, now=self.operation.dependencies.ports.clock.now())
        if isinstance(run, Shut):
            refuse(self.context, run.why, as_json=self.as_json)
        view = RunView(book, run, book.read_slices(run))
        if self.as_json:
            click.echo(json.dumps({"cancelled": work, "done": view.done, "slices": run.slices, "counts": view.counts}))
            return
        figures = ", ".join(f"{count:,} {name}" for name, count in sorted(view.counts.items()) if count)
        say(f"cancelled: {view.done:,} of {run.slices:,} slices were done ({figures or 'nothing was looked at'})")


def count_records(operation: Operation) -> int:
    """About how many records there are, by the counters that the stream's handler adds up."""
    counters = operation.dependencies.progress.read_progress()
    return max(0, sum(count for name, count in counters.items() if name.startswith(RECORDS)))
