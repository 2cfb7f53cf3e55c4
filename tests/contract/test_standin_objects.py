"""What the stand-in repairs of its emulator's objects, copies and uploads, against what AWS documents."""

import base64
import zlib
from hashlib import md5, sha256
from typing import Any
from urllib.error import HTTPError

import pytest
from botocore.exceptions import ClientError

from adapters.standin import StandIn
from tests.servers import new_name

MIB = 1024 * 1024


@pytest.fixture
def versioned(s3: Any, bucket: str) -> str:
    """A bucket that keeps versions."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def refused(call: Any, **arguments: Any) -> dict[str, Any]:
    """The error document that this call must meet, with its status."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    error = dict(raised.value.response["Error"])
    return error | {"Status": raised.value.response["ResponseMetadata"]["HTTPStatusCode"]}


def uploaded(s3: Any, bucket: str, key: str, bodies: list[bytes], **settings: Any) -> str:
    """A multipart upload of these parts; the object's etag without quotes."""
    algorithm = {"ChecksumAlgorithm": settings["ChecksumAlgorithm"]} if "ChecksumAlgorithm" in settings else {}
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key=key, **settings)["UploadId"]
    parts = []
    for number, body in enumerate(bodies, 1):
        part = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=body, **algorithm)
        checksums = {name: value for name, value in part.items() if name.startswith("Checksum")}
        checksums.pop("ChecksumType", None)
        parts.append({"PartNumber": number, "ETag": part["ETag"], **(checksums if algorithm else {})})
    answer = s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts})
    return str(answer["ETag"]).strip('"')


def copy(s3: Any, bucket: str, source: str, target: str, **settings: Any) -> Any:
    """One CopyObject within the bucket."""
    return s3.copy_object(Bucket=bucket, Key=target, CopySource={"Bucket": bucket, "Key": source}, **settings)


def test_412_names_the_condition(s3: Any, bucket: str) -> None:
    """S3's 412 carries Code, Message, Condition, RequestId and HostId."""
    s3.put_object(Bucket=bucket, Key="s", Body=b"")
    with pytest.raises(ClientError) as raised:
        copy(s3, bucket, "s", "s2", IfMatch='"0"', CopySourceIfMatch='"0"')
    assert raised.value.response["Error"] == {
        "Code": "PreconditionFailed",
        "Message": "At least one of the pre-conditions you specified did not hold",
        "Condition": "x-amz-copy-source-if-match",
    }
    assert raised.value.response["ResponseMetadata"]["RequestId"]


def test_copy_onto_itself_is_refused(s3: Any, bucket: str) -> None:
    """A copy onto itself that changes nothing is 400 InvalidRequest; with new metadata it is done."""
    s3.put_object(Bucket=bucket, Key="s", Body=b"1")
    assert refused(copy, s3=s3, bucket=bucket, source="s", target="s")["Code"] == "InvalidRequest"
    copy(s3, bucket, "s", "s", MetadataDirective="REPLACE", Metadata={"a": "b"})
    assert s3.head_object(Bucket=bucket, Key="s")["Metadata"] == {"a": "b"}


def test_a_copy_is_standard_unless_told(s3: Any, bucket: str) -> None:
    """The storage class is not copied (CopyObject reference, StorageClass)."""
    s3.put_object(Bucket=bucket, Key="s", Body=b"1", StorageClass="STANDARD_IA")
    copy(s3, bucket, "s", "plain")
    copy(s3, bucket, "s", "kept", StorageClass="STANDARD_IA")
    assert "StorageClass" not in s3.head_object(Bucket=bucket, Key="plain")
    assert s3.head_object(Bucket=bucket, Key="kept")["StorageClass"] == "STANDARD_IA"
    assert s3.head_object(Bucket=bucket, Key="s")["StorageClass"] == "STANDARD_IA"


