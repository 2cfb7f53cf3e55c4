"""``keyshift worker``: the handlers outside Lambda."""

import signal
from types import FrameType

import click

from handlers.cli.options import need_queues, with_settings
from handlers.config.settings import Settings


@click.command()
@click.option("--lanes", default=4, show_default=True, type=click.IntRange(1, 64), help="Batches worked on at once.")
@click.option("--audit/--no-audit", default=True, show_default=True, help="Publish the manifest's stream.")
@with_settings
def worker(settings: Settings, *, lanes: int, audit: bool) -> None:
    """Poll the queues and migrate what they name, until SIGTERM or Ctrl-C.

    What was begun is finished, the rest goes back to its queue; logs are JSON lines on standard error. Any number of
    workers may run at once; of those with --audit one reads the stream at a time.

    \b
    Example:
      keyshift worker --rules portal.yaml --table keyshift --events-queue URL --backfill-queue URL --bus audit
    """
    from handlers.bootstrap import bootstrap
    from handlers.bootstrap.process import Process
    from handlers.bootstrap.worker import change_reader
    from handlers.engine.worker import Worker

    need_queues(settings, "events", "backfill")
    process = Process(settings)
    dependencies = bootstrap(process, function="worker")
    running = Worker(dependencies, lanes=lanes, changes=change_reader(process) if audit else None)

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signal's two
        running.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    running.run()
