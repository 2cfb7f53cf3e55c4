"""``keyshift status --exact`` and ``keyshift report``: count the manifest's records one by one."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING

from domain.errors import InputError
from domain.reporting.tallied import FirstTroubled, Tallied, tallied_of
from domain.runs.works import OBJECTS, Work
from handlers.cli.run_following import Following, say_end
from handlers.cli.stage_runs import Runs, StageCommand, StageWork

if TYPE_CHECKING:
    from handlers.operations.count_run import Counted


def check_count(runs: Runs, *, exact: bool, watch: bool) -> None:
    """Raise InputError for options of a run where there is none: without ``--exact``, or beside ``--watch``."""
    is_of_a_run = runs.is_given or runs.shared is not None or runs.engine is not None
    if is_of_a_run and not exact:
        raise InputError("--shared, --join, --cancel and --engine are of the count of all records: give --exact too")
    if is_of_a_run and watch:
        raise InputError("--watch counts the records in this process each time: omit --shared, --join and --engine")


def check_report(runs: Runs, *, quick: bool, as_csv: bool, as_json: bool) -> None:
    """Raise InputError for options of a run where there is none; ``as_csv`` and ``as_json`` print each object."""
    is_of_a_run = runs.is_given or runs.shared is not None or runs.engine is not None
    omitted = "omit --shared, --local, --join, --cancel and --engine"
    if is_of_a_run and quick:
        raise InputError(f"--quick counts no records: {omitted}")
    if is_of_a_run and as_csv:
        raise InputError(f"--csv prints each object, so this process reads and counts the records: {omitted}")
    if is_of_a_run and as_json:
        raise InputError(
            f"--json prints each object, so this process reads and counts the records: {omitted}, or give --summary too"
        )


def count_exactly(command: StageCommand) -> "Counted | None":
    """The records as they are counted now; ``None``: the run was cancelled by this command.

    The command ends here where it is refused, and with exit code 1 where another command cancelled the run.
    """
    from handlers.operations.count_run import counted_of

    counts = _count(command, Work.COUNT, lambda line: None)  # noqa: ARG005  # it keeps none
    return counted_of(counts) if counts is not None else None


def count_report(command: StageCommand) -> Tallied | None:
    """The figures of a report, and the first records that need a person; else as ``count_exactly``."""
    from handlers.operations.count_run import troubled_from

    first = FirstTroubled()
    counts = _count(command, Work.REPORT, lambda line: first.add(troubled_from(line)))
    return tallied_of(counts, first.in_order) if counts is not None else None


def _count(command: StageCommand, work: Work, show: Callable[[str], None]) -> Mapping[str, int] | None:
    from handlers.bootstrap.runs import count_work
    from handlers.operations.count_run import CountOptions, options_of
    from handlers.operations.segments import segments_of

    followed = command.work_off(
        StageWork(
            work,
            lambda records: CountOptions(segments_of(records)),
            options_of,
            lambda options, _: nullcontext(count_work(command.process, command.operation, work, options)),
            lambda records: Following(command.threads, show, (OBJECTS,), records),
        )
    )
    if followed is None:
        return None
    if not say_end(followed.state):
        command.context.exit(1)
    return followed.counts
