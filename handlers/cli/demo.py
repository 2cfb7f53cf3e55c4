"""``keyshift demo``: a migration on this machine alone."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from domain.errors import InputError
from domain.queues import MessageQueue
from domain.reporting.progress import OBJECTS_COPIED
from handlers.cli.options import json_option, whole_number
from handlers.cli.output import console, print_figures
from handlers.demo.run import DemoRun, Parameters, Result
from handlers.demo.world import DemoWorld
from handlers.engine.dependencies import Dependencies

if TYPE_CHECKING:
    from handlers.demo.portal.activity import PortalActivity
    from handlers.demo.portal.result import PortalResult

RULES = "edge-cv-portal.yaml"
SHOWN_DIFFERENCES = 10


@click.command()
@whole_number("--objects", 2_000, "Number of objects at the beginning.", least=50)
@whole_number("--workers", 3, "Worker processes.", most=16)
@whole_number("--kills", 2, "Number of workers to kill meanwhile.", least=0, most=8)
@click.option(
    "--seed", default=1, show_default=True, help="Random seed: which keys are written, and what happens to them."
)
@click.option("--portal", is_flag=True, help="Use the portal meanwhile, then rewrite its references and clean up.")
@json_option
@click.pass_context
def demo(
    context: click.Context, *, objects: int, workers: int, kills: int, seed: int, portal: bool, as_json: bool
) -> None:
    """Move a live bucket to the portal's new layout on an embedded AWS stand-in, and check every byte.

    Producers write, overwrite and delete while the backfill runs. Messages are delivered twice, late and out of order,
    and workers are killed. Then every object is compared with what its producer wrote last. Exit code 1 if anything is
    lost, wrong, stale or unaudited.

    With --portal the edge-CV portal's functions are used at the same time. Jobs end in the old and in the new layout,
    models are compiled, packaged and published, old URIs are resolved. Then its references are rewritten, the migration
    is verified, cut over and cleaned up, and every record is compared. SageMaker and Greengrass are simulated.

    \b
    Example:
      keyshift demo --objects 500 --json
      keyshift demo --portal --objects 300
    """
    from handlers.bootstrap import wire_command
    from handlers.bootstrap.inspection import object_listing
    from handlers.bootstrap.process import Process

    rules_path = packaged_rules(RULES)
    say = _teller(as_json=as_json)
    parameters = Parameters(objects=objects, workers=workers, kills=kills, seed=seed)
    say("starting the stand-in and creating bucket, queues, table and bus")
    with _prepared(rules_path, parameters, say, portal=portal) as (world, activity):
        process = Process(world.settings, rules=world.rules)
        dependencies = wire_command(process, function="demo")
        demo_run = DemoRun(
            world,
            manifest=dependencies.ports.manifest,
            listing=object_listing(process),
            backfill_queue=dependencies.backfill_queue,
            parameters=parameters,
            say=say,
            activities=[activity] if activity is not None else [],
        )
        with _live(dependencies, world.events_queue, shown=sys.stdout.isatty() and not as_json):
            result = demo_run.run()
    part = activity.result if activity is not None else None
    if as_json:
        click.echo(json.dumps(result.figures() | ({"portal": part.figures()} if part is not None else {})))
    else:
        if part is not None:
            _show_portal(part)
        _show(result)
    for fault in part.faults[:SHOWN_DIFFERENCES] if part is not None else ():
        click.echo(f"{fault.kind}: {fault.what}", err=True)
    for difference in result.differences[:SHOWN_DIFFERENCES]:
        click.echo(
            f"{difference.kind}: {difference.source.uri!r} -> {difference.target.uri!r}: {difference.why}", err=True
        )
    for trouble in result.troubles:
        click.echo(trouble, err=True)
    context.exit(0 if result.is_good and (part is None or part.is_good) else 1)


@contextmanager
def _prepared(
    rules_path: Path, parameters: Parameters, say: Callable[[str], None], *, portal: bool
) -> Iterator[tuple[DemoWorld, "PortalActivity | None"]]:
    """The demo's world, with the portal where it is asked for."""
    from handlers.config.rules_file import load_rules
    from handlers.demo.wiring import demo_world

    rules = load_rules(rules_path)
    if not portal:
        with demo_world(rules, rules_path) as world:
            yield world, None
        return
    from handlers.demo.portal.activity import PortalActivity
    from handlers.demo.portal.records import USE_CASE
    from handlers.demo.portal.wiring import portal_demo

    with portal_demo(rules, rules_path, use_case_id=USE_CASE) as on:
        activity = PortalActivity(on, seed=parameters.seed, say=say)
        yield replace(on.demo, begin_events=activity.begin_events), activity


def _teller(*, as_json: bool) -> Callable[[str], None]:
    started = time.monotonic()

    def say(text: str) -> None:
        line = f"{time.monotonic() - started:6.1f} s  {text}"
        # Rich redraws its live line around texts on standard output; with JSON they go elsewhere.
        click.echo(line, err=True) if as_json else sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    return say


@contextmanager
def _live(dependencies: Dependencies, events_queue: MessageQueue, *, shown: bool) -> Iterator[None]:
    """On a terminal, a last line with the migration's own counters."""
    if not shown:
        yield
        return
    ended = threading.Event()
    with console().status("") as status:

        def look() -> None:
            while not ended.wait(1.0):
                counters = dependencies.progress.read_progress()
                waiting = sum(events_queue.count_messages() + dependencies.backfill_queue.count_messages())
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
    figures = {
        "objects the producers wrote": result.objects,
        "writes and deletes, seeding included": result.producers_writes,
        **{name.replace("_", " "): number for name, number in result.figures().items() if name != "objects"},
    }
    print_figures("what became of the producers' objects", ((name, f"{one:,}") for name, one in figures.items()))
    verdict = f"lost {result.lost}, wrong {result.wrong}, stale {result.stale}, audit_missing {result.audit_missing}"
    click.echo(verdict)


def _show_portal(part: "PortalResult") -> None:
    title = "what became of the portal (SageMaker and Greengrass are simulated)"
    print_figures(title, ((name.replace("_", " "), f"{number:,}") for name, number in part.figures().items()))
