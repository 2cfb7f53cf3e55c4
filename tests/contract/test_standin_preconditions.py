"""S3's write conditions on the stand-in, and the same tests on SeaweedFS, a server that we did not write."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.servers import Server, new_name
from tests.worlds.objects import enforcing_policy

WRONG = '"00000000000000000000000000000000"'
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["standin", "seaweedfs"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def s3(server: Server) -> Any:
    """A client of it."""
    return server.client("s3", max_pool_connections=16)


@pytest.fixture
def differs(server: Server, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Marks what SeaweedFS does otherwise than AWS; strict, so we hear when it learns it."""

    def mark(reason: str) -> None:
        if server.name == "seaweedfs":
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))

    return mark


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    """Status and code of the refusal that this call must meet."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    return raised.value.response["ResponseMetadata"]["HTTPStatusCode"], raised.value.response["Error"]["Code"]


def put(s3: Any, bucket: str, key: str, body: bytes = b"bytes") -> str:
    """Write an object; its etag."""
    return str(s3.put_object(Bucket=bucket, Key=key, Body=body)["ETag"])


def body_of(s3: Any, bucket: str, key: str) -> bytes:
    """What is there now."""
    return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


FAILED = (412, "PreconditionFailed")


def test_copy_with_the_right_source_etag_copies(s3: Any, bucket: str) -> None:
    """CopySourceIfMatch with the source's etag lets the copy through."""
    etag = put(s3, bucket, "source")
    s3.copy_object(Bucket=bucket, Key="t", CopySource={"Bucket": bucket, "Key": "source"}, CopySourceIfMatch=etag)
    assert body_of(s3, bucket, "t") == b"bytes"


@pytest.mark.parametrize(
    "condition",
    [
        {"CopySourceIfMatch": WRONG},
        {"CopySourceIfUnmodifiedSince": LONG_AGO},
        {"CopySourceIfModifiedSince": datetime.now(UTC) + timedelta(days=1)},
    ],
    ids=lambda condition: next(iter(condition)),
)
def test_copy_is_refused_by_its_source_condition(s3: Any, bucket: str, condition: dict[str, Any]) -> None:
    """A source condition that does not hold is 412 and nothing is written."""
    put(s3, bucket, "source")
    source = {"Bucket": bucket, "Key": "source"}
    assert refusal(s3.copy_object, Bucket=bucket, Key="t", CopySource=source, **condition) == FAILED
    assert refusal(s3.head_object, Bucket=bucket, Key="t") == (404, "404")


def test_copy_if_none_match_of_the_source_is_refused(s3: Any, bucket: str) -> None:
    """CopySourceIfNoneMatch with the source's etag is 412."""
    etag = put(s3, bucket, "source")
    source = {"Bucket": bucket, "Key": "source"}
    found = refusal(s3.copy_object, Bucket=bucket, Key="t", CopySource=source, CopySourceIfNoneMatch=etag)
    assert found == FAILED


def test_a_true_source_etag_outranks_a_false_date(s3: Any, bucket: str) -> None:
    """CopySourceIfMatch true and CopySourceIfUnmodifiedSince false copies (CopyObject reference)."""
    etag = put(s3, bucket, "source")
    s3.copy_object(
        Bucket=bucket,
        Key="t",
        CopySource={"Bucket": bucket, "Key": "source"},
        CopySourceIfMatch=etag,
        CopySourceIfUnmodifiedSince=LONG_AGO,
    )
    assert body_of(s3, bucket, "t") == b"bytes"


def test_copy_of_a_missing_source_is_404(s3: Any, bucket: str) -> None:
    """A source that is not there is NoSuchKey, with or without a condition on it."""
    source = {"Bucket": bucket, "Key": "missing"}
    assert refusal(s3.copy_object, Bucket=bucket, Key="t", CopySource=source) == (404, "NoSuchKey")
    with_condition = refusal(s3.copy_object, Bucket=bucket, Key="t", CopySource=source, CopySourceIfMatch=WRONG)
    assert with_condition == (404, "NoSuchKey")


def test_copy_if_none_match_does_not_overwrite(s3: Any, bucket: str) -> None:
    """IfNoneMatch * on an existing target is 412 and leaves it."""
    put(s3, bucket, "source", b"new")
    put(s3, bucket, "t", b"old")
    source = {"Bucket": bucket, "Key": "source"}
    assert refusal(s3.copy_object, Bucket=bucket, Key="t", CopySource=source, IfNoneMatch="*") == FAILED
    assert body_of(s3, bucket, "t") == b"old"


