"""Works on the slices of a run: one after the other, each under a claim, page by page."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

from domain.errors import KeyshiftError, TransientError
from domain.runs.ports import RunBook
from domain.runs.run import Run
from domain.runs.slices import Slice, SliceClaim, claimed, failed, moved, released, renewed
from handlers.operations.parallel import patiently
from handlers.operations.slice_work import NotReadyError, Page, SliceWork, Surroundings, packed

CLAIM_SECONDS = 120.0
"""After so many seconds without a sign of its process, another process may take a slice over."""
RENEW_SECONDS = 20.0
WAIT_SECONDS, WAIT_SECONDS_A_SLICE = 0.2, 0.02
"""Pause while every slice that is left is claimed; a look reads each of them, so it is longer for many."""
Answer = TypeVar("Answer")
Result = TypeVar("Result")


class _StoppedError(Exception):
    """The process stopped, or the run was cancelled, while the task waited for its turn: it was not begun."""


class _TakenOverError(Exception):
    """Another process works on the slice: this one's claim had lapsed."""


class SliceWorker(Generic[Result]):
    """Works slices off for one thread; any number of them may work on a run, in any number of processes.

    It takes the slices whose numbers it ``takes``, and leaves the others to other processes.
    """

    def __init__(
        self,
        book: RunBook,
        run: Run,
        work: SliceWork[Result],
        around: Surroundings,
        *,
        takes: Callable[[int], bool] = lambda number: True,  # noqa: ARG005  # every slice
    ) -> None:
        self._book = book
        self._run = run
        self._work = work
        self._around = around
        self._takes = takes
        self._held = Slice(0)
        self._phase: Sequence[Slice] = ()
        self._renewed_at = 0.0
        self._is_over = False
        """The run was cancelled, or another process took the slice over: what waits for its turn is not begun."""

    def work_off(self) -> None:
        """Return when no slice is left to work on, the run does not go on, or the process stops.

        Slices of a phase are left alone until each earlier one is done: one that is lost keeps the later phases back.

        Raises PermanentError or InputError when a slice cannot be worked on here; the slice says why.
        """
        while self.is_left():
            if not self.work_on_next():
                self._around.sleep(WAIT_SECONDS + WAIT_SECONDS_A_SLICE * self._run.slices)

    def is_left(self) -> bool:
        """Whether the run goes on, and has slices that are neither done nor lost; ``False`` where the process stops."""
        if not self._goes_on():
            return False
        self._phase = self._open_phase(self._patiently(lambda: self._book.read_slices(self._run)))
        return not all(one.is_done or one.is_lost for one in self._phase)

    def work_on_next(self) -> bool:
        """Work on a slice that ``is_left`` has seen; ``False``: no slice is to be had. Raises what work_off raises."""
        if not self._take(self._phase):
            return False
        self._work_on_held()
        return True

    @property
    def last(self) -> Slice:
        """The slice that this worker had last, as it left it."""
        return self._held

    def _stopping(self) -> bool:
        return self._is_over or self._around.stopping()

    def _goes_on(self) -> bool:
        """Whether the run is still the one that goes on: an operator may cancel it at any time."""
        if self._around.stopping():
            return False
        now = self._patiently(lambda: self._book.read_run(self._run.work))
        return now is not None and now.run_id == self._run.run_id and now.goes_on

    def _open_phase(self, slices: Sequence[Slice]) -> Sequence[Slice]:
        begin = 0
        for size in self._work.phases:
            phase = slices[begin : begin + size]
            if not all(one.is_done for one in phase):
                return phase
            begin += size
        return ()

    def _take(self, slices: Sequence[Slice]) -> bool:
        now = self._around.clock.now()
        for one in slices:
            if self._takes(one.number) and one.is_claimable_at(now):
                self._held, self._is_over = one, False
                claim = SliceClaim(self._around.new_token(), now + CLAIM_SECONDS)
                try:
                    self._write(claimed(one, claim))
                except _TakenOverError:
                    continue
                return True
        return False

    def _work_on_held(self) -> None:
        if self._held.is_lost:
            return  # its last claim lapsed once too often
        try:
            self._through_pages()
        except _TakenOverError:
            return
        except NotReadyError:
            with suppress(KeyshiftError, _TakenOverError):  # else its claim lapses
                self._write(released(self._held))
            raise
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
                results = self._results(page)
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
        kept = (self._work.keep_result(result) for result in results)
        parts = list(packed(line for lines in kept if lines is not None for line in lines.split("\n")))
        self._write(moved(self._held, page.cursor, counts=counts, parts=len(parts)), parts)

    def _results(self, page: Page[Result]) -> list[Result]:
        """The results of all tasks, or of the first ones where the process stops; the claim is renewed meanwhile."""
        begin = self._unless_stopping if page.only_look else partial(self._in_turn, page)
        waiting: list[Future[Result]] = [self._around.pool.submit(begin, task) for task in page.tasks]
        results: list[Result] = []
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

    def _in_turn(self, page: Page[Any], task: Callable[[], Answer]) -> Answer:
        self._around.wait_turn(self._stopping)
        page.await_ready(self._stopping)
        return self._unless_stopping(task)

    def _unless_stopping(self, task: Callable[[], Answer]) -> Answer:
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
