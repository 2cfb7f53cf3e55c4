"""A run that one process works on alone: its slices in memory, the results that they keep in a temporary file."""

from collections.abc import Sequence
from threading import Lock

from adapters.local.key_book import TemporaryBook
from domain.errors import MissingResourceError
from domain.runs.run import Run
from domain.runs.slices import Slice


class SqliteRunBook(TemporaryBook):
    """RunBook on SQLite; it ends with its process, so no other process can join the run."""

    def __init__(self) -> None:
        super().__init__("run", check_same_thread=False)
        self._lock = Lock()
        self._runs: dict[str, Run] = {}
        self._slices: dict[tuple[str, int], Slice] = {}
        self._connection.execute(
            "CREATE TABLE parts (run TEXT, slice INTEGER, part INTEGER, text TEXT, PRIMARY KEY (run, slice, part))"
        )

    def read_run(self, work: str) -> Run | None:
        """See the port."""
        with self._lock:
            return self._runs.get(work)

    def read_runs(self, works: Sequence[str]) -> Sequence[Run]:
        """See the port."""
        with self._lock:
            return [self._runs[work] for work in works if work in self._runs]

    def write_run(self, run: Run, *, before: Run | None) -> bool:
        """See the port."""
        with self._lock:
            now = self._runs.get(run.work)
            if _mark(now) != _mark(before):
                return now == run
            self._runs[run.work] = run
            return True

    def read_slices(self, run: Run) -> Sequence[Slice]:
        """See the port."""
        with self._lock:
            return [self._slices.get((run.run_id, number), Slice(number)) for number in range(run.slices)]

    def write_slice(self, run: Run, one: Slice, *, before: Slice, parts: Sequence[str] = ()) -> bool:
        """See the port."""
        with self._lock:
            now = self._slices.get((run.run_id, one.number), Slice(one.number))
            if now.revision != before.revision:
                return now == one
            numbered = [(run.run_id, one.number, part, text) for part, text in enumerate(parts, before.parts)]
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?)", numbered)
            self._slices[run.run_id, one.number] = one
            return True

    def read_part(self, run: Run, number: int, part: int) -> str:
        """See the port."""
        query = "SELECT text FROM parts WHERE run = ? AND slice = ? AND part = ?"
        with self._lock:
            row = self._connection.execute(query, (run.run_id, number, part)).fetchone()
        if row is None:
            raise MissingResourceError(f"part {part} of slice {number} of the run of {run.work} is not kept")
        return str(row[0])


def _mark(run: Run | None) -> tuple[str, int] | None:
    return (run.run_id, run.revision) if run is not None else None
