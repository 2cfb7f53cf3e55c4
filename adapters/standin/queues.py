"""Standard SQS queues whose receive and delete take the same time at any depth.

The emulator scans its whole list on each receive and each deleted message: 3,443 messages a second at a depth of 100,
337 at 20,000.
"""

import heapq
import itertools
import json
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


class DeepQueues:
    """The emulator's queue actions, done on MessageLog; FIFO queues stay with the emulator."""

    def __init__(self, sqs: Any) -> None:
        self._sqs = sqs
        self._base = {
            name: getattr(sqs, name)
            for name in (
                "_act_create_queue",
                "_act_delete_message",
                "_act_delete_message_batch",
                "_act_change_visibility",
                "_collect_msgs",
                "_dlq_sweep",
                "_expire_retained",
            )
        }

    def create_queue(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        """CreateQueue, then our structure in the list's place."""
        answer: dict[str, Any] = self._base["_act_create_queue"](data, url)
        queue = self._sqs._queues[answer["QueueUrl"]]
        if not queue["is_fifo"] and not isinstance(queue["messages"], MessageLog):
            queue["messages"] = MessageLog(queue["messages"])
        return answer

    def expire_retained(self, queue: dict[str, Any]) -> None:
        """MessageRetentionPeriod."""
        if isinstance(queue["messages"], MessageLog):
            queue["messages"].expire(time.time() - int(queue["attributes"]["MessageRetentionPeriod"]))
        else:
            self._base["_expire_retained"](queue)

    def sweep(self, queue: dict[str, Any]) -> None:
        """Show what is due again; what was received too often goes to the dead-letter queue."""
        log = queue["messages"]
        if not isinstance(log, MessageLog):
            self._base["_dlq_sweep"](queue)
            return
        back = log.reveal(time.time())
        policy = json.loads(queue["attributes"].get("RedrivePolicy") or "{}")
        target = self._sqs._queue_by_arn(policy["deadLetterTargetArn"]) if back and policy else None
        if target is None:
            return
        for message in back:
            if message["receive_count"] >= int(policy["maxReceiveCount"]):
                log.remove(message)
                came_from = message["sys"].get("DeadLetterQueueSourceArn", queue["attributes"]["QueueArn"])
                system = message["sys"] | {"DeadLetterQueueSourceArn": came_from}
                target["messages"].append(message | {"receipt_handle": None, "sys": system})

    def collect(self, queue: dict[str, Any], most: int, visibility_seconds: int) -> list[Message]:
        """What ReceiveMessage hands out."""
        log = queue["messages"]
        if isinstance(log, MessageLog):
            return log.receive(most, visibility_seconds, time.time())
        taken: list[Message] = self._base["_collect_msgs"](queue, most, visibility_seconds)
        return taken

    def delete_message(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        """DeleteMessage; repeatable, as on AWS."""
        log = self._queue(data, url, "sqs:DeleteMessage")["messages"]
        if not isinstance(log, MessageLog):
            answer: dict[str, Any] = self._base["_act_delete_message"](data, url)
            return answer
        handle = data.get("ReceiptHandle", "")
        if not log.knows(handle):
            raise self._sqs._Err("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
        log.delete(handle)
        return {}

    def delete_message_batch(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        """DeleteMessageBatch."""
        sqs = self._sqs
        log = self._queue(data, url, "sqs:DeleteMessage")["messages"]
        if not isinstance(log, MessageLog):
            answer: dict[str, Any] = self._base["_act_delete_message_batch"](data, url)
            return answer
        entries = data.get("Entries", [])
        sqs._validate_batch_entries(entries, "DeleteMessageBatchRequestEntry")
        done, failed = [], []
        for entry in entries:
            if log.knows(entry.get("ReceiptHandle", "")):
                log.delete(entry["ReceiptHandle"])
                done.append({"Id": entry["Id"]})
            else:
                message = "The input receipt handle is invalid."
                code = "ReceiptHandleIsInvalid"
                failed.append({"Id": entry["Id"], "Code": code, "Message": message, "SenderFault": True})
        return {"Successful": done, "Failed": failed}

    def change_visibility(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        """ChangeMessageVisibility; only of a message in flight."""
        log = self._queue(data, url, "sqs:ChangeMessageVisibility")["messages"]
        if not isinstance(log, MessageLog):
            answer: dict[str, Any] = self._base["_act_change_visibility"](data, url)
            return answer
        handle, now = data.get("ReceiptHandle", ""), time.time()
        if not log.knows(handle):
            raise self._sqs._Err("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
        message = log.held(handle)
        if message is None or message["visible_at"] <= now:
            reason = "Reason: Message does not exist or is not available for visibility timeout change."
            text = f"Value {handle} for parameter ReceiptHandle is invalid. {reason}"
            raise self._sqs._Err("InvalidParameterValue", text)
        log.hide(handle, now + int(data.get("VisibilityTimeout", 30)))
        return {}

    def change_visibility_batch(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        """ChangeMessageVisibilityBatch: 200 with the entries that failed."""
        sqs = self._sqs
        entries = data.get("Entries", [])
        sqs._validate_batch_entries(entries, "ChangeMessageVisibilityBatchRequestEntry")
        done, failed = [], []
        for entry in entries:
            try:
                self.change_visibility({"QueueUrl": data.get("QueueUrl", url)} | entry, url)
                done.append({"Id": entry["Id"]})
            except sqs._Err as error:
                failed.append({"Id": entry["Id"], "Code": error.code, "Message": error.message, "SenderFault": True})
        return {"Successful": done, "Failed": failed}

    def delete_received(self, queue_url: str, handles: set[str]) -> None:
        """What Lambda's pollers delete."""
        log = self._sqs._get_q(queue_url)["messages"]
        for handle in handles:
            log.delete(handle)

    def _queue(self, data: dict[str, Any], url: str, action: str) -> dict[str, Any]:
        queue: dict[str, Any] = self._sqs._get_q(data.get("QueueUrl", url), action)
        return queue


def install_queues(sqs: Any) -> None:
    """Put the deep queues in the emulator."""
    deep = DeepQueues(sqs)
    esm_delete = sqs._delete_messages_for_esm
    sqs._collect_msgs = deep.collect
    sqs._dlq_sweep = deep.sweep
    sqs._expire_retained = deep.expire_retained
    actions = {
        "CreateQueue": ("_act_create_queue", deep.create_queue),
        "DeleteMessage": ("_act_delete_message", deep.delete_message),
        "DeleteMessageBatch": ("_act_delete_message_batch", deep.delete_message_batch),
        "ChangeMessageVisibility": ("_act_change_visibility", deep.change_visibility),
        "ChangeMessageVisibilityBatch": ("_act_change_visibility_batch", deep.change_visibility_batch),
    }
    for action, (name, function) in actions.items():
        setattr(sqs, name, function)
        sqs._HANDLERS[action] = function

    def delete_received(queue_url: str, handles: set[str]) -> None:
        if isinstance(sqs._get_q(queue_url)["messages"], MessageLog):
            deep.delete_received(queue_url, handles)
        else:
            esm_delete(queue_url, handles)

    sqs._delete_messages_for_esm = delete_received
