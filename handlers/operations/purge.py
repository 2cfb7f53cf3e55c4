"""Purge: after a rollback, the copies that keyshift created are deleted."""

from collections.abc import Iterable, Iterator

from domain.errors import KeyshiftError
from domain.lifecycle.stages import Stage
from domain.protocol.attempt import Outcome
from domain.protocol.causes import Cause
from domain.protocol.record import Mode, Origin, Record, State
from domain.protocol.rollback import purge_copy
from handlers.operations.operator import Operation, Shut
from handlers.operations.paced import at_learned_rate
from handlers.operations.removals import (
    Removal,
    Removed,
    failed,
    held,
    held_by_outcome,
    held_by_quiet_time,
)
from handlers.operations.rollback import is_ended
from handlers.operations.watched_holders import Holders


def refuse_purge(operation: Operation) -> Shut | None:
    """Why nothing may be purged: only after a rollback that has been over for longer than any claim."""
    entry, now = operation.stages.read_stage(), operation.dependencies.ports.clock.now()
    if entry.stage is not Stage.ROLLED_BACK:
        return Shut(f"the migration is {entry.stage.value}: copies are purged only after keyshift rollback has ended")
    quiet = entry.since + operation.longest_claim() - now
    if quiet > 0:
        return Shut(f"a request of an earlier attempt may still be under way: try again in {quiet:.0f} s")
    return None


def put_references_back(operation: Operation) -> Shut | None:
    """Put back what an earlier rollback could not; why nothing may be purged while references name copies."""
    lost, first = 0, ""
    for one in operation.undo.undo_references() if operation.undo is not None else ():
        if one.why:
            lost, first = lost + 1, first or f"{one.place} ({one.why})"
    return Shut(f"{lost} references still name copies, such as {first}: put them back first") if lost else None


class Purger:
    """Deletes the copies that keyshift created, or reports what it would delete.

    The verdict is would-go, purged, held, failed, or kept. An adopted copy is kept, because keyshift did not create it.
    A copy that an application's own URI or a pin names is held.
    """

    def __init__(self, operation: Operation, holders: Holders) -> None:
        self._operation = operation
        self._holders = holders

    @property
    def holders(self) -> Holders:
        """See the port Remover."""
        return self._holders

    def find_candidates(self, records: Iterable[Record]) -> Iterator[Record]:
        """Those that have a copy, or are not rolled back."""
        for record in records:
            if _has_copy(record) or not is_ended(record):
                yield record

    def remove_object(self, record: Record, *, yes: bool) -> Removal:
        """Delete the copy, or report what would be done; a failure is a result too."""
        kept = self._kept(record)
        if kept is not None:
            return kept
        source = record.source
        if not yes:
            return Removal(source.uri, Removed.WOULD_GO, record.target.uri)
        try:
            outcome = at_learned_rate(lambda: self._purge(record), record, self._operation.dependencies)
        except KeyshiftError as error:
            return failed(source, error)
        if outcome.state is State.PURGED:
            return Removal(source.uri, Removed.PURGED, outcome.reason)
        return held_by_outcome(source, outcome)

    def _purge(self, record: Record) -> Outcome:
        dependencies = self._operation.dependencies
        return purge_copy(
            record.record_id, attempt=self._operation.attempt(), ports=dependencies.ports, policy=dependencies.policy
        )

    def _kept(self, record: Record) -> Removal | None:
        """Why the copy stays, known without a read of S3; the first reason that applies."""
        source = record.source
        if record.mode is not Mode.ROLLED_BACK:
            why = "it is not rolled back, a late attempt wrote it: run keyshift rollback again"
            return held(source, Cause.NOT_ROLLED_BACK, why)
        if record.origin is Origin.ADOPTED:
            return Removal(source.uri, Removed.KEPT, "the copy was there before keyshift", Cause.COPY_ADOPTED)
        if record.state is State.ROLLBACK_CONFLICT:
            return held(source, record.cause or record.state, f"in conflict: {record.why}")
        # A later rollback reversed a late worker's write: the stage is old by then, the key is not.
        quiet = record.changed_at + self._operation.longest_claim() - self._operation.dependencies.ports.clock.now()
        if quiet > 0:
            return held_by_quiet_time(source, quiet)
        holder = self._holders.holder_of(record.target)
        if holder is None:
            return None
        why = f"{holder.text} names the copy {record.target.uri}: write {source.uri} there first"
        return held(source, holder.hold, why)


def _has_copy(record: Record) -> bool:
    left = record.target_etag is not None or bool(record.maybe)
    return record.state in (State.ROLLED_BACK, State.ROLLBACK_CONFLICT) and left
