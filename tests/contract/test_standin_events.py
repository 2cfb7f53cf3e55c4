"""The stand-in's S3 notifications, direct and through EventBridge, against AWS's two shapes."""

import json
import re
from typing import Any
from urllib.parse import unquote_plus

import pytest

from tests.servers import REGION, Server, new_name

ACCOUNT = "000000000000"
AWKWARD_KEYS = [
    "a b",
    "a+b",
    "100%",
    "a%2Fb",
    "a#b",
    "a?versionId=x",
    "a//b",
    "/a",
    "a/./b",
    "\U0001f600",
    "e\u0301",
    "quote\"'&<>",
    "line\nbreak",
    "tab\there",
    "control\x01",
]


@pytest.fixture
def queue(sqs: Any) -> str:
    """A queue of this test's own; its name."""
    name = new_name("q")
    sqs.create_queue(QueueName=name)
    return name


def url_of(sqs: Any, queue: str) -> str:
    """The queue's URL."""
    return str(sqs.get_queue_url(QueueName=queue)["QueueUrl"])


def arn_of(queue: str) -> str:
    """The queue's ARN."""
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"


def received(sqs: Any, queue: str, count: int) -> list[dict[str, Any]]:
    """The next ``count`` message bodies, deleted from the queue."""
    found: list[dict[str, Any]] = []
    empty = 0
    while len(found) < count and empty < 10:
        answer = sqs.receive_message(QueueUrl=url_of(sqs, queue), MaxNumberOfMessages=10, WaitTimeSeconds=1)
        empty = 0 if "Messages" in answer else empty + 1
        for message in answer.get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url_of(sqs, queue), ReceiptHandle=message["ReceiptHandle"])
    assert len(found) == count
    return found


@pytest.fixture
def bucket(s3: Any, sqs: Any, queue: str) -> str:
    """A bucket that tells the queue of everything; its test event is read already."""
    name = new_name()
    s3.create_bucket(Bucket=name)
    s3.put_bucket_notification_configuration(
        Bucket=name,
        NotificationConfiguration={
            "QueueConfigurations": [
                {"Id": "all", "QueueArn": arn_of(queue), "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
            ]
        },
    )
    (event,) = received(sqs, queue, 1)
    assert (event["Event"], event["Bucket"], "Records" in event) == ("s3:TestEvent", name, False)
    return name


def changes(sqs: Any, queue: str, count: int) -> list[dict[str, Any]]:
    """The records of the next ``count`` direct notifications."""
    return [event["Records"][0] for event in received(sqs, queue, count)]


def test_a_put_is_told_in_full(s3: Any, sqs: Any, queue: str, bucket: str) -> None:
    """Key URL-encoded, etag without quotes, sequencer of 18 upper-case digits, no ``s3:`` in the name, no version."""
    etag = s3.put_object(Bucket=bucket, Key="a b+c/é?.bin", Body=b"12")["ETag"]
    (record,) = changes(sqs, queue, 1)
    assert record["eventVersion"] == "2.6"
    assert (record["eventSource"], record["eventName"]) == ("aws:s3", "ObjectCreated:Put")
    assert record["userIdentity"]["principalId"].startswith("AWS:")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["eventTime"])
    assert record["s3"]["configurationId"] == "all"
    assert (record["s3"]["bucket"]["name"], record["s3"]["bucket"]["arn"]) == (bucket, f"arn:aws:s3:::{bucket}")
    subject = record["s3"]["object"]
    assert re.fullmatch(r"00[0-9A-F]{16}", subject.pop("sequencer"))
    assert subject == {"key": "a+b%2Bc/%C3%A9%3F.bin", "size": 2, "eTag": etag.strip('"')}


