"""Conflicts: the state of both keys, and the operator's decision that the source takes its target."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import InputError, KeyshiftError
from domain.keys import Location
from domain.lifecycle.stages import Stage
from domain.objects import ObjectState
from domain.protocol.conflicts import Conflict, objection_text, take_source, why_not_taken
from domain.protocol.record import Record, State
from handlers.operations.operator import Operation, Shut
from handlers.operations.parallel import patiently

_TOO_LATE = (Stage.ROLLING_BACK, Stage.ROLLED_BACK, Stage.DONE)


class Decision(StrEnum):
    """What becomes of one key."""

    WOULD_TAKE = "would-take"
    TAKEN = "taken"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Decided:
    """The result of the operator's decision on one key."""

    key: str
    outcome: Decision
    why: str = ""
    replaced: ObjectState | None = None
    """Another writer's object that is given up."""

    @property
    def is_good(self) -> bool:
        """Whether the result is as the operator wished."""
        return self.outcome in (Decision.TAKEN, Decision.WOULD_TAKE)


class ConflictDesk:
    """Reads conflicts and decides them; each decision is one conditional write of the record."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._ports = operation.dependencies.ports
        self._sleep = operation.dependencies.sleep

    def find_conflicts(self, *, threads: int) -> Iterator[Conflict]:
        """Every record in conflict with the state of both keys, in no particular order.

        Raises a KeyshiftError where a key cannot be read: an unknown state is never shown as absent.
        """
        records = (record for record in self._ports.manifest.scan_records() if record.state is State.CONFLICT)
        yield from self._operation.parallel(threads).map(self._seen, records)

    def conflict_of(self, key: str) -> Conflict:
        """The record of one source key with the state of both keys; raises InputError where it has no record."""
        source = Location(self._operation.dependencies.rules.source_bucket, key)
        record = self._ports.manifest.read_record(source.record_id)
        if record is None:
            raise InputError(f"no record knows {source.uri}: give source keys as keyshift conflicts list shows them")
        return self._seen(record)

    def refuse(self) -> Shut | None:
        """Why nothing may be decided at all, or ``None``."""
        entry = self._operation.stages.read_stage()
        if entry.stage in _TOO_LATE:
            return Shut(f"the migration is {entry.stage.value}: nothing is copied to the new layout any more")
        return None

    def decide(self, conflict: Conflict, *, replacing: str | None, why: str, yes: bool) -> Decided:
        """Let the source take its target, or return what prevents it; without ``yes`` nothing is written."""
        record, target = conflict.record, conflict.target
        objection = why_not_taken(conflict, replacing=replacing)
        if objection is not None:
            return Decided(
                record.source.key, Decision.REFUSED, objection_text(objection, conflict, replacing=replacing)
            )
        if not yes:
            return Decided(record.source.key, Decision.WOULD_TAKE, replaced=target)
        decided = take_source(conflict, by=self._operation.by, why=why, now=self._ports.clock.now())
        try:
            written = patiently(lambda: self._ports.manifest.write_record(decided, before=record), sleep=self._sleep)
        except KeyshiftError as error:
            return Decided(record.source.key, Decision.FAILED, str(error))
        if not written:
            return Decided(record.source.key, Decision.REFUSED, "its record changed meanwhile: look again")
        return Decided(record.source.key, Decision.TAKEN, replaced=target)

    def _seen(self, record: Record) -> Conflict:
        return patiently(
            lambda: Conflict(record, self._look(record.source), self._look(record.target)), sleep=self._sleep
        )

    def _look(self, location: Location) -> ObjectState | None:
        return self._ports.store.look_at_object(location, with_tags=True)
