"""``keyshift backfill``: enqueue what is there already."""

import json
import sys
import time
from functools import partial
from pathlib import Path

import click

from domain.errors import InputError
from handlers.cli.options import json_option, need_queues, with_settings
from handlers.config.settings import Settings
from handlers.engine.dependencies import Dependencies
from handlers.operations.backfill import DataFile, Fed, Feeder


@click.command()
@click.option("--list", "listing", is_flag=True, help="Take the objects from a listing of the source bucket.")
@click.option("--inventory", help="Take them from an S3 Inventory: a path or s3:// URI of its manifest.json.")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="Take them from a plan saved with --out.")
@click.option("--prefix", default="", help="Only keys that begin so (after the rules' own prefix).")
@click.option("--after", default="", help="Only keys after this one: where an earlier run stopped.")
@click.option("--rows", default=50, show_default=True, type=click.IntRange(1, 1000), help="Objects in one message.")
@click.option(
    "--backlog",
    default=200,
    show_default=True,
    type=click.IntRange(1),
    help="Wait while more messages than this are in the queue.",
)
@click.option(
    "--again", is_flag=True, help="Begin an inventory or a plan at its first row, also where it was done before."
)
@click.option("--dry-run", is_flag=True, help="Count only; nothing is enqueued.")
@json_option
@with_settings
@click.pass_context
def backfill(
    context: click.Context,
    settings: Settings,
    *,
    listing: bool,
    inventory: str | None,
    plan_file: Path | None,
    prefix: str,
    after: str,
    rows: int,
    backlog: int,
    again: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Enqueue every object that the rules move, for the workers to migrate.

    From live to cleaning only: keyshift start comes first. Stopped half-way, it says with which --after to go on; an
    object that is enqueued twice is migrated once. Exit code 1 when the rules say unmapped: fail and a key is.

    \b
    Example:
      keyshift backfill --list --dry-run
      keyshift backfill --list --after 'training-output/cookie-7/output/model.tar.gz'
      keyshift backfill --inventory s3://inventories/line-1/all/2026-11-22T01-00Z/manifest.json
    """
    from handlers.bootstrap import wire_command
    from handlers.bootstrap.inspection import object_listing
    from handlers.bootstrap.process import Process

    if sum((listing, inventory is not None, plan_file is not None)) != 1:
        raise InputError("say where the objects come from: one of --list, --inventory MANIFEST and --plan FILE")
    if (prefix or after) and not listing:
        raise InputError("--prefix and --after go with --list; an inventory goes on by itself where it stopped")
    if not dry_run:
        need_queues(settings, "backfill")
    if not listing:
        _feed_files(
            context,
            settings,
            inventory or str(plan_file),
            saved=plan_file,
            backlog=backlog,
            again=again,
            dry_run=dry_run,
            as_json=as_json,
        )
        return
    if again:
        raise InputError("--again goes with --inventory and --plan; --list begins at the first key without --after")
    process = Process(settings)
    dependencies = wire_command(process, function="backfill-command")
    _need_stage(dependencies, dry_run=dry_run)
    queue = None if dry_run else dependencies.backfill_queue
    feeder = Feeder(dependencies.rules, queue, backlog=backlog, rows_per_message=rows)
    fed = Fed(last_key=after)
    shown = time.monotonic()

    def go_on() -> bool:
        nonlocal shown
        _need_stage(dependencies, dry_run=dry_run)
        if time.monotonic() - shown >= 2.0:
            shown = time.monotonic()
            click.echo(f"{fed.rows:,} listed, {fed.outcomes['move']:,} to move", err=True)
        return True

    try:
        feeder.feed_listing(object_listing(process), fed, prefix=prefix, go_on=go_on)
    finally:
        # Stopped by an error it still says how far it came, but never that there is nothing where nothing was seen.
        if fed.rows or sys.exc_info()[0] is None:
            _report(fed, listing=True, as_json=as_json, dry_run=dry_run)
    _exit_if_refused(context, fed.refused)


def _need_stage(dependencies: Dependencies, *, dry_run: bool) -> None:
    """Raises InputError at a stage at which nothing may be enqueued: asked again while it runs."""
    fault = None if dry_run else dependencies.control.feeding_fault()
    if fault is not None:
        raise InputError(fault)


def _may_go_on(dependencies: Dependencies, *, dry_run: bool) -> bool:
    return dry_run or dependencies.control.feeding_fault() is None


def _exit_if_refused(context: click.Context, refused: int) -> None:
    if refused:
        what = "keys are mapped by no rule, and the rules say unmapped: fail; they were not enqueued"
        click.echo(f"{refused:,} {what}: extend the rules, then run it again", err=True)
        context.exit(1)


def _feed_files(
    context: click.Context,
    settings: Settings,
    place: str,
    *,
    saved: Path | None,
    backlog: int,
    again: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Every data file after the other; stopped at any moment, the same command goes on where it was."""
    from handlers.bootstrap import wire_command
    from handlers.bootstrap.inventories import inventory_files, journal_of
    from handlers.bootstrap.operations import inventory_warning
    from handlers.bootstrap.planning import plan_rows
    from handlers.bootstrap.process import Process

    process = Process(settings)
    dependencies = wire_command(process, function="backfill-command")
    rules = dependencies.rules
    _need_stage(dependencies, dry_run=dry_run)
    feeder = Feeder(rules, None if dry_run else dependencies.backfill_queue, backlog=backlog)
    journal = None if dry_run else journal_of(process)
    fed, begun = Fed(), time.monotonic()
    opened = inventory_files(process, place) if saved is None else plan_rows(saved, rules.source_bucket)
    with opened as (inventory, files):
        if inventory.source_bucket != rules.source_bucket:
            raise InputError(f"{place} is of bucket {inventory.source_bucket}, the rules move {rules.source_bucket}")
        warning = inventory_warning(process, inventory, place) if not dry_run else None
        if warning is not None:
            click.echo(f"note: {warning}", err=True)
        for number, (key, rows) in enumerate(files.items(), start=1):
            file = DataFile(inventory.content_of(key), key, rows)
            go_on = partial(_may_go_on, dependencies, dry_run=dry_run)
            feeder.feed_file(file, fed, journal=journal, again=again, go_on=go_on)
            _need_stage(dependencies, dry_run=dry_run)
            seconds = max(time.monotonic() - begun, 0.001)
            left = seconds / number * (len(files) - number)
            rate = fed.rows / seconds
            click.echo(
                f"file {number} of {len(files)}: {fed.rows:,} rows, {rate:,.0f}/s, about {left:.0f} s to go", err=True
            )
    _report(fed, listing=False, as_json=as_json, dry_run=dry_run)
    _exit_if_refused(context, fed.refused)


def _report(fed: Fed, *, listing: bool, as_json: bool, dry_run: bool) -> None:
    if as_json:
        click.echo(json.dumps(fed.listed_json() if listing else fed.as_json()))
        return
    verb = "would be enqueued" if dry_run else "enqueued"
    click.echo(f"{fed.outcomes['move']:,} objects {verb} in {fed.messages:,} messages")
    if fed.skipped:
        click.echo(
            f"{fed.skipped:,} rows were skipped: an earlier run enqueued them from the same bytes by the same rules"
            " (--again enqueues them once more)"
        )
    for outcome in ("keep", "unmapped", "rejected", "not_current"):
        if fed.outcomes[outcome]:
            click.echo(f"{fed.outcomes[outcome]:,} {outcome}")
    if listing and fed.last_key and not dry_run:
        click.echo(f"last key: {fed.last_key!r} (go on with --after)")
