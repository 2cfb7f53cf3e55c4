"""``keyshift backfill``: enqueue what is there already."""

import json
import time

import click

from domain.errors import InputError
from handlers.cli.options import json_option, with_settings
from handlers.feeder import Enqueued, Feeder
from handlers.settings import Settings


@click.command()
@click.option("--list", "listing", is_flag=True, help="Take the objects from a listing of the source bucket.")
@click.option("--prefix", default="", help="Only keys that begin so (after the rules' own prefix).")
@click.option("--after", default="", help="Only keys after this one: where an earlier run stopped.")
@click.option("--rows", default=50, show_default=True, type=click.IntRange(1, 1000), help="Objects in one message.")
@click.option("--backlog", default=200, show_default=True, help="Wait while more messages than this are in the queue.")
@click.option("--dry-run", is_flag=True, help="Count only; nothing is enqueued.")
@json_option
@with_settings
def backfill(  # noqa: PLR0913  # its options
    settings: Settings,
    *,
    listing: bool,
    prefix: str,
    after: str,
    rows: int,
    backlog: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Enqueue every object that the rules move, for the workers to migrate.

    Stopped half-way, it says with which --after to go on; an object that is enqueued twice is migrated once.

    \b
    Example:
      keyshift backfill --list --dry-run
      keyshift backfill --list --after 'training-output/cookie-7/output/model.tar.gz'
    """
    from handlers.bootstrap import bootstrap, object_listing

    if not listing:
        raise InputError("say where the objects come from: --list reads a listing of the source bucket")
    dependencies = bootstrap(settings, function="backfill-command")
    done = Enqueued(last_key=after)
    feeder = Feeder(dependencies.rules, object_listing(settings, dependencies.rules), dependencies.backfill_queue)
    shown = time.monotonic()
    try:
        for _ in feeder.enqueue(done, prefix=prefix, rows=rows, backlog=backlog, dry_run=dry_run):
            if time.monotonic() - shown >= 2.0:
                shown = time.monotonic()
                click.echo(f"{done.outcomes.total():,} listed, {done.outcomes['move']:,} to move", err=True)
    finally:
        _report(done, as_json=as_json, dry_run=dry_run)


def _report(done: Enqueued, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        click.echo(json.dumps(done.as_json()))
        return
    verb = "would be enqueued" if dry_run else "enqueued"
    click.echo(f"{done.outcomes['move']:,} objects {verb} in {done.messages:,} messages")
    for outcome in ("keep", "unmapped", "rejected"):
        if done.outcomes[outcome]:
            click.echo(f"{done.outcomes[outcome]:,} {outcome}")
    if done.last_key and not dry_run:
        click.echo(f"last key: {done.last_key!r} (go on with --after)")
