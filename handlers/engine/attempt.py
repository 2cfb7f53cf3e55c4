"""One attempt: follow the notice's route within the time that is left, and return how it ended."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from domain.errors import (
    AccessDeniedError,
    KeyshiftError,
    MissingResourceError,
    ThrottledError,
    TransientError,
)
from domain.protocol.attempt import MigrationPorts, Outcome, Verdict
from domain.protocol.causes import Cause
from domain.protocol.notices import Notice, NoticeKind
from domain.protocol.record import State
from domain.rules.routing import (
    Moved,
    Route,
)
from handlers.engine.dependencies import EngineDependencies
from handlers.engine.rate_gate import PAUSED_SECONDS, HeldBack, HeldBackError, PacedMultipartStore
from handlers.engine.routes import follow_route
from handlers.intake.messages import BackfillRow, encode_backfill

LEAST_SECONDS = 5.0
"""With less time than this (or half of a shorter attempt) no attempt is begun: its message goes back untouched."""
SHORT_ATTEMPT_SECONDS = 60.0
"""An object copied in one request is done in this time; a worker that dies holds its claim no longer than needed."""
RETRY_SECONDS = 10
THROTTLED_TRIES = 6
"""Throttling does not count as a failure: the object waits here first, then in its queue."""
FIRST_PAUSE_SECONDS = 0.2
MOST_WAIT_SECONDS = 5.0

SecondsLeft = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Ended:
    """How the attempt of one notice ended.

    ``waits`` means that it was not begun, or not resumed, for a reason outside the object.
    """

    notice: Notice
    outcome: Outcome
    waits: bool = False


def attempt_notice(
    notice: Notice,
    route: Route,
    dependencies: EngineDependencies,
    *,
    seconds_left: SecondsLeft,
    stopping: Callable[[], bool],
) -> Ended:
    """Attempt the object along its route, and retry while the service throttles.

    Raises only errors that concern every object alike: a missing table or queue, or no permission for it.
    """
    pause, paid = FIRST_PAUSE_SECONDS, paid_bytes(notice, dependencies)
    left = left_after(seconds_left, dependencies)
    held = held_by_throttling(notice, route, dependencies)
    if held is None and isinstance(route, Moved):
        held = dependencies.gate.admit(objects=1, size=paid, seconds_left=left, stopping=stopping)
    if held is not None:
        return held_back(notice, held)
    for _ in range(THROTTLED_TRIES):
        with dependencies.pace.slot():
            control = dependencies.control.current()
            if control.paused:
                return held_back(notice, HeldBack(f"paused: {control.reason}", PAUSED_SECONDS))
            if stopping():
                return held_back(notice, HeldBack("stopping"))
            dependencies.pace.cap(least_of(dependencies.settings.concurrency, control.concurrency))
            if left() < 0:
                return held_back(notice, HeldBack("no time left for another object"))
            try:
                outcome = _attempt_once(notice, route, dependencies, seconds_left, paid)
            except HeldBackError as error:
                return held_back(notice, HeldBack(str(error), PAUSED_SECONDS))
        if outcome is not None:
            return Ended(notice, outcome)
        held = held_by_throttling(notice, route, dependencies)
        if held is not None or not wait_after_throttling(pause, dependencies, seconds_left):
            break
        pause = min(pause * 2, MOST_WAIT_SECONDS)
    return throttled(notice) if held is None else held_back(notice, held)


def held_by_throttling(notice: Notice, route: Route, dependencies: EngineDependencies) -> HeldBack | None:
    """Why an object that moves must wait for a prefix or a table that throttled, or ``None``."""
    is_limited = dependencies.control.current().learned.limits or dependencies.learned.unshared
    if not is_limited or not isinstance(route, Moved):
        return None
    return dependencies.learned.admit(notice.source, route.target)


def wait_after_throttling(pause: float, dependencies: EngineDependencies, seconds_left: SecondsLeft) -> bool:
    """Wait about ``pause`` seconds; ``False`` when that leaves no time for an attempt."""
    jittered = pause * (0.5 + random.random())  # noqa: S311  # spreads retries, guards nothing
    if seconds_left() - jittered < least_seconds(dependencies):
        return False
    dependencies.sleep(jittered)
    return True


def throttled(notice: Notice) -> Ended:
    """How an attempt ended for which the service left no time."""
    return Ended(notice, Outcome(Verdict.RETURN, None, Cause.THROTTLED, retry_after=RETRY_SECONDS), waits=True)


def held_back(notice: Notice, held: HeldBack) -> Ended:
    """How an attempt ended that was not begun."""
    cause = Cause.THROTTLED if held.is_throttled else Cause.HELD_BACK
    outcome = Outcome(Verdict.RETURN, None, cause, held.why, math.ceil(held.seconds))
    return Ended(notice, outcome, waits=True)


def least_of(wanted: int, limit: int | None) -> int:
    """The lower of both; the operator's limit can only reduce the concurrency."""
    return wanted if limit is None else min(wanted, limit)


def paid_bytes(notice: Notice, dependencies: EngineDependencies) -> int:
    """The bytes that the byte rate counts before the object begins; larger objects pay for each batch of parts."""
    size = notice.size or 0
    is_copied = notice.kind is not NoticeKind.REMOVED and not is_cut(size, dependencies)
    return size if is_copied else 0


def is_cut(size: int, dependencies: EngineDependencies) -> bool:
    """Whether an object of ``size`` bytes goes to the target bucket in parts, as far as this process knows."""
    return dependencies.policy.is_cut(size, dependencies.rules.target_bucket)


