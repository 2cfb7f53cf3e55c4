"""``keyshift rollback``: restore the original state, as long as the migration is not done."""

import json

import click

from handlers.cli.options import ABOVE_ZERO, json_option, with_settings
from handlers.cli.output import MOST_SHOWN, refuse, say, say_dry_run
from handlers.cli.progress import progress
from handlers.config.settings import Settings
from handlers.operations.removals import Removed
from handlers.operations.rollback import RollbackPlan, RolledBack


@click.command()
@click.option("--yes", is_flag=True, help="Really do it; without it the command only shows what would change.")
@click.option("--purge", is_flag=True, help="After a rollback has ended: delete the copies that keyshift created.")
@click.option("--rate", type=ABOVE_ZERO, help="Maximum number of objects a second.")
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 256), help="Objects in parallel.")
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
    threads: int,
    as_json: bool,
) -> None:
    """Stop the migration and put back what it changed: notifications, sources, references.

    What producers wrote after the move stays. Copies stay too, until --purge, which is refused while anything may still
    name or need one. A command that was stopped resumes when it is run again. Exit code 1 unless the original state is
    back, and with --purge while a copy is left that keyshift created.

    \b
    Example:
      keyshift rollback
      keyshift rollback --yes
      keyshift rollback --purge --yes
    """
    from handlers.bootstrap.operations import operation_for
    from handlers.operations.operator import Shut
    from handlers.operations.purge import purge_copies
    from handlers.operations.rollback import plan_rollback, roll_back

    _, operation = operation_for(settings, function="rollback-command")
    if purge:
        found = purge_copies(operation, yes=yes, threads=threads, per_second=rate)
        if isinstance(found, Shut):
            refuse(context, found.why, as_json=as_json)
        left = 0
        for one in found:
            left += one.verdict in (Removed.FAILED, Removed.HELD)
            row = {"source": one.source, "verdict": one.verdict, "why": one.why, "reason": one.reason}
            say(json.dumps(row) if as_json else f"{one.verdict:9} {one.source!r}  ({one.why})")
        if not yes:
            say_dry_run("deleted")
        elif left:
            click.echo(f"{left:,} copies are left: correct each reason above, then run it again", err=True)
        context.exit(1 if left and yes else 0)
    with progress("rolling back" if yes else "looking", None) as step:
        answer = (
            roll_back(operation, threads=threads, per_second=rate, seen=step, say=_say)
            if yes
            else plan_rollback(operation, seen=step)
        )
    if isinstance(answer, Shut):
        refuse(context, answer.why, as_json=as_json)
    elif isinstance(answer, RollbackPlan):
        _show_plan(answer, as_json=as_json)
    else:
        _show(answer, as_json=as_json)
        context.exit(0 if answer.clean else 1)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _show_plan(plan: RollbackPlan, *, as_json: bool) -> None:
    rows = {
        "sources to restore": plan.restores,
        "objects to fence": plan.fences,
        "objects in conflict": plan.conflicts,
        "rolled back already": plan.done,
        "copies that stay until --purge": plan.copies_kept,
        "references to put back": plan.references,
        "notifications": plan.capture,
    }
    if as_json:
        click.echo(json.dumps({name.replace(" ", "_").replace("--", ""): value for name, value in rows.items()}))
    else:
        for name, value in rows.items():
            if value is not None:
                click.echo(f"{name}: {value}")
    say_dry_run("changed")


def _show(done: RolledBack, *, as_json: bool) -> None:
    if as_json:
        for source, why in done.troubles:
            click.echo(json.dumps({"source": source, "why": why}))
        counted = {"states": dict(done.states), "references": done.references, "clean": done.clean}
        noted = {"notifications_as_before": done.configuration_as_before, "stays": done.stays}
        click.echo(json.dumps(counted | noted))
        return
    for source, why in done.troubles[:MOST_SHOWN]:
        say(f"{source!r}: {why}")
    for state, count in sorted(done.states.items()):
        click.echo(f"{count:,} {state}")
    click.echo(f"{done.references:,} references put back")
    if not done.configuration_as_before:
        say(f"the bucket's notifications differ from before, because other programs changed them: {done.configuration}")
    if done.stays:
        say(done.stays)
    click.echo("the original state is back" if done.clean else f"{len(done.troubles):,} differences: see above")
