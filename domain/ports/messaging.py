"""Queues and the event bus."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.audit import AuditEvent


@dataclass(frozen=True, slots=True)
class Message:
    """One received SQS message; ``sent_at`` is seconds since 1970, ``receive_count`` starts at 1."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int = 1
    sent_at: float = 0.0


class MessageQueue(Protocol):
    """One SQS queue: at least once, in no order."""

    def send_messages(self, bodies: Sequence[str], *, delay: int = 0) -> None:
        """Send every body, after ``delay`` seconds; returns only when all are accepted."""

    def receive_messages(self, *, at_most: int, wait: int) -> Sequence[Message]:
        """Up to ``at_most`` (1 to 10) messages, waiting up to ``wait`` seconds for the first."""

    def delete_messages(self, messages: Sequence[Message]) -> None:
        """Acknowledge; repeatable."""

    def return_messages(self, messages: Sequence[Message], *, delay: int) -> None:
        """Make them visible again after ``delay`` seconds; a message that is gone meanwhile is no error."""

    def count_messages(self) -> tuple[int, int]:
        """About how many wait and how many are being worked on."""


class EventBus(Protocol):
    """EventBridge."""

    def publish_events(self, events: Sequence[AuditEvent]) -> Sequence[int]:
        """Publish; indexes (ascending) of the events that were not accepted after retries."""
