"""Reads the figures of a running migration, once or again and again."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from domain.planning.total import Total
from domain.protocol.ports import RecordPages
from domain.queues import DeadLetterQueue, MessageQueue
from domain.reporting.progress import BYTES_COPIED, CAUSE, OBJECTS_COPIED, RECORDS, RULE
from domain.reporting.tallied import state_figures
from domain.steering.ports import PulseBook
from domain.steering.pulse import Tally
from handlers.engine.dependencies import Dependencies
from handlers.operations.count_run import Counted, counted_of
from handlers.operations.runs_under_way import RunUnderWay
from handlers.operations.segments import read_records
from handlers.operations.status import Depth, Status, throttled_places

METER_SECONDS = 60.0
"""The window of the rate that is shown, in seconds."""


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
    pages: RecordPages
    total: Callable[[], Total | None] = lambda: None
    runs: Callable[[], Sequence[RunUnderWay]] = lambda: ()
    meter: Meter = field(default_factory=Meter)

    def look(self, *, exact: bool, counted: Counted | None = None) -> Status:
        """The present figures; ``exact`` counts the manifest's records one by one, if no run has ``counted`` them."""
        counters = self.dependencies.progress.read_progress()
        copied, size = counters.get(OBJECTS_COPIED, 0), counters.get(BYTES_COPIED, 0)
        rates = self.meter.rates(self.monotonic(), copied, size)
        records, causes = _named(counters, RECORDS), _named(counters, CAUSE)
        if exact:
            counted = self._counted(sum(records.values()))
        if counted is not None:
            records, causes = counted.records, counted.causes
        control = self.dependencies.control.operators_control()
        return Status(
            migration=self.dependencies.rules.migration,
            stage=self.stage(),
            records=records,
            rules=_named(counters, RULE),
            causes=causes,
            objects_copied=copied,
            bytes_copied=size,
            queues=self._depths(),
            control=control,
            recent=self._recent(),
            objects_per_second=rates[0],
            bytes_per_second=rates[1],
            total=self.total(),
            runs=self.runs(),
            throttled=throttled_places(control.learned, self.dependencies.ports.clock.now()),
        )

    def _counted(self, about: int) -> Counted:
        counts: Counter[str] = Counter()
        for record in read_records(self.pages, self.dependencies, about=about):
            counts.update(state_figures(record))
        return counted_of(counts)

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
