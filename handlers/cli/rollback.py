"""``keyshift rollback``: restore the original state, as long as the migration is not done."""

from collections.abc import Mapping
from contextlib import nullcontext

import click

from domain.runs.works import CHECKED, OBJECTS, Work
from handlers.cli.options import ABOVE_ZERO, json_option, whole_number, with_settings
from handlers.cli.output import say
from handlers.cli.purge import purge_copies
from handlers.cli.rollback_view import DifferencesShown, show_plan, show_rolled_back
from handlers.cli.run_following import Following, say_end
from handlers.cli.stage_runs import Runs, StageCommand, StageWork, refuse_options, run_options
from handlers.config.settings import Settings


@click.command()
@click.option("--yes", is_flag=True, help="Really do it; without it the command only shows what would change.")
@click.option("--purge", is_flag=True, help="After a rollback has ended: delete the copies that keyshift created.")
@click.option("--rate", type=ABOVE_ZERO, help="Maximum number of objects a second, of this command.")
@run_options
@whole_number("--threads", 8, "Objects in parallel.", most=256)
@json_option
@with_settings
@click.pass_context
def rollback(
    context: click.Context,
    settings: Settings,
    *,
    yes: bool,
    purge: bool,
    rate: float | None,
    shared: bool | None,
    join: bool,
    cancel: bool,
    engine: bool | None,
    threads: int,
    as_json: bool,
) -> None:
    """Stop the migration and put back what it changed: notifications, sources, references.

    What producers wrote after the move stays. Copies stay too, until --purge, which is refused while anything may still
    name or need one. A command that was stopped resumes when it is run again. Other commands may --join a shared run,
    each with its own --rate. Exit code 1 unless the original state is back, and with --purge while a copy is left that
    keyshift created.

    \b
    Example:
      keyshift rollback
      keyshift rollback --yes
      keyshift rollback --yes --join --threads 32
      keyshift rollback --purge --yes
    """
    from handlers.bootstrap.operations import operation_for

    refuse_options(context, ("shared",), join=join, cancel=cancel)
    process, operation = operation_for(settings, function="rollback-command")
    command = StageCommand(context, process, operation, Runs(shared, join, cancel, engine), threads, rate, as_json)
    if purge:
        purge_copies(command, yes=yes)
    elif yes:
        _roll_back(command)
    else:
        _plan(command)


def _plan(command: StageCommand) -> None:
    from handlers.bootstrap.runs import rollback_plan_work
    from handlers.operations.rollback import plan_capture_back, refuse_rollback
    from handlers.operations.rollback_run import RollbackOptions, options_of
    from handlers.operations.segments import segments_of

    operation = command.operation
    followed = command.work_off(
        StageWork(
            Work.ROLLBACK_DRY,
            lambda records: RollbackOptions(segments_of(records)),
            options_of,
            lambda options, _: nullcontext(rollback_plan_work(command.process, operation, options)),
            lambda records: Following(command.threads, say, (OBJECTS,), records),
            check=lambda _: refuse_rollback(operation),
        )
    )
    if followed is None:
        return
    references = operation.undo.rewritten_references() if operation.undo is not None else None
    show_plan(followed.counts, plan_capture_back(operation), references, as_json=command.as_json)
    command.context.exit(0 if say_end(followed.state) else 1)


def _roll_back(command: StageCommand) -> None:
    from handlers.bootstrap.runs import rollback_work
    from handlers.operations.rollback import NOT_CAPTURED, begin_rollback, end_rollback, refuse_rollback
    from handlers.operations.rollback_run import RollbackOptions, RolledBack, options_of
    from handlers.operations.segments import segments_of

    operation, capture, shown = command.operation, NOT_CAPTURED, DifferencesShown(as_json=command.as_json)

    def prepare() -> None:
        nonlocal capture
        capture = begin_rollback(operation, say=lambda text: say(text, err=True))
        say("restoring objects, then references; then each record is checked", err=True)

    def end(counts: Mapping[str, int]) -> None:
        done = RolledBack(counts, capture)
        if done.is_over:
            end_rollback(operation, differences=done.differences)

    followed = command.work_off(
        StageWork(
            Work.ROLLBACK,
            lambda records: RollbackOptions(segments_of(records)),
            options_of,
            lambda options, _: nullcontext(rollback_work(command.process, operation, options)),
            # Each object is rolled back, and each is checked.
            lambda records: Following(command.threads, shown.show, (OBJECTS, CHECKED), 2 * records, command.rate, end),
            check=lambda _: refuse_rollback(operation),
            prepare=prepare,
        )
    )
    if followed is None:
        return
    done = RolledBack(followed.counts, capture)
    is_whole = say_end(followed.state)
    show_rolled_back(done, is_whole=is_whole, as_json=command.as_json)
    command.context.exit(0 if done.clean and is_whole else 1)