def test_copies_and_completed_uploads_have_their_own_names(s3: Any, sqs: Any, queue: str, bucket: str) -> None:
    """CopyObject is ObjectCreated:Copy, a multipart copy is ObjectCreated:CompleteMultipartUpload."""
    s3.put_object(Bucket=bucket, Key="s", Body=b"1")
    source = {"Bucket": bucket, "Key": "s"}
    s3.copy_object(Bucket=bucket, Key="t", CopySource=source)
    call = {"Bucket": bucket, "Key": "t"}
    call["UploadId"] = s3.create_multipart_upload(**call)["UploadId"]
    etag = s3.upload_part_copy(**call, CopySource=source, PartNumber=1)["CopyPartResult"]["ETag"]
    s3.complete_multipart_upload(**call, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    names = [record["eventName"] for record in changes(sqs, queue, 3)]
    assert names == ["ObjectCreated:Put", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload"]


def test_later_changes_have_greater_sequencers(s3: Any, sqs: Any, queue: str, bucket: str) -> None:
    """Writes and deletes of one key are ordered by their sequencers."""
    for body in (b"1", b"2", b"3"):
        s3.put_object(Bucket=bucket, Key="k", Body=body)
    s3.delete_object(Bucket=bucket, Key="k")
    found = [int(record["s3"]["object"]["sequencer"], 16) for record in changes(sqs, queue, 4)]
    assert found == sorted(set(found))


def test_a_delete_has_no_etag_and_no_size(s3: Any, sqs: Any, queue: str, bucket: str) -> None:
    """ObjectRemoved:Delete names the key and its order only."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    s3.delete_object(Bucket=bucket, Key="k")
    _, record = changes(sqs, queue, 2)
    assert record["eventName"] == "ObjectRemoved:Delete"
    assert set(record["s3"]["object"]) == {"key", "sequencer"}


def test_versions_and_delete_markers_are_named(s3: Any, sqs: Any, queue: str, bucket: str) -> None:
    """Where versions are kept, events carry versionId, and every versionless delete makes a marker and an event."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = [
        s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"],
        s3.delete_object(Bucket=bucket, Key="k")["VersionId"],
        s3.delete_object(Bucket=bucket, Key="k")["VersionId"],
    ]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=versions[2])
    found = changes(sqs, queue, 4)
    assert [record["s3"]["object"]["versionId"] for record in found] == [*versions, versions[2]]
    marker = "ObjectRemoved:DeleteMarkerCreated"
    names = [record["eventName"] for record in found]
    assert names == ["ObjectCreated:Put", marker, marker, "ObjectRemoved:Delete"]


@pytest.mark.parametrize("key", AWKWARD_KEYS)
def test_awkward_keys_are_told_url_encoded(s3: Any, sqs: Any, queue: str, bucket: str, key: str) -> None:
    """A direct notification's key, decoded once as a form value, is the key."""
    s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    s3.copy_object(Bucket=bucket, Key=f"{key}.copy", CopySource={"Bucket": bucket, "Key": key})
    found = [unquote_plus(record["s3"]["object"]["key"]) for record in changes(sqs, queue, 2)]
    assert found == [key, f"{key}.copy"]


def test_a_refused_write_tells_nobody(s3: Any, sqs: Any, queue: str, bucket: str) -> None:
    """A failed condition raises no event."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    with pytest.raises(s3.exceptions.ClientError):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    s3.put_object(Bucket=bucket, Key="end", Body=b"")
    assert [record["s3"]["object"]["key"] for record in changes(sqs, queue, 2)] == ["k", "end"]


def test_no_event_is_lost_while_messages_are_received(s3: Any, sqs: Any, queue: str, bucket: str) -> None:
    """Every write is told once while a consumer receives."""
    for number in range(300):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"")
        if number % 10 == 0:
            sqs.receive_message(QueueUrl=url_of(sqs, queue), MaxNumberOfMessages=1, VisibilityTimeout=0)
    keys = [record["s3"]["object"]["key"] for record in changes(sqs, queue, 300)]
    assert sorted(keys) == sorted(f"k{number}" for number in range(300))


def test_eventbridge_has_its_own_shape(standin: Server, s3: Any, sqs: Any, queue: str) -> None:
    """Through EventBridge the key is raw, the names are ``etag`` and ``version-id``, and a rule brings it to SQS."""
    events, bucket, rule = standin.client("events"), new_name(), new_name("r")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn_of(queue)}])
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    written = s3.put_object(Bucket=bucket, Key="a b+c%20.bin", Body=b"12")
    marker = s3.delete_object(Bucket=bucket, Key="a b+c%20.bin")["VersionId"]
    created, deleted = received(sqs, queue, 2)
    assert (created["source"], created["detail-type"], created["version"]) == ("aws.s3", "Object Created", "0")
    assert created["resources"] == [f"arn:aws:s3:::{bucket}"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", created["time"])
    assert (created["detail"]["reason"], created["detail"]["bucket"]) == ("PutObject", {"name": bucket})
    subject = created["detail"]["object"]
    first = subject.pop("sequencer")
    assert re.fullmatch(r"[0-9a-f]{16}", first)
    assert subject == {
        "key": "a b+c%20.bin",
        "size": 2,
        "etag": written["ETag"].strip('"'),
        "version-id": written["VersionId"],
    }
    assert (deleted["detail-type"], deleted["detail"]["deletion-type"]) == ("Object Deleted", "Delete Marker Created")
    assert deleted["detail"]["object"].pop("sequencer") > first
    assert deleted["detail"]["object"] == {"key": "a b+c%20.bin", "version-id": marker}


def test_a_delete_while_suspended_is_told_as_a_marker_null(s3: Any, sqs: Any, queue: str, bucket: str) -> None:
    """While versioning is suspended, a delete is a DeleteMarkerCreated of version null."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    s3.delete_object(Bucket=bucket, Key="k")
    _, record = changes(sqs, queue, 2)
    assert record["eventName"] == "ObjectRemoved:DeleteMarkerCreated"
    assert record["s3"]["object"]["versionId"] == "null"
