"""SQS message move tasks (dead-letter redrive), which the emulator lacks; a task is done when its start answers."""

import json
import secrets
import time
from typing import Any

_NO_SUCH_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"


class MoveTasks:
    """StartMessageMoveTask, ListMessageMoveTasks and CancelMessageMoveTask.

    MaxNumberOfMessagesPerSecond is accepted and not followed, so a task is never found running.
    """

    def __init__(self, sqs: Any) -> None:
        self._sqs = sqs
        self._done: list[dict[str, Any]] = []

    def start_task(self, data: dict[str, Any], _url: str) -> dict[str, Any]:
        """Move every visible message to the queue it came from, or to the one named."""
        source_arn, target_arn = data.get("SourceArn", ""), data.get("DestinationArn")
        source = self._known(source_arn)
        origins = self._origins(source_arn)
        if not origins:
            raise self._sqs._Err("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
        target = self._known(target_arn) if target_arn else None
        now, moved = time.time(), 0
        for message in [one for one in source["messages"] if one["visible_at"] <= now]:
            origin = message["sys"].get("DeadLetterQueueSourceArn", origins[0])
            source["messages"].remove(message)
            (target or self._known(origin))["messages"].append(self._as_new(message, now))
            moved += 1
        task = {
            "Status": "COMPLETED",
            "SourceArn": source_arn,
            "ApproximateNumberOfMessagesMoved": moved,
            "ApproximateNumberOfMessagesToMove": moved,
            "StartedTimestamp": int(now * 1000),
        } | ({"DestinationArn": target_arn} if target_arn else {})
        self._done.insert(0, task)
        return {"TaskHandle": secrets.token_urlsafe(48)}

    def list_tasks(self, data: dict[str, Any], _url: str) -> dict[str, Any]:
        """The latest tasks of one source queue, newest first; one unless MaxResults says more."""
        self._known(data.get("SourceArn", ""))
        mine = [task for task in self._done if task["SourceArn"] == data.get("SourceArn")]
        return {"Results": mine[: int(data.get("MaxResults") or 1)]}

    def cancel_task(self, _data: dict[str, Any], _url: str) -> dict[str, Any]:
        """Nothing is ever running, so there is nothing to cancel."""
        raise self._sqs._Err("ResourceNotFoundException", "Task does not exist.", 404)

    def _known(self, arn: str) -> dict[str, Any]:
        queue: dict[str, Any] | None = self._sqs._queue_by_arn(arn) if arn else None
        if queue is None:
            raise self._sqs._Err(_NO_SUCH_QUEUE, "The resource that you specified doesn't exist.")
        return queue

    def _origins(self, arn: str) -> list[str]:
        policies = {
            queue["attributes"]["QueueArn"]: json.loads(queue["attributes"].get("RedrivePolicy") or "{}")
            for queue in self._sqs._queues.values()
        }
        return [origin for origin, policy in policies.items() if policy.get("deadLetterTargetArn") == arn]

    @staticmethod
    def _as_new(message: dict[str, Any], now: float) -> dict[str, Any]:
        """A redriven message has a new id and enqueue time and has never been received (SQS Developer Guide)."""
        system = {name: value for name, value in message["sys"].items() if name != "DeadLetterQueueSourceArn"}
        return message | {
            "id": secrets.token_hex(16),
            "receipt_handle": None,
            "receive_count": 0,
            "first_receive_at": None,
            "sent_at": now,
            "visible_at": now,
            "sys": system | {"SentTimestamp": str(int(now * 1000))},
        }


def install_move_tasks(sqs: Any) -> None:
    """Add the three actions."""
    tasks = MoveTasks(sqs)
    sqs._HANDLERS["StartMessageMoveTask"] = tasks.start_task
    sqs._HANDLERS["ListMessageMoveTasks"] = tasks.list_tasks
    sqs._HANDLERS["CancelMessageMoveTask"] = tasks.cancel_task
