"""How fast the application's tables are read, in read units a second."""

import threading
from collections.abc import Callable, Iterator

from domain.references.ports import ItemPage

FIRST_UNITS = 32.0
"""Read units that a page is taken for before one was read; 256 is the most that a page can use (1 MB, consistent)."""


class ReadUnits:
    """Maximum number of read units a second, over all segments of one process; ``None``: any number.

    What a page uses is known when it was read. So a page is reserved at what the page before it used, and corrected.
    """

    def __init__(
        self, per_second: float | None, *, monotonic: Callable[[], float], sleep: Callable[[float], object]
    ) -> None:
        self._per_second = per_second
        self._due = monotonic()
        self._monotonic, self._sleep = monotonic, sleep
        self._lock = threading.Lock()

    def pace(self, pages: Iterator[ItemPage]) -> Iterator[ItemPage]:
        """The pages of a scan, each read when its units are due."""
        if self._per_second is None:
            yield from pages
            return
        expected = FIRST_UNITS
        while True:
            self._reserve(expected / self._per_second)
            page = next(pages, None)
            used = page.read_units if page is not None else 0.0
            with self._lock:
                self._due += (used - expected) / self._per_second
            if page is None:
                return
            expected = max(1.0, used)
            yield page
            if page.last_key is None:
                return

    def _reserve(self, seconds: float) -> None:
        with self._lock:
            now = self._monotonic()
            begins = max(self._due, now)
            self._due = begins + seconds
        if begins > now:
            self._sleep(begins - now)
