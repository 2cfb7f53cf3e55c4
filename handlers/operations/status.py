"""A running migration at one moment: its figures, queues, lag, failures and the operator's control."""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from domain.planning.total import Total
from domain.protocol.record import State
from domain.queues import DeadLetterQueue, MessageQueue
from domain.reporting.progress import BYTES_COPIED, CAUSE, OBJECTS_COPIED, RECORDS, RULE
from domain.steering.control import Control
from domain.steering.ports import PulseBook
from domain.steering.pulse import Tally
from handlers.engine.dependencies import Dependencies

METER_SECONDS = 60.0
"""The window of the rate that is shown, in seconds."""
_WAITING = (State.NEW.value,)


@dataclass(frozen=True, slots=True)
class Depth:
    """The approximate numbers of messages that wait, are worked on, and are in the queue's dead-letter queue.

    ``dead`` is ``None`` where the queue has no dead-letter queue: then nothing counts the messages that it drops.
    """

    waiting: int
    in_work: int
    dead: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """The state at one moment; sizes in bytes, times in seconds. ``recent`` is the newest window, or ``None``."""

    migration: str
    stage: str
    records: Mapping[str, int]
    rules: Mapping[str, int]
    causes: Mapping[str, int]
    objects_copied: int
    bytes_copied: int
    queues: Mapping[str, Depth]
    control: Control
    recent: Tally | None = None
    objects_per_second: float | None = None
    bytes_per_second: float | None = None
    total: Total | None = None

    @property
    def waiting(self) -> int:
        """Messages that wait or are worked on; each contains at least one object."""
        return sum(depth.waiting + depth.in_work for depth in self.queues.values())

    @property
    def objects_to_do(self) -> int | None:
        """Every object of the migration, done or not; ``None`` until the plan or the backfill has counted them all.

        Producers create objects after the count, so it is never less than the records that there are.
        """
        if self.total is None or not self.total.is_complete:
            return None
        return max(self.total.objects, sum(self.records.values()))

    @property
    def objects_left(self) -> int | None:
        """Those of them that have no record at rest."""
        return None if self.objects_to_do is None else self.objects_to_do - self.done

    @property
    def share(self) -> float | None:
        """The part of all objects that is done, from 0 to 1."""
        return self.done / self.objects_to_do if self.objects_to_do else None

    def seconds_left(self, objects_per_second: float | None) -> float | None:
        """The time for the objects that are left at this rate; ``None`` where it is unknown, or nothing moves."""
        if self.control.paused or not objects_per_second or not self.objects_left:
            return None
        return self.objects_left / objects_per_second

    @property
    def done(self) -> int:
        """The number of records at rest."""
        return sum(number for state, number in self.records.items() if state not in _WAITING)

    def as_json(self) -> dict[str, object]:
        """As JSON."""
        return {
            "migration": self.migration,
            "stage": self.stage,
            "records": dict(self.records),
            "rules": dict(self.rules),
            "failures_by_cause": dict(self.causes),
            "objects_copied": self.objects_copied,
            "bytes_copied": self.bytes_copied,
            "queues": {name: asdict(depth) for name, depth in self.queues.items()},
            "paused": self.control.paused,
            "reason": self.control.reason,
            "paused_by": self.control.paused_by,
            "paused_at": self.control.paused_at or None,
            "limits": asdict(self.control.limits),
            "live_lag_seconds": self.recent.oldest_event if self.recent is not None else None,
            "backfill_lag_seconds": self.recent.oldest_row if self.recent is not None else None,
            "recent": asdict(self.recent) if self.recent is not None else None,
            "objects_per_second": self.objects_per_second,
            "bytes_per_second": self.bytes_per_second,
            "total": asdict(self.total) if self.total is not None else None,
            "objects_to_do": self.objects_to_do,
            "objects_done": self.done,
            "objects_left": self.objects_left,
            "share": self.share,
            "seconds_left": self.seconds_left(self.objects_per_second),
        }


@dataclass(slots=True)
class Meter:
    """Rates of the last minute, from the counters at each read."""

    _looks: deque[tuple[float, int, int]] = field(default_factory=deque)

    def rates(self, moment: float, objects: int, size: int) -> tuple[float | None, float | None]:
        """Objects and bytes a second since the oldest read of the last minute; ``None`` at the first read."""
        self._looks.append((moment, objects, size))
        while len(self._looks) > 2 and moment - self._looks[0][0] > METER_SECONDS:
            self._looks.popleft()
        begun, first_objects, first_size = self._looks[0]
        seconds = moment - begun
        if seconds <= 0:
            return None, None
        return max(0, objects - first_objects) / seconds, max(0, size - first_size) / seconds


@dataclass(frozen=True, slots=True)
class Lookout:
    """Everything that a read of the status needs, found once."""

    dependencies: Dependencies
    queues: Mapping[str, MessageQueue]
    dead: Mapping[str, DeadLetterQueue]
    pulse: PulseBook
    stage: Callable[[], str]
    monotonic: Callable[[], float]
    total: Callable[[], Total | None] = lambda: None
    meter: Meter = field(default_factory=Meter)

    def look(self, *, exact: bool) -> Status:
        """The present figures; ``exact`` counts the manifest's records one by one."""
        counters = self.dependencies.progress.read_progress()
        copied, size = counters.get(OBJECTS_COPIED, 0), counters.get(BYTES_COPIED, 0)
        rates = self.meter.rates(self.monotonic(), copied, size)
        records, causes = _named(counters, RECORDS), _named(counters, CAUSE)
        if exact:
            records, causes = self._counted()
        return Status(
            migration=self.dependencies.rules.migration,
            stage=self.stage(),
            records=records,
            rules=_named(counters, RULE),
            causes=causes,
            objects_copied=copied,
            bytes_copied=size,
            queues=self._depths(),
            control=self.dependencies.control.operators_control(),
            recent=self._recent(),
            objects_per_second=rates[0],
            bytes_per_second=rates[1],
            total=self.total(),
        )

    def _counted(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        states: Counter[str] = Counter()
        causes: Counter[str] = Counter()
        for record in self.dependencies.ports.manifest.scan_records():
            states[record.state.value] += 1
            if record.cause:
                causes[record.cause.value] += 1
        return dict(sorted(states.items())), dict(sorted(causes.items()))

    def _depths(self) -> dict[str, Depth]:
        found = {}
        for name, queue in self.queues.items():
            waiting, in_work = queue.count_messages()
            dead = next((one for names, one in self.dead.items() if name in names.split("+")), None)
            found[name] = Depth(waiting, in_work, dead.count_letters() if dead is not None else None)
        return found

    def _recent(self) -> Tally | None:
        """The newest window, unless no object has ended for two windows."""
        newest = self.pulse.read_tally()
        if newest is None:
            return None
        window, tally = newest
        length = self.dependencies.settings.breaker_seconds
        age = self.dependencies.ports.clock.now() - window.number * length
        return tally if age <= 3 * length else None


def _named(counters: Mapping[str, int], prefix: str) -> Mapping[str, int]:
    return {
        name.removeprefix(prefix): number
        for name, number in sorted(counters.items())
        if name.startswith(prefix) and number
    }
