"""The book of runs, and the dead-letter queues of stage work, as one process sees them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from domain.runs.run import Run, RunState
from domain.runs.slices import Slice
from domain.runs.works import is_look
from tests.simulation.whole.asking import Asking
from tests.simulation.whole.scheduler import Process

if TYPE_CHECKING:
    from tests.simulation.whole.servers import StandardQueue
    from tests.simulation.whole.site import Site


class SimulatedRuns(Asking):
    """RunBook; the judge is told which runs begin and end at the moment of the effect."""

    def read_run(self, work: str) -> Run | None:
        """GetItem."""
        run: Run | None = self._ask("read_run", work, lambda: self._site.runs.read_run(work))
        return run

    def read_runs(self, works: Sequence[str]) -> Sequence[Run]:
        """BatchGetItem."""
        runs: Sequence[Run] = self._ask("read_runs", ", ".join(works), lambda: self._site.runs.read_runs(works))
        return runs

    def write_run(self, run: Run, *, before: Run | None) -> bool:
        """The conditional PutItem."""

        def effect() -> bool:
            known = self._site.runs.runs.get(run.work)
            is_written = self._site.runs.write_run(run, before=before)
            if is_written and known != run:
                self._tell(run)
            return is_written

        return bool(self._ask("write_run", f"{run.work} {run.run_id} {run.state}", effect))

    def _tell(self, run: Run) -> None:
        if is_look(run.work):
            return
        if run.state is RunState.RUNNING:
            self._site.run_promises.began(run.work, run.run_id)
        else:
            self._site.run_promises.stopped(run.work, run.run_id)

    def read_slices(self, run: Run) -> Sequence[Slice]:
        """Query."""
        slices: Sequence[Slice] = self._ask("read_slices", run.work, lambda: self._site.runs.read_slices(run))
        return slices

    def write_slice(self, run: Run, one: Slice, *, before: Slice, parts: Sequence[str] = ()) -> bool:
        """TransactWriteItems."""
        write = self._site.runs.write_slice
        told = f"{run.work} slice {one.number} at '{one.cursor[:6]}' {'done' if one.is_done else ''}"
        return bool(self._ask("write_slice", told, lambda: write(run, one, before=before, parts=parts)))

    def read_part(self, run: Run, number: int, part: int) -> str:
        """GetItem."""
        return str(self._ask("read_part", run.work, lambda: self._site.runs.read_part(run, number, part)))


class SimulatedBurial(Asking):
    """The dead-letter queue of stage work, to which a function sends a lost slice."""

    def __init__(self, process: Process, site: "Site", queue: "StandardQueue", name: str) -> None:
        super().__init__(process, site)
        self._queue = queue
        self._name = name

    def send_messages(self, bodies: Sequence[str], *, delay: int = 0) -> None:
        """SendMessageBatch."""
        self._ask("send_messages", f"dead letters of {self._name}", lambda: list(map(self._queue.bury, bodies)))
