"""How fast the application's tables are read, in read units a second."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from domain.errors import ThrottledError
from domain.references.ports import ItemPage
from domain.steering.ports import RateLedger
from handlers.operations.slice_work import NotReadyError

READ_UNITS = 500.0
"""2 MB a second, a sixth of what one partition of a table on demand gives: the table is the application's."""
FIRST_UNITS = 32.0
"""Read units that a page is taken for before one was read; 256 is the most that a page can use (1 MB, consistent)."""


class ReadPace(Protocol):
    """How fast pages of an application's table are read."""

    def pace(self, pages: Iterator[ItemPage]) -> Iterator[ItemPage]:
        """The pages of a scan, each read when its units are due. Raises NotReadyError where that is too late."""


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


LINE, FENCE = "references", 1
"""The shared line of the functions that read the application's tables; no change of it has to empty the line."""
MOST_WAIT_SECONDS = 20.0
"""A page that is due later than this is left to another invocation."""
ANY_TIME_SECONDS = 1e7
"""What was read already is reserved however late its time is."""


@dataclass(frozen=True, slots=True)
class SharedReadUnits:
    """ReadPace of all functions together: each page reserves its units on one line of the manifest table.

    A page is reserved at what the page before it used. What it uses beyond that is reserved afterwards, what it leaves
    is the next page's, which then waits for the units of others alone. ``now`` is in seconds since 1970,
    ``seconds_left`` the time of this process.
    """

    ledger: RateLedger
    per_second: float
    now: Callable[[], float]
    sleep: Callable[[float], object]
    seconds_left: Callable[[], float]

    def pace(self, pages: Iterator[ItemPage]) -> Iterator[ItemPage]:
        """See the port; a busy manifest table counts as too late."""
        expected, spare = FIRST_UNITS, 0.0
        while True:
            wanted = max(0.0, expected - spare)
            self._wait(wanted)
            page = next(pages, None)
            if page is None:
                return
            spare = max(expected, spare) - page.read_units
            if spare < 0:
                self._reserve(-spare, latest=self.now() + ANY_TIME_SECONDS)
                spare = 0.0
            expected = max(1.0, page.read_units)
            yield page
            if page.last_key is None:
                return

    def _wait(self, units: float) -> None:
        latest = self.now() + min(MOST_WAIT_SECONDS, max(0.0, self.seconds_left()))
        begins = self._reserve(units, latest=latest)
        if begins is None or begins > latest:
            raise NotReadyError(f"{self.per_second:g} read units a second are used by other functions")
        self.sleep(max(0.0, begins - self.now()))

    def _reserve(self, units: float, *, latest: float) -> float | None:
        seconds = units / self.per_second
        try:
            return self.ledger.reserve_stretch(LINE, seconds, earliest=self.now(), latest=latest, fence=FENCE)
        except ThrottledError:
            return None
