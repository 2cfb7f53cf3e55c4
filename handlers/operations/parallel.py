"""Works through any number of things in parallel, with bounded memory, at a rate, with retries."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

from domain.errors import TransientError

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")

AHEAD = 4
"""Things taken on for each thread, so that no thread waits for its next one."""
LOOK_SECONDS = 0.5
TRIES = 5
FIRST_PAUSE = 0.2


class Rate:
    """Lets at most so many things begin in a second, over all threads of one process; ``None``: any number."""

    def __init__(
        self,
        per_second: float | None,
        *,
        sleep: Callable[[float], object] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second = per_second
        self._sleep = sleep
        self._monotonic = monotonic
        self._due = monotonic()
        self._lock = Lock()

    def wait(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Wait until one more may begin, or until ``stopping``, which is asked twice a second."""
        if self._per_second is None:
            return
        with self._lock:
            now = self._monotonic()
            begins = max(self._due, now)
            self._due = begins + 1 / self._per_second
        while begins > now and not stopping():
            self._sleep(min(begins - now, LOOK_SECONDS))
            now = self._monotonic()


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
        rate = Rate(self.per_second, sleep=self.sleep, monotonic=self.monotonic)
        with self.executor(self.threads) as pool:
            try:
                for thing in things:
                    rate.wait()
                    waiting.append(pool.submit(work, thing))
                    if len(waiting) >= self.threads * AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise


def patiently(
    work: Callable[[], Answer], *, sleep: Callable[[float], object] = time.sleep, tries: int = TRIES
) -> Answer:
    """Retry a call that raises TransientError, with a longer wait each time; the last error is raised."""
    pause = FIRST_PAUSE
    for _ in range(tries - 1):
        try:
            return work()
        except TransientError:
            sleep(pause)
            pause *= 2
    return work()