def test_a_copy_keeps_headers_metadata_and_tags_but_no_redirect(s3: Any, bucket: str) -> None:
    """What COPY carries, and the website redirect, which it does not."""
    s3.put_object(
        Bucket=bucket,
        Key="s",
        Body=b"1",
        Metadata={"owner": "me"},
        Tagging="a=1&b=2",
        ContentType="text/plain",
        ContentEncoding="gzip",
        CacheControl="no-cache",
        WebsiteRedirectLocation="/elsewhere",
    )
    copy(s3, bucket, "s", "t")
    head = s3.head_object(Bucket=bucket, Key="t")
    assert (head["Metadata"], head["ContentType"], head["ContentEncoding"]) == ({"owner": "me"}, "text/plain", "gzip")
    assert (head["CacheControl"], head["TagCount"]) == ("no-cache", 2)
    assert "WebsiteRedirectLocation" not in head
    assert s3.head_object(Bucket=bucket, Key="s")["WebsiteRedirectLocation"] == "/elsewhere"


def test_replace_without_a_content_type_is_binary(s3: Any, bucket: str) -> None:
    """REPLACE keeps neither the content type nor the encoding (CopyObject reference, MetadataDirective)."""
    s3.put_object(Bucket=bucket, Key="s", Body=b"1", ContentType="text/plain", ContentEncoding="gzip")
    copy(s3, bucket, "s", "t", MetadataDirective="REPLACE")
    head = s3.head_object(Bucket=bucket, Key="t")
    assert head["ContentType"] == "binary/octet-stream"
    assert "ContentEncoding" not in head


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"Metadata": {"m": "x" * 2048}}, "MetadataTooLarge"),
        ({"Tagging": "&".join(f"t{number}=v" for number in range(11))}, "BadRequest"),
        ({"Tagging": "t=1&t=2"}, "InvalidTag"),
    ],
)
def test_too_many_attributes_are_refused(s3: Any, bucket: str, settings: dict[str, Any], code: str) -> None:
    """Over 2 KB of metadata or ten tags nothing is written, by no operation."""
    s3.put_object(Bucket=bucket, Key="s", Body=b"", Metadata={"m": "x" * 2047})
    call = {"Bucket": bucket, "Key": "t"} | settings
    replaced = {"MetadataDirective": "REPLACE", "TaggingDirective": "REPLACE"}
    assert refused(s3.put_object, **call)["Code"] == code
    assert refused(s3.copy_object, **call, **replaced, CopySource={"Bucket": bucket, "Key": "s"})["Code"] == code
    assert refused(s3.create_multipart_upload, **call)["Code"] == code
    assert refused(s3.head_object, Bucket=bucket, Key="t")["Status"] == 404


def test_every_object_is_encrypted(s3: Any, bucket: str) -> None:
    """SSE-S3 where nothing was asked, KMS where it was; a copy does not inherit the source's."""
    s3.put_object(Bucket=bucket, Key="s", Body=b"", ServerSideEncryption="aws:kms")
    copy(s3, bucket, "s", "t")
    found = [s3.head_object(Bucket=bucket, Key=key)["ServerSideEncryption"] for key in ("s", "t")]
    assert found == ["aws:kms", "AES256"]


def test_an_overwrite_without_tags_has_none(s3: Any, bucket: str) -> None:
    """Tags belong to the object that was replaced."""
    s3.put_object(Bucket=bucket, Key="s", Body=b"1", Tagging="a=1")
    s3.put_object(Bucket=bucket, Key="s", Body=b"2")
    assert s3.get_object_tagging(Bucket=bucket, Key="s")["TagSet"] == []


def test_a_copy_of_a_multipart_object_is_a_single_part(s3: Any, bucket: str) -> None:
    """The copy's etag is the MD5 of its bytes, and a composite checksum becomes one of the whole object."""
    bodies = [b"a" * 5 * MIB, b"b"]
    etag = uploaded(s3, bucket, "s", bodies, ChecksumAlgorithm="CRC32")
    assert etag.endswith("-2")
    head = s3.head_object(Bucket=bucket, Key="s", ChecksumMode="ENABLED")
    assert (head["ChecksumType"], head["ChecksumCRC32"][-2:]) == ("COMPOSITE", "-2")
    result = copy(s3, bucket, "s", "t", CopySourceIfMatch=f'"{etag}"')["CopyObjectResult"]
    whole = b"".join(bodies)
    assert result["ETag"].strip('"') == md5(whole, usedforsecurity=False).hexdigest()
    head = s3.head_object(Bucket=bucket, Key="t", ChecksumMode="ENABLED")
    expected = base64.b64encode(zlib.crc32(whole).to_bytes(4, "big")).decode()
    assert (head["ChecksumType"], head["ChecksumCRC32"]) == ("FULL_OBJECT", expected)
    assert s3.head_object(Bucket=bucket, Key="s")["ETag"] == f'"{etag}"'


