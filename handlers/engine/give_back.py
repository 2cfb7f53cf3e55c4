"""Messages that stay in the queue: when they are due again, and when a new copy replaces one."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import KeyshiftError
from domain.protocol.attempt import Outcome
from domain.queues import Message, MessageQueue
from handlers.engine.dependencies import EngineDependencies

PAUSED_MOST_SECONDS = 60
"""After a resume no message may stay invisible for long."""
RENEW_AT = 2
"""A message that only ever waited is replaced by a copy of itself at this receive.

Waiting alone must not bring it to the DLQ, however few receives its queue allows.
"""
MOST_DELAY_SECONDS = 900
"""Maximum delay in seconds. It grows with each receive, so that waiting alone does not bring a message to the DLQ."""


@dataclass(frozen=True, slots=True)
class Handled:
    """The result for one message; ``retry_after`` (seconds) counts for a message that goes back.

    ``waits`` means that no part of it failed: a pause, a rate or a stop held it back. ``renew_at`` is the receive at
    which it is replaced by a new copy; it is ``None`` for a message of which a part failed. ``is_throttled`` means
    that it waits because AWS asked for fewer requests; ``rest`` is then its rows that are left, where some are done.
    """

    message: Message
    done: bool
    retry_after: int = 0
    most_delay: int = MOST_DELAY_SECONDS
    outcomes: tuple[Outcome, ...] = ()
    waits: bool = False
    renew_at: int | None = None
    is_throttled: bool = False
    rest: str = ""

    @property
    def delay(self) -> int:
        """Seconds until the message is due again; the delay doubles with each receive."""
        doubled = min(self.message.receive_count - 1, 10)
        return min(self.retry_after << doubled, self.most_delay)

    @property
    def is_due_anew(self) -> bool:
        """Whether it has waited so often that a copy of it, with no receives, takes its place."""
        return self.renew_at is not None and self.message.receive_count >= self.renew_at


def comes_again(message: Message, queue: MessageQueue, *, delay: int) -> bool:
    """Replace the message by a copy if more waiting could bring it to the DLQ, else return it; whether it was replaced.

    A returned message is the same message, which Lambda's detection of recursive loops does not count.
    """
    if message.receive_count >= RENEW_AT:
        queue.send_messages([message.body], delay=delay)
        return True
    queue.return_messages([message], delay=delay)
    return False


def give_back(
    returned: Sequence[Handled],
    queue: MessageQueue,
    dependencies: EngineDependencies,
    *,
    most_wait: int = PAUSED_MOST_SECONDS,
) -> frozenset[str]:
    """Make messages visible again when they are due; returns the ids of messages to delete.

    A message that only waited comes back within ``most_wait`` seconds; one that AWS throttled, when it is due. If it
    waited before, it is sent again as a new message, and the old one is to be deleted. If the call to SQS fails, the
    message comes back by itself.
    """
    waiting = [one for one in returned if one.is_due_anew]
    renewed = _renewed(waiting, queue, most_wait)
    by_delay: dict[int, list[Message]] = {}
    for one in returned:
        if one.message.message_id not in renewed:
            delay = min(one.delay, most_wait) if one.waits and not one.is_throttled else one.delay
            by_delay.setdefault(delay, []).append(one.message)
    for delay, messages in by_delay.items():
        try:
            queue.return_messages(messages, delay=delay)
        except KeyshiftError as error:
            dependencies.observer.info("messages come back after their visibility time-out", why=str(error))
    return renewed


def _renewed(waiting: Sequence[Handled], queue: MessageQueue, most_wait: int) -> frozenset[str]:
    """Send the copies before anything is deleted.

    A crash between the two leaves a duplicate, which costs one refused claim.
    """
    renewed: set[str] = set()
    for one in waiting:
        delay = min(one.retry_after, PAUSED_MOST_SECONDS if one.is_throttled else most_wait) if one.waits else one.delay
        try:
            queue.send_messages([one.rest or one.message.body], delay=delay)
        except KeyshiftError:
            break  # the message goes back like the others, and counts one receive more
        renewed.add(one.message.message_id)
    return frozenset(renewed)
