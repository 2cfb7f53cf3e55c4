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
    """Writes what one run has counted; a run that skips objects knows no total, and writes nothing."""

    book: TotalBook
    place: str
    monotonic: Callable[[], float]
    _written: float | None = field(default=None, init=False)

    def note(self, fed: Fed) -> None:
        """While it runs: a minimum, and not at each call."""
        now = self.monotonic()
        if not fed.skipped and (self._written is None or now - self._written >= WRITE_SECONDS):
            self._written = now
            self.book.write_total(Total(self.place, fed.enqueued, fed.size, is_complete=False))

    def end(self, fed: Fed) -> None:
        """When every row was read."""
        if not fed.skipped:
            self.book.write_total(Total(self.place, fed.enqueued, fed.size, is_complete=True))
