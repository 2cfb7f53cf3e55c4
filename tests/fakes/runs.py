"""The runs of stage work in memory."""

from collections.abc import Sequence
from threading import Lock

from domain.errors import MissingResourceError
from domain.runs.run import Run
from domain.runs.slices import Slice
from tests.fakes.faults import ScriptedFaults


class InMemoryRunBook(ScriptedFaults):
    """RunBook in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self.runs: dict[str, Run] = {}
        self.slices: dict[tuple[str, int], Slice] = {}
        self.parts: dict[tuple[str, int, int], str] = {}

    def read_run(self, work: str) -> Run | None:
        """See the port."""
        with self._faulty("read_run"):
            return self.runs.get(work)

    def read_runs(self, works: Sequence[str]) -> Sequence[Run]:
        """See the port."""
        with self._faulty("read_runs"):
            return [self.runs[work] for work in works if work in self.runs]

    def write_run(self, run: Run, *, before: Run | None) -> bool:
        """See the port."""
        with self._faulty("write_run"), self._lock:
            now = self.runs.get(run.work)
            if now != before and (now is None or before is None or _mark(now) != _mark(before)):
                return now == run
            self.runs[run.work] = run
            return True

    def read_slices(self, run: Run) -> Sequence[Slice]:
        """See the port."""
        with self._faulty("read_slices"):
            return [self.slices.get((run.run_id, number), Slice(number)) for number in range(run.slices)]

    def write_slice(self, run: Run, one: Slice, *, before: Slice, parts: Sequence[str] = ()) -> bool:
        """See the port."""
        with self._faulty("write_slice"), self._lock:
            now = self.slices.get((run.run_id, one.number), Slice(one.number))
            if now.revision != before.revision:
                return now == one
            self.slices[run.run_id, one.number] = one
            for part, text in enumerate(parts, before.parts):
                self.parts[run.run_id, one.number, part] = text
            return True

    def read_part(self, run: Run, number: int, part: int) -> str:
        """See the port."""
        with self._faulty("read_part"):
            try:
                return self.parts[run.run_id, number, part]
            except KeyError as error:
                raise MissingResourceError(f"part {part} of slice {number}") from error


def _mark(run: Run) -> tuple[str, int]:
    return run.run_id, run.revision
