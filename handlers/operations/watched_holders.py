"""What holds each object of a run, by a look that is never too old: made here, or awaited from other processes."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from domain.errors import KeyshiftError, UnavailableError
from domain.keys import Location
from handlers.operations.held_places import HeldPlaces
from handlers.operations.holder_looks import HolderLooks, Look
from handlers.operations.holder_scan import HolderScan
from handlers.operations.holders import Holder
from handlers.operations.slice_work import NotReadyError, Surroundings
from handlers.operations.slices import SliceWorker

AWAITED_SECONDS, POLL_SECONDS = 30.0, 2.0
"""How long, and how often, a function waits in the middle of its work for a look that another function makes."""
LOOK_THREADS = 2
"""One reads the next page while the lines of the page before it are made."""


class Looker(Protocol):
    """Where a run's process gets its looks from."""

    def obtain(self, stopping: Callable[[], bool]) -> Look | None:
        """A look that is good; ``None``: the process stops. Raises NotReadyError, or what a read failed with."""

    def check(self) -> None:
        """Raise NotReadyError, if another process has to look first."""


@dataclass(frozen=True, slots=True)
class LooksHere:
    """Looker of a command: it looks itself, beside the other commands of its run."""

    looks: HolderLooks
    scan: HolderScan
    pool: Callable[[int], Executor]
    sleep: Callable[[float], object]

    def obtain(self, stopping: Callable[[], bool]) -> Look | None:
        """See the port; raises UnavailableError for a part that could not be read."""
        while not stopping():
            look = self.looks.newest()
            if look is not None and self.looks.is_good(look):
                return look
            if look is None or look.is_whole or look.lost is not None:
                look = self.looks.begin(look)
            if look is None:
                continue
            self._work_on(look, stopping)
            after = self.looks.newest()
            if after is not None and after.lost is not None and after.run.run_id == look.run.run_id:
                raise UnavailableError(f"references and pins could not be read: {after.lost.why}")
        return None

    def check(self) -> None:
        """See the port; this process looks when it needs a look."""

    def _work_on(self, look: Look, stopping: Callable[[], bool]) -> None:
        looks = self.looks
        with self.pool(LOOK_THREADS) as pool:
            around = Surroundings(pool, looks.clock, looks.new_token, self.sleep, stopping)
            SliceWorker(looks.book, look.run, self.scan, around).work_off()


@dataclass(frozen=True, slots=True)
class AwaitsLooks:
    """Looker of a function that deletes: functions of another role look, so that this one needs no right to."""

    looks: HolderLooks
    sleep: Callable[[float], object]

    def obtain(self, stopping: Callable[[], bool]) -> Look | None:
        """See the port."""
        polls = int(AWAITED_SECONDS / POLL_SECONDS)
        for poll in range(polls + 1):
            look = self.looks.newest()
            if look is not None and self.looks.is_good(look):
                return look
            if stopping():
                return None
            if poll < polls:
                self.sleep(POLL_SECONDS)
        raise NotReadyError("no look at references and pins is good at this moment")

    def check(self) -> None:
        """See the port."""
        look = self.looks.newest()
        if look is None or not self.looks.is_good(look):
            raise NotReadyError("no look at references and pins is good at this moment")


@dataclass(slots=True)
class Holders:
    """The holders of each object of a run, read again after HOLDERS_SECONDS: applications still write.

    Without a ``looker`` nothing can hold an object.
    """

    looks: HolderLooks
    looker: Looker | None
    _look: Look | None = None
    _places: HeldPlaces | None = None
    _tries: int = 0
    _failure: KeyshiftError | None = None
    _lock: Lock = field(default_factory=Lock)

    def check(self) -> None:
        """Raise NotReadyError, if another process has to look before an object may be removed."""
        if self.looker is not None and not self._is_good():
            self.looker.check()

    def await_look(self, stopping: Callable[[], bool]) -> None:
        """Return when a look is good, or the process stops; raises what Looker.obtain raises."""
        tries = self._tries
        # One look serves all threads. It may take longer than its result is valid.
        with self._lock:
            if self.looker is None or self._is_good():
                return
            if self._failure is not None and self._tries > tries:
                raise self._failure  # a look that failed while this thread waited is not repeated for each object
            self._tries, self._failure = self._tries + 1, None
            try:
                look = self.looker.obtain(stopping)
                if look is not None:
                    self._places, self._look = HeldPlaces(self.looks.book, look), look
            except KeyshiftError as error:
                self._failure = error
                raise

    def holder_of(self, location: Location) -> Holder | None:
        """Why the object at this place must stay, or ``None``; awaits a look. Raises what await_look raises."""
        if self.looker is None:
            return None
        self.await_look(lambda: False)
        places = self._places
        if places is None:
            raise NotReadyError("no look at references and pins is good at this moment")
        return places.holder_of(location)

    def _is_good(self) -> bool:
        return self._look is not None and self.looks.is_good(self._look)
