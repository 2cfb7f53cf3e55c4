"""Works through very many things side by side, in memory that does not grow, at a rate, with patience."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TypeVar

from domain.errors import TransientError

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")

AHEAD = 4
"""Things taken on for each thread, so that none of them waits for the next."""
TRIES = 5
FIRST_PAUSE = 0.2


def swept(  # noqa: PLR0913  # what, how, and how fast
    things: Iterable[Thing],
    work: Callable[[Thing], Answer],
    *,
    threads: int,
    per_second: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
    at_once: Callable[[int], Executor] = ThreadPoolExecutor,
) -> Iterator[Answer]:
    """The answers, in the order of the things; an exception of ``work`` ends the sweep after what was begun.

    ``at_once`` makes what works on that many things side by side.
    """
    waiting: deque[Future[Answer]] = deque()
    due = monotonic()
    with at_once(threads) as pool:
        try:
            for thing in things:
                if per_second is not None:
                    now = monotonic()
                    if due > now:
                        sleep(due - now)
                    due = max(due, now) + 1 / per_second
                waiting.append(pool.submit(work, thing))
                if len(waiting) >= threads * AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def patiently(work: Callable[[], Answer], *, sleep: Callable[[float], None] = time.sleep, tries: int = TRIES) -> Answer:
    """Try again what may succeed later, a little more slowly each time; the last error is raised."""
    pause = FIRST_PAUSE
    for _ in range(tries - 1):
        try:
            return work()
        except TransientError:
            sleep(pause)
            pause *= 2
    return work()
