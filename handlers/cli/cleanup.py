"""``keyshift cleanup``: delete the sources whose copies are proven."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from domain.errors import InputError
from domain.lifecycle.gates import DEFAULT_LIMITS
from domain.runs.works import OBJECTS, Work
from handlers.cli.options import ABOVE_ZERO, json_option, need_queues, whole_number, with_settings
from handlers.cli.output import refuse, say, say_dry_run
from handlers.cli.progress import progress
from handlers.cli.removals import RemovalsShown
from handlers.cli.run_following import Following, say_end
from handlers.cli.stage_runs import Runs, StageCommand, StageWork, refuse_options, run_options
from handlers.cli.text import parse_span
from handlers.config.settings import Settings
from handlers.operations.finish import Leftovers
from handlers.operations.removals import Removed

if TYPE_CHECKING:
    from handlers.bootstrap.process import Process
    from handlers.operations.operator import Operation, Shut
    from handlers.operations.removal_run import CleanupOptions, RemovalSummary


@click.command()
@click.option(
    "--yes",
    is_flag=True,
    help="Really delete; without it the command only shows what it would delete and what is held.",
)
@click.option("--soak", default="24h", show_default=True, help="Minimum time since verification and cut-over.")
@click.option("--rate", type=ABOVE_ZERO, help="Maximum number of sources a second, of this command.")
@click.option(
    "--versions", is_flag=True, help="Delete the verified version permanently, instead of hiding it by a delete marker."
)
@run_options
@whole_number("--threads", 8, "Objects in parallel.", most=256)
@click.option("--finish", is_flag=True, help="Finish the migration. This cannot be undone.")
@click.option("--confirm", metavar="MIGRATION", help="With --finish: the migration's name, typed.")
@click.option("--keep-rest", is_flag=True, help="With --finish: sources that are kept stay forever.")
@whole_number(
    "--most-waiting", DEFAULT_LIMITS.most_waiting, "With --finish: maximum number of live messages that wait.", least=0
)
@json_option
@with_settings
@click.pass_context
def cleanup(
    context: click.Context,
    settings: Settings,
    *,
    yes: bool,
    soak: str,
    rate: float | None,
    versions: bool,
    shared: bool | None,
    join: bool,
    cancel: bool,
    engine: bool | None,
    threads: int,
    finish: bool,
    confirm: str | None,
    keep_rest: bool,
    most_waiting: int,
    as_json: bool,
) -> None:
    """Delete sources whose verified copies are at the target, and show why the others are kept.

    A source is kept while it is unverified, in its soak time, referenced, pinned, locked or being processed, or if it
    has changed since its copy. Deletes are conditional on the verified version. In a bucket with versions they only
    leave markers. A command that was stopped resumes when it is run again. Other commands may --join a shared run, each
    with its own --rate. Exit code 1 when something failed or nothing may be cleaned. --finish lists both buckets first.
    It is refused while a source has no record, or while a queue or a dead-letter queue has messages.

    \b
    Example:
      keyshift cleanup
      keyshift cleanup --soak 7d --rate 100 --yes
      keyshift cleanup --finish --confirm edge-cv-portal
    """
    from handlers.bootstrap.operations import operation_for
    from handlers.operations.removal_run import CleanupOptions, summary_of
    from handlers.operations.segments import segments_of

    refuse_options(context, ("soak", "versions", "shared", "finish"), join=join, cancel=cancel)
    soak_seconds = parse_span(soak)
    process, operation = operation_for(settings, function="cleanup-command")
    if finish:
        name = operation.dependencies.rules.migration
        if confirm != name:
            raise InputError(f"--finish cannot be undone: type the migration's name too (--confirm {name})")
        need_queues(settings, "events", "backfill")
        shut = _finish(process, operation, Leftovers(keep_rest, most_waiting))
        if shut is not None:
            refuse(context, shut.why, as_json=as_json)
        done = "the migration is done"
        click.echo(json.dumps({"done": done}) if as_json else done)
        return
    command = StageCommand(context, process, operation, Runs(shared, join, cancel, engine), threads, rate, as_json)
    options = CleanupOptions(0, yes, soak_seconds, versions)
    followed = command.work_off(
        _stage_work(command, lambda records: replace(options, segments=segments_of(records)), yes=yes)
    )
    if followed is None:
        return
    summary = summary_of(followed.counts)
    _summarise(summary, yes=yes, as_json=as_json)
    is_over = say_end(followed.state)
    context.exit(1 if summary.verdicts.get(Removed.FAILED) or not is_over else 0)


def _stage_work(
    command: StageCommand, decide: "Callable[[int], CleanupOptions]", *, yes: bool
) -> "StageWork[CleanupOptions]":
    from handlers.bootstrap.runs import cleanup_work, with_tables
    from handlers.operations.cleanup import begin_cleaning, refuse_cleanup, warn_of_cleanup
    from handlers.operations.look_at_holders import has_holders
    from handlers.operations.removal_run import cleanup_options_of

    operation, shown = command.operation, RemovalsShown(as_json=command.as_json)

    def check(options: "CleanupOptions") -> "Shut | None":
        shut = refuse_cleanup(operation, forgets_versions=options.versions)
        warning = warn_of_cleanup(operation) if shut is None else None
        if warning is not None:
            click.echo(f"note: {warning}", err=True)
        return shut

    return StageWork(
        Work.CLEANUP if yes else Work.CLEANUP_DRY,
        decide,
        cleanup_options_of,
        lambda options, kept: nullcontext(cleanup_work(command.process, operation, options, kept, looks_here=True)),
        lambda records: Following(command.threads, shown.show, (OBJECTS,), records, command.rate if yes else None),
        check=check,
        needs_look=lambda: has_holders(operation.dependencies.rules),
        share=lambda options: with_tables(operation, options),
        prepare=(lambda: begin_cleaning(operation)) if yes else (lambda: None),
    )


def _finish(process: "Process", operation: "Operation", allowed: Leftovers) -> "Shut | None":
    from handlers.bootstrap.operations import objects_of_both_sides
    from handlers.bootstrap.steering import lookout_of
    from handlers.operations.finish import finish_migration

    objects = objects_of_both_sides(process, operation, ())
    with progress("looking", None) as step:
        return finish_migration(
            operation,
            lookout_of(process, operation.dependencies),
            objects=objects,
            allowed=allowed,
            seen=step,
        )


def _summarise(summary: "RemovalSummary", *, yes: bool, as_json: bool) -> None:
    if as_json:
        counted = {"verdicts": summary.verdicts, "held_by": summary.reasons, "bytes": summary.bytes_gone}
        click.echo(json.dumps(counted | {"dry_run": not yes}))
        return
    for verdict, number in sorted(summary.verdicts.items()):
        click.echo(f"{number:,} {verdict}")
    for reason, number in sorted(summary.reasons.items(), key=lambda one: -one[1]):
        say(f"  {number:,} held: {reason}")
    if not yes:
        say_dry_run("deleted")
