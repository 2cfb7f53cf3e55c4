"""One SQS queue."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from adapters.aws.clients import AwsClients
from adapters.aws.errors import from_code, translated
from adapters.aws.retries import retrying
from domain.errors import RefusedRequestError, TransientError
from domain.queues import Message

_BATCH = 10
MAX_BATCH_BYTES = 1024 * 1024
"""Of one message, and of a whole batch (botocore model, SendMessage)."""
_GONE = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"})
"""SQS's error code for a message that another consumer received or deleted meanwhile."""
_TRIES = 6
T = TypeVar("T")


class SqsMessageQueue:
    """MessageQueue on SQS; ``visibility`` (seconds) replaces the queue's own time-out."""

    def __init__(self, clients: AwsClients, queue_url: str, *, visibility: int | None = None) -> None:
        self._client = clients.sqs
        self._url = queue_url
        self._visibility: Mapping[str, Any] = {"VisibilityTimeout": visibility} if visibility is not None else {}

    def send_messages(self, bodies: Sequence[str], *, delay: int = 0) -> None:
        """See the port; a body over 1 MiB is a RefusedRequestError, and then nothing is sent."""
        for body in bodies:
            if len(body.encode()) > MAX_BATCH_BYTES:
                raise RefusedRequestError(f"{self._url}: a message has more than {MAX_BATCH_BYTES} bytes; split it")
        wait = {"DelaySeconds": delay} if delay else {}
        for batch in batches_of(bodies, lambda body: len(body.encode()), most_bytes=MAX_BATCH_BYTES):
            entries = [{"Id": str(index), "MessageBody": body} | wait for index, body in enumerate(batch)]
            self._in_full("SendMessageBatch", self._client.send_message_batch, entries)

    def receive_messages(self, *, at_most: int, wait: int) -> Sequence[Message]:
        """See the port."""
        with translated("ReceiveMessage", self._url):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=at_most,
                WaitTimeSeconds=wait,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                **self._visibility,
            )
        return [to_message(received) for received in answer.get("Messages", [])]

    def delete_messages(self, messages: Sequence[Message]) -> None:
        """See the port."""
        self._for_each("DeleteMessageBatch", self._client.delete_message_batch, messages, {})

    def return_messages(self, messages: Sequence[Message], *, delay: int) -> None:
        """See the port."""
        wait = {"VisibilityTimeout": delay}
        self._for_each("ChangeMessageVisibilityBatch", self._client.change_message_visibility_batch, messages, wait)

    def count_messages(self) -> tuple[int, int]:
        """See the port; delayed messages wait too."""
        with translated("GetQueueAttributes", self._url):
            answer = self._client.get_queue_attributes(
                QueueUrl=self._url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesDelayed",
                    "ApproximateNumberOfMessagesNotVisible",
                ],
            )
        counts = {str(name): int(value) for name, value in answer["Attributes"].items()}
        delayed = counts.get("ApproximateNumberOfMessagesDelayed", 0)
        waiting = counts["ApproximateNumberOfMessages"] + delayed
        return waiting, counts["ApproximateNumberOfMessagesNotVisible"]

    def _for_each(
        self, action: str, call: Callable[..., Any], messages: Sequence[Message], more: Mapping[str, Any]
    ) -> None:
        for start in range(0, len(messages), _BATCH):
            batch = messages[start : start + _BATCH]
            entries = [
                {"Id": str(index), "ReceiptHandle": message.receipt_handle, **more}
                for index, message in enumerate(batch)
            ]
            self._in_full(action, call, entries, gone=_GONE)

    def _in_full(
        self,
        action: str,
        call: Callable[..., Any],
        entries: list[dict[str, Any]],
        *,
        gone: frozenset[str] = frozenset(),
    ) -> None:
        """Send a batch until every entry is accepted: SQS answers 200 with some of them failed."""
        left = entries
        for attempt in retrying(attempts=_TRIES, first=0.1, longest=5):
            with attempt:
                with translated(action, self._url):
                    answer = call(QueueUrl=self._url, Entries=left)
                failed = {one["Id"]: one for one in answer.get("Failed", []) if one["Code"] not in gone}
                left = [entry for entry in left if entry["Id"] in failed]
                if left:
                    raise self._refusal(action, list(failed.values()))

    def _refusal(self, action: str, failed: list[Mapping[str, Any]]) -> Exception:
        worst = next((one for one in failed if one.get("SenderFault")), failed[0])
        error = from_code(worst["Code"], worst.get("Message", ""), action, self._url)
        if worst.get("SenderFault") and isinstance(error, TransientError):
            return RefusedRequestError(str(error))
        return error


def batches_of(items: Iterable[T], size_of: Callable[[T], int], *, most_bytes: int) -> Iterator[list[T]]:
    """The items in batches of at most ten, and of at most so many bytes together."""
    batch: list[T] = []
    size = 0
    for item in items:
        length = size_of(item)
        if batch and (len(batch) == _BATCH or size + length > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length
    if batch:
        yield batch


def to_message(received: Mapping[str, Any]) -> Message:
    """The message in an entry of ReceiveMessage's answer."""
    attributes = received.get("Attributes", {})
    return Message(
        message_id=received["MessageId"],
        receipt_handle=received["ReceiptHandle"],
        body=received["Body"],
        receive_count=int(attributes.get("ApproximateReceiveCount", 1)),
        sent_at=int(attributes.get("SentTimestamp", 0)) / 1000,
    )
