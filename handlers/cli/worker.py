"""``keyshift worker``: the handlers outside Lambda."""

import faulthandler
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

import click

from handlers.cli.options import need_queues, whole_number, with_settings
from handlers.config.settings import Settings

STDIN = 0
"""The file descriptor of the standard input."""


@click.command()
@whole_number("--lanes", 4, "Batches handled in parallel.", most=64)
@click.option("--audit/--no-audit", default=True, show_default=True, help="Publish the manifest's stream.")
@click.option("--until-stdin-closes", is_flag=True, hidden=True)  # the leash of a parent: demo, sandbox
@with_settings
def worker(settings: Settings, *, lanes: int, audit: bool, until_stdin_closes: bool) -> None:
    """Poll the queues and migrate what they name, until SIGTERM or Ctrl-C.

    It also works on runs that commands begin with --engine, where the settings name the queues of stage work.
    Begun work is finished, the rest returns to its queue; logs are JSON lines on standard error. Any number of workers
    may run in parallel; of those with --audit one reads the stream at a time. SIGUSR1 makes it write to standard
    error what each thread does.

    \b
    Example:
      keyshift worker --rules portal.yaml --table keyshift --events-queue URL --backfill-queue URL --bus audit
    """
    from handlers.bootstrap import bootstrap
    from handlers.bootstrap.process import Process
    from handlers.bootstrap.worker import change_reader, stage_steps
    from handlers.engine.worker import Worker

    need_queues(settings, "events", "backfill")
    process = Process(settings)
    dependencies = bootstrap(process, function="worker")
    running = Worker(dependencies, lanes=lanes, changes=change_reader(process) if audit else None)
    for step in stage_steps(process, dependencies):
        running.also_serve(step)

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signal's two
        running.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    faulthandler.register(signal.SIGUSR1)
    if until_stdin_closes:
        threading.Thread(target=_stop_at_end_of_input, args=(running.stop,), daemon=True).start()
    running.run()


def _stop_at_end_of_input(stop: Callable[[], None]) -> None:
    # Not sys.stdin: its lock, held by this thread, would abort the interpreter at its end.
    while os.read(STDIN, 1024):
        pass
    stop()
