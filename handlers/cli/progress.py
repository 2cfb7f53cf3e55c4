"""Progress of long work on standard error: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from handlers.cli.output import console
from handlers.cli.text import said_seconds

LINE_SECONDS = 5.0


class Step(Protocol):
    """Notes one step, or several."""

    def __call__(self, count: int = 1) -> None:
        """Note them."""


@contextmanager
def progress(what: str, total: int | None, *, done: int = 0) -> Iterator[Step]:
    """A function to call for one or more steps; ``total`` is their approximate number, ``None`` if it is unknown.

    ``done`` of them were done before, so that they do not count in the rate.
    """
    if sys.stderr.isatty():
        from rich.progress import Progress

        with Progress(console=console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total, completed=done)
            yield lambda count=1: bar.advance(task, count)
        return
    before, begun = done, time.monotonic()
    shown = begun

    def step(count: int = 1) -> None:
        nonlocal done, shown
        done += count
        now = time.monotonic()
        if now - shown >= LINE_SECONDS:
            shown = now
            rate = (done - before) / (now - begun)
            of = f" of about {total:,}" if total else ""
            left = f", {said_seconds((total - done) / rate)} left" if total and rate > 0 and total > done else ""
            print(f"{what}: {done:,}{of}, {rate:,.0f}/s{left}", file=sys.stderr)  # noqa: T201  # keyshift's own text

    yield step
