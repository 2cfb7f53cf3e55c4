"""Somebody on call: resumes what the circuit breaker has paused over an outage, as docs/operating.md says."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from domain.steering.control import BREAKER
from handlers.bootstrap.process import Process
from handlers.bootstrap.steering import steering_of
from handlers.config.settings import Settings
from handlers.operations.control import resume_migration

_LOOKS_EVERY_SECONDS = 2.0


class OnCall:
    """Looks at the control every other second; ``resumed`` is how often there was something to do."""

    def __init__(self, settings: Settings) -> None:
        self._steering = steering_of(Process(settings))
        self._ended = threading.Event()
        self.resumed = 0
        self.failures: list[Exception] = []

    def run(self) -> None:
        """Until ``stop``."""
        panel, mappings, clock = self._steering.panel, self._steering.mappings, self._steering.clock
        while not self._ended.wait(_LOOKS_EVERY_SECONDS):
            try:
                control = panel.read_control()
                if control.paused and control.paused_by == BREAKER:
                    resume_migration(panel, mappings, by="on call", now=clock.now)
                    self.resumed += 1
            except Exception as error:  # noqa: BLE001  # the campaign tells
                self.failures.append(error)

    def stop(self) -> None:
        """Go home."""
        self._ended.set()


@contextmanager
def somebody_on_call(settings: Settings) -> Iterator[OnCall]:
    """While the block runs."""
    on_call = OnCall(settings)
    thread = threading.Thread(target=on_call.run, daemon=True)
    thread.start()
    try:
        yield on_call
    finally:
        on_call.stop()
        thread.join()
