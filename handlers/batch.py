"""A batch of queue messages: every notice is migrated on its own; a message is done when all of it is done."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from domain.attempt import Attempt, Outcome, Verdict
from domain.errors import KeyshiftError, MalformedMessageError, MissingResourceError, ThrottledError, TransientError
from domain.keys import Location
from domain.migration import migrate_object, park_object
from domain.notices import Notice
from domain.record import State
from domain.rules import MapOutcome, MappedKey
from handlers.dependencies import Dependencies
from handlers.messages import BackfillRow, Decoded, decode_message, encode_backfill

LEAST_SECONDS = 5.0
"""With less time than this no new attempt is begun: its message goes back untouched."""
UNEXPECTED_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Body:
    """One queue message as the source of notices."""

    message_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of one message; ``retry_after`` in seconds counts for one that goes back."""

    message_id: str
    done: bool
    retry_after: int = 0
    throttled: bool = False
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class _Result:
    outcome: Outcome
    throttled: bool = False


def bodies_of(event: Mapping[str, Any]) -> list[Body]:
    """The messages of a Lambda SQS event."""
    return [Body(str(record["messageId"]), str(record["body"])) for record in event["Records"]]


def respond_to_batch(
    event: Mapping[str, Any], dependencies: Dependencies, *, seconds_left: Callable[[], float]
) -> dict[str, list[dict[str, str]]]:
    """The partial batch response: which messages Lambda must leave in the queue."""
    handled = handle_messages(bodies_of(event), dependencies, seconds_left=seconds_left)
    dependencies.observer.flush()
    return {"batchItemFailures": [{"itemIdentifier": one.message_id} for one in handled if not one.done]}


def handle_messages(
    bodies: Sequence[Body], dependencies: Dependencies, *, seconds_left: Callable[[], float]
) -> list[Handled]:
    """Migrate whatever the messages name, several objects at a time; one bad message never harms another."""
    control = dependencies.control.current()
    if control.paused:
        dependencies.observer.info("paused, messages go back", reason=control.reason, messages=len(bodies))
        return [Handled(body.message_id, done=False, retry_after=30) for body in bodies]
    workers = min(dependencies.settings.concurrency, control.concurrency or dependencies.settings.concurrency)
    with ThreadPoolExecutor(workers, thread_name_prefix="object") as pool:
        decoded = [(body, *_decoded(body, dependencies)) for body in bodies]
        waiting = [
            (body, faulty, [pool.submit(_handle, notice, dependencies, seconds_left) for notice in notices])
            for body, notices, faulty in decoded
        ]
        return [
            _summed(body, [future.result() for future in futures], faulty=faulty) for body, faulty, futures in waiting
        ]


def _decoded(body: Body, dependencies: Dependencies) -> tuple[tuple[Notice, ...], bool]:
    """The notices of a message, and whether some of it cannot be read, so that it has to end in the DLQ."""
    observer = dependencies.observer
    try:
        decoded = decode_message(body.text, own_principals=dependencies.settings.own_principals)
    except MalformedMessageError as error:
        decoded = Decoded(faults=(str(error),))
    if decoded.migration not in (None, dependencies.rules.migration):
        fault = f"its rows are of migration {decoded.migration!r}, this is {dependencies.rules.migration!r}"
        decoded = Decoded(faults=(fault,))
    for fault in decoded.faults:
        observer.count("MalformedMessages")
        observer.fail("malformed message, it will end in the DLQ", message_id=body.message_id, why=fault)
    for reason in decoded.ignored:
        observer.debug("nothing to do", message_id=body.message_id, why=reason)
    return decoded.notices, bool(decoded.faults)


def _summed(body: Body, results: Sequence[_Result], *, faulty: bool) -> Handled:
    returned = [result.outcome for result in results if result.outcome.verdict is Verdict.RETURN]
    return Handled(
        body.message_id,
        done=not returned and not faulty,
        retry_after=max((outcome.retry_after for outcome in returned), default=UNEXPECTED_SECONDS if faulty else 0),
        throttled=any(result.throttled for result in results),
        outcomes=tuple(result.outcome for result in results),
    )


def _handle(notice: Notice, dependencies: Dependencies, seconds_left: Callable[[], float]) -> _Result:
    observer = dependencies.observer
    limit = min(dependencies.settings.attempt_seconds, seconds_left())
    if limit < LEAST_SECONDS:
        return _Result(Outcome(Verdict.RETURN, None, "no time left for another object"))
    try:
        outcome = _migrated(notice, dependencies, limit)
        if outcome.verdict is Verdict.CONTINUE:
            _hand_on(notice, dependencies)
    except MissingResourceError:
        raise  # a bucket or table that does not exist concerns everything, not this object
    except TransientError as error:
        observer.count("Retries")
        observer.info("to be tried again", source=notice.source, cause=error.cause, why=str(error))
        outcome = Outcome(Verdict.RETURN, None, str(error), UNEXPECTED_SECONDS)
        return _Result(outcome, throttled=isinstance(error, ThrottledError))
    except KeyshiftError as error:
        observer.count("Failures")
        observer.fail("failed", source=notice.source, cause=error.cause, why=str(error))
        return _Result(Outcome(Verdict.RETURN, None, str(error), UNEXPECTED_SECONDS))
    except Exception as error:  # noqa: BLE001  # a fault of ours with one object must not take its batch along
        observer.count("Failures")
        observer.fail("unexpected", source=notice.source, cause=type(error).__name__, why=str(error))
        return _Result(Outcome(Verdict.RETURN, None, str(error), UNEXPECTED_SECONDS))
    _report(outcome, notice, dependencies)
    return _Result(outcome)


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
