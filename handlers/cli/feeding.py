"""Runs a backfill for the command line: from a listing, or from the files of an inventory or a saved plan."""

import json
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from domain.errors import InputError
from domain.planning.inventory import versions_fault
from handlers.config.settings import Settings
from handlers.engine.dependencies import Dependencies
from handlers.operations.backfill import DELETED, DataFile, Fed, Feeder
from handlers.operations.totals import TotalCounter

if TYPE_CHECKING:
    from handlers.bootstrap.process import Process

SHOWN_SECONDS = 2.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True)
class Feeding:
    """The options of one run; ``rows`` is the number of objects in one message."""

    settings: Settings
    backlog: int
    rows: int
    dry_run: bool
    as_json: bool

    @cached_property
    def process(self) -> "Process":
        """The wiring of this process."""
        from handlers.bootstrap.process import Process

        return Process(self.settings)

    @cached_property
    def dependencies(self) -> Dependencies:
        """What the command may use."""
        from handlers.bootstrap import wire_command

        return wire_command(self.process, function="backfill-command")

    def need_stage(self) -> None:
        """Raise InputError at a stage at which nothing may be enqueued; checked again while it runs."""
        fault = None if self.dry_run else self.dependencies.control.feeding_fault()
        if fault is not None:
            raise InputError(fault)

    def feeder(self, *, rows: int) -> Feeder:
        """What enqueues; a dry run only counts."""
        queue = None if self.dry_run else self.dependencies.backfill_queue
        return Feeder(self.dependencies.rules, queue, backlog=self.backlog, rows_per_message=rows)

    def counter(self, place: str) -> TotalCounter | None:
        """What keeps the total of a run that reads everything; ``None`` in a dry run."""
        from handlers.bootstrap.inventories import total_book_of

        return None if self.dry_run else TotalCounter(total_book_of(self.process), place, time.monotonic)


def write_total(settings: Settings, plan: Path) -> None:
    """Store what a plan says moves as the total of the migration, and print it."""
    from handlers.bootstrap.planning import write_total_of
    from handlers.bootstrap.process import Process

    total = write_total_of(Process(settings), plan)
    click.echo(f"status shows the share of {total.objects:,} objects, from {total.place}", err=True)


def feed_listing(feeding: Feeding, *, prefix: str, after: str) -> Fed:
    """Enqueue the objects of a listing of the source bucket, and print how far it came."""
    from handlers.bootstrap.inspection import backfill_listing

    feeding.need_stage()
    rules, fed, shown = feeding.dependencies.rules, Fed(last_key=after), time.monotonic()
    place = f"listing of s3://{rules.source_bucket}/{rules.source_prefix}"
    counter = feeding.counter(place) if not (prefix or after) else None

    def go_on() -> bool:
        nonlocal shown
        feeding.need_stage()
        if counter is not None:
            counter.note(fed)
        if time.monotonic() - shown >= SHOWN_SECONDS:
            shown = time.monotonic()
            click.echo(f"{fed.rows:,} listed, {fed.outcomes['move']:,} to move", err=True)
        return True

    try:
        listing = backfill_listing(feeding.process)
        feeding.feeder(rows=feeding.rows).feed_listing(listing, fed, prefix=prefix, go_on=go_on)
        if counter is not None:
            counter.end(fed)
    finally:
        # After an error it still prints how far it came, but never that there is nothing where nothing was read.
        if fed.rows or sys.exc_info()[0] is None:
            _report(feeding, fed, listing=True)
    return fed


def feed_files(feeding: Feeding, place: str, *, saved: Path | None, again: bool) -> Fed:
    """Enqueue every data file after the other; after a stop at any moment, the same command resumes there."""
    from handlers.bootstrap.inventories import inventory_files, journal_of
    from handlers.bootstrap.operations import inventory_warning
    from handlers.bootstrap.planning import plan_rows, write_total_of
    from handlers.operations.backfill import ROWS_PER_MESSAGE

    process, rules = feeding.process, feeding.dependencies.rules
    feeding.need_stage()
    feeder, journal = feeding.feeder(rows=ROWS_PER_MESSAGE), None if feeding.dry_run else journal_of(process)
    fed, begun, counter = Fed(), time.monotonic(), feeding.counter(saved.name if saved is not None else place)
    if saved is None:
        opened = inventory_files(process, place, with_deleted=True)
    else:
        opened = plan_rows(saved, rules.source_bucket, with_deleted=rules.carries_versions)
    with opened as (inventory, files):
        if inventory.source_bucket != rules.source_bucket:
            raise InputError(f"{place} is of bucket {inventory.source_bucket}, the rules move {rules.source_bucket}")
        if rules.carries_versions and (fault := versions_fault(inventory)) is not None:
            click.echo(f"warning: {place} {fault}", err=True)
        warning = inventory_warning(process, inventory, place) if not feeding.dry_run else None
        if warning is not None:
            click.echo(f"note: {warning}", err=True)
        if saved is not None and not feeding.dry_run:
            with suppress(InputError):  # a plan without sizes: it is counted while it is read
                write_total_of(process, saved)
        for number, (key, rows) in enumerate(files.items(), start=1):
            file = DataFile(inventory.content_of(key), key, rows)
            feeder.feed_file(file, fed, journal=journal, again=again, go_on=partial(_may_go_on, feeding))
            feeding.need_stage()
            if counter is not None:
                counter.note(fed)
            _say_file(number, len(files), fed, seconds=max(time.monotonic() - begun, 0.001))
    if counter is not None:
        counter.end(fed)
    _report(feeding, fed, listing=False)
    return fed


def _may_go_on(feeding: Feeding) -> bool:
    return feeding.dry_run or feeding.dependencies.control.feeding_fault() is None


def _say_file(number: int, files: int, fed: Fed, *, seconds: float) -> None:
    left, rate = seconds / number * (files - number), fed.rows / seconds
    click.echo(f"file {number} of {files}: {fed.rows:,} rows, {rate:,.0f}/s, about {left:.0f} s to go", err=True)


def _report(feeding: Feeding, fed: Fed, *, listing: bool) -> None:
    if feeding.as_json:
        click.echo(json.dumps(fed.listed_json() if listing else fed.as_json()))
        return
    verb = "would be enqueued" if feeding.dry_run else "enqueued"
    click.echo(f"{fed.outcomes['move']:,} objects {verb} in {fed.messages:,} messages")
    if fed.outcomes[DELETED]:
        click.echo(f"{fed.outcomes[DELETED]:,} deleted keys {verb} with them, for their earlier versions")
    if fed.skipped:
        click.echo(
            f"{fed.skipped:,} rows were skipped: an earlier run enqueued them from the same bytes with the same rules"
            " (--again enqueues them once more)"
        )
    for outcome in ("keep", "unmapped", "rejected", "not_current"):
        if fed.outcomes[outcome]:
            click.echo(f"{fed.outcomes[outcome]:,} {outcome}")
    if listing and fed.last_key and not feeding.dry_run:
        click.echo(f"last key: {fed.last_key!r} (resume with --after)")
