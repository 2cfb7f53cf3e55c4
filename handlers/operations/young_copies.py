"""Compares copies that no ``verify`` has seen yet: a bucket in use always has some of them when it is cut over."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from domain.lifecycle.record_census import RecordCensus, is_unverified
from domain.lifecycle.verification import Difference, judge
from domain.protocol.record import Record
from handlers.operations.operator import Operation
from handlers.operations.parallel import patiently
from handlers.operations.verify import sides_of

COMPARED_AT_ONCE = 16
"""Copies that are compared in parallel."""
_TAKEN_AT_ONCE = 10 * COMPARED_AT_ONCE


@dataclass(slots=True)
class YoungCopies:
    """Counts records in a census; unverified ones that changed ``since`` then are compared as ``verify`` does it.

    Nothing is marked. What is not proven at once is compared again by ``settle``, because a producer or a worker may
    have changed it in between. ``since`` and ``most_lag`` are in seconds.
    """

    operation: Operation
    census: RecordCensus
    since: float
    most_lag: float
    _taken: list[Record] = field(default_factory=list)
    _unproven: list[str] = field(default_factory=list)

    def count(self, record: Record) -> None:
        """Count one record, now or when some young ones are together."""
        if not self._is_young(record):
            self.census.add(record)
            return
        self._taken.append(record)
        if len(self._taken) >= _TAKEN_AT_ONCE:
            self._compare_taken()

    def settle(self) -> None:
        """Compare the rest, and once more what was not proven: only the present record and keys count."""
        self._compare_taken()
        manifest = self.operation.dependencies.ports.manifest
        for record_id in self._unproven:
            record = manifest.read_record(record_id)
            if record is not None:
                proven = self._is_young(record) and (self._is_proven(record) or self._is_on_its_way(record))
                self.census.add(record, proven=proven)
        self._unproven.clear()

    def _is_young(self, record: Record) -> bool:
        return is_unverified(record) and record.changed_at >= self.since

    def _compare_taken(self) -> None:
        taken, self._taken = self._taken, []
        for record, proven in zip(taken, self._proven(taken), strict=True):
            if proven:
                self.census.add(record, proven=True)
            else:
                self._unproven.append(record.record_id)

    def _proven(self, records: Iterable[Record]) -> Iterable[bool]:
        return self.operation.parallel(COMPARED_AT_ONCE).map(self._is_proven, records)

    def _is_proven(self, record: Record) -> bool:
        return not self._differences(record)

    def _differences(self, record: Record) -> tuple[Difference, ...]:
        dependencies = self.operation.dependencies

        def compared() -> tuple[Difference, ...]:
            sides, now = sides_of(record, dependencies.ports), dependencies.ports.clock.now()
            return judge(record, sides, now=now, keys=dependencies.policy.kms_keys).differences

        return patiently(compared, sleep=dependencies.sleep)

    def _is_on_its_way(self, record: Record) -> bool:
        """Whether the producer has just overwritten the source: its event is counted by other gates."""
        if self._differences(record) != (Difference.CHANGED_SINCE,):
            return False
        source = self.operation.dependencies.ports.store.look_at_object(record.source)
        return (
            source is not None and source.last_modified > self.operation.dependencies.ports.clock.now() - self.most_lag
        )
