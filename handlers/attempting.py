"""One notice: map its key, attempt the migration in the time that is left, and say how it ended."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from domain.attempt import Attempt, Outcome, Verdict
from domain.errors import (
    AccessDeniedError,
    KeyshiftError,
    MalformedMessageError,
    MissingResourceError,
    ThrottledError,
    TransientError,
)
from domain.keys import Location
from domain.migration import migrate_object, park_object
from domain.notices import Notice, NoticeKind
from domain.record import State
from domain.rules import MapOutcome, MappedKey
from handlers.dependencies import Dependencies
from handlers.messages import BackfillRow, encode_backfill

LEAST_SECONDS = 5.0
"""With less time than this (or half of a shorter attempt) none is begun: its message goes back untouched."""
SHORT_ATTEMPT_SECONDS = 60.0
"""An object copied in one request is done in this time; a worker that dies holds its claim no longer than needed."""
RETRY_SECONDS = 10
THROTTLED_TRIES = 6
"""Being slowed down is no failure: the object waits here first, and only then costs a receive of its message."""
MOST_PAUSE_SECONDS = 5.0

SecondsLeft = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Ended:
    """How one notice ended."""

    notice: Notice
    outcome: Outcome


def attempt_notice(
    notice: Notice, dependencies: Dependencies, *, seconds_left: SecondsLeft, stopping: Callable[[], bool]
) -> Ended:
    """Attempt it, with patience while the service asks for fewer requests.

    Raises only what concerns every object alike: a missing table or queue, or no permission for it.
    """
    pause = 0.2
    for _ in range(THROTTLED_TRIES):
        with dependencies.pace.slot():
            if stopping():
                return Ended(notice, Outcome(Verdict.RETURN, None, "stopping"))
            outcome = _attempt_once(notice, dependencies, seconds_left)
        if outcome is not None:
            return Ended(notice, outcome)
        dependencies.pace.slow_down()
        jittered = pause * (0.5 + random.random())  # noqa: S311  # spreads retries, guards nothing
        if seconds_left() - jittered < _least(dependencies):
            break
        dependencies.sleep(jittered)
        pause = min(pause * 2, MOST_PAUSE_SECONDS)
    return Ended(notice, Outcome(Verdict.RETURN, None, "throttled for too long", RETRY_SECONDS))


def _attempt_once(notice: Notice, dependencies: Dependencies, seconds_left: SecondsLeft) -> Outcome | None:
    """How it ended, ``None`` when the service asked to slow down."""
    observer, left = dependencies.observer, seconds_left()
    if left < _least(dependencies):
        return Outcome(Verdict.RETURN, None, "no time left for another object")
    try:
        outcome = _migrated(notice, dependencies, _limit(notice, dependencies, left))
        if outcome.verdict is Verdict.CONTINUE:
            _hand_on(notice, dependencies)
    except (MissingResourceError, AccessDeniedError):
        # What concerns one object was parked with its cause; this came from the table or the queue itself.
        raise
    except ThrottledError:
        observer.count("Throttled")
        return None
    except TransientError as error:
        observer.count("Retries")
        observer.info("to be tried again", source=notice.source, cause=error.cause, why=str(error))
        return Outcome(Verdict.RETURN, None, str(error), RETRY_SECONDS)
    except KeyshiftError as error:
        observer.count("Failures")
        observer.fail("failed", source=notice.source, cause=error.cause, why=str(error))
        return Outcome(Verdict.RETURN, None, str(error), RETRY_SECONDS)
    except Exception as error:  # noqa: BLE001  # a fault of ours with one object must not take its batch along
        observer.count("Failures")
        observer.crash("unexpected", source=notice.source, cause=type(error).__name__, why=str(error))
        return Outcome(Verdict.RETURN, None, str(error), RETRY_SECONDS)
    dependencies.pace.speed_up()
    _report(outcome, notice, dependencies)
    return outcome


def _least(dependencies: Dependencies) -> float:
    return min(LEAST_SECONDS, dependencies.settings.attempt_seconds / 2)


def _limit(notice: Notice, dependencies: Dependencies, left: float) -> float:
    limit = min(dependencies.settings.attempt_seconds, left)
    is_small = notice.size is not None and notice.size <= dependencies.policy.multipart_above
    if is_small or notice.kind is NoticeKind.REMOVED:
        return min(limit, SHORT_ATTEMPT_SECONDS)
    return limit


def _migrated(notice: Notice, dependencies: Dependencies, limit: float) -> Outcome:
    rules = dependencies.rules
    if notice.source.bucket != rules.source_bucket:
        if notice.source.bucket == rules.target_bucket:
            return Outcome(Verdict.DONE, None, "target-bucket")
        raise MalformedMessageError(
            f"{notice.source.uri} is in another bucket than {rules.source_bucket}, which this migration moves"
        )
    mapped = rules.map_key(notice.source.key)
    if mapped.outcome is MapOutcome.KEEP:
        return Outcome(Verdict.DONE, None, "keep")
    if mapped.outcome is MapOutcome.UNMAPPED:
        dependencies.observer.count("Unmapped")
        if rules.unmapped == "fail":
            return Outcome(Verdict.RETURN, None, "no rule maps this key, and the rules say: unmapped: fail")
        return Outcome(Verdict.DONE, None, "unmapped")
    return _attempted(notice, mapped, dependencies, limit)


def _attempted(notice: Notice, mapped: MappedKey, dependencies: Dependencies, limit: float) -> Outcome:
    attempt = Attempt(dependencies.new_token(), limit)
    if mapped.outcome is MapOutcome.REJECTED or mapped.target is None:
        return park_object(
            notice,
            target=mapped.target or Location(dependencies.rules.target_bucket, ""),
            rule=mapped.rule or "",
            cause=f"impossible-key: {mapped.reason}",
            attempt=attempt,
            ports=dependencies.ports,
            policy=dependencies.policy,
        )
    return migrate_object(
        notice,
        target=mapped.target,
        rule=mapped.rule or "",
        attempt=attempt,
        ports=dependencies.ports,
        policy=dependencies.policy,
    )


def _hand_on(notice: Notice, dependencies: Dependencies) -> None:
    """A copy too large for one attempt goes on with a row of its own."""
    migration = dependencies.rules.migration
    bodies = encode_backfill([BackfillRow.of_notice(notice)], migration=migration, bucket=notice.source.bucket)
    dependencies.backfill_queue.send_messages(list(bodies))


def _report(outcome: Outcome, notice: Notice, dependencies: Dependencies) -> None:
    observer = dependencies.observer
    observer.count("Returned" if outcome.verdict is Verdict.RETURN else "Handled")
    fields = {"state": outcome.state, "verdict": outcome.verdict.value, "why": outcome.reason}
    if outcome.state in (State.CONFLICT, State.PARKED):
        observer.count("Conflicts" if outcome.state is State.CONFLICT else "Parked")
        observer.warn("needs somebody", source=notice.source, **fields)
    else:
        observer.debug("handled", source=notice.source, **fields)