def test_a_copy_gets_the_checksum_asked_for(s3: Any, bucket: str) -> None:
    """ChecksumAlgorithm on CopyObject puts that checksum on the copy and in the answer."""
    s3.put_object(Bucket=bucket, Key="s", Body=b"1")
    expected = base64.b64encode(sha256(b"1").digest()).decode()
    assert copy(s3, bucket, "s", "t", ChecksumAlgorithm="SHA256")["CopyObjectResult"]["ChecksumSHA256"] == expected
    head = s3.head_object(Bucket=bucket, Key="t", ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"] == expected
    assert "ChecksumSHA256" not in s3.head_object(Bucket=bucket, Key="s", ChecksumMode="ENABLED")


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archived_source_cannot_be_copied(s3: Any, bucket: str, storage_class: str) -> None:
    """CopyObject and UploadPartCopy of an archived object are 403 InvalidObjectState."""
    s3.put_object(Bucket=bucket, Key="s", Body=b"1", StorageClass=storage_class)
    error = refused(copy, s3=s3, bucket=bucket, source="s", target="t")
    assert (error["Status"], error["Code"], error["StorageClass"]) == (403, "InvalidObjectState", storage_class)
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="t")["UploadId"]
    source = {"Bucket": bucket, "Key": "s"}
    part = {"Bucket": bucket, "Key": "t", "UploadId": upload_id, "PartNumber": 1, "CopySource": source}
    assert refused(s3.upload_part_copy, **part)["Code"] == "InvalidObjectState"


def test_a_source_over_the_limit_needs_parts(s3: Any, bucket: str, standin_process: StandIn) -> None:
    """Over 5 GiB (lowered here) CopyObject is 400 InvalidRequest; exactly at the limit it copies."""
    standin_process.set_limits(copy_bytes=10)
    s3.put_object(Bucket=bucket, Key="at", Body=b"x" * 10)
    s3.put_object(Bucket=bucket, Key="over", Body=b"x" * 11)
    copy(s3, bucket, "at", "t")
    error = refused(copy, s3=s3, bucket=bucket, source="over", target="t")
    assert (error["Status"], error["Code"]) == (400, "InvalidRequest")
    assert error["Message"] == (
        "The specified copy source is larger than the maximum allowable size for a copy source: 10"
    )


@pytest.mark.parametrize("key", ["k" * 1024, "é" * 512, "a/../b", "a/b/../../c", "a/..b", "...", "//", "/lead", "a//b"])
def test_keys_that_s3_takes(s3: Any, bucket: str, key: str) -> None:
    """1,024 bytes, dots that do not climb, empty segments."""
    s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("k" * 1025, "KeyTooLongError"),
        ("é" * 513, "KeyTooLongError"),
        ("a/../../b", "InvalidURI"),
        ("../a", "InvalidURI"),
    ],
)
def test_keys_that_s3_refuses(s3: Any, bucket: str, key: str, code: str) -> None:
    """Bytes count, not characters; ``..`` may not outnumber what stands before it."""
    error = refused(s3.put_object, Bucket=bucket, Key=key, Body=b"1")
    assert (error["Status"], error["Code"]) == (400, code)


def test_keys_with_control_characters_do_not_break_answers(s3: Any, bucket: str) -> None:
    """XML cannot carry U+0001: uploads, errors and listings of such a key can be read all the same."""
    key = "control\x01"
    assert refused(s3.get_object, Bucket=bucket, Key=key)["Code"] == "NoSuchKey"
    assert refused(copy, s3=s3, bucket=bucket, source=key, target="t")["Code"] == "NoSuchKey"
    uploaded(s3, bucket, key, [b"1\x01"])
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"1\x01"


