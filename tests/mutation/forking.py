"""Run pieces of work in forked processes, so many at once, each within its time: how one ends is the verdict."""

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from typing import NoReturn, Protocol, TypeVar

KILLED, SURVIVED, TIMED_OUT = "killed", "survived", "timed out"
SLACK_SECONDS = 20.0
"""A mutant has four times the recorded time of its tests and this; one that takes longer never ends."""
_MEMORY = 6 * 2**30


class Timed(Protocol):
    """Work of which it is known how many seconds it takes."""

    @property
    def seconds(self) -> float:
        """Recorded seconds."""
        ...


Work = TypeVar("Work", bound=Timed)


def fork_each(
    jobs: Iterator[Work], run: Callable[[Work], NoReturn], told: Callable[[Work, str], None], processes: int
) -> None:
    """Run each in a process of its own, so many at once, each within its time."""
    running: dict[int, tuple[Work, float]] = {}
    waiting = next(jobs, None)
    while running or waiting is not None:
        while waiting is not None and len(running) < processes:
            running[_fork(waiting, run)] = waiting, time.monotonic() + SLACK_SECONDS + 4 * waiting.seconds
            waiting = next(jobs, None)
        for child, (job, ends) in list(running.items()):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                told(job, SURVIVED if os.waitstatus_to_exitcode(status) == 0 else KILLED)
            elif time.monotonic() > ends:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                told(job, TIMED_OUT)
            else:
                continue
            del running[child]
        time.sleep(0.005)


def _fork(job: Work, run: Callable[[Work], NoReturn]) -> int:
    child = os.fork()
    if child:
        return child
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    try:
        run(job)
    except BaseException:  # noqa: BLE001  # whatever it is, the mutant was noticed
        os._exit(1)
