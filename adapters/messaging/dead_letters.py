"""The dead-letter queue of one SQS queue, found by the queue's own RedrivePolicy."""

import json
from collections.abc import Sequence
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from adapters.messaging.queue import SqsMessageQueue, to_message
from domain.errors import InputError
from domain.queues import DeadLetter, MoveTask


class SqsDeadLetterQueue:
    """DeadLetterQueue on SQS; ``source_arn`` is the queue to return messages to where SQS does not name it."""

    def __init__(self, clients: AwsClients, *, arn: str, url: str, source_arn: str) -> None:
        self._clients = clients
        self._client = clients.sqs
        self.arn = arn
        self.url = url
        self._source_arn = source_arn
        self._queue = SqsMessageQueue(clients, url)
        self._sources: dict[str, SqsMessageQueue] = {}

    def count_letters(self) -> int:
        """See the port."""
        return sum(self._queue.count_messages())

    def receive_letters(self, *, visibility: int) -> Sequence[DeadLetter]:
        """See the port; waits a second, because a short poll does not reach all of SQS's servers."""
        with translated("ReceiveMessage", self.url):
            answer = self._client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                VisibilityTimeout=visibility,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp", "DeadLetterQueueSourceArn"],
            )
        received: list[Any] = list(answer.get("Messages", []))
        return [
            DeadLetter(to_message(one), str(one.get("Attributes", {}).get("DeadLetterQueueSourceArn", "")))
            for one in received
        ]

    def release_letters(self, letters: Sequence[DeadLetter]) -> None:
        """See the port."""
        self._queue.return_messages([letter.message for letter in letters], delay=0)

    def delete_letters(self, letters: Sequence[DeadLetter]) -> None:
        """See the port."""
        self._queue.delete_messages([letter.message for letter in letters])

    def send_back(self, letters: Sequence[DeadLetter]) -> None:
        """See the port."""
        by_origin: dict[str, list[DeadLetter]] = {}
        for letter in letters:
            by_origin.setdefault(letter.origin_arn or self._source_arn, []).append(letter)
        for origin, group in by_origin.items():
            self._source(origin).send_messages([one.message.body for one in group])
            self.delete_letters(group)

    def move_all(self, *, rate: int | None) -> None:
        """See the port."""
        most: Any = {"MaxNumberOfMessagesPerSecond": rate} if rate is not None else {}
        with translated("StartMessageMoveTask", self.url):
            self._client.start_message_move_task(SourceArn=self.arn, **most)

    def newest_move(self) -> MoveTask | None:
        """See the port."""
        with translated("ListMessageMoveTasks", self.url):
            answer = self._client.list_message_move_tasks(SourceArn=self.arn, MaxResults=1)
        results: list[Any] = list(answer.get("Results", []))
        if not results:
            return None
        task = results[0]
        moved = int(task.get("ApproximateNumberOfMessagesMoved", 0))
        return MoveTask(
            str(task["Status"]),
            moved,
            int(task.get("ApproximateNumberOfMessagesToMove", moved)),
            str(task.get("FailureReason", "")),
        )

    def _source(self, arn: str) -> SqsMessageQueue:
        if arn not in self._sources:
            self._sources[arn] = SqsMessageQueue(self._clients, _url_of(self._clients, arn))
        return self._sources[arn]


def dead_letters_of(clients: AwsClients, queue_url: str) -> SqsDeadLetterQueue | None:
    """The dead-letter queue that ``queue_url`` names in its RedrivePolicy; ``None`` where it names none.

    Raises InputError where the dead-letter queue has a dead-letter queue itself: then reading could move messages.
    """
    with translated("GetQueueAttributes", queue_url):
        answer = clients.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["RedrivePolicy", "QueueArn"])
    about = answer.get("Attributes", {})
    arn = str(json.loads(about.get("RedrivePolicy") or "{}").get("deadLetterTargetArn", ""))
    if not arn:
        return None
    url = _url_of(clients, arn)
    with translated("GetQueueAttributes", url):
        own = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"]).get("Attributes", {})
    if own.get("RedrivePolicy"):
        raise InputError(
            f"the dead-letter queue {url} has its own RedrivePolicy: reading its messages would move them on; "
            "remove that policy first"
        )
    return SqsDeadLetterQueue(clients, arn=arn, url=url, source_arn=about["QueueArn"])


def _url_of(clients: AwsClients, arn: str) -> str:
    _, _, _, _, account, name = arn.split(":", 5)
    with translated("GetQueueUrl", arn):
        return clients.sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
