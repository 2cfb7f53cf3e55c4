"""Works on the slices of a run: one after the other, each under a claim, page by page."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from domain.errors import KeyshiftError, TransientError
from domain.protocol.ports import Clock
from domain.runs.ports import RunBook
from domain.runs.run import Run
from domain.runs.slices import Slice, SliceClaim, claimed, failed, moved, released, renewed
from handlers.operations.parallel import patiently

CLAIM_SECONDS = 120.0
"""After so many seconds without a sign of its process, another process may take a slice over."""
RENEW_SECONDS = 20.0
WAIT_SECONDS, WAIT_SECONDS_A_SLICE = 0.2, 0.02
"""Pause while every slice that is left is claimed; a look reads each of them, so it is longer for many."""
PART_CHARACTERS = 100_000
"""An item of DynamoDB holds 400 KB, and one more result may have two keys of 1,024 bytes, escaped."""
Answer = TypeVar("Answer")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Page(Generic[Result]):
    """Tasks that can be done in any order and twice, and the cursor after them; ``None``: the slice has no more.

    An empty cursor says that the work cannot continue elsewhere: then its slice begins again.
    """

    tasks: Sequence[Callable[[], Result]]
    cursor: str | None


class SliceWork(Protocol[Result]):
    """What a run does: its pages, and what is counted and kept of each result."""

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[Result]]:
        """The pages of a slice after the cursor, empty: from the first; the last one's cursor is ``None``."""

    def count_result(self, result: Result) -> Mapping[str, int]:
        """The figures that it adds to the run's."""

    def keep_result(self, result: Result) -> str | None:
        """One line of text for the command that shows the run's results; ``None``: nothing to show."""


class _StoppedError(Exception):
    """The process stopped, or the run was cancelled, while the task waited for its turn: it was not begun."""


class _TakenOverError(Exception):
    """Another process works on the slice: this one's claim had lapsed."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What working on slices needs of its process; ``stopping``: begin nothing else."""

    pool: Executor
    clock: Clock
    new_token: Callable[[], str]
    sleep: Callable[[float], object]
    stopping: Callable[[], bool]
    wait_turn: Callable[[Callable[[], bool]], object] = lambda stopping: None  # noqa: ARG005  # as Rate.wait
    """Waits until one more task may begin, or the process stops."""


