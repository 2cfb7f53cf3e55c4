"""``keyshift backfill``: enqueue what is there already."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import click

from domain.errors import InputError
from domain.ports import MessageQueue, ObjectListing
from domain.rules import CompiledRules, MapOutcome
from handlers.cli.options import json_option, with_settings
from handlers.messages import BackfillRow, encode_backfill
from handlers.settings import Settings

MESSAGES_AT_ONCE = 10
BACKLOG_SECONDS = 1.0


@dataclass(slots=True)
class Enqueued:
    """How far a backfill has come; ``last_key`` and everything before it is enqueued or needs no move."""

    outcomes: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    last_key: str = ""

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {"listed": self.outcomes.total(), **self.outcomes, "messages": self.messages, "last_key": self.last_key}


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
    r"""Enqueue every object that the rules move, for the workers to migrate.

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


class Feeder:
    """Turns a listing into messages."""

    def __init__(self, rules: CompiledRules, listing: ObjectListing, queue: MessageQueue) -> None:
        self._rules = rules
        self._listing = listing
        self._queue = queue

    def enqueue(
        self, done: Enqueued, *, prefix: str = "", rows: int = 50, backlog: int = 200, dry_run: bool = False
    ) -> Iterator[None]:
        """Enqueue what moves, yielding now and then; ``done`` never runs ahead of what the queue has accepted."""
        waiting: list[BackfillRow] = []
        last_key = done.last_key
        for listed in self._listing.list_objects(
            self._rules.source_bucket, prefix=self._rules.source_prefix + prefix, after=done.last_key
        ):
            outcome = self._rules.map_key(listed.key).outcome
            done.outcomes[outcome.value] += 1
            last_key = listed.key
            if outcome in (MapOutcome.MOVE, MapOutcome.REJECTED):
                waiting.append(BackfillRow.of_listed(listed))
            if len(waiting) >= rows * MESSAGES_AT_ONCE:
                self._send(waiting, done, rows=rows, backlog=backlog, dry_run=dry_run)
                waiting, done.last_key = [], last_key
                yield
        self._send(waiting, done, rows=rows, backlog=backlog, dry_run=dry_run)
        done.last_key = last_key
        yield

    def _send(self, waiting: list[BackfillRow], done: Enqueued, *, rows: int, backlog: int, dry_run: bool) -> None:
        bodies = list(
            encode_backfill(
                waiting, migration=self._rules.migration, bucket=self._rules.source_bucket, at_most_rows=rows
            )
        )
        done.messages += len(bodies)
        if dry_run or not bodies:
            return
        # A short queue keeps live events quick and a pause effective.
        while sum(self._queue.count_messages()) > backlog:
            time.sleep(BACKLOG_SECONDS)
        self._queue.send_messages(bodies)
