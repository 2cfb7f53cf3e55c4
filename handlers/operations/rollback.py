"""Rollback: capture is switched off, every key is fenced and restored, references follow, the end is verified."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from domain.errors import KeyshiftError
from domain.lifecycle.stages import Stage, advanced, stage_fault
from domain.protocol.attempt import Outcome, Verdict
from domain.protocol.record import Mode, Origin, Record, State
from domain.protocol.rollback import roll_back_object
from handlers.operations.control import pause_migration
from handlers.operations.operator import Operation, Shut
from handlers.operations.parallel import patiently
from handlers.operations.start import read_capture

BACKWARD = (Stage.ROLLING_BACK, Stage.ROLLED_BACK)
ENDED = (State.ROLLED_BACK, State.ROLLBACK_CONFLICT, State.PURGED)
ROUNDS_SECONDS = 2.0
REASON = "rolling back: keep it paused"


@dataclass(slots=True)
class RollbackPlan:
    """What a rollback would change; counts of records."""

    restores: int = 0
    fences: int = 0
    conflicts: int = 0
    done: int = 0
    copies_kept: int = 0
    capture: str = ""
    references: int | None = None

    def add(self, record: Record) -> None:
        """Count one record under what would happen to it."""
        if record.mode is Mode.ROLLED_BACK and record.claim is None and record.state in ENDED:
            self.done += 1
            return
        if record.state is State.CLEANED:
            self.restores += 1
        elif record.state is State.CONFLICT:
            self.conflicts += 1
        else:
            self.fences += 1
        self.copies_kept += record.target_etag is not None and record.origin is not Origin.ADOPTED


@dataclass(slots=True)
class RolledBack:
    """The result: objects by state, failures and conflicts (source and reason), references, notifications."""

    states: Counter[str] = field(default_factory=Counter)
    troubles: list[tuple[str, str]] = field(default_factory=list)
    open: int = 0
    """Records that are not rolled back: their attempts began before the pause and wrote after the pass."""
    references: int = 0
    configuration_as_before: bool = True
    configuration: str = ""
    stays: str = ""
    """Which parts of live capture stay switched on, and why."""

    @property
    def clean(self) -> bool:
        """Whether the original state is back."""
        return not self.troubles and self.configuration_as_before


def plan_rollback(operation: Operation, *, seen: Callable[[], None]) -> RollbackPlan | Shut:
    """What would change; nothing is written."""
    entry = operation.stages.read_stage()
    if entry.stage is not Stage.ROLLED_BACK:
        fault = stage_fault(entry.stage, Stage.ROLLING_BACK)
        if fault is not None:
            return Shut(fault)
    plan = RollbackPlan()
    for record in operation.dependencies.ports.manifest.scan_records():
        seen()
        plan.add(record)
    if entry.capture:
        remembered = read_capture(entry.capture)
        changed = bool(remembered.rule) or remembered.before != remembered.after
        plan.capture = "restored to what it was before start" if changed else "left as it is: start changed nothing"
    else:
        plan.capture = "left as it is: it was not switched on by keyshift start"
    plan.references = operation.undo.rewritten_references() if operation.undo is not None else None
    return plan


def roll_back(  # limits, and a progress callback
    operation: Operation,
    *,
    threads: int,
    per_second: float | None,
    seen: Callable[[], None],
    say: Callable[[str], None],
) -> RolledBack | Shut:
    """Undo everything in the order of protocol.md §10; another run resumes one that was stopped.

    A run after the end looks for late writes of a worker that was stopped meanwhile, and rolls them back too.
    """
    clock = operation.dependencies.ports.clock
    stage = operation.stages.read_stage().stage
    fault = stage_fault(stage, Stage.ROLLING_BACK) if stage is not Stage.ROLLED_BACK else None
    if fault is not None:
        return Shut(fault)
    _, entry = operation.change_stage(
        lambda before: (
            before
            if before.stage in BACKWARD
            else advanced(before, Stage.ROLLING_BACK, by=operation.by, why="rollback", now=clock.now())
        )
    )
    done = RolledBack()
    say("stopping workers, and live capture")
    pause_migration(operation.panel, operation.mappings, reason=REASON, by=operation.by, now=clock.now)
    if entry.capture:
        remembered = read_capture(entry.capture)
        restored = operation.capture.restore(remembered)
        done.configuration, done.stays = restored.configuration, restored.stays
        done.configuration_as_before = restored.is_as_before
    say("fencing and restoring objects")
    trouble = _all_objects(operation, threads=threads, per_second=per_second, seen=seen)
    if operation.undo is not None:
        say("putting references back")
        undone = operation.undo.undo_references()
        done.references = undone.restored
        done.troubles += undone.lost
    say("verifying that the original state is back")
    done.troubles += [*trouble.items(), *_check(operation, done, threads=threads, seen=seen)]
    if not trouble and not done.open:
        operation.change_stage(
            lambda before: advanced(
                before, Stage.ROLLED_BACK, by=operation.by, why=f"{len(done.troubles)} differences", now=clock.now()
            )
        )
    return done


def _all_objects(
    operation: Operation, *, threads: int, per_second: float | None, seen: Callable[[], None]
) -> dict[str, str]:
    """Roll back until a whole pass finds nothing to do; returns the permanent failures with their reasons.

    Attempts that ran when the pause came may still add records, and hold theirs until they end.
    """
    manifest, clock = operation.dependencies.ports.manifest, operation.dependencies.ports.clock
    give_up = clock.monotonic() + operation.longest_claim() + ROUNDS_SECONDS
    while True:
        failed: dict[str, str] = {}
        waiting = 0
        records = (one for one in manifest.scan_records() if not is_ended(one))
        at_once = operation.parallel(threads, per_second)
        for source, outcome in at_once.map(lambda record: _one_object(operation, record), records):
            seen()
            if isinstance(outcome, str):
                failed[source] = outcome
            elif outcome.verdict is not Verdict.DONE:
                waiting += 1
                failed[source] = outcome.reason
        if not failed or clock.monotonic() > give_up or not waiting:
            return failed
        operation.dependencies.sleep(ROUNDS_SECONDS)


def is_ended(record: Record) -> bool:
    """Whether the rollback of this record has ended, and no attempt has it."""
    return record.mode is Mode.ROLLED_BACK and record.claim is None and record.state in ENDED


def _one_object(operation: Operation, record: Record) -> tuple[str, Outcome | str]:
    dependencies = operation.dependencies

    def attempt() -> Outcome:
        while True:
            outcome = roll_back_object(
                record.source,
                record.target,
                attempt=operation.attempt(),
                ports=dependencies.ports,
                policy=dependencies.policy,
            )
            if outcome.verdict is not Verdict.CONTINUE:
                return outcome

    try:
        return record.source.uri, patiently(attempt, sleep=dependencies.sleep)
    except KeyshiftError as error:
        return record.source.uri, f"{error.cause}: {error}"


def _check(
    operation: Operation, done: RolledBack, *, threads: int, seen: Callable[[], None]
) -> Iterator[tuple[str, str]]:
    """Compare every record once more with both keys; returns each difference with its reason."""
    records = operation.dependencies.ports.manifest.scan_records()
    for record, trouble in operation.parallel(threads).map(lambda one: (one, _trouble(operation, one)), records):
        seen()
        done.states[record.state.value] += 1
        done.open += not is_ended(record)
        if trouble is not None:
            yield record.source.uri, trouble


def _trouble(operation: Operation, record: Record) -> str | None:
    store = operation.dependencies.ports.store
    if not is_ended(record):
        return f"it is not rolled back: its record is {record.state.value}; run keyshift rollback again"
    if record.state is State.ROLLBACK_CONFLICT:
        return f"in conflict: {record.why}"
    try:
        if patiently(lambda: store.look_at_object(record.source), sleep=operation.dependencies.sleep) is not None:
            return None
        copy = store.look_at_object(record.target) if record.target.key and record.target_etag else None
    except KeyshiftError as error:
        return f"{error.cause}: {error}"
    if copy is not None and copy.etag == record.target_etag and record.state is State.ROLLED_BACK:
        return (
            f"the source is absent and its copy is still at {record.target.uri}: its producer deleted it, or something"
            " is wrong: check this object by hand"
        )
    return None
