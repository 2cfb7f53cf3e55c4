"""``python -m tests.chaos.skewed_worker SECONDS``: a worker whose wall clock is so many seconds wrong."""

import signal
import sys
from dataclasses import replace

from adapters.local.clock import SystemClock
from handlers.bootstrap import bootstrap
from handlers.bootstrap.process import Process
from handlers.bootstrap.worker import change_reader
from handlers.config.settings import read_settings
from handlers.engine.worker import Worker


class SkewedClock(SystemClock):
    """A wall clock that is wrong; the monotonic one has no date to be wrong about."""

    def __init__(self, offset: float) -> None:
        self._offset = offset

    def now(self) -> float:
        """Seconds since 1970, as this machine believes."""
        return super().now() + self._offset


def main() -> None:
    """Run until SIGTERM."""
    settings = read_settings()
    process = Process(settings)
    dependencies = bootstrap(process, function="worker")
    ports = replace(dependencies.ports, clock=SkewedClock(float(sys.argv[1])))
    worker = Worker(replace(dependencies, ports=ports), lanes=2, changes=change_reader(process))
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run()


if __name__ == "__main__":
    main()
