"""The runs of ``keyshift references rewrite`` and ``undo``, shown reference by reference."""

import json
from contextlib import nullcontext
from dataclasses import dataclass

import click

from domain.runs.works import ITEMS, Work
from handlers.cli.output import say_dry_run
from handlers.cli.references_view import show_row, sum_up
from handlers.cli.run_following import Following, say_end
from handlers.cli.stage_runs import Options, Runs, StageCommand, StageWork, refuse_options
from handlers.config.settings import Settings
from handlers.operations.reference_run import outcomes_of
from handlers.operations.rewrite_run import RewriteOptions

_DRY = {Work.REWRITE_DRY: "rewritten", Work.UNDO_DRY: "put back"}
"""What a dry run leaves undone."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many items are worked on in parallel, and the maximum number that is begun in a second."""

    threads: int
    rate: float | None


def rewrite_all(
    context: click.Context,
    settings: Settings,
    runs: Runs,
    options: RewriteOptions,
    *,
    rate: float | None,
    as_json: bool,
) -> None:
    """Begin, join or cancel the run of a rewriting; the command ends with its exit code."""
    from handlers.bootstrap.operations import operation_for
    from handlers.bootstrap.references import references_of
    from handlers.operations.rewrite_run import RewriteWork, rewrite_options_of

    refuse_options(context, ("only", "segments", "shared"), join=runs.join, cancel=runs.cancel)
    process, operation = operation_for(settings, function="references-command")
    jobs = references_of(process, read_units=options.read_units)
    command = StageCommand(context, process, operation, runs, 2 * options.segments, rate, as_json)
    work_off(
        command,
        StageWork(
            Work.REWRITE if options.yes else Work.REWRITE_DRY,
            lambda _: options,
            rewrite_options_of,
            lambda options, _: nullcontext(RewriteWork(jobs, options)),
            lambda _: _following(command),
        ),
    )


def undo_all(context: click.Context, settings: Settings, runs: Runs, pace: Pace, *, yes: bool, as_json: bool) -> None:
    """Begin, join or cancel the run of an undo; the command ends with its exit code."""
    from handlers.bootstrap.operations import operation_for
    from handlers.bootstrap.runs import undo_work
    from handlers.operations.segments import segments_of
    from handlers.operations.undo_run import UndoOptions, undo_options_of

    refuse_options(context, ("shared",), join=runs.join, cancel=runs.cancel)
    process, operation = operation_for(settings, function="references-command")
    command = StageCommand(context, process, operation, runs, pace.threads, pace.rate, as_json)
    work_off(
        command,
        StageWork(
            Work.UNDO if yes else Work.UNDO_DRY,
            lambda records: UndoOptions(segments_of(records), yes),
            undo_options_of,
            lambda options, _: nullcontext(undo_work(process, operation, options)),
            lambda _: _following(command),
        ),
    )


def work_off(command: StageCommand, stage_work: StageWork[Options]) -> None:
    """Work on the run, and sum it up; the command ends with its exit code."""
    followed = command.work_off(stage_work)
    if followed is None:
        return
    code = sum_up(outcomes_of(followed.counts), as_json=command.as_json)
    is_whole = say_end(followed.state)
    if stage_work.work in _DRY:
        say_dry_run(_DRY[stage_work.work])
    command.context.exit(code if is_whole else 1)


def _following(command: StageCommand) -> Following:
    def show(line: str) -> None:
        show_row(json.loads(line), as_json=command.as_json)

    return Following(command.threads, show, (ITEMS,), 0, command.rate)
