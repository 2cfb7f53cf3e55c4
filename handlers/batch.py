"""A batch of queue messages: every object is migrated on its own; a message is done when all of it is done."""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from domain.attempt import Outcome, Verdict
from domain.errors import KeyshiftError, MalformedMessageError
from domain.keys import Location
from domain.notices import Notice
from domain.ports import Message, MessageQueue
from handlers.attempting import Ended, SecondsLeft, attempt_notice
from handlers.dependencies import Dependencies
from handlers.messages import Decoded, decode_message
from handlers.observability import traced

PAUSE_SECONDS = 30
MOST_DELAY_SECONDS = 900
"""A message that must wait comes back later each time, so that waiting alone does not bring it to the DLQ."""


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of one message; ``retry_after`` in seconds counts for one that goes back."""

    message: Message
    done: bool
    retry_after: int = 0
    most_delay: int = MOST_DELAY_SECONDS
    outcomes: tuple[Outcome, ...] = ()

    @property
    def delay(self) -> int:
        """Seconds until it is due again: doubled with every time that it was received."""
        doubled = min(self.message.receive_count - 1, 10)
        return min(self.retry_after << doubled, self.most_delay)


@dataclass(slots=True)
class _Open:
    """A message while its notices are worked on; a faulty one ends in the DLQ whatever they do."""

    message: Message
    notices: tuple[Notice, ...]
    faulty: bool
    ended: list[Ended] = field(default_factory=list)

    def handled(self, most_delay: int) -> Handled:
        returned = [one.outcome for one in self.ended if one.outcome.verdict is Verdict.RETURN]
        retry_after = max((outcome.retry_after for outcome in returned), default=0)
        done = not returned and not self.faulty
        return Handled(self.message, done, retry_after, most_delay, tuple(one.outcome for one in self.ended))


def messages_of(event: Mapping[str, Any]) -> list[Message]:
    """The messages of a Lambda SQS event."""
    return [_message(record) for record in event["Records"]]


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
    event: Mapping[str, Any], dependencies: Dependencies, *, queue: MessageQueue, seconds_left: SecondsLeft
) -> dict[str, list[dict[str, str]]]:
    """The partial batch response: which messages Lambda must leave in the queue.

    Permanent errors that concern everything (a missing table, no permission for it) are raised: the whole batch
    comes back.
    """
    with traced("batch", function=dependencies.observer.function):
        handled = handle_messages(messages_of(event), dependencies, seconds_left=seconds_left)
    returned = [one for one in handled if not one.done]
    give_back(returned, queue, dependencies)
    dependencies.observer.flush()
    return {"batchItemFailures": [{"itemIdentifier": one.message.message_id} for one in returned]}


def give_back(returned: Sequence[Handled], queue: MessageQueue, dependencies: Dependencies) -> None:
    """Make messages visible again when they are due; one that we fail to tell SQS about comes back by itself."""
    by_delay: dict[int, list[Message]] = {}
    for one in returned:
        by_delay.setdefault(one.delay, []).append(one.message)
    for delay, messages in by_delay.items():
        try:
            queue.return_messages(messages, delay=delay)
        except KeyshiftError as error:
            dependencies.observer.info("messages come back after their visibility time-out", why=str(error))


def handle_messages(
    messages: Sequence[Message],
    dependencies: Dependencies,
    *,
    seconds_left: SecondsLeft,
    stopping: Callable[[], bool] = lambda: False,
) -> list[Handled]:
    """Migrate whatever the messages name, several objects at a time; one bad message never harms another.

    Once ``stopping`` says so, no other object is begun, and what was not begun goes back.
    """
    control = dependencies.control.current()
    if control.paused:
        dependencies.observer.info("paused, messages go back", reason=control.reason, messages=len(messages))
        return [Handled(message, done=False, retry_after=PAUSE_SECONDS) for message in messages]
    concurrency = min(dependencies.settings.concurrency, control.concurrency or dependencies.settings.concurrency)
    dependencies.pace.cap(concurrency)
    opened = [_opened(message, dependencies) for message in messages]
    # Notices of one object are worked on one after the other: side by side they would only refuse each other.
    work: dict[Location, list[tuple[_Open, Notice]]] = {}
    for one in opened:
        for notice in one.notices:
            work.setdefault(notice.source, []).append((one, notice))
    with ThreadPoolExecutor(concurrency, thread_name_prefix="object") as pool:
        futures = [pool.submit(_work_off, chain, dependencies, seconds_left, stopping) for chain in work.values()]
        try:
            for future in futures:
                for one, ended in future.result():
                    one.ended.append(ended)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [one.handled(_most_delay(dependencies)) for one in opened]


def _most_delay(dependencies: Dependencies) -> int:
    """Whatever a message waits for, it is another worker's claim at worst, and none lasts longer than this."""
    settings = dependencies.settings
    longest_claim = settings.attempt_seconds + settings.request_seconds + settings.margin_seconds
    return min(MOST_DELAY_SECONDS, math.ceil(longest_claim))


def _work_off(
    chain: list[tuple[_Open, Notice]],
    dependencies: Dependencies,
    seconds_left: SecondsLeft,
    stopping: Callable[[], bool],
) -> list[tuple[_Open, Ended]]:
    return [
        (one, attempt_notice(notice, dependencies, seconds_left=seconds_left, stopping=stopping))
        for one, notice in chain
    ]


def _opened(message: Message, dependencies: Dependencies) -> _Open:
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
    return _Open(message, decoded.notices, bool(decoded.faults))
