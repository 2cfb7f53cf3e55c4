"""A batch of queue messages: each object is migrated by itself; a message is done when all its objects are done."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.errors import KeyshiftError, MalformedMessageError, TransientError
from domain.keys import Location
from domain.protocol.attempt import Verdict
from domain.protocol.causes import Cause
from domain.protocol.notices import Notice, NoticeKind
from domain.queues import Message, MessageQueue
from domain.rules.routing import Probe, Route, route_of
from handlers.engine.attempt import Ended, SecondsLeft, attempt_notice, least_of
from handlers.engine.dependencies import EngineDependencies
from handlers.engine.give_back import MOST_DELAY_SECONDS, PAUSED_MOST_SECONDS, RENEW_AT, Handled, give_back
from handlers.engine.rate_gate import PAUSED_SECONDS
from handlers.engine.together import attempt_together, can_go_together, end_all
from handlers.intake.invocations import records_of
from handlers.intake.messages import BODY_BYTES, BackfillRow, Decoded, decode_message, encode_backfill

RENEW_BUSY_AT = 5
"""A message that waits for another worker's claim goes back, later each time; it is replaced at this receive only.

A copy of terabytes holds its claim for hours.
"""


@dataclass(slots=True)
class _Open:
    """A message while its notices are worked on; a faulty one ends in the DLQ whatever the notices' results are."""

    message: Message
    notices: tuple[Notice, ...]
    faulty: bool
    migration: str | None = None
    """The migration that a message of rows names."""
    ended: list[Ended] = field(default_factory=list)

    def handled(self, most_delay: int) -> Handled:
        returned = [one for one in self.ended if one.outcome.verdict is Verdict.RETURN]
        retry_after = max((one.outcome.retry_after for one in returned), default=0)
        done = not returned and not self.faulty
        waits = not done and not self.faulty and all(one.waits for one in returned)
        is_busy = not done and not self.faulty and all(one.waits or one.outcome.cause is Cause.BUSY for one in returned)
        is_throttled = waits and any(one.outcome.cause is Cause.THROTTLED for one in returned)
        rest = self._rows_of(returned) if is_throttled and len(returned) < len(self.ended) else ""
        outcomes = tuple(one.outcome for one in self.ended)
        most = PAUSED_MOST_SECONDS if waits else most_delay
        renew_at = 1 if rest else RENEW_AT if waits else RENEW_BUSY_AT if is_busy else None
        return Handled(self.message, done, retry_after, most, outcomes, waits, renew_at, is_throttled, rest)

    def _rows_of(self, returned: Sequence[Ended]) -> str:
        """A message of these rows alone; empty for a message of events.

        Else the rows that are done would take the few places of a low rate again, and the last ones never begin.
        """
        if self.migration is None:
            return ""
        rows = [BackfillRow.of_notice(one.notice) for one in returned]
        bucket = returned[0].notice.source.bucket
        size = len(self.message.body) + BODY_BYTES
        (body,) = encode_backfill(rows, migration=self.migration, bucket=bucket, at_most_bytes=size)
        return body


@dataclass(frozen=True, slots=True)
class _Task:
    """One notice of a message, with its route."""

    message: _Open
    notice: Notice
    route: Route


def messages_of(event: Mapping[str, Any]) -> list[Message]:
    """The messages of a Lambda SQS event; raises InputError for another event."""
    return [_message(record) for record in records_of(event, source="SQS", needs=("messageId", "body"))]


def _message(record: Mapping[str, Any]) -> Message:
    attributes = record.get("attributes", {})
    return Message(
        message_id=str(record["messageId"]),
        receipt_handle=str(record.get("receiptHandle", "")),
        body=str(record["body"]),
        receive_count=int(attributes.get("ApproximateReceiveCount", 1)),
        sent_at=int(attributes.get("SentTimestamp", 0)) / 1000,
    )


def respond_to_batch(
    event: Mapping[str, Any], dependencies: EngineDependencies, *, queue: MessageQueue, seconds_left: SecondsLeft
) -> dict[str, list[dict[str, str]]]:
    """The partial batch response: the messages that Lambda must leave in the queue.

    Raises permanent errors that concern everything (a missing table, no permission for it): then the whole batch comes
    back.
    """
    handled = handle_messages(messages_of(event), dependencies, seconds_left=seconds_left)
    returned = [one for one in handled if not one.done]
    renewed = give_back(returned, queue, dependencies)
    dependencies.observer.flush()
    left = [one.message.message_id for one in returned if one.message.message_id not in renewed]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in left]}


