"""``keyshift rollback --purge``: delete the copies that keyshift created."""

from contextlib import nullcontext

import click

from domain.runs.works import OBJECTS, Work
from handlers.cli.output import say_dry_run
from handlers.cli.removals import RemovalsShown
from handlers.cli.run_following import Following, say_end
from handlers.cli.stage_runs import StageCommand, StageWork
from handlers.operations.removals import Removed


def purge_copies(command: StageCommand, *, yes: bool) -> None:
    """Delete the copies, or without ``yes`` show what would be deleted; ends with the exit code."""
    from handlers.bootstrap.runs import purge_work
    from handlers.operations.look_at_holders import has_holders
    from handlers.operations.purge import put_references_back, refuse_purge
    from handlers.operations.removal_run import PurgeOptions, purge_options_of, summary_of
    from handlers.operations.segments import segments_of

    operation, shown = command.operation, RemovalsShown(as_json=command.as_json, left_out=("size",))
    followed = command.work_off(
        StageWork(
            Work.PURGE if yes else Work.PURGE_DRY,
            lambda records: PurgeOptions(segments_of(records), yes),
            purge_options_of,
            lambda options, kept: nullcontext(purge_work(command.process, operation, options, kept, looks_here=True)),
            lambda records: Following(command.threads, shown.show, (OBJECTS,), records, command.rate if yes else None),
            check=lambda _: refuse_purge(operation),
            needs_look=lambda: has_holders(operation.dependencies.rules),
            # What joins a purge need not look again: in this stage no reference is rewritten.
            check_begin=(lambda: put_references_back(operation)) if yes else (lambda: None),
        )
    )
    if followed is None:
        return
    verdicts = summary_of(followed.counts).verdicts
    if not command.as_json:
        for verdict, number in sorted(verdicts.items()):
            click.echo(f"{number:,} {verdict}")
    left = verdicts.get(Removed.FAILED, 0) + verdicts.get(Removed.HELD, 0)
    if not yes:
        say_dry_run("deleted")
    elif left:
        click.echo(f"{left:,} copies are left: correct each reason above, then run it again", err=True)
    is_whole = say_end(followed.state)
    command.context.exit(1 if (left and yes) or not is_whole else 0)
