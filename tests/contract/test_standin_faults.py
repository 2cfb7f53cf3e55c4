"""The stand-in's faults: each happens as ordered, as often as ordered, before or after the effect."""

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from adapters.standin import Fault, FaultKind, FaultMoment, StandIn
from tests.servers import Server, new_name


@pytest.fixture
def bucket(s3: Any) -> str:
    """A bucket with one object, ``s``."""
    name = new_name()
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="s", Body=b"1")
    return name


def copy(s3: Any, bucket: str) -> Any:
    """One copy of ``s`` to ``t``."""
    return s3.copy_object(Bucket=bucket, Key="t", CopySource={"Bucket": bucket, "Key": "s"})


def exists(s3: Any, bucket: str) -> bool:
    """Whether ``t`` is there."""
    return bool(s3.list_objects_v2(Bucket=bucket, Prefix="t")["KeyCount"])


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "SlowDown"),
        (500, "InternalError"),
        (409, "ConditionalRequestConflict"),
        (403, "AccessDenied"),
        (507, "InsufficientStorage"),
    ],
)
def test_an_error_happens_so_often(s3: Any, bucket: str, standin_process: StandIn, status: int, code: str) -> None:
    """The next two copies fail with that status and code and without effect; the third succeeds."""
    standin_process.inject(Fault("CopyObject", count=2, status=status, code=code, message="as ordered"))
    for _ in range(2):
        with pytest.raises(ClientError) as raised:
            copy(s3, bucket)
        assert raised.value.response["Error"] == {"Code": code, "Message": "as ordered"}
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert not exists(s3, bucket)
    copy(s3, bucket)
    assert exists(s3, bucket)


def test_200_can_carry_an_error(s3: Any, bucket: str, standin_process: StandIn) -> None:
    """200 OK with an error document, which botocore turns into that error."""
    standin_process.inject(Fault("CopyObject", FaultKind.ERROR_IN_200, code="InternalError", message="m"))
    with pytest.raises(ClientError, match="InternalError"):
        copy(s3, bucket)
    assert not exists(s3, bucket)


def test_200_can_be_empty(s3: Any, bucket: str, standin_process: StandIn) -> None:
    """200 OK with no body looks like success to botocore, but has no etag."""
    standin_process.inject(Fault("CopyObject", FaultKind.EMPTY_200))
    assert not copy(s3, bucket).get("CopyObjectResult")
    assert not exists(s3, bucket)


@pytest.mark.parametrize("moment", FaultMoment)
def test_a_reset_leaves_the_effect_or_not(s3: Any, bucket: str, standin_process: StandIn, moment: FaultMoment) -> None:
    """The connection breaks before the copy, or after it: the client cannot tell which."""
    standin_process.inject(Fault("CopyObject", FaultKind.RESET, moment))
    with pytest.raises(ConnectionClosedError):
        copy(s3, bucket)
    assert exists(s3, bucket) is (moment is FaultMoment.AFTER)


@pytest.mark.parametrize("moment", FaultMoment)
def test_an_answer_can_be_late(s3: Any, bucket: str, standin_process: StandIn, moment: FaultMoment) -> None:
    """A delayed request is answered as ever, so much later."""
    standin_process.inject(Fault("CopyObject", FaultKind.DELAY, moment, seconds=0.3))
    started = time.monotonic()
    assert copy(s3, bucket)["CopyObjectResult"]["ETag"]
    assert time.monotonic() - started >= 0.3


def test_an_error_can_come_after_the_effect(s3: Any, bucket: str, standin_process: StandIn) -> None:
    """500 after the copy was done: the reason why a 412 after a retry proves nothing."""
    standin_process.inject(Fault("CopyObject", moment=FaultMoment.AFTER, status=500, code="InternalError"))
    with pytest.raises(ClientError, match="InternalError"):
        copy(s3, bucket)
    assert exists(s3, bucket)


def test_only_what_matches_is_spoiled(s3: Any, bucket: str, standin_process: StandIn) -> None:
    """Operation, bucket and key prefix all have to fit; the rest goes through."""
    standin_process.inject(Fault("CopyObject", bucket=bucket, key_prefix="other"))
    standin_process.inject(Fault("UploadPartCopy"))
    copy(s3, bucket)
    assert standin_process.pending_faults() == 2
    standin_process.clear_faults()
    assert standin_process.pending_faults() == 0


def test_other_services_can_fail_too(standin: Server, standin_process: StandIn) -> None:
    """The JSON services get their own error shape."""
    standin_process.inject(
        Fault("ListTables", status=400, code="ProvisionedThroughputExceededException", message="slow")
    )
    tables = standin.client("dynamodb")
    with pytest.raises(ClientError) as raised:
        tables.list_tables()
    assert raised.value.response["Error"] == {"Code": "ProvisionedThroughputExceededException", "Message": "slow"}
    tables.list_tables()


def test_single_entries_can_fail(standin: Server, standin_process: StandIn) -> None:
    """One event of a PutEvents and one message of a batch fail in requests that succeed; the others arrive."""
    standin_process.inject(Fault("PutEventsEntry", code="ThrottlingException", message="slow"))
    entry = {"Source": "keyshift", "DetailType": "Migrated", "Detail": "{}"}
    answer = standin.client("events").put_events(Entries=[entry, entry])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0] == {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow"}
    assert answer["Entries"][1]["EventId"]
    standin_process.inject(Fault("SendMessageBatchEntry", code="InternalError", message="again"))
    sqs = standin.client("sqs")
    url = sqs.create_queue(QueueName=new_name("q"))["QueueUrl"]
    messages = [{"Id": name, "MessageBody": name} for name in ("a", "b")]
    batch = sqs.send_message_batch(QueueUrl=url, Entries=messages)
    assert [(one["Id"], one["Code"], one["SenderFault"]) for one in batch["Failed"]] == [("a", "InternalError", False)]
    assert [one["Id"] for one in batch["Successful"]] == ["b"]
    assert [one["Body"] for one in sqs.receive_message(QueueUrl=url)["Messages"]] == ["b"]