def test_copy_if_match_overwrites_only_that_etag(s3: Any, bucket: str) -> None:
    """IfMatch lets the copy replace exactly the object that was seen."""
    put(s3, bucket, "source", b"new")
    etag = put(s3, bucket, "t", b"old")
    source = {"Bucket": bucket, "Key": "source"}
    assert refusal(s3.copy_object, Bucket=bucket, Key="t", CopySource=source, IfMatch=WRONG) == FAILED
    assert body_of(s3, bucket, "t") == b"old"
    s3.copy_object(Bucket=bucket, Key="t", CopySource=source, IfMatch=etag)
    assert body_of(s3, bucket, "t") == b"new"


def test_copy_if_match_on_a_missing_target_is_404(s3: Any, bucket: str, differs: Callable[[str], None]) -> None:
    """IfMatch where there is no object is 404, not 412 (S3 User Guide, conditional writes)."""
    differs("SeaweedFS 4.48 answers 412 to If-Match on a missing target")
    etag = put(s3, bucket, "source")
    source = {"Bucket": bucket, "Key": "source"}
    assert refusal(s3.copy_object, Bucket=bucket, Key="t", CopySource=source, IfMatch=etag) == (404, "NoSuchKey")


def test_of_racing_copies_if_none_match_one_wins(s3: Any, bucket: str) -> None:
    """Sixteen copies with IfNoneMatch * to one key: one writes, fifteen are told so."""
    put(s3, bucket, "source")

    def copy(_number: int) -> str:
        try:
            s3.copy_object(Bucket=bucket, Key="t", CopySource={"Bucket": bucket, "Key": "source"}, IfNoneMatch="*")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "copied"

    with ThreadPoolExecutor(16) as threads:
        outcomes = sorted(threads.map(copy, range(16)))
    assert outcomes.count("copied") == 1
    assert set(outcomes) - {"copied"} <= {"PreconditionFailed", "ConditionalRequestConflict"}


def test_put_conditions_hold(s3: Any, bucket: str) -> None:
    """PutObject knows IfNoneMatch * and IfMatch too."""
    etag = put(s3, bucket, "t", b"old")
    assert refusal(s3.put_object, Bucket=bucket, Key="t", Body=b"new", IfNoneMatch="*") == FAILED
    assert refusal(s3.put_object, Bucket=bucket, Key="t", Body=b"new", IfMatch=WRONG) == FAILED
    s3.put_object(Bucket=bucket, Key="t", Body=b"new", IfMatch=etag)
    s3.put_object(Bucket=bucket, Key="other", Body=b"new", IfNoneMatch="*")
    assert body_of(s3, bucket, "t") == body_of(s3, bucket, "other") == b"new"


def test_put_if_match_on_a_missing_object_is_404(s3: Any, bucket: str, differs: Callable[[str], None]) -> None:
    """IfMatch where there is no object is 404 for PutObject as well."""
    differs("SeaweedFS 4.48 answers 412 to If-Match on a missing target")
    assert refusal(s3.put_object, Bucket=bucket, Key="t", Body=b"", IfMatch=WRONG) == (404, "NoSuchKey")


def test_delete_if_match_deletes_only_that_etag(s3: Any, bucket: str) -> None:
    """DeleteObject with IfMatch spares an object that has changed."""
    etag = put(s3, bucket, "t")
    assert refusal(s3.delete_object, Bucket=bucket, Key="t", IfMatch=WRONG) == FAILED
    assert body_of(s3, bucket, "t") == b"bytes"
    s3.delete_object(Bucket=bucket, Key="t", IfMatch=etag)
    assert refusal(s3.head_object, Bucket=bucket, Key="t") == (404, "404")


PART = 5 * 1024 * 1024


def started_upload(s3: Any, bucket: str, key: str) -> tuple[str, str]:
    """An upload with one part copied from a source of a little more than one part; upload id and part etag."""
    put(s3, bucket, "source", b"x" * (PART + 1))
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = s3.upload_part_copy(
        Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=1, CopySource={"Bucket": bucket, "Key": "source"}
    )
    return upload_id, part["CopyPartResult"]["ETag"]


