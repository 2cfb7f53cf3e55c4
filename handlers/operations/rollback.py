"""Rollback: capture is switched off, every key is fenced and restored, references follow, the end is checked."""

from collections.abc import Callable

from domain.errors import KeyshiftError
from domain.lifecycle.ports import Restored
from domain.lifecycle.stages import Stage, advanced, stage_fault
from domain.protocol.attempt import Outcome, Verdict
from domain.protocol.record import Mode, Origin, Record, State
from domain.protocol.rollback import roll_back_object
from handlers.operations.control import pause_migration
from handlers.operations.operator import Operation, Shut
from handlers.operations.paced import at_learned_rate
from handlers.operations.parallel import FIRST_PAUSE, TRIES
from handlers.operations.start import read_capture

BACKWARD = (Stage.ROLLING_BACK, Stage.ROLLED_BACK)
ENDED = (State.ROLLED_BACK, State.ROLLBACK_CONFLICT, State.PURGED)
REASON = "rolling back: keep it paused"
NOT_CAPTURED = Restored(configuration="", is_as_before=True)


def refuse_rollback(operation: Operation) -> Shut | None:
    """Why nothing may be rolled back, or ``None``; after the end a rollback looks for late writes of a worker."""
    stage = operation.stages.read_stage().stage
    fault = stage_fault(stage, Stage.ROLLING_BACK) if stage is not Stage.ROLLED_BACK else None
    return Shut(fault) if fault is not None else None


def plan_capture_back(operation: Operation) -> str:
    """What a rollback would do with the bucket's notifications."""
    entry = operation.stages.read_stage()
    if not entry.capture:
        return "left as it is: it was not switched on by keyshift start"
    remembered = read_capture(entry.capture)
    changed = bool(remembered.rule) or remembered.before != remembered.after
    return "restored to what it was before start" if changed else "left as it is: start changed nothing"


def begin_rollback(operation: Operation, *, say: Callable[[str], None]) -> Restored:
    """Set the stage, pause everything and switch live capture off; repeatable.

    Raises UnavailableError where another command changes the stage at the same time.
    """
    now = operation.dependencies.ports.clock.now
    entry = operation.advance(Stage.ROLLING_BACK, unless=BACKWARD, why="rollback")
    say("stopping workers, and live capture")
    pause_migration(operation.panel, operation.mappings, reason=REASON, by=operation.by, now=now)
    return operation.capture.restore(read_capture(entry.capture)) if entry.capture else NOT_CAPTURED


def end_rollback(operation: Operation, *, differences: int) -> None:
    """Set the stage to ROLLED_BACK; ``differences`` stay, such as conflicts."""
    now = operation.dependencies.ports.clock.now()
    operation.change_stage(
        lambda before: advanced(before, Stage.ROLLED_BACK, by=operation.by, why=f"{differences} differences", now=now)
    )


def is_ended(record: Record) -> bool:
    """Whether the rollback of this record has ended, and no attempt has it."""
    return record.mode is Mode.ROLLED_BACK and record.claim is None and record.state in ENDED


def has_kept_copy(record: Record) -> bool:
    """Whether a copy stays that keyshift may have created, until a purge."""
    return record.target_etag is not None and record.origin is not Origin.ADOPTED


def roll_back_record(operation: Operation, record: Record) -> Outcome | str:
    """Roll the key back, part by part; the outcome, or a sentence about a permanent failure."""
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
            if outcome.verdict is not Verdict.CONTINUE or operation.is_ending():
                return outcome  # another function resumes the copy

    try:
        return at_learned_rate(attempt, record, dependencies)
    except KeyshiftError as error:
        return f"{error.cause}: {error}"


def settle_record(operation: Operation, record: Record) -> str | None:
    """Roll the key back, again where another program writes it at that moment; why it is not rolled back, if so."""
    pause, outcome = FIRST_PAUSE, roll_back_record(operation, record)
    for _ in range(TRIES - 1):
        if isinstance(outcome, str) or outcome.verdict is Verdict.DONE:
            break
        operation.dependencies.sleep(pause)
        pause *= 2
        outcome = roll_back_record(operation, record)
    if isinstance(outcome, str):
        return outcome
    return outcome.reason if outcome.verdict is not Verdict.DONE else None


def find_difference(operation: Operation, record: Record) -> str | None:
    """Compare the record once more with both keys; why the original state is not back, or ``None``."""
    store = operation.dependencies.ports.store
    if not is_ended(record):
        return f"it is not rolled back: its record is {record.state.value}; run keyshift rollback again"
    if record.state is State.ROLLBACK_CONFLICT:
        return f"in conflict: {record.why}"
    try:
        if at_learned_rate(lambda: store.look_at_object(record.source), record, operation.dependencies) is not None:
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