def test_a_bucket_of_another_owner_is_denied(s3: Any, bucket: str) -> None:
    """ExpectedBucketOwner and ExpectedSourceBucketOwner guard against a bucket that changed hands."""
    s3.put_object(Bucket=bucket, Key="s", Body=b"", ExpectedBucketOwner="000000000000")
    for name in ("ExpectedBucketOwner", "ExpectedSourceBucketOwner"):
        error = refused(copy, s3=s3, bucket=bucket, source="s", target="t", **{name: "111111111111"})
        assert (error["Status"], error["Code"]) == (403, "AccessDenied")


def test_a_version_can_be_pinned(s3: Any, versioned: str) -> None:
    """A copy reads the version it names, with that version's tags, and says so."""
    first = s3.put_object(Bucket=versioned, Key="s", Body=b"1", Tagging="n=1")["VersionId"]
    s3.put_object(Bucket=versioned, Key="s", Body=b"2", Tagging="n=2")
    source = {"Bucket": versioned, "Key": "s", "VersionId": first}
    answer = s3.copy_object(Bucket=versioned, Key="t", CopySource=source)
    assert answer["CopySourceVersionId"] == first
    assert s3.get_object(Bucket=versioned, Key="t")["Body"].read() == b"1"
    assert s3.get_object_tagging(Bucket=versioned, Key="t")["TagSet"] == [{"Key": "n", "Value": "1"}]


def test_the_version_from_before_versioning_is_null(s3: Any, bucket: str) -> None:
    """``versionId=null`` names the object written before versioning was enabled."""
    s3.put_object(Bucket=bucket, Key="s", Body=b"1")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.copy_object(Bucket=bucket, Key="t", CopySource={"Bucket": bucket, "Key": "s", "VersionId": "null"})
    assert s3.get_object(Bucket=bucket, Key="t")["Body"].read() == b"1"


def test_a_delete_marker_is_no_source(s3: Any, versioned: str) -> None:
    """Under a marker the source is 404; the marker's own version is 400."""
    s3.put_object(Bucket=versioned, Key="s", Body=b"1")
    marker = s3.delete_object(Bucket=versioned, Key="s")["VersionId"]
    assert refused(copy, s3=s3, bucket=versioned, source="s", target="t")["Code"] == "NoSuchKey"
    source = {"Bucket": versioned, "Key": "s", "VersionId": marker}
    error = refused(s3.copy_object, Bucket=versioned, Key="t", CopySource=source)
    assert (error["Status"], error["Code"]) == (400, "InvalidRequest")


def test_deleting_the_marker_brings_the_version_back(s3: Any, versioned: str) -> None:
    """Removing the delete marker by its version makes the version under it current."""
    s3.put_object(Bucket=versioned, Key="s", Body=b"1", Tagging="n=1")
    marker = s3.delete_object(Bucket=versioned, Key="s")["VersionId"]
    s3.delete_object(Bucket=versioned, Key="s", VersionId=marker)
    assert s3.get_object(Bucket=versioned, Key="s")["Body"].read() == b"1"
    assert s3.get_object_tagging(Bucket=versioned, Key="s")["TagSet"] == [{"Key": "n", "Value": "1"}]


def test_tags_on_create_multipart_upload_are_kept(s3: Any, bucket: str) -> None:
    """Tagging on CreateMultipartUpload is the completed object's; one without tags replaces those before it."""
    uploaded(s3, bucket, "t", [b"1"], Tagging="a=1&b=")
    tags = s3.get_object_tagging(Bucket=bucket, Key="t")["TagSet"]
    assert sorted((tag["Key"], tag["Value"]) for tag in tags) == [("a", "1"), ("b", "")]
    uploaded(s3, bucket, "t", [b"2"])
    assert s3.get_object_tagging(Bucket=bucket, Key="t")["TagSet"] == []


