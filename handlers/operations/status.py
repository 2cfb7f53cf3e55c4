"""A running migration at one moment: its figures, queues, lag, failures and the operator's control."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from domain.planning.total import Total
from domain.protocol.record import State
from domain.steering.control import Control
from domain.steering.learned import LEARNING, Learned, rate_at
from domain.steering.pulse import Tally
from handlers.operations.runs_under_way import RunUnderWay

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
class ThrottledPlace:
    """A prefix or a table that is slowed down: its rate now, AWS's ``answer``, and when it came first and last.

    Times are seconds since 1970.
    """

    place: str
    objects_per_second: float
    answer: str
    since: float
    throttled_at: float


def throttled_places(learned: Learned, now: float) -> tuple[ThrottledPlace, ...]:
    """The places that are slowed down now."""
    rates = ((limit, rate_at(limit, now, LEARNING)) for limit in learned.limits)
    return tuple(
        ThrottledPlace(limit.place.uri, rate, limit.answer, limit.begun_at, limit.throttled_at)
        for limit, rate in rates
        if rate is not None
    )


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
    runs: Sequence[RunUnderWay] = ()
    throttled: Sequence[ThrottledPlace] = ()

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
            "throttled": [asdict(one) for one in self.throttled],
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
            "runs": [run.as_json() for run in self.runs],
        }
