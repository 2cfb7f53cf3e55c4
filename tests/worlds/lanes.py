"""Both ways to make a call, on one recording server."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.lane.client import HOT
from tests.wire import Seen, Wire, http

S3 = HOT["s3"].split()
JSON = [(service, name) for service, names in HOT.items() if service != "s3" for name in names.split()]
LANE_BUCKET = "target-bucket"
COPY: Any = {"Bucket": "bucket", "Key": "k", "CopySource": {"Bucket": "bucket", "Key": "j"}}
XML = {
    "copy_object": b"<CopyObjectResult><ETag>&quot;e&quot;</ETag></CopyObjectResult>",
    "upload_part_copy": b"<CopyPartResult><ETag>&quot;e&quot;</ETag></CopyPartResult>",
    "list_object_annotations": b"<ListObjectAnnotationsResult><Key>k</Key></ListObjectAnnotationsResult>",
    "get_object_tagging": b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
}


def clients_at(url: str, **more: Any) -> AwsClients:
    """Clients of one process, with a lane."""
    keys: Any = {"region": "us-east-1", "access_key_id": "AKID", "secret_access_key": "secret", "lane": True}
    return AwsClients(endpoint_url=url, **(keys | more))


def ways(wire: Wire) -> list[str]:
    """Who sent the requests that came, in their order."""
    return ["boto3" if one.is_botocores else "lane" for one in wire.seen]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call returned or raised, and what it sent."""

    returned: Any
    raised: tuple[Any, ...] | None
    sent: list[Seen]

    @property
    def is_lanes(self) -> bool:
        """Whether the lane sent it and read its answer."""
        return self.raised is None and not any(one.is_botocores for one in self.sent)


class _Doubts(logging.Handler):
    """Collects what the lane says when it finds that botocore would make another request."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


class BothLanes:
    """boto3's client and the lane's on one server; ``said`` is what it answers, by default a plain success."""

    def __init__(self, wire: Wire, *, attempts: int = 1) -> None:
        self.wire = wire
        self._doubts = _Doubts()
        logging.getLogger("adapters.aws.lane").addHandler(self._doubts)
        self.said: Callable[[Seen], bytes | None] = plain_answer
        wire.answer = self._answer
        self.lane = clients_at(wire.url, read_attempts=attempts)
        self.boto3 = clients_at(wire.url, read_attempts=attempts, lane=False)

    def _answer(self, seen: Seen) -> bytes | None:
        return self.said(seen)

    def client(self, service: str, *, lane: bool) -> Any:
        """One of the two clients of a service."""
        clients = self.lane if lane else self.boto3
        return getattr(clients, {"dynamodbstreams": "streams"}.get(service, service))

    def begin(self, service: str, name: str, params: dict[str, Any]) -> None:
        """Make the operation's first call, which botocore shows to the lane; no later one is compared by the lane."""
        self.said = plain_answer
        getattr(self.client(service, lane=True), name)(**params)

    def call(self, service: str, name: str, params: dict[str, Any], *, lane: bool) -> Outcome:
        """One call."""
        before, returned, raised = len(self.wire.seen), None, None
        try:
            returned = getattr(self.client(service, lane=lane), name)(**params)
        except Exception as error:  # noqa: BLE001  # compared, whatever it is
            raised = (type(error).__name__, getattr(error, "response", None), str(error))
        # The lane steps aside where it would send another request: a difference that this test must not miss.
        assert self._doubts.said == []
        return Outcome(returned, raised, self.wire.seen[before:])


def plain_answer(seen: Seen) -> bytes:
    """A success of any operation."""
    if "x-amz-target" in seen.headers:
        return http(200, b"{}")
    if seen.method == "PUT":
        part = "partNumber" in seen.query
        return http(200, XML["upload_part_copy" if part else "copy_object"])
    if seen.method == "GET":
        return http(200, XML["list_object_annotations" if "annotation" in seen.query else "get_object_tagging"])
    if seen.method == "DELETE":
        return http(204)
    return http(200, method="HEAD", ETag='"e"')


def plain_parameters(name: str) -> dict[str, Any]:
    """What an operation of S3 needs at least."""
    params: dict[str, Any] = {"Bucket": LANE_BUCKET, "Key": "k"}
    if "copy" in name:
        params["CopySource"] = {"Bucket": "source-bucket", "Key": "k"}
    return params | ({"UploadId": "u", "PartNumber": 1} if "part" in name else {})


def model_of(both: BothLanes, service: str, name: str) -> Any:
    """Botocore's model of an operation."""
    meta = both.client(service, lane=False).meta
    return meta.service_model.operation_model(meta.method_to_api_mapping[name])


ORDINARY: dict[str, dict[str, Any]] = {
    "get_item": {"TableName": "t", "Key": {"pk": {"S": "é"}}, "ConsistentRead": True},
    "put_item": {
        "TableName": "t",
        "Item": {"pk": {"S": "a"}, "b": {"B": b"\0"}, "l": {"L": [{"M": {"n": {"N": "1"}}}]}},
    },
    "update_item": {"TableName": "t", "Key": {"pk": {"S": "a"}}, "UpdateExpression": "SET a = :a"},
    "batch_get_item": {"RequestItems": {"t": {"Keys": [{"pk": {"S": "a"}}], "ConsistentRead": True}}},
    "scan": {"TableName": "t", "Segment": 1, "TotalSegments": 4, "Limit": 500, "ExclusiveStartKey": {"pk": {"S": "a"}}},
    "batch_execute_statement": {"Statements": [{"Statement": "INSERT …", "Parameters": [{"S": "a"}, {"N": "1"}]}]},
    "get_records": {"ShardIterator": "i", "Limit": 200},
    "receive_message": {"QueueUrl": "http://q/1/q", "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20},
    "send_message_batch": {"QueueUrl": "http://q/1/q", "Entries": [{"Id": "0", "MessageBody": "{}"}]},
    "delete_message_batch": {"QueueUrl": "http://q/1/q", "Entries": [{"Id": "0", "ReceiptHandle": "r"}]},
    "change_message_visibility_batch": {
        "QueueUrl": "http://q/1/q",
        "Entries": [{"Id": "0", "ReceiptHandle": "r", "VisibilityTimeout": 0}],
    },
    "put_events": {"Entries": [{"Source": "keyshift", "DetailType": "d", "Detail": "{}", "EventBusName": "b"}]},
}