def left_after(seconds_left: SecondsLeft, dependencies: EngineDependencies) -> SecondsLeft:
    """How long an object may wait and still have the minimum time for an attempt."""
    return lambda: seconds_left() - least_seconds(dependencies)


def _attempt_once(
    notice: Notice, route: Route, dependencies: EngineDependencies, seconds_left: SecondsLeft, paid: int
) -> Outcome | None:
    ports = paced_ports(dependencies, seconds_left, paid)
    limit = limit_of(notice, dependencies, seconds_left())
    return concluded(notice, dependencies, lambda: follow_route(notice, route, dependencies, limit, ports))


def paced_ports(dependencies: EngineDependencies, seconds_left: SecondsLeft, paid: int) -> MigrationPorts:
    """The ports of one attempt: its parts wait for the byte rate, which counted ``paid`` bytes already."""

    def wait(size: int) -> HeldBack | None:
        left = left_after(seconds_left, dependencies)
        held = dependencies.gate.admit(objects=0, size=size, seconds_left=left, stopping=lambda: False)
        return held or _paused(dependencies)

    return replace(dependencies.ports, multipart=PacedMultipartStore(dependencies.ports.multipart, wait, paid=paid))


def concluded(
    notice: Notice,
    dependencies: EngineDependencies,
    attempt: Callable[[], Outcome],
    *,
    is_committed: Callable[[], bool] = lambda: True,
) -> Outcome | None:
    """The outcome of one attempt, counted and reported; ``None`` when the service throttled it.

    An attempt whose commit is still to be written is neither counted nor reported yet.
    """
    try:
        outcome = attempt()
        if outcome.verdict is Verdict.CONTINUE:
            _hand_on(notice, dependencies)
    except (MissingResourceError, AccessDeniedError, HeldBackError):
        # An error of one object was parked with its cause. This error came from the table, the queue or the operator.
        raise
    except ThrottledError as error:
        dependencies.observer.count("Throttled")
        if not dependencies.learned.note_throttled(error):
            dependencies.pace.slow_down()
        return None
    except Exception as error:  # noqa: BLE001 # a bug with one object must not fail its batch
        return _failed(error, notice, dependencies)
    if not is_committed():
        return outcome
    dependencies.pace.speed_up()
    if outcome.is_failure and outcome.cause is not None:
        dependencies.breaker.note_failure(notice.source.record_id, cause=outcome.cause, said=outcome.reason)
    elif outcome.state is not None and outcome.verdict is not Verdict.RETURN:
        dependencies.breaker.note_success(notice.source.record_id)
    _report(outcome, notice, dependencies)
    return outcome


def _failed(error: Exception, notice: Notice, dependencies: EngineDependencies) -> Outcome:
    """The outcome of an attempt that raised.

    It is called while the error is handled, so the log has the traceback of a defect.
    """
    observer, source = dependencies.observer, notice.source
    cause = Cause(error.cause) if isinstance(error, KeyshiftError) else Cause.UNEXPECTED
    dependencies.breaker.note_failure(source.record_id, cause=cause, said=str(error))
    if isinstance(error, TransientError):
        observer.count("Retries")
        observer.info("to be tried again", source=source, cause=cause, why=str(error))
    elif isinstance(error, KeyshiftError):
        observer.count("Failures")
        observer.fail("failed", source=source, cause=cause, why=str(error))
    else:
        observer.count("Failures")
        observer.crash("unexpected", source=source, cause=type(error).__name__, why=str(error))
    return Outcome(Verdict.RETURN, None, cause, str(error), RETRY_SECONDS, is_failure=True)


def least_seconds(dependencies: EngineDependencies) -> float:
    """An attempt begins only with at least this time left."""
    return min(LEAST_SECONDS, dependencies.settings.attempt_seconds / 2)


def limit_of(notice: Notice, dependencies: EngineDependencies, left: float) -> float:
    """For how many seconds an attempt at this object may send requests."""
    limit = min(dependencies.settings.attempt_seconds, left)
    is_small = notice.size is not None and not is_cut(notice.size, dependencies)
    # A notice does not tell how many earlier versions go first, nor how large they are.
    is_alone = dependencies.ports.history is None
    if is_alone and (is_small or notice.kind is NoticeKind.REMOVED):
        return min(limit, SHORT_ATTEMPT_SECONDS)
    return limit


def _paused(dependencies: EngineDependencies) -> HeldBack | None:
    control = dependencies.control.current()
    return HeldBack(f"paused: {control.reason}") if control.paused else None


def _hand_on(notice: Notice, dependencies: EngineDependencies) -> None:
    """Enqueue a row for a copy that is too large for one attempt; another attempt resumes it."""
    migration = dependencies.rules.migration
    bodies = encode_backfill([BackfillRow.of_notice(notice)], migration=migration, bucket=notice.source.bucket)
    dependencies.backfill_queue.send_messages(list(bodies))


def _report(outcome: Outcome, notice: Notice, dependencies: EngineDependencies) -> None:
    observer = dependencies.observer
    observer.count("Returned" if outcome.verdict is Verdict.RETURN else "Handled")
    if outcome.cause is Cause.BUSY:
        observer.count("ClaimsHeld")
    fields = {"state": outcome.state, "verdict": outcome.verdict.value, "why": outcome.reason}
    if outcome.state in (State.CONFLICT, State.PARKED):
        observer.count("Conflicts" if outcome.state is State.CONFLICT else "Parked")
        observer.warn("needs a person", source=notice.source, **fields)
    else:
        observer.debug("handled", source=notice.source, **fields)
