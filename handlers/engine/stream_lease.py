"""Keeps the lease on the manifest's stream while a batch is worked on, which may take longer than the lease."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from domain.errors import KeyshiftError
from handlers.engine.observability import Observer

RENEW_SECONDS = 3.0
"""Three times within the lease of ten seconds: one answer may be lost, and another be slow."""
MOST_RENEWALS = 300
"""A quarter of an hour, as long as Lambda lets a batch take: then a lane that hangs gives the stream up."""


@contextmanager
def kept_lease(keep: Callable[[], bool], observer: Observer, *, every: float = RENEW_SECONDS) -> Iterator[None]:
    """Call ``keep`` again and again on another thread, until the block ends or another process has the stream."""
    is_done = threading.Event()

    def renew() -> None:
        for _ in range(MOST_RENEWALS):
            if is_done.wait(every):
                return
            try:
                if not keep():
                    observer.warn("another worker reads the stream: this batch comes twice, which is recognised")
                    return
            except KeyshiftError as error:
                observer.warn("the stream's lease was not renewed, trying again", cause=error.cause, why=str(error))
            except Exception as error:  # noqa: BLE001 # a bug must not end a thread in silence
                observer.crash("unexpected", cause=type(error).__name__, why=str(error))

    thread = threading.Thread(target=renew, name="stream-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_done.set()
        thread.join()