def test_part_copy_is_refused_by_its_source_condition(s3: Any, bucket: str) -> None:
    """UploadPartCopy checks CopySourceIfMatch on every part."""
    etag = put(s3, bucket, "source")
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="t")["UploadId"]
    part = {
        "Bucket": bucket,
        "Key": "t",
        "UploadId": upload_id,
        "PartNumber": 1,
        "CopySource": {"Bucket": bucket, "Key": "source"},
    }
    assert refusal(s3.upload_part_copy, **part, CopySourceIfMatch=WRONG) == FAILED
    assert s3.upload_part_copy(**part, CopySourceIfMatch=etag)["CopyPartResult"]["ETag"]


def test_complete_if_none_match_does_not_overwrite(s3: Any, bucket: str) -> None:
    """CompleteMultipartUpload with IfNoneMatch * on an existing object is 412 and leaves it."""
    upload_id, etag = started_upload(s3, bucket, "t")
    put(s3, bucket, "t", b"old")
    call = {"Bucket": bucket, "Key": "t", "UploadId": upload_id}
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    assert refusal(s3.complete_multipart_upload, **call, MultipartUpload=parts, IfNoneMatch="*") == FAILED
    assert body_of(s3, bucket, "t") == b"old"


def test_complete_if_match_overwrites_only_that_etag(s3: Any, bucket: str) -> None:
    """CompleteMultipartUpload with IfMatch replaces exactly the object that was seen, and the upload survives 412."""
    upload_id, etag = started_upload(s3, bucket, "t")
    old = put(s3, bucket, "t", b"old")
    call = {"Bucket": bucket, "Key": "t", "UploadId": upload_id}
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    assert refusal(s3.complete_multipart_upload, **call, MultipartUpload=parts, IfMatch=WRONG) == FAILED
    s3.complete_multipart_upload(**call, MultipartUpload=parts, IfMatch=old)
    assert s3.head_object(Bucket=bucket, Key="t")["ContentLength"] == PART + 1


def test_complete_with_another_size_is_refused(s3: Any, bucket: str, differs: Callable[[str], None]) -> None:
    """MpuObjectSize that differs from the sum of the parts is 400 InvalidRequest."""
    differs("SeaweedFS 4.48 does not read x-amz-mp-object-size")
    upload_id, etag = started_upload(s3, bucket, "t")
    found = refusal(
        s3.complete_multipart_upload,
        Bucket=bucket,
        Key="t",
        UploadId=upload_id,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]},
        MpuObjectSize=PART,
    )
    assert found == (400, "InvalidRequest")


def test_a_delete_marker_counts_as_missing(s3: Any, bucket: str) -> None:
    """IfNoneMatch * writes over a delete marker (S3 User Guide, conditional writes)."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put(s3, bucket, "source")
    put(s3, bucket, "t", b"old")
    s3.delete_object(Bucket=bucket, Key="t")
    s3.copy_object(Bucket=bucket, Key="t", CopySource={"Bucket": bucket, "Key": "source"}, IfNoneMatch="*")
    assert body_of(s3, bucket, "t") == b"bytes"


def test_a_bucket_policy_can_enforce_conditions_on_every_write(standin: Server) -> None:
    """Without one a write is a 403. CopyObject with one is a 501; parts have none, and the completion takes it."""
    s3, bucket = standin.client("s3"), new_name()
    s3.create_bucket(Bucket=bucket)
    put(s3, bucket, "source")
    s3.put_bucket_policy(Bucket=bucket, Policy=enforcing_policy(bucket))
    source = {"Bucket": bucket, "Key": "source"}
    denied, not_offered = (403, "AccessDenied"), (501, "NotImplemented")
    assert refusal(s3.put_object, Bucket=bucket, Key="new", Body=b"") == denied
    assert refusal(s3.copy_object, Bucket=bucket, Key="new", CopySource=source) == denied
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": WRONG}):
        assert refusal(s3.copy_object, Bucket=bucket, Key="new", CopySource=source, **condition) == not_offered
    upload = {"Bucket": bucket, "Key": "new"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    etag = s3.upload_part_copy(**upload, PartNumber=1, CopySource=source)["CopyPartResult"]["ETag"]
    parts = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}
    assert refusal(s3.complete_multipart_upload, **upload, **parts) == denied
    s3.complete_multipart_upload(**upload, **parts, IfNoneMatch="*")
    assert body_of(s3, bucket, "new") == b"bytes"
    s3.put_object(Bucket=bucket, Key="another", Body=b"", IfNoneMatch="*")
    s3.delete_bucket_policy(Bucket=bucket)
    s3.copy_object(
        Bucket=bucket, Key="another", CopySource=source, IfMatch=s3.head_object(Bucket=bucket, Key="another")["ETag"]
    )