def test_a_multipart_copy_gets_its_checksum(s3: Any, bucket: str) -> None:
    """Parts made by UploadPartCopy carry the upload's algorithm, so that the completed object has one."""
    body = b"z" * (6 * MIB)
    etag = s3.put_object(Bucket=bucket, Key="s", Body=body)["ETag"]
    call = {"Bucket": bucket, "Key": "t"}
    call["UploadId"] = s3.create_multipart_upload(**call, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")[
        "UploadId"
    ]
    parts = []
    for number, span in enumerate(("0-5242879", "5242880-6291455"), 1):
        source = {"CopySource": {"Bucket": bucket, "Key": "s"}, "CopySourceIfMatch": etag}
        answer = s3.upload_part_copy(**call, **source, PartNumber=number, CopySourceRange=f"bytes={span}")
        result = answer["CopyPartResult"]
        parts.append({"PartNumber": number, "ETag": result["ETag"], "ChecksumCRC32": result["ChecksumCRC32"]})
    done = s3.complete_multipart_upload(
        **call, MultipartUpload={"Parts": parts}, MpuObjectSize=len(body), ChecksumType="FULL_OBJECT"
    )
    expected = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    assert (done["ChecksumCRC32"], done["ChecksumType"]) == (expected, "FULL_OBJECT")
    head = s3.head_object(Bucket=bucket, Key="t", ChecksumMode="ENABLED")
    assert (head["ChecksumCRC32"], head["ChecksumType"]) == (expected, "FULL_OBJECT")


def test_parts_but_the_last_have_a_least_size(s3: Any, bucket: str) -> None:
    """A part under 5 MiB that is not the last is EntityTooSmall at completion."""
    with pytest.raises(ClientError, match="EntityTooSmall"):
        uploaded(s3, bucket, "t", [b"small", b"last"])


def test_parts_come_in_order(s3: Any, bucket: str, standin_process: StandIn) -> None:
    """Parts listed out of order, or twice, are InvalidPartOrder at completion; the upload survives that."""
    standin_process.set_limits(part_bytes=1)
    call = {"Bucket": bucket, "Key": "t", "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="t")["UploadId"]}
    one, two = (
        {"PartNumber": number, "ETag": s3.upload_part(**call, PartNumber=number, Body=body)["ETag"]}
        for number, body in ((1, b"one"), (2, b"two"))
    )
    for parts in ([two, one], [one, one]):
        with pytest.raises(ClientError, match="InvalidPartOrder"):
            s3.complete_multipart_upload(**call, MultipartUpload={"Parts": parts})
    s3.complete_multipart_upload(**call, MultipartUpload={"Parts": [one, two]})
    assert s3.get_object(Bucket=bucket, Key="t")["Body"].read() == b"onetwo"


def test_a_range_of_a_small_source_is_refused(s3: Any, bucket: str) -> None:
    """UploadPartCopy reads by range only from a source over 5 MiB."""
    s3.put_object(Bucket=bucket, Key="s", Body=b"12")
    call = {"Bucket": bucket, "Key": "t"}
    call["UploadId"] = s3.create_multipart_upload(**call)["UploadId"]
    source = {"CopySource": {"Bucket": bucket, "Key": "s"}, "PartNumber": 1, "CopySourceRange": "bytes=0-0"}
    assert refused(s3.upload_part_copy, **call, **source)["Code"] == "InvalidRequest"


def test_completing_twice_answers_the_same(s3: Any, bucket: str) -> None:
    """The repeat of a completion that succeeded succeeds, even where its condition no longer holds."""
    call = {"Bucket": bucket, "Key": "t"}
    call["UploadId"] = s3.create_multipart_upload(**call)["UploadId"]
    etag = s3.upload_part(**call, PartNumber=1, Body=b"1")["ETag"]
    complete = call | {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}, "IfNoneMatch": "*"}
    assert s3.complete_multipart_upload(**complete)["ETag"] == s3.complete_multipart_upload(**complete)["ETag"]


def test_many_objects_are_put_at_once(standin_process: StandIn, s3: Any, versioned: str) -> None:
    """Each is what a PutObject of this body makes, whatever its key; a refused one is named."""
    s3.put_object(Bucket=versioned, Key="one", Body=b"body")
    keys = ["a b", "ü/%2F+?#", "deep//er/", "z"]
    standin_process.put_objects(versioned, keys, "body")
    listed = {
        found["Key"]: (found["ETag"], found["Size"]) for found in s3.list_objects_v2(Bucket=versioned)["Contents"]
    }
    assert set(listed) == {"one", *keys}
    assert set(listed.values()) == {(f'"{md5(b"body", usedforsecurity=False).hexdigest()}"', 4)}
    with pytest.raises(HTTPError, match="400"):
        standin_process.put_objects(new_name(), ["a"], "body")