class SliceWorker(Generic[Result]):
    """Works slices off for one thread; any number of them may work on a run, in any number of processes."""

    def __init__(self, book: RunBook, run: Run, work: SliceWork[Result], around: Surroundings) -> None:
        self._book = book
        self._run = run
        self._work = work
        self._around = around
        self._held = Slice(0)
        self._renewed_at = 0.0
        self._is_over = False
        """The run was cancelled, or another process took the slice over: what waits for its turn is not begun."""

    def work_off(self) -> None:
        """Return when no slice is left to work on, the run does not go on, or the process stops.

        Raises PermanentError or InputError when a slice cannot be worked on here; the slice says why.
        """
        while self._goes_on():
            slices = self._patiently(lambda: self._book.read_slices(self._run))
            if all(one.is_done or one.is_lost for one in slices):
                return
            if self._take(slices):
                self._work_on_held()
            else:
                self._around.sleep(WAIT_SECONDS + WAIT_SECONDS_A_SLICE * self._run.slices)

    def _stopping(self) -> bool:
        return self._is_over or self._around.stopping()

    def _goes_on(self) -> bool:
        """Whether the run is still the one that goes on: an operator may cancel it at any time."""
        if self._around.stopping():
            return False
        now = self._patiently(lambda: self._book.read_run(self._run.work))
        return now is not None and now.run_id == self._run.run_id and now.goes_on

    def _take(self, slices: Sequence[Slice]) -> bool:
        now = self._around.clock.now()
        for one in slices:
            if one.is_claimable_at(now):
                self._held, self._is_over = one, False
                claim = SliceClaim(self._around.new_token(), now + CLAIM_SECONDS)
                try:
                    self._write(claimed(one, claim))
                except _TakenOverError:
                    continue
                return True
        return False

    def _work_on_held(self) -> None:
        try:
            self._through_pages()
        except _TakenOverError:
            return
        except TransientError as error:
            self._give_up(error)
        except KeyshiftError as error:
            self._give_up(error)
            raise

    def _through_pages(self) -> None:
        pages = self._work.read_pages(self._held.number, self._held.cursor)
        last: Page[Result] = Page((), None)
        # The next page is read while the objects of this one are worked on.
        ahead = self._around.pool.submit(next, pages, last)
        try:
            while self._goes_on():
                page = self._awaited(ahead)
                if page.cursor is not None:
                    ahead = self._around.pool.submit(next, pages, last)
                results = self._results(page.tasks)
                if len(results) < len(page.tasks):
                    break
                self._keep(page, results)
                if page.cursor is None:
                    return
            self._write(released(self._held))
        finally:
            ahead.cancel()
            wait([ahead])

    def _keep(self, page: Page[Result], results: Sequence[Result]) -> None:
        counts: Counter[str] = Counter()
        for result in results:
            counts.update(self._work.count_result(result))
        lines = (self._work.keep_result(result) for result in results)
        parts = list(packed(line for line in lines if line is not None))
        self._write(moved(self._held, page.cursor, counts=counts, parts=len(parts)), parts)

    def _results(self, tasks: Sequence[Callable[[], Answer]]) -> list[Answer]:
        """The results of all tasks, or of the first ones where the process stops; the claim is renewed meanwhile."""
        waiting: list[Future[Answer]] = [self._around.pool.submit(self._in_turn, task) for task in tasks]
        results: list[Answer] = []
        try:
            for future in waiting:
                result = self._awaited(future)
                if self._stopping():
                    break
                results.append(result)
        except _StoppedError:
            pass  # the results before it count
        finally:
            if len(results) < len(waiting):
                for future in waiting:
                    future.cancel()
                wait(waiting)
        return results

    def _awaited(self, future: Future[Answer]) -> Answer:
        while True:
            if self._is_due():
                self._renew()
            try:
                return future.result(timeout=RENEW_SECONDS)
            except TimeoutError:
                if future.done():
                    raise  # it is the task's own

    def _in_turn(self, task: Callable[[], Answer]) -> Answer:
        self._around.wait_turn(self._stopping)
        if self._stopping():
            raise _StoppedError
        return task()

    def _is_due(self) -> bool:
        return self._around.clock.monotonic() - self._renewed_at >= RENEW_SECONDS

    def _renew(self) -> None:
        """Keep the slice; a run that was cancelled ends here, and not after the page, which may last long at a rate."""
        self._is_over = not self._goes_on()
        self._write(renewed(self._held, self._around.clock.now() + CLAIM_SECONDS))

    def _write(self, after: Slice, parts: Sequence[str] = ()) -> None:
        """Write the slice that this worker holds; raises _TakenOverError where another process changed it."""
        before = self._held
        if not self._patiently(lambda: self._book.write_slice(self._run, after, before=before, parts=parts)):
            self._is_over = True
            raise _TakenOverError
        self._held, self._renewed_at = after, self._around.clock.monotonic()

    def _give_up(self, error: KeyshiftError) -> None:
        try:
            self._write(failed(self._held, f"{error.cause}: {error}"))
        except (KeyshiftError, _TakenOverError):
            return  # its claim lapses, and another process tries it again

    def _patiently(self, call: Callable[[], Answer]) -> Answer:
        return patiently(call, sleep=self._around.sleep)


def packed(lines: Iterator[str]) -> Iterator[str]:
    """The lines in parts that each fit into an item."""
    part: list[str] = []
    size = 0
    for line in lines:
        if part and size + len(line) > PART_CHARACTERS:
            yield "\n".join(part)
            part, size = [], 0
        part.append(line)
        size += len(line) + 1
    if part:
        yield "\n".join(part)
