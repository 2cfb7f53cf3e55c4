"""Keeps the total of the objects to move while a backfill counts them, for ``status`` and ``report``."""

from collections.abc import Callable
from dataclasses import dataclass, field

from domain.planning.ports import TotalBook
from domain.planning.total import Total
from handlers.operations.backfill import Fed

WRITE_SECONDS = 5.0
"""Least number of seconds between two writes while it is counted."""


@dataclass(slots=True)
class TotalCounter:
    """Writes what one run and those before it have counted.

    Where an earlier run stored no figures of the rows that this one skips, the total is not known: nothing is written.
    """

    book: TotalBook
    place: str
    monotonic: Callable[[], float]
    _written: float | None = field(default=None, init=False)

    def note(self, fed: Fed) -> None:
        """While it runs: a minimum, and not at each call."""
        now = self.monotonic()
        if self._written is None or now - self._written >= WRITE_SECONDS:
            self._written = now
            self._write(fed, is_complete=False)

    def end(self, fed: Fed) -> None:
        """When every row was read."""
        self._write(fed, is_complete=True)

    def _write(self, fed: Fed, *, is_complete: bool) -> None:
        if fed.is_counted:
            objects, size = fed.earlier.objects + fed.enqueued, fed.earlier.size + fed.size
            self.book.write_total(Total(self.place, objects, size, is_complete))
