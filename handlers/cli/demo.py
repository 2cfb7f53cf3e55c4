"""``keyshift demo``: the embedded default, nothing leaves this machine."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import click

from domain.errors import InputError
from domain.progress import OBJECTS_COPIED
from handlers.cli.options import json_option
from handlers.demo.play import Parameters, Play, Result
from handlers.dependencies import Dependencies

RULES = "edge-cv-portal.yaml"
SHOWN_DIFFERENCES = 10


@click.command()
@click.option("--objects", default=2_000, show_default=True, type=click.IntRange(50), help="How many to begin with.")
@click.option("--workers", default=3, show_default=True, type=click.IntRange(1, 16), help="Worker processes.")
@click.option("--kills", default=2, show_default=True, type=click.IntRange(0, 8), help="Workers to kill on the way.")
@click.option("--seed", default=1, show_default=True, help="Of the dice: which keys, which deeds.")
@json_option
@click.pass_context
def demo(  # noqa: PLR0913  # its options
    context: click.Context, *, objects: int, workers: int, kills: int, seed: int, as_json: bool
) -> None:
    """Move a live bucket to the portal's new layout on an embedded AWS stand-in, and check every byte.

    Owners write, overwrite and delete while the backfill runs; messages are delivered twice, late and out of order;
    workers are killed. Then every object is compared with what its owner wrote last. Exit code 1 if anything is lost,
    wrong, stale or unaudited.

    \b
    Example:
      keyshift demo --objects 500 --json
    """
    from handlers.bootstrap import bootstrap
    from handlers.bootstrap.inspection import object_listing
    from handlers.bootstrap.stage import demo_stage
    from handlers.rules_file import load_rules

    rules_path = packaged_rules(RULES)
    say = _teller(as_json=as_json)
    parameters = Parameters(objects=objects, workers=workers, kills=kills, seed=seed)
    say("starting the stand-in and creating bucket, queues, table and bus")
    with demo_stage(load_rules(rules_path), rules_path) as stage:
        dependencies = bootstrap(stage.settings, function="demo")
        play = Play(
            stage,
            manifest=dependencies.ports.manifest,
            listing=object_listing(stage.settings, stage.rules),
            backfill_queue=dependencies.backfill_queue,
            parameters=parameters,
            say=say,
        )
        with _live(dependencies, shown=sys.stdout.isatty() and not as_json):
            result = play.run()
    if as_json:
        click.echo(json.dumps(result.figures()))
    else:
        _show(result)
    for difference in result.differences[:SHOWN_DIFFERENCES]:
        click.echo(
            f"{difference.kind}: {difference.source.uri!r} -> {difference.target.uri!r}: {difference.why}", err=True
        )
    for trouble in result.troubles:
        click.echo(trouble, err=True)
    context.exit(0 if result.is_good else 1)


def _teller(*, as_json: bool) -> Callable[[str], None]:
    started = time.monotonic()

    def say(text: str) -> None:
        line = f"{time.monotonic() - started:6.1f} s  {text}"
        # Rich's standard output is the one that the live line gives way to; JSON keeps it for itself.
        click.echo(line, err=True) if as_json else sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    return say


@contextmanager
def _live(dependencies: Dependencies, *, shown: bool) -> Iterator[None]:
    """On a terminal, a last line with the figures as the migration's own counters give them."""
    if not shown:
        yield
        return
    from rich.console import Console

    ended = threading.Event()
    with Console().status("") as status:

        def look() -> None:
            while not ended.wait(1.0):
                counters = dependencies.progress.read_progress()
                waiting = sum(dependencies.events_queue.count_messages() + dependencies.backfill_queue.count_messages())
                status.update(f"{counters.get(OBJECTS_COPIED, 0):,} copies made, {waiting:,} messages to go")

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def packaged_rules(name: str) -> Path:
    """A rules file that ships with keyshift, in a checkout or in an installed package."""
    for folder in (Path(__file__).resolve().parents[2] / "migrations", Path(str(files("handlers") / "migrations"))):
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{name} is missing from this installation; install keyshift again")


def _show(result: Result) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="what became of the owners' objects", show_header=False, title_justify="left")
    table.add_column("figure")
    table.add_column("number", justify="right")
    table.add_row("objects the owners wrote", f"{result.objects:,}")
    table.add_row("writes and deletes, seeding included", f"{result.owners_writes:,}")
    for name, number in result.figures().items():
        if name != "objects":
            table.add_row(name.replace("_", " "), f"{number:,}")
    Console(file=sys.stdout).print(table)
    verdict = f"lost {result.lost}, wrong {result.wrong}, stale {result.stale}, audit_missing {result.audit_missing}"
    click.echo(verdict)
