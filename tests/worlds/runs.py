"""Runs of stage work in one thread, so that a test decides when a process ends."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from itertools import count
from random import Random
from typing import Any, TypeVar

from domain.runs.ports import RunBook
from domain.runs.run import Run
from handlers.operations.runs import RunView, begin_run
from handlers.operations.slice_work import SliceWork, Surroundings
from handlers.operations.slices import SliceWorker
from tests.fakes.clock import FakeClock
from tests.fakes.faults import ScriptedFaults
from tests.fakes.runs import InMemoryRunBook

Result = TypeVar("Result")
_TOKENS = count()


class KilledProcessError(Exception):
    """The process ends here."""


def process_through_kills(process: Callable[[], object], ports: Sequence[ScriptedFaults], random: Random) -> None:
    """Let processes work; the first ones are killed before or after a call of one of the ports, the last one ends."""
    for _ in range(5):
        struck = random.choice(ports)
        struck.fail_nth(random.randrange(25), KilledProcessError(), when=random.choice(["before", "after"]))
        try:
            process()
        except KilledProcessError:
            continue
        finally:
            struck.forget_faults()
        break
    process()


class InlineExecutor(Executor):
    """Does each task where it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Do it."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*arguments, **named))
        except Exception as error:  # noqa: BLE001  # a future holds any error
            future.set_exception(error)
        return future


def worker_of(
    book: RunBook,
    run: Run,
    work: SliceWork[Result],
    clock: FakeClock,
    *,
    stopping: Callable[[], bool] = lambda: False,
) -> SliceWorker[Result]:
    """A worker of a process of its own, which sleeps by turning the clock."""
    around = Surroundings(InlineExecutor(), clock, lambda: f"token-{next(_TOKENS)}", clock.advance, stopping)
    return SliceWorker(book, run, work, around)


def lines_of(work: SliceWork[Result]) -> list[str]:
    """What a whole run of the work keeps."""
    book, clock, run = InMemoryRunBook(), FakeClock(), Run("work", "run", sum(work.phases))
    assert begin_run(book, run) is None
    worker_of(book, run, work, clock).work_off()
    view = RunView(book, run)
    lines = list(view.look())
    assert view.done == run.slices, view.slices
    return lines
