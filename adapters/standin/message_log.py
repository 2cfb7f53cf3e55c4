"""The messages of one queue of the stand-in: found by receipt handle, and due in order."""

import heapq
import itertools
import secrets
import time
from collections import deque
from collections.abc import Iterator
from threading import RLock
from typing import Any

Message = dict[str, Any]


class MessageLog:
    """A standard queue's messages; the emulator uses it as the list that it was.

    A message is in ``_ready`` or, while it is delayed or in flight, in ``_hidden`` by the time it shows again; both
    hold numbers and may be stale, ``_messages`` and each message's own ``visible_at`` decide.
    """

    def __init__(self, messages: list[Message]) -> None:
        self._lock = RLock()  # Lambda's pollers are threads
        self._numbers = itertools.count()
        self._messages: dict[int, Message] = {}
        self._ready: deque[int] = deque()
        self._hidden: list[tuple[float, int]] = []
        self._handles: dict[str, int] = {}
        for message in messages:
            self.append(message)

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        with self._lock:
            return iter(list(self._messages.values()))

    def __getitem__(self, index: int) -> Message:
        with self._lock:
            return list(self._messages.values())[index] if index != -1 else next(reversed(self._messages.values()))

    def append(self, message: Message) -> None:
        """Add one, visible now or when its delay is over."""
        with self._lock:
            number = next(self._numbers)
            self._messages[number] = message
            if message["visible_at"] <= time.time():
                self._ready.append(number)
            else:
                heapq.heappush(self._hidden, (message["visible_at"], number))

    def remove(self, message: Message) -> None:
        """Take one out, by identity; ValueError when it is not here."""
        with self._lock:
            for number, known in self._messages.items():
                if known is message:
                    del self._messages[number]
                    return
        raise ValueError("The message is not in this queue.")

    def clear(self) -> None:
        """Take all out."""
        with self._lock:
            self._messages.clear()
            self._ready.clear()
            self._hidden.clear()

    def receive(self, most: int, visibility_seconds: float, now: float) -> list[Message]:
        """Up to ``most`` visible messages, hidden from now on, each with a new receipt handle."""
        with self._lock:
            taken: list[Message] = []
            while self._ready and len(taken) < most:
                number = self._ready.popleft()
                message = self._messages.get(number)
                if message is None or message["visible_at"] > now or any(message is one for one in taken):
                    continue
                handle = secrets.token_urlsafe(30)
                message["receipt_handle"] = handle
                message["visible_at"] = now + visibility_seconds
                message["receive_count"] += 1
                message["first_receive_at"] = message.get("first_receive_at") or now
                self._handles[handle] = number
                heapq.heappush(self._hidden, (message["visible_at"], number))
                taken.append(message)
            return taken

    def reveal(self, now: float) -> list[Message]:
        """Make visible what is due; the messages that came back after having been received."""
        with self._lock:
            back: list[Message] = []
            while self._hidden and self._hidden[0][0] <= now:
                _, number = heapq.heappop(self._hidden)
                message = self._messages.get(number)
                if message is not None and message["visible_at"] <= now:
                    self._ready.append(number)
                    if message["receive_count"]:
                        back.append(message)
            return back

    def expire(self, cutoff: float) -> None:
        """Drop what was sent at ``cutoff`` or before, oldest first."""
        with self._lock:
            while self._messages:
                number, message = next(iter(self._messages.items()))
                sent_at: float = message["enqueued_at"] if "enqueued_at" in message else message["sent_at"]
                if sent_at > cutoff:
                    return
                del self._messages[number]

    def knows(self, handle: str) -> bool:
        """Whether this queue gave out that receipt handle, however long ago."""
        return handle in self._handles

    def held(self, handle: str) -> Message | None:
        """The message in flight under that handle: not deleted, and not received again since."""
        message = self._messages.get(self._handles.get(handle, -1))
        return message if message is not None and message["receipt_handle"] == handle else None

    def delete(self, handle: str) -> None:
        """Delete by handle; a stale one deletes nothing, as on AWS."""
        with self._lock:
            if self.held(handle) is not None:
                del self._messages[self._handles[handle]]

    def hide(self, handle: str, visible_at: float) -> None:
        """Change when the message in flight shows again."""
        with self._lock:
            message = self.held(handle)
            if message is not None:
                message["visible_at"] = visible_at
                heapq.heappush(self._hidden, (visible_at, self._handles[handle]))
