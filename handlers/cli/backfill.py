"""``keyshift backfill``: enqueue the existing objects."""

from pathlib import Path

import click

from domain.errors import InputError
from handlers.cli.feeding import Feeding, feed_files, feed_listing, write_total
from handlers.cli.options import json_option, need_queues, whole_number, with_settings
from handlers.config.settings import Settings


@click.command()
@click.option("--list", "listing", is_flag=True, help="Take the objects from a listing of the source bucket.")
@click.option("--inventory", help="Take them from an S3 Inventory: a path or s3:// URI of its manifest.json.")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="Take them from a plan saved with --out.")
@click.option("--prefix", default="", help="Only keys with this prefix (after the rules' own prefix).")
@click.option("--after", default="", help="Only keys after this one: where an earlier run stopped.")
@whole_number("--rows", 50, "Objects in one message.", most=1000)
@whole_number("--backlog", 200, "Wait while more messages than this are in the queue.")
@click.option(
    "--again", is_flag=True, help="Begin an inventory or a plan at its first row, even if it was enqueued before."
)
@click.option(
    "--totals",
    type=click.Path(path_type=Path),
    help="Output of 'plan --json', or file of 'plan --out': what status shows a share of while this is enqueued.",
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
    totals: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Enqueue every object that the rules move, for the workers to migrate.

    It runs in the stages from live to cleaning, so keyshift start comes first. If it is stopped, it prints the --after
    with which to resume. An object that is enqueued twice is migrated once. Exit code 1 when the rules file has
    unmapped: fail and a key is unmapped.

    keyshift status shows a share of all objects as soon as they are counted: from the beginning with --plan or
    --totals, otherwise when the listing or inventory ends. --totals alone enqueues nothing.

    \b
    Example:
      keyshift backfill --list --dry-run
      keyshift backfill --list --after 'training-output/cookie-7/output/model.tar.gz'
      keyshift backfill --inventory s3://inventories/line-1/all/2026-11-22T01-00Z/manifest.json
    """
    sources = sum((listing, inventory is not None, plan_file is not None))
    if sources != 1 and (sources or totals is None):
        raise InputError("choose where the objects come from: one of --list, --inventory MANIFEST and --plan FILE")
    if (prefix or after) and not listing:
        raise InputError("--prefix and --after go with --list; an inventory resumes by itself where it stopped")
    if again and listing:
        raise InputError("--again goes with --inventory and --plan; --list begins at the first key without --after")
    if sources and not dry_run:
        need_queues(settings, "backfill")
    if totals is not None and not dry_run:
        write_total(settings, totals)
    feeding = Feeding(settings, backlog=backlog, rows=rows, dry_run=dry_run, as_json=as_json)
    if listing:
        fed = feed_listing(feeding, prefix=prefix, after=after)
    elif sources:
        fed = feed_files(feeding, inventory or str(plan_file), saved=plan_file, again=again)
    else:
        return
    if fed.refused:
        what = "keys match no rule, and the rules file has unmapped: fail; they were not enqueued"
        click.echo(f"{fed.refused:,} {what}: extend the rules, then run it again", err=True)
        context.exit(1)
