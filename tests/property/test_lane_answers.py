"""The lane returns and raises what boto3 does, for generated answers of every hot operation."""

import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.modelled import answer_headers, json_bodies, xml_bodies
from tests.wire import http, serving
from tests.worlds.lanes import JSON, ORDINARY, S3, BothLanes, Outcome, model_of, plain_answer, plain_parameters

DOCUMENTS = {
    "copy_object": ("CopyObjectResult", "ETag", "LastModified", "ChecksumCRC64NVME", "ChecksumType"),
    "upload_part_copy": ("CopyPartResult", "ETag", "LastModified", "ChecksumSHA256"),
    "get_object_tagging": ("Tagging", "TagSet", "VersionId"),
    "list_object_annotations": (
        "ListObjectAnnotationsResult",
        "Annotations",
        "AnnotationCount",
        "NextContinuationToken",
    ),
}
STATUSES = st.sampled_from([200] * 8 + [204, 206, 304, 400, 403, 404, 405, 409, 412, 429, 500, 503, 507])
ANSWERED = st.sampled_from([200] * 8 + [204, 400, 403, 404, 413])
"""Those that botocore does not ask for again: these clients would."""
ERRORS = [
    b"<Error><Code>NoSuchKey</Code><Message>gone</Message><Key>k</Key><RequestId>r</RequestId></Error>",
    b"<Error><Code>PreconditionFailed</Code><Condition>If-Match</Condition></Error>",
    b'{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no","Item":{"a":{"N":"1"}}}',
    b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no"}',
    b'{"__type":"com.amazon.coral.validate#ValidationException","Message":"no"}',
    b"{}",
    b"not what was expected",
]


@pytest.fixture(scope="module")
def both() -> Iterator[BothLanes]:
    """Clients of both kinds, which send each request once."""
    with serving(plain_answer) as wire:
        yield BothLanes(wire)


def assert_same(both: BothLanes, service: str, name: str, params: dict[str, Any], said: bytes) -> Outcome:
    """Both say the same of an answer, and ask once; what the lane says."""
    both.said = lambda _seen: said
    theirs = both.call(service, name, params, lane=False)
    ours = both.call(service, name, params, lane=True)
    assert (ours.returned, ours.raised) == (theirs.returned, theirs.raised)
    assert [one.told for one in ours.sent] == [one.told for one in theirs.sent]
    return ours


@pytest.mark.parametrize("name", S3)
@settings(max_examples=40)
@given(data=st.data())
def test_an_answer_of_s3_is_read_as_boto3_reads_it(both: BothLanes, name: str, data: st.DataObject) -> None:
    """Headers of every type, dates in every form, documents, errors, pages of a proxy."""
    both.begin("s3", name, plain_parameters(name))
    headers = data.draw(answer_headers(model_of(both, "s3", name).output_shape))
    status = data.draw(STATUSES)
    body = data.draw(st.sampled_from(ERRORS)) if status >= 300 else b""
    if name in DOCUMENTS and status < 300:
        body = data.draw(xml_bodies(*DOCUMENTS[name]))
    method = model_of(both, "s3", name).http["method"]
    assert_same(both, "s3", name, plain_parameters(name), http(status, body, method=method, **headers))


@pytest.mark.parametrize(("service", "name"), JSON)
@settings(max_examples=40)
@given(data=st.data())
def test_an_answer_in_json_is_read_as_boto3_reads_it(
    both: BothLanes, service: str, name: str, data: st.DataObject
) -> None:
    """Items, records, entries; members, types and nulls that no model names; what is no JSON."""
    both.begin(service, name, ORDINARY[name])
    shape = model_of(both, service, name).output_shape
    status = data.draw(ANSWERED)
    body = (
        data.draw(st.sampled_from(ERRORS))
        if status >= 300
        else b"{}"
        if shape is None
        else data.draw(json_bodies(shape))
    )
    headers = data.draw(st.fixed_dictionaries({}, optional={"x-amzn-requestid": st.uuids().map(str)}))
    if data.draw(st.booleans()):
        headers["x-amz-crc32"] = str(zlib.crc32(body))
    assert_same(both, service, name, ORDINARY[name], http(status, body, **headers))


RICH = http(
    200,
    method="HEAD",
    ETag='"e1-2"',
    Last_Modified="Wed, 21 Oct 2026 07:28:00 GMT",
    Expires="Wed, 21 Oct 2026 07:28:00 GMT",
    Content_Type="application/x-tar",
    x_amz_meta_Owner="line-1",
    x_amz_version_id="v1",
    x_amz_object_lock_retain_until_date="2030-01-01T00:00:00.000Z",
    x_amz_server_side_encryption_bucket_key_enabled="true",
    x_amz_tagging_count="2",
    x_amz_request_id="r1",
    x_amz_id_2="h1",
)


