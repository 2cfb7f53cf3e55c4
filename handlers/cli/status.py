"""``keyshift status``: how far the migration is."""

import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from domain.control import Control
from domain.progress import BYTES_COPIED, OBJECTS_COPIED, RECORDS, RULE
from handlers.cli.options import json_option, with_settings
from handlers.dependencies import Dependencies
from handlers.settings import Settings

if TYPE_CHECKING:
    from rich.table import Table

    from handlers.bootstrap.inspection import AwsInspector


@dataclass(frozen=True, slots=True)
class Status:
    """One look; sizes in bytes, ``queues`` holds waiting, in work and dead messages of each queue."""

    migration: str
    records: dict[str, int]
    rules: dict[str, int]
    objects_copied: int
    bytes_copied: int
    queues: dict[str, dict[str, int]]
    control: Control
    objects_per_second: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """Only when the rate is known and something is left; messages count as one object at least."""
        waiting = sum(queue["waiting"] + queue["in_work"] for queue in self.queues.values())
        if not self.objects_per_second or not waiting:
            return None
        return waiting / self.objects_per_second

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "migration": self.migration,
            "records": self.records,
            "rules": self.rules,
            "objects_copied": self.objects_copied,
            "bytes_copied": self.bytes_copied,
            "queues": self.queues,
            "paused": self.control.paused,
            "reason": self.control.reason,
            "objects_per_second": self.objects_per_second,
            "seconds_left_at_least": self.seconds_left,
        }


@click.command()
@click.option("--watch", is_flag=True, help="Look again every --interval seconds until Ctrl-C.")
@click.option("--interval", default=2.0, show_default=True, help="Seconds between two looks.")
@click.option("--exact", is_flag=True, help="Count the manifest's records one by one instead of trusting the counters.")
@json_option
@with_settings
def status(settings: Settings, *, watch: bool, interval: float, exact: bool, as_json: bool) -> None:
    """Show records per state, what was copied, queue and DLQ depths, and whether it is paused.

    The counters are made from the manifest's stream, seconds behind; --exact reads every record.

    \b
    Example:
      keyshift status --watch
      keyshift status --json --exact
    """
    from handlers.bootstrap import bootstrap
    from handlers.bootstrap.inspection import inspector_of

    dependencies = bootstrap(settings, function="status-command")
    inspector = inspector_of(settings)
    if not watch:
        _print(look(dependencies, inspector, exact=exact), as_json=as_json)
        return
    _watch(dependencies, inspector, interval=interval, exact=exact, as_json=as_json)


def look(
    dependencies: Dependencies,
    inspector: "AwsInspector",
    *,
    exact: bool,
    before: Status | None = None,
    seconds: float = 0.0,
) -> Status:
    """The figures now; the rate follows from the look ``before``, so many seconds ago."""
    counters = dependencies.progress.read_progress()
    records = {name.removeprefix(RECORDS): number for name, number in counters.items() if name.startswith(RECORDS)}
    if exact:
        records = dict(Counter(record.state.value for record in dependencies.ports.manifest.scan_records()))
    copied = counters.get(OBJECTS_COPIED, 0)
    rate = None if before is None or not seconds else max(0, copied - before.objects_copied) / seconds
    settings = dependencies.settings
    urls = {"events": settings.events_queue_url, "backfill": settings.backfill_queue_url}
    return Status(
        migration=dependencies.rules.migration,
        records={state: number for state, number in sorted(records.items()) if number},
        rules={name.removeprefix(RULE): number for name, number in sorted(counters.items()) if name.startswith(RULE)},
        objects_copied=copied,
        bytes_copied=counters.get(BYTES_COPIED, 0),
        queues={name: _depths(dependencies, inspector, name, url) for name, url in urls.items() if url},
        control=dependencies.control.current(),
        objects_per_second=rate,
    )


def _depths(dependencies: Dependencies, inspector: "AwsInspector", name: str, url: str) -> dict[str, int]:
    queue = dependencies.events_queue if name == "events" else dependencies.backfill_queue
    waiting, in_work = queue.count_messages()
    dead_letters = inspector.queue(url).dead_letter_arn
    dead = inspector.queue_depth(dead_letters) if dead_letters else 0
    return {"waiting": waiting, "in_work": in_work, "dead": dead}


def _print(now: Status, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(now.as_json()))
        return
    from rich.console import Console

    Console().print(table_of(now))


def _watch(
    dependencies: Dependencies, inspector: "AwsInspector", *, interval: float, exact: bool, as_json: bool
) -> None:
    before, looked = None, time.monotonic()
    live = None
    if sys.stdout.isatty() and not as_json:
        from rich.live import Live

        live = Live(auto_refresh=False)
        live.start()
    try:
        while True:
            seconds, looked = time.monotonic() - looked, time.monotonic()
            now = look(dependencies, inspector, exact=exact, before=before, seconds=seconds)
            if live is not None:
                live.update(table_of(now), refresh=True)
            else:
                click.echo(json.dumps(now.as_json()) if as_json else line_of(now))
            before = now
            time.sleep(interval)
    finally:
        if live is not None:
            live.stop()


def line_of(now: Status) -> str:
    """One line for a log or a pipe."""
    queues = ", ".join(
        f"{name} {depth['waiting']}+{depth['in_work']} (dead {depth['dead']})" for name, depth in now.queues.items()
    )
    states = ", ".join(f"{state} {number}" for state, number in now.records.items()) or "no records yet"
    rate = "" if now.objects_per_second is None else f", {now.objects_per_second:.1f}/s"
    paused = f", PAUSED: {now.control.reason}" if now.control.paused else ""
    return f"{now.migration}: {now.objects_copied} copied{rate}; {states}; queues: {queues}{paused}"


def table_of(now: Status) -> "Table":
    """For people."""
    from rich.table import Table

    table = Table(title=f"migration {now.migration}", show_header=False, title_justify="left")
    table.add_column("what")
    table.add_column("figure", justify="right")
    if now.control.paused:
        table.add_row("[bold red]paused[/]", now.control.reason or "by an operator")
    rate = "" if now.objects_per_second is None else f"  {now.objects_per_second:.1f}/s"
    table.add_row("copied", f"{now.objects_copied:,} objects, {now.bytes_copied:,} bytes{rate}")
    for state, number in now.records.items():
        table.add_row(f"records {state}", f"{number:,}")
    for rule, number in now.rules.items():
        table.add_row(f"rule {rule}", f"{number:,}")
    for name, depth in now.queues.items():
        dead = f"[bold red]{depth['dead']} dead[/]" if depth["dead"] else "0 dead"
        table.add_row(f"queue {name}", f"{depth['waiting']} waiting, {depth['in_work']} in work, {dead}")
    if now.seconds_left is not None:
        table.add_row("at least", f"{now.seconds_left:.0f} s to go")
    return table
