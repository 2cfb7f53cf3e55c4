"""The runs of ``keyshift references rewrite`` and ``undo``, shown reference by reference."""

from contextlib import nullcontext

from domain.runs.works import ITEMS, Work
from handlers.cli.output import say_dry_run
from handlers.cli.references_view import show_row, sum_up
from handlers.cli.run_following import Following, say_end
from handlers.cli.stage_runs import Options, StageCommand, StageWork
from handlers.operations.reference_run import outcomes_of, shown_row
from handlers.operations.rewrite_run import RewriteOptions

_DRY = {Work.REWRITE_DRY: "rewritten", Work.UNDO_DRY: "put back"}
"""What a dry run leaves undone."""


def scan_all(command: StageCommand, *, only: str, segments: int, read_units: float) -> None:
    """Begin, join or cancel the run of a scan; the command ends with its exit code."""
    from handlers.bootstrap.references import references_of
    from handlers.bootstrap.runs import reference_scan_work
    from handlers.operations.reference_run import ScanOptions, options_of
    from handlers.operations.segments import segments_of

    jobs = references_of(command.process, read_units=read_units)
    _work_off(
        command,
        StageWork(
            Work.REFERENCES,
            lambda records: ScanOptions(segments, only, read_units, segments_of(records)),
            options_of,
            lambda options, kept: nullcontext(
                reference_scan_work(command.process, command.operation, jobs, options, kept)
            ),
            lambda _: _following(command),
        ),
    )


def rewrite_all(command: StageCommand, options: RewriteOptions) -> None:
    """Begin, join or cancel the run of a rewriting; the command ends with its exit code."""
    from handlers.bootstrap.references import references_of
    from handlers.operations.rewrite_run import RewriteWork, rewrite_options_of

    jobs = references_of(command.process, read_units=options.read_units)
    _work_off(
        command,
        StageWork(
            Work.REWRITE if options.yes else Work.REWRITE_DRY,
            lambda _: options,
            rewrite_options_of,
            lambda options, _: nullcontext(RewriteWork(jobs, options)),
            lambda _: _following(command),
        ),
    )


def undo_all(command: StageCommand, *, yes: bool) -> None:
    """Begin, join or cancel the run of an undo; the command ends with its exit code."""
    from handlers.bootstrap.runs import undo_work
    from handlers.operations.segments import segments_of
    from handlers.operations.undo_run import UndoOptions, undo_options_of

    _work_off(
        command,
        StageWork(
            Work.UNDO if yes else Work.UNDO_DRY,
            lambda records: UndoOptions(segments_of(records), yes),
            undo_options_of,
            lambda options, _: nullcontext(undo_work(command.process, command.operation, options)),
            lambda _: _following(command),
        ),
    )


def _work_off(command: StageCommand, stage_work: StageWork[Options]) -> None:
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
        row = shown_row(line)
        if row is not None:
            show_row(row, as_json=command.as_json)

    return Following(command.threads, show, (ITEMS,), 0, command.rate)
