"""``keyshift status --exact``: count the manifest's records one by one."""

from contextlib import nullcontext
from typing import TYPE_CHECKING

from domain.errors import InputError
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


def count_exactly(command: StageCommand) -> "Counted | None":
    """The records as they are counted now; ``None``: the run was cancelled by this command.

    The command ends here where it is refused, and with exit code 1 where another command cancelled the run.
    """
    from handlers.bootstrap.runs import count_work
    from handlers.operations.count_run import CountOptions, counted_of, options_of
    from handlers.operations.segments import segments_of

    followed = command.work_off(
        StageWork(
            Work.COUNT,
            lambda records: CountOptions(segments_of(records)),
            options_of,
            lambda options, _: nullcontext(count_work(command.process, command.operation, options)),
            lambda records: Following(command.threads, lambda line: None, (OBJECTS,), records),  # noqa: ARG005  # it keeps none
        )
    )
    if followed is None:
        return None
    if not say_end(followed.state):
        command.context.exit(1)
    return counted_of(followed.counts)
