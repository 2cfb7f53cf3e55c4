"""The migration's rate, shared by all its processes.

An object begins when its process has reserved a stretch of the shared line.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from domain.errors import LeaseExpiredError, ThrottledError
from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.parts import Part
from domain.protocol.ports import MultipartStore, Refused, SourceObject, TargetObject, Written
from domain.steering.control import Control
from domain.steering.ports import RateLedger

OBJECTS, BYTES = "objects", "bytes"
SLICE_SECONDS = 0.25
"""Maximum seconds that one reservation takes ahead of need: four writes a second and process, however high the rate."""
IDLE_CREDIT_SECONDS = 1.0
"""Seconds that an unused line may begin in the past; without it every late reservation would be lost."""
SPARE_SECONDS = 1.0
"""A reservation is dropped when it is not used within this many seconds after its time."""
LOOK_SECONDS = 0.25
PAUSED_SECONDS = 30.0
"""Seconds until paused work is tried again; before that it does not check whether the operator has resumed."""


class HeldBackError(LeaseExpiredError):
    """The operator paused, or a rate left no time, between two requests of one object; nothing was sent."""

    cause = "held-back"


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Why an object may not begin now, and in how many seconds it may; ``is_throttled``: AWS asks for fewer of them."""

    why: str
    seconds: float = 0.0
    is_throttled: bool = False


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Reserved time of a line: usable from ``begins`` (seconds since 1970); ``left`` objects or bytes of it."""

    fence: int
    begins: float
    drops: float
    left: float


class ObjectGate(Protocol):
    """An object, or a batch of its parts, passes the gate before it begins."""

    def admit(
        self, *, objects: int, size: int, seconds_left: Callable[[], float], stopping: Callable[[], bool]
    ) -> HeldBack | None:
        """Wait until so many objects and bytes may begin; returns why they may not, or ``None``."""


class RateGate:
    """Lets objects and bytes through at most at the rate of the control item; without a limit it costs nothing.

    In any W seconds the whole migration begins at most rate x (W + 2.5) objects. Added to that are the difference
    between its processes' clocks and one object of each process below four a second.
    """

    def __init__(  # its ports, and its clock and sleep
        self,
        ledger: RateLedger,
        *,
        current: Callable[[], Control],
        refresh: Callable[[], Control],
        now: Callable[[], float],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ledger = ledger
        self._current = current
        self._refresh = refresh
        self._now = now
        self._sleep = sleep
        self._pockets: dict[str, _Stretch] = {}
        self._lock = Lock()

    def admit(
        self, *, objects: int, size: int, seconds_left: Callable[[], float], stopping: Callable[[], bool]
    ) -> HeldBack | None:
        """Wait until so many objects and bytes may begin; returns why not: a pause, a stop, too little time."""
        for line, amount in ((OBJECTS, objects), (BYTES, size)):
            held = self._pass(line, float(amount), seconds_left, stopping) if amount else None
            if held is not None:
                return held
        return None

    def _pass(
        self, line: str, amount: float, seconds_left: Callable[[], float], stopping: Callable[[], bool]
    ) -> HeldBack | None:
        own: _Stretch | None = None
        while True:
            control = self._current()
            rate = _rate_of(control, line)
            if control.paused:
                return HeldBack(f"paused: {control.reason}", PAUSED_SECONDS)
            if rate is None:
                return None
            if stopping():
                return HeldBack("stopping")
            if own is not None and own.fence != control.fence:
                own = None
            if amount / rate >= SLICE_SECONDS:
                # A large amount gets its own stretch, so that smaller ones cannot take from it forever.
                own = own or self._reserve(line, amount, rate, control, seconds_left)
                wait = LOOK_SECONDS if own is None else own.begins - self._now()
            else:
                wait = self._take(line, amount, rate, control, seconds_left)
            if wait <= 0:
                return None
            if wait > seconds_left() or (own is not None and not own.left):
                return HeldBack(f"{line} per second", wait)
            self._sleep(min(wait, LOOK_SECONDS))

    def _take(  # line and amount, rate and control, time left
        self, line: str, amount: float, rate: float, control: Control, seconds_left: Callable[[], float]
    ) -> float:
        """Seconds until the pocket can give the amount; 0 when it has just given it."""
        with self._lock:
            now = self._now()
            pocket = self._pockets.get(line)
            left = pocket.left if pocket is not None and pocket.fence == control.fence and now <= pocket.drops else 0.0
            if pocket is None or left < amount:
                wanted = max(amount - left, rate * SLICE_SECONDS)
                reserved = self._reserve(line, wanted, rate, control, seconds_left)
                if reserved is None:
                    return LOOK_SECONDS
                if not reserved.left:
                    return reserved.begins - now
                pocket = _Stretch(control.fence, reserved.begins, reserved.drops, left + reserved.left)
            if pocket.begins <= now:
                pocket = _Stretch(pocket.fence, pocket.begins, pocket.drops, pocket.left - amount)
            self._pockets[line] = pocket
            return max(0.0, pocket.begins - now)

    def _reserve(  # as _take
        self, line: str, amount: float, rate: float, control: Control, seconds_left: Callable[[], float]
    ) -> _Stretch | None:
        """The next stretch for that amount; a stretch that begins too late is not taken and has nothing ``left``.

        ``None`` when the control item that this process read is outdated, or the table is busy.
        """
        now, seconds = self._now(), amount / rate
        latest = now + max(0.0, seconds_left())
        try:
            begins = self._ledger.reserve_stretch(
                line, seconds, earliest=now - IDLE_CREDIT_SECONDS, latest=latest, fence=control.fence
            )
        except ThrottledError:
            return None
        if begins is None:
            self._refresh()
            return None
        left = amount if begins <= latest else 0.0
        return _Stretch(control.fence, begins, max(now, begins) + SLICE_SECONDS + SPARE_SECONDS, left)


def _rate_of(control: Control, line: str) -> float | None:
    return control.objects_per_second if line == OBJECTS else control.bytes_per_second


class PacedMultipartStore:
    """MultipartStore that lets a batch of parts begin only when the rate allows; ``paid`` bytes are admitted before."""

    def __init__(self, inner: MultipartStore, wait: Callable[[int], HeldBack | None], *, paid: int) -> None:
        self._inner = inner
        self._wait = wait
        self._paid = paid

    def copy_parts(
        self, source: SourceObject, target: TargetObject, *, upload_id: str, parts: Sequence[Part]
    ) -> Mapping[int, str] | Refused:
        """See the port; raises HeldBackError when the migration is paused meanwhile, or the rate leaves no time."""
        size = sum(part.last - part.first + 1 for part in parts)
        owed, self._paid = max(0, size - self._paid), max(0, self._paid - size)
        held = self._wait(owed)
        if held is not None:
            raise HeldBackError(f"{source.location.uri}: {held.why}; its parts go on later")
        return self._inner.copy_parts(source, target, upload_id=upload_id, parts=parts)

    def create_upload(self, target: TargetObject, *, seen: ObjectState) -> str:
        """See the port."""
        return self._inner.create_upload(target, seen=seen)

    def list_parts(self, target: Location, *, upload_id: str) -> Mapping[int, str] | None:
        """See the port."""
        return self._inner.list_parts(target, upload_id=upload_id)

    def complete_upload(
        self, target: TargetObject, *, upload_id: str, etags: Mapping[int, str], size: int
    ) -> Written | Refused:
        """See the port."""
        return self._inner.complete_upload(target, upload_id=upload_id, etags=etags, size=size)

    def abort_upload(self, target: Location, *, upload_id: str) -> None:
        """See the port."""
        self._inner.abort_upload(target, upload_id=upload_id)
