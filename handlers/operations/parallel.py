"""Works through any number of things in parallel, with bounded memory, at a rate, with retries."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from domain.errors import TransientError

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")

AHEAD = 4
"""Things taken on for each thread, so that no thread waits for its next one."""
TRIES = 5
FIRST_PAUSE = 0.2


@dataclass(frozen=True, slots=True)
class ParallelMap:
    """How many things are worked on in parallel, and the maximum number that is begun in a second.

    ``executor`` makes the pool that works on that many things in parallel.
    """

    threads: int
    per_second: float | None = None
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    executor: Callable[[int], Executor] = ThreadPoolExecutor

    def map(self, work: Callable[[Thing], Answer], things: Iterable[Thing]) -> Iterator[Answer]:
        """The results, in the order of the things; an exception of ``work`` ends the map after the running calls."""
        waiting: deque[Future[Answer]] = deque()
        due = self.monotonic()
        with self.executor(self.threads) as pool:
            try:
                for thing in things:
                    if self.per_second is not None:
                        now = self.monotonic()
                        if due > now:
                            self.sleep(due - now)
                        due = max(due, now) + 1 / self.per_second
                    waiting.append(pool.submit(work, thing))
                    if len(waiting) >= self.threads * AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise


def patiently(work: Callable[[], Answer], *, sleep: Callable[[float], None] = time.sleep, tries: int = TRIES) -> Answer:
    """Retry a call that raises TransientError, with a longer wait each time; the last error is raised."""
    pause = FIRST_PAUSE
    for _ in range(tries - 1):
        try:
            return work()
        except TransientError:
            sleep(pause)
            pause *= 2
    return work()