def handle_messages(
    messages: Sequence[Message],
    dependencies: EngineDependencies,
    *,
    seconds_left: SecondsLeft,
    stopping: Callable[[], bool] = lambda: False,
) -> list[Handled]:
    """Migrate all objects in the messages, several at the same time; one invalid message never harms another.

    Once ``stopping`` returns true, no other object is begun, and the messages of objects that were not begun go back.
    """
    control = dependencies.control.current()
    if control.paused:
        dependencies.observer.info("paused, messages go back", reason=control.reason, messages=len(messages))
        return [_held_back(message, dependencies) for message in messages]
    concurrency = dependencies.settings.concurrency
    dependencies.pace.cap(least_of(concurrency, control.concurrency))
    opened = [_opened(message, dependencies) for message in messages]
    # Notices of one object are worked on one after the other. In parallel, they would only refuse each other's claims.
    work: dict[Location, list[_Task]] = {}
    for one in opened:
        for notice in one.notices:
            work.setdefault(notice.source, []).append(_Task(one, notice, route_of(dependencies.rules, notice.source)))
    together = [chain[0] for chain in work.values() if len(chain) == 1 and can_go_together(chain[0], dependencies)]
    first = {task.notice.source for task in together}
    alone = [chain for source, chain in work.items() if source not in first]
    futures = [dependencies.pool.submit(_work_off, chain, dependencies, seconds_left, stopping) for chain in alone]
    try:
        ended = attempt_together(together, dependencies, seconds_left=seconds_left, stopping=stopping)
        for task, end in zip(together, ended, strict=True):
            task.message.ended.append(end)
        for future in futures:
            for task, end in future.result():
                task.message.ended.append(end)
    except BaseException as error:
        end_all(futures)
        if isinstance(error, KeyshiftError):
            dependencies.breaker.note_fatal(error)
        raise
    handled = [one.handled(_most_delay(dependencies)) for one in opened]
    _note_ages(opened, handled, dependencies)
    dependencies.breaker.share()
    if dependencies.learned.unshared:
        dependencies.learned.share()
    return handled


def _held_back(message: Message, dependencies: EngineDependencies) -> Handled:
    """The result for a message during a pause.

    A probe moves nothing, and ``keyshift start`` waits for it before anything may move, so its arrival is noted.
    """
    try:
        notices = decode_message(message.body).notices
        if notices and all(isinstance(route_of(dependencies.rules, one.source), Probe) for one in notices):
            for notice in notices:
                dependencies.probes.note_arrival(notice.source.key)
            return Handled(message, done=True)
    except (MalformedMessageError, TransientError):
        pass  # the message waits like the others, and is read again afterwards
    return Handled(
        message,
        done=False,
        retry_after=int(PAUSED_SECONDS),
        most_delay=PAUSED_MOST_SECONDS,
        waits=True,
        renew_at=RENEW_AT,
    )


def _note_ages(opened: Sequence[_Open], handled: Sequence[Handled], dependencies: EngineDependencies) -> None:
    """Note how long after it was sent a message was done: the lag of live events, and of the backfill."""
    now = dependencies.ports.clock.now()
    for one, ended in zip(opened, handled, strict=True):
        if ended.done and one.notices and one.message.sent_at:
            is_event = any(notice.kind is not NoticeKind.LISTED for notice in one.notices)
            dependencies.breaker.note_age(max(0.0, now - one.message.sent_at), is_event=is_event)


def _most_delay(dependencies: EngineDependencies) -> int:
    """Maximum delay in seconds: at worst a message waits for another worker's claim, and no claim lasts longer."""
    longest_claim = dependencies.policy.longest_claim(dependencies.settings.attempt_seconds)
    return min(MOST_DELAY_SECONDS, math.ceil(longest_claim))


def _work_off(
    chain: list[_Task],
    dependencies: EngineDependencies,
    seconds_left: SecondsLeft,
    stopping: Callable[[], bool],
) -> list[tuple[_Task, Ended]]:
    return [
        (
            task,
            attempt_notice(task.notice, task.route, dependencies, seconds_left=seconds_left, stopping=stopping),
        )
        for task in chain
    ]


def _opened(message: Message, dependencies: EngineDependencies) -> _Open:
    observer, ours = dependencies.observer, dependencies.rules.migration
    try:
        decoded = decode_message(message.body, own_principals=dependencies.settings.own_principals)
    except MalformedMessageError as error:
        decoded = Decoded(faults=(str(error),))
    if decoded.migration not in (None, ours):
        decoded = Decoded(faults=(f"its rows are of migration {decoded.migration!r}, this is {ours!r}",))
    for fault in decoded.faults:
        observer.count("MalformedMessages")
        observer.fail("malformed message, it will end in the DLQ", message_id=message.message_id, why=fault)
    for reason in decoded.ignored:
        observer.count("Ignored")
        observer.debug("nothing to do", message_id=message.message_id, why=reason)
    return _Open(message, decoded.notices, bool(decoded.faults), decoded.migration)
