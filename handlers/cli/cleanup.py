"""``keyshift cleanup``: the sources go, each only where everything about it is proven."""

import json
from typing import TYPE_CHECKING

import click

from domain.errors import InputError
from domain.lifecycle.gates import DEFAULT_LIMITS
from handlers.cli.options import ABOVE_ZERO, json_option, need_queues, with_settings
from handlers.cli.output import MOST_SHOWN, refuse, say, say_dry_run
from handlers.cli.progress import progress
from handlers.cli.times import parse_span
from handlers.config.settings import Settings
from handlers.operations.cleanup import CleanupTally, Leftovers

if TYPE_CHECKING:
    from handlers.bootstrap.process import Process
    from handlers.operations.operator import Operation, Shut


@click.command()
@click.option("--yes", is_flag=True, help="Really delete; without it only what would go and what is held is shown.")
@click.option("--soak", default="24h", show_default=True, help="Least time since verification and cut-over.")
@click.option("--rate", type=ABOVE_ZERO, help="Sources a second at most.")
@click.option("--versions", is_flag=True, help="Delete the verified version for good, not only hide it by a marker.")
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 256), help="Objects at once.")
@click.option("--finish", is_flag=True, help="Say that it is over: nothing can be undone any more.")
@click.option("--confirm", metavar="MIGRATION", help="With --finish: the migration's name, typed.")
@click.option("--keep-rest", is_flag=True, help="With --finish: sources that are kept stay forever.")
@click.option(
    "--most-waiting",
    default=DEFAULT_LIMITS.most_waiting,
    show_default=True,
    type=click.IntRange(0),
    help="With --finish: live messages that may wait.",
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
    threads: int,
    finish: bool,
    confirm: str | None,
    keep_rest: bool,
    most_waiting: int,
    as_json: bool,
) -> None:
    """Delete sources whose verified copies are at the target, and say why the others are kept.

    A source is kept while it is unverified, in its soak time, referenced, pinned, locked or being processed, or if it
    has changed since its copy. Deletes are conditional on the verified version. In a bucket with versions they only
    leave markers. A command that was stopped resumes when it is run again. Exit code 1 when something failed or nothing
    may be cleaned. --finish lists both buckets first. It says no while a source has no record, or while a queue or a
    dead-letter queue holds messages.

    \b
    Example:
      keyshift cleanup
      keyshift cleanup --soak 7d --rate 100 --yes
      keyshift cleanup --finish --confirm edge-cv-portal
    """
    from handlers.bootstrap import wire_command
    from handlers.bootstrap.operations import operation_of
    from handlers.bootstrap.process import Process
    from handlers.operations.cleanup import Cleaner, begin_cleaning, refuse_cleanup, warn_of_cleanup

    soak_seconds = parse_span(soak)
    process = Process(settings)
    operation = operation_of(process, wire_command(process, function="cleanup-command"))
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
    shut = refuse_cleanup(operation, forgets_versions=versions)
    if shut is not None:
        refuse(context, shut.why, as_json=as_json)
    warning = warn_of_cleanup(operation)
    if warning is not None:
        click.echo(f"note: {warning}", err=True)
    cleaner = Cleaner(operation, soak=soak_seconds, forgets_versions=versions)
    if yes:
        begin_cleaning(operation)
    tally = CleanupTally()
    with progress("cleaning" if yes else "looking", None) as step:
        for one in cleaner.cleaned(yes=yes, threads=threads, per_second=rate):
            step()
            tally.add(one)
            if as_json:
                click.echo(json.dumps({"source": one.source, "verdict": one.verdict, "why": one.why, "size": one.size}))
            elif sum(tally.verdicts.values()) <= MOST_SHOWN:
                say(f"{one.verdict:9} {one.source!r}" + (f"  ({one.why})" if one.why else ""))
    _summarise(tally, yes=yes, as_json=as_json)
    context.exit(1 if tally.verdicts["failed"] else 0)


def _finish(process: "Process", operation: "Operation", allowed: Leftovers) -> "Shut | None":
    from handlers.bootstrap.operations import objects_of_both_sides
    from handlers.bootstrap.steering import lookout_of
    from handlers.operations.cleanup import finish_migration

    objects = objects_of_both_sides(process, operation, ())
    with progress("looking", None) as step:
        return finish_migration(
            operation,
            lookout_of(process, operation.dependencies),
            objects=objects,
            allowed=allowed,
            seen=step,
        )


def _summarise(tally: CleanupTally, *, yes: bool, as_json: bool) -> None:
    if as_json:
        counted = {"verdicts": dict(tally.verdicts), "held_by": dict(tally.reasons), "bytes": tally.bytes_gone}
        click.echo(json.dumps(counted | {"dry_run": not yes}))
        return
    for verdict, count in sorted(tally.verdicts.items()):
        click.echo(f"{count:,} {verdict}")
    for reason, count in tally.reasons.most_common():
        say(f"  {count:,} held: {reason}")
    if not yes:
        say_dry_run("deleted")