def test_an_ordinary_answer_is_read_in_the_lane(both: BothLanes) -> None:
    """Dates, flags, numbers and metadata have their types."""
    both.begin("s3", "head_object", plain_parameters("head_object"))
    outcome = assert_same(both, "s3", "head_object", plain_parameters("head_object"), RICH)
    assert outcome.is_lanes
    found = outcome.returned
    assert found["LastModified"].isoformat() == "2026-10-21T07:28:00+00:00"
    assert found["Metadata"] == {"Owner": "line-1"}
    assert (found["BucketKeyEnabled"], found["TagCount"], found["VersionId"]) == (True, 2, "v1")
    assert found["ObjectLockRetainUntilDate"].year == 2030
    assert found["ExpiresString"] == "Wed, 21 Oct 2026 07:28:00 GMT"


TAGS = (
    b"<Tagging><TagSet><Tag><Key>a</Key><Value>b&amp;c</Value></Tag><Tag><Key>d</Key><Value/></Tag></TagSet></Tagging>"
)


def test_tags_are_read_in_the_lane(both: BothLanes) -> None:
    """An empty value is an empty text."""
    both.begin("s3", "get_object_tagging", plain_parameters("get_object_tagging"))
    outcome = assert_same(both, "s3", "get_object_tagging", plain_parameters("get_object_tagging"), http(200, TAGS))
    assert outcome.is_lanes
    assert outcome.returned["TagSet"] == [{"Key": "a", "Value": "b&c"}, {"Key": "d", "Value": ""}]


def annotations(*, checksums: int) -> bytes:
    """A page of two annotations, each with so many checksum algorithms."""
    algorithms = "".join(f"<ChecksumAlgorithm>{name}</ChecksumAlgorithm>" for name in ("CRC32", "SHA256")[:checksums])
    one = f"<AnnotationName>{{}}</AnnotationName><ETag>&quot;e&quot;</ETag><Size>3</Size>{algorithms}"
    date = "<LastModified>2026-10-21T07:28:00.000Z</LastModified>"
    members = "".join(f"<Annotation>{one.format(name)}{date}</Annotation>" for name in ("a", "é&amp;"))
    return (
        "<ListObjectAnnotationsResult><Bucket>b</Bucket><AnnotationCount>2</AnnotationCount>"
        f"<Annotations>{members}</Annotations></ListObjectAnnotationsResult>"
    ).encode()


@pytest.mark.parametrize("checksums", [0, 1, 2])
def test_annotations_are_read_in_the_lane(both: BothLanes, checksums: int) -> None:
    """Each with its size and date; its algorithms are repeated elements."""
    name = "list_object_annotations"
    both.begin("s3", name, plain_parameters(name))
    outcome = assert_same(both, "s3", name, plain_parameters(name), http(200, annotations(checksums=checksums)))
    assert outcome.is_lanes
    found = outcome.returned["Annotations"]
    assert [(one["AnnotationName"], one["Size"], one["ETag"]) for one in found] == [("a", 3, '"e"'), ("é&", 3, '"e"')]
    assert [len(one.get("ChecksumAlgorithm", [])) for one in found] == [checksums] * 2


@pytest.mark.parametrize("name", ["copy_object", "upload_part_copy"])
def test_an_error_behind_a_success_is_an_error(both: BothLanes, name: str) -> None:
    """S3 sends its status before it copies; the error that comes after it must not count as a copy."""
    both.begin("s3_once", name, plain_parameters(name))
    said = http(200, b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>later</Message></Error>")
    outcome = assert_same(both, "s3_once", name, plain_parameters(name), said)
    assert outcome.raised is not None
    assert outcome.raised[1]["Error"]["Code"] == "SlowDown"
    assert [one.is_botocores for one in outcome.sent] == [False]


def test_an_answer_with_another_checksum_is_asked_for_again() -> None:
    """DynamoDB gives the checksum of what it sent; a damaged item must not be taken for the item."""
    with serving(plain_answer) as wire:
        both = BothLanes(wire)
        both.begin("dynamodb", "get_item", ORDINARY["get_item"])
        wrong = http(200, b'{"Item":{"pk":{"S":"damaged"}}}', x_amz_crc32="1")
        right = http(200, b'{"Item":{"pk":{"S":"a"}}}')
        both.said = lambda seen: right if seen.is_botocores else wrong
        found = both.call("dynamodb", "get_item", ORDINARY["get_item"], lane=True)
    assert found.returned["Item"] == {"pk": {"S": "a"}}
    assert [one.is_botocores for one in found.sent] == [False, True]
