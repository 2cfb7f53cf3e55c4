"""Purge: after a rollback, the copies that keyshift created are deleted."""

from collections.abc import Iterator

from domain.errors import KeyshiftError
from domain.lifecycle.stages import Stage
from domain.protocol.causes import Cause
from domain.protocol.record import Mode, Origin, Record, State
from domain.protocol.rollback import purge_copy
from handlers.operations.operator import Operation, Shut
from handlers.operations.parallel import patiently
from handlers.operations.removals import (
    HOLDERS_SECONDS,
    Holders,
    Removal,
    Removed,
    failed,
    held,
    held_by_outcome,
    held_by_quiet_time,
)
from handlers.operations.rollback import is_ended


def purge_copies(
    operation: Operation, *, yes: bool, threads: int, per_second: float | None
) -> Iterator[Removal] | Shut:
    """Delete the copies that keyshift created, source by source.

    The verdict is would-go, purged, held, failed, or kept. An adopted copy is kept, because keyshift did not create it.

    It runs only after a rollback that has ended, when it has been quiet for longer than any claim. No reference that
    keyshift wrote may still name a copy. A copy that an application's own URI or a pin names is held.
    """
    entry, clock = operation.stages.read_stage(), operation.dependencies.ports.clock
    if entry.stage is not Stage.ROLLED_BACK:
        return Shut(f"the migration is {entry.stage.value}: copies are purged only after keyshift rollback has ended")
    quiet = entry.since + operation.longest_claim() - clock.now()
    if quiet > 0:
        return Shut(f"a request of an earlier attempt may still be under way: try again in {quiet:.0f} s")
    lost = operation.undo.undo_references().lost if operation.undo is not None and yes else ()
    if lost:
        place, why = lost[0]
        return Shut(f"{len(lost)} references still name copies, such as {place} ({why}): put them back first")
    manifest = operation.dependencies.ports.manifest
    holders = Holders(operation, HOLDERS_SECONDS, clock.monotonic, of_copies=True)

    def candidates() -> Iterator[Record]:
        for record in manifest.scan_records():
            if _has_copy(record) or not is_ended(record):
                # The holders are read here first: a failed read must end the run, and not be repeated for each copy.
                holders.holder_of(record.target)
                yield record

    at_once = operation.parallel(threads, per_second if yes else None)
    return at_once.map(lambda record: _purge(operation, record, holders, yes=yes), candidates())


def _has_copy(record: Record) -> bool:
    left = record.target_etag is not None or bool(record.maybe)
    return record.state in (State.ROLLED_BACK, State.ROLLBACK_CONFLICT) and left


def _purge(operation: Operation, record: Record, holders: Holders, *, yes: bool) -> Removal:
    dependencies, source = operation.dependencies, record.source
    if record.mode is not Mode.ROLLED_BACK:
        why = "it is not rolled back, a late attempt wrote it: run keyshift rollback again"
        return held(source, Cause.NOT_ROLLED_BACK, why)
    if record.origin is Origin.ADOPTED:
        return Removal(source.uri, Removed.KEPT, "the copy was there before keyshift", Cause.COPY_ADOPTED)
    if record.state is State.ROLLBACK_CONFLICT:
        return held(source, record.cause or record.state, f"in conflict: {record.why}")
    # A later rollback reversed a late worker's write: the stage is old by then, the key is not.
    quiet = record.changed_at + operation.longest_claim() - dependencies.ports.clock.now()
    if quiet > 0:
        return held_by_quiet_time(source, quiet)
    holder = holders.holder_of(record.target)
    if holder is not None:
        why = f"{holder.text} names the copy {record.target.uri}: write {source.uri} there first"
        return held(source, holder.hold, why)
    if not yes:
        return Removal(source.uri, Removed.WOULD_GO, record.target.uri)
    try:
        outcome = patiently(
            lambda: purge_copy(
                record.record_id, attempt=operation.attempt(), ports=dependencies.ports, policy=dependencies.policy
            ),
            sleep=dependencies.sleep,
        )
    except KeyshiftError as error:
        return failed(source, error)
    if outcome.state is State.PURGED:
        return Removal(source.uri, Removed.PURGED, outcome.reason)
    return held_by_outcome(source, outcome)
