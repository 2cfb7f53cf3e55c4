"""``keyshift status``: the progress of the migration, once or live."""

import json
import time
from typing import TYPE_CHECKING

import click

from domain.errors import TransientError
from handlers.cli.count import check_count, count_exactly
from handlers.cli.options import Number, json_option, with_settings
from handlers.cli.output import console, say
from handlers.cli.stage_runs import Runs, StageCommand, refuse_options, run_options
from handlers.config.settings import Settings

if TYPE_CHECKING:
    from handlers.operations.lookout import Lookout
    from handlers.operations.status import Status


@click.command()
@click.option("--watch", is_flag=True, help="Repeat every --interval seconds until Ctrl-C.")
@click.option("--interval", default=2.0, show_default=True, type=Number(0.1), help="Seconds between two reads.")
@click.option("--looks", default=0, type=click.IntRange(0), help="With --watch: stop after this number of reads.")
@click.option("--exact", is_flag=True, help="Count the manifest's records one by one instead of using the counters.")
@run_options
@click.option(
    "--threads", default=8, show_default=True, type=click.IntRange(1, 256), help="With --exact: pages in parallel."
)
@json_option
@with_settings
@click.pass_context
def status(
    context: click.Context,
    settings: Settings,
    *,
    watch: bool,
    interval: float,
    looks: int,
    exact: bool,
    shared: bool | None,
    join: bool,
    cancel: bool,
    engine: bool | None,
    threads: int,
    as_json: bool,
) -> None:
    """Show progress, rate, lag, queues with dead-letter messages, runs, failures, and whether it is paused and why.

    The counters are made from the manifest's stream, seconds behind; --exact reads every record. The lag is the
    greatest age at which a message was handled in the last half minute. Shared runs are shown until they
    have ended. With --watch a terminal is refreshed each time; a pipe gets one line each time, or one JSON object.

    With --exact the count is cut into slices. Other commands may --join a shared count.

    \b
    Example:
      keyshift status --watch
      keyshift status --json --exact
      keyshift status --exact --join
    """
    from handlers.bootstrap import wire_command
    from handlers.bootstrap.process import Process
    from handlers.bootstrap.steering import status_lookout_of
    from handlers.cli.status_view import view_of

    runs, counted = Runs(shared, join, cancel, engine), None
    refuse_options(context, ("shared",), join=join, cancel=cancel)
    check_count(runs, exact=exact, watch=watch)
    process = Process(settings)
    dependencies = wire_command(process, function="status-command")
    lookout = status_lookout_of(process, dependencies)
    if watch:
        _watch(lookout, interval=interval, looks=looks, exact=exact, as_json=as_json)
        return
    if exact:
        from handlers.bootstrap.operations import operation_of

        operation = operation_of(process, dependencies)
        counted = count_exactly(StageCommand(context, process, operation, runs, threads, None, as_json))
        if counted is None:
            return
    now = lookout.look(exact=False, counted=counted)
    if as_json:
        click.echo(json.dumps(now.as_json()))
        return
    terminal = console()
    terminal.print(view_of(now, width=terminal.width))


def _watch(lookout: "Lookout", *, interval: float, looks: int, exact: bool, as_json: bool) -> None:
    """Until ``looks`` or Ctrl-C; without an answer the last figures stay, marked as old."""
    from rich.live import Live

    from handlers.cli.status_view import line_of, view_of

    terminal = console()
    live = (
        Live(console=terminal, auto_refresh=False, vertical_overflow="crop")
        if terminal.is_terminal and not as_json
        else None
    )
    now, done = None, 0
    if live is not None:
        live.start()
    try:
        while True:
            now, problem = _looked(lookout, now, exact=exact)
            if live is not None and now is not None:
                live.update(view_of(now, width=terminal.width, problem=problem), refresh=True)
            elif problem:
                say(f"no answer: {problem}", err=True)
            elif now is not None:
                say(json.dumps(now.as_json()) if as_json else line_of(now))
            done += 1
            if looks and done >= looks:
                return
            time.sleep(interval)
    except KeyboardInterrupt:
        return
    finally:
        if live is not None:
            live.stop()


def _looked(lookout: "Lookout", before: "Status | None", *, exact: bool) -> "tuple[Status | None, str]":
    try:
        return lookout.look(exact=exact), ""
    except TransientError as error:
        return before, str(error)
