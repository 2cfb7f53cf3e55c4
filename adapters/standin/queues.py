"""Standard SQS queues whose receive and delete take the same time at any depth.

The emulator scans its whole list on each receive and each deleted message: 3,443 messages a second at a depth of 100,
337 at 20,000.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from adapters.standin.message_log import Message, MessageLog


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
        """CreateQueue, then the stand-in's structure in the list's place."""
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
        log.delete(self._handle(log, data))
        return {}

    def delete_message_batch(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        """DeleteMessageBatch."""
        log = self._queue(data, url, "sqs:DeleteMessage")["messages"]
        if not isinstance(log, MessageLog):
            answer: dict[str, Any] = self._base["_act_delete_message_batch"](data, url)
            return answer
        kind = "DeleteMessageBatchRequestEntry"
        return self._each(data, kind, lambda entry: log.delete(self._handle(log, entry)))

    def change_visibility(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        """ChangeMessageVisibility; only of a message in flight."""
        log = self._queue(data, url, "sqs:ChangeMessageVisibility")["messages"]
        if not isinstance(log, MessageLog):
            answer: dict[str, Any] = self._base["_act_change_visibility"](data, url)
            return answer
        handle, now = self._handle(log, data), time.time()
        message = log.held(handle)
        if message is None or message["visible_at"] <= now:
            reason = "Reason: Message does not exist or is not available for visibility timeout change."
            text = f"Value {handle} for parameter ReceiptHandle is invalid. {reason}"
            raise self._sqs._Err("InvalidParameterValue", text)
        log.hide(handle, now + int(data.get("VisibilityTimeout", 30)))
        return {}

    def change_visibility_batch(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        """ChangeMessageVisibilityBatch: 200 with the entries that failed."""
        kind, queue = "ChangeMessageVisibilityBatchRequestEntry", {"QueueUrl": data.get("QueueUrl", url)}
        return self._each(data, kind, lambda entry: self.change_visibility(queue | entry, url))

    def delete_received(self, queue_url: str, handles: set[str]) -> None:
        """What Lambda's pollers delete."""
        log = self._sqs._get_q(queue_url)["messages"]
        for handle in handles:
            log.delete(handle)

    def _each(self, data: dict[str, Any], kind: str, do: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The answer to a batch of which each entry succeeds or fails by itself."""
        entries = data.get("Entries", [])
        self._sqs._validate_batch_entries(entries, kind)
        done, failed = [], []
        for entry in entries:
            try:
                do(entry)
                done.append({"Id": entry["Id"]})
            except self._sqs._Err as error:
                failed.append({"Id": entry["Id"], "Code": error.code, "Message": error.message, "SenderFault": True})
        return {"Successful": done, "Failed": failed}

    def _handle(self, log: MessageLog, data: dict[str, Any]) -> str:
        """The receipt handle, if the queue ever gave it."""
        handle: str = data.get("ReceiptHandle", "")
        if not log.knows(handle):
            raise self._sqs._Err("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
        return handle

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
