"""An SQS queue in memory, with visibility, receive counts and a dead-letter queue."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.queues import Message
from tests.fakes.clock import FakeClock
from tests.fakes.faults import ScriptedFaults


@dataclass(slots=True)
class _Held:
    message: Message
    visible_at: float


class InMemoryQueue(ScriptedFaults):
    """MessageQueue in memory; nothing waits: an empty queue is answered at once.

    A message received more than ``max_receives`` times goes to ``dead``. ``returned`` has each message that was given
    back, also one that Lambda received, with the seconds until it is due again.
    """

    def __init__(self, clock: FakeClock | None = None, *, visibility: float = 30, max_receives: int = 1_000) -> None:
        super().__init__()
        self._clock = clock or FakeClock()
        self._visibility = visibility
        self._max_receives = max_receives
        self._held: dict[str, _Held] = {}
        self._numbers = 0
        self._receiving = threading.Lock()
        self.dead: list[Message] = []
        self.returned: list[tuple[str, int]] = []

    @property
    def waiting(self) -> list[Message]:
        """The messages that no worker has."""
        now = self._clock.now()
        held = self._held.values()
        return [one.message for one in held if one.visible_at <= now or not one.message.receive_count]

    @property
    def bodies(self) -> list[str]:
        """What is in the queue, visible or not."""
        return [held.message.body for held in self._held.values()]

    def send_messages(self, bodies: Sequence[str], *, delay: int = 0) -> None:
        """See the port."""
        with self._faulty("send_messages"):
            for body in bodies:
                self._numbers += 1
                message = Message(f"m{self._numbers}", "", body, receive_count=0, sent_at=self._clock.now())
                self._held[message.message_id] = _Held(message, self._clock.now() + delay)

    def receive_messages(self, *, at_most: int, wait: int) -> Sequence[Message]:
        """See the port."""
        with self._faulty("receive_messages"), self._receiving:
            now = self._clock.now()
            taken: list[Message] = []
            for held in list(self._held.values()):
                if held.visible_at > now or len(taken) == at_most:
                    continue
                if held.message.receive_count >= self._max_receives:
                    self.dead.append(self._held.pop(held.message.message_id).message)
                    continue
                count = held.message.receive_count + 1
                handle = f"{held.message.message_id}/{count}"
                held.message = replace(held.message, receive_count=count, receipt_handle=handle)
                held.visible_at = now + self._visibility
                taken.append(held.message)
            return taken

    def delete_messages(self, messages: Sequence[Message]) -> None:
        """See the port."""
        with self._faulty("delete_messages"):
            for message in messages:
                self._held.pop(message.message_id, None)

    def return_messages(self, messages: Sequence[Message], *, delay: int) -> None:
        """See the port."""
        with self._faulty("return_messages"):
            for message in messages:
                self.returned.append((message.message_id, delay))
                held = self._held.get(message.message_id)
                if held is not None and held.message.receipt_handle == message.receipt_handle:
                    held.visible_at = self._clock.now() + delay

    def count_messages(self) -> tuple[int, int]:
        """See the port."""
        with self._faulty("count_messages"):
            waiting = len(self.waiting)
            return waiting, len(self._held) - waiting
