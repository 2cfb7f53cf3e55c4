"""SQS queues, and the dead-letter queue of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One received SQS message; ``sent_at`` is seconds since 1970, ``receive_count`` starts at 1."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int = 1
    sent_at: float = 0.0


class MessageQueue(Protocol):
    """One SQS queue: delivers at least once, in any order."""

    def send_messages(self, bodies: Sequence[str], *, delay: int = 0) -> None:
        """Send every body, after ``delay`` seconds; returns only when all are accepted."""

    def receive_messages(self, *, at_most: int, wait: int) -> Sequence[Message]:
        """Up to ``at_most`` (1 to 10) messages, waiting up to ``wait`` seconds for the first."""

    def delete_messages(self, messages: Sequence[Message]) -> None:
        """Acknowledge; repeatable."""

    def return_messages(self, messages: Sequence[Message], *, delay: int) -> None:
        """Make them visible again after ``delay`` seconds. A message that was deleted meanwhile is not an error."""

    def count_messages(self) -> tuple[int, int]:
        """The approximate numbers of messages that wait and that are in work."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of a dead-letter queue; ``origin_arn`` is the queue it came from, empty where unknown."""

    message: Message
    origin_arn: str = ""


@dataclass(frozen=True, slots=True)
class MoveTask:
    """A redrive by SQS itself: ``status`` is RUNNING, COMPLETED, CANCELLING, CANCELLED or FAILED."""

    status: str
    moved: int
    to_move: int
    why: str = ""


class DeadLetterQueue(Protocol):
    """The dead-letter queue of one queue."""

    def count_letters(self) -> int:
        """The approximate number of messages, invisible ones included."""

    def receive_letters(self, *, visibility: int) -> Sequence[DeadLetter]:
        """Some of the visible messages, made invisible for ``visibility`` seconds; empty where there are none."""

    def release_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Make them visible again immediately."""

    def delete_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Delete; repeatable."""

    def send_back(self, letters: Sequence[DeadLetter]) -> None:
        """Send each to the queue it came from, then delete it here; a crash between the two leaves it in both."""

    def move_all(self, *, rate: int | None) -> None:
        """Let SQS move every message to the queue that it came from, at most ``rate`` (1 to 500) a second."""

    def newest_move(self) -> MoveTask | None:
        """The newest such move."""
