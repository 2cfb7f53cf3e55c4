"""Progress of long work on standard error: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from handlers.cli.output import console

LINE_SECONDS = 5.0


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[], None]]:
    """What is called for each thing done; ``total`` is about how many there are, ``None`` where nobody knows."""
    if sys.stderr.isatty():
        from rich.progress import Progress

        with Progress(console=console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda: bar.advance(task)
        return
    done, begun = 0, time.monotonic()
    shown = begun

    def step() -> None:
        nonlocal done, shown
        done += 1
        now = time.monotonic()
        if now - shown >= LINE_SECONDS:
            shown = now
            of = f" of about {total:,}" if total else ""
            print(f"{what}: {done:,}{of}, {done / (now - begun):,.0f}/s", file=sys.stderr)  # noqa: T201  # our own voice

    yield step
