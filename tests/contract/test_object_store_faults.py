"""The S3 adapters when AWS does what emulators do not do by themselves, and the exact requests they send."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from adapters.aws.clients import AwsClients
from adapters.s3.annotation_store import PROBE, S3AnnotationStore
from adapters.s3.multipart_store import S3MultipartStore
from adapters.s3.object_store import S3ObjectStore
from adapters.s3.requests import Owners, not_inherited
from adapters.standin import StandIn
from adapters.standin.faults import Fault, FaultKind, FaultMoment
from domain.errors import (
    AccessDeniedError,
    ArchivedError,
    KeyshiftError,
    RefusedRequestError,
    ThrottledError,
    UnavailableError,
)
from domain.keys import Location
from domain.objects import ContentHeaders, Encryption, EventHold, Lock, ObjectState
from domain.protocol.annotations import Annotation
from domain.protocol.parts import Part
from domain.protocol.ports import MustBeAbsent, MustMatch, Refused, SourceObject, TargetObject, Written
from tests.servers import Server, new_name
from tests.worlds.objects import FAR, TWO_PARTS, ServerWorld, clients_for, new_pair

SOURCE, TARGET = Location("old-bucket", "old/%2F key?versionId=x"), Location("new-bucket", "new/key")
ETAG = "e" * 32


@pytest.fixture
def world(standin: Server) -> ServerWorld:
    """The adapters on the stand-in."""
    return ServerWorld(standin)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("CopyObject", code="SlowDown", status=503), ThrottledError),
        (Fault("CopyObject", code="InternalError", status=500), UnavailableError),
        (Fault("CopyObject", kind=FaultKind.ERROR_IN_200, code="InternalError"), UnavailableError),
        (Fault("CopyObject", kind=FaultKind.ERROR_IN_200, code="AccessDenied"), AccessDeniedError),
        (Fault("CopyObject", kind=FaultKind.EMPTY_200, moment=FaultMoment.AFTER), UnavailableError),
        (Fault("CopyObject", kind=FaultKind.RESET), UnavailableError),
        (Fault("CopyObject", kind=FaultKind.RESET, moment=FaultMoment.AFTER), UnavailableError),
        (Fault("CopyObject", code="AccessDenied", status=403), AccessDeniedError),
        (Fault("CopyObject", code="InvalidObjectState", status=403), ArchivedError),
    ],
    ids=lambda value: f"{value.kind}-{value.code}-{value.moment}" if isinstance(value, Fault) else "",
)
def test_a_copy_that_fails_is_sent_once(
    world: ServerWorld, standin_process: StandIn, fault: Fault, expected: type[KeyshiftError]
) -> None:
    """No hidden repeat: a second fault for the same call is still there afterwards."""
    pair = new_pair(world)
    standin_process.inject(fault)
    standin_process.inject(fault)
    with pytest.raises(expected):
        world.store.copy_object(pair.origin(), pair.goal(), seen=None)
    assert standin_process.pending_faults() == 1


def test_a_409_is_tried_again(world: ServerWorld, standin_process: StandIn) -> None:
    """A concurrent write is a refusal without effect: the copy is sent again and lands."""
    pair = new_pair(world)
    standin_process.inject(Fault("CopyObject", status=409, code="ConditionalRequestConflict", count=2))
    assert isinstance(world.store.copy_object(pair.origin(), pair.goal(), seen=None), Written)


def test_a_409_that_stays_is_concurrent(world: ServerWorld, standin_process: StandIn) -> None:
    """After a few tries the caller is told."""
    pair = new_pair(world)
    standin_process.inject(Fault("DeleteObject", status=409, code="ConditionalRequestConflict", count=9))
    answer = world.store.delete_object(pair.source, if_match=pair.seen().etag, send_before=FAR)
    assert answer is Refused.CONCURRENT
    assert world.body(pair.source) == b"bytes"


def test_a_409_on_completion_is_not_tried_again(world: ServerWorld, standin_process: StandIn) -> None:
    """S3 wants a new upload then."""
    pair = new_pair(world, TWO_PARTS)
    upload_id = world.multipart.create_upload(pair.goal(), seen=pair.seen())
    standin_process.inject(Fault("CompleteMultipartUpload", status=409, code="ConditionalRequestConflict"))
    answer = world.multipart.complete_upload(pair.goal(), upload_id=upload_id, etags={1: ETAG}, size=1)
    assert answer is Refused.CONCURRENT


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_failed_look_is_never_absent(standin: Server, standin_process: StandIn, status: int) -> None:
    """Only a certain 404 is None."""
    world = ServerWorld(standin, attempts=1)
    pair = new_pair(world)
    code = {403: "AccessDenied", 500: "InternalError", 503: "SlowDown"}[status]
    standin_process.inject(Fault("HeadObject", status=status, code=code, count=9))
    with pytest.raises((AccessDeniedError, UnavailableError, ThrottledError)):
        world.store.look_at_object(pair.source)


def test_a_part_is_repeated_by_the_sdk(world: ServerWorld, standin_process: StandIn) -> None:
    """Parts may be sent again: the same bytes under the same number."""
    pair = new_pair(world, TWO_PARTS)
    upload_id = world.multipart.create_upload(pair.goal(), seen=pair.seen())
    standin_process.inject(Fault("UploadPartCopy", kind=FaultKind.ERROR_IN_200, code="InternalError"))
    parts = [Part(1, 0, len(TWO_PARTS) - 2), Part(2, len(TWO_PARTS) - 1, len(TWO_PARTS) - 1)]
    answer = world.multipart.copy_parts(pair.origin(), pair.goal(), upload_id=upload_id, parts=parts)
    assert not isinstance(answer, Refused)
    assert set(answer) == {1, 2}
    world.multipart.abort_upload(pair.target, upload_id=upload_id)


def test_an_unreachable_endpoint_is_named() -> None:
    """The message says where nobody answers."""
    clients = AwsClients(
        endpoint_url="http://127.0.0.1:9", region="us-east-1", access_key_id="a", secret_access_key="b"
    )
    pinned = TargetObject(TARGET, MustBeAbsent(), FAR)
    with pytest.raises(UnavailableError, match=r"cannot reach http://127\.0\.0\.1:9"):
        S3ObjectStore(clients).copy_object(SourceObject(SOURCE, ETAG), pinned, seen=None)


# What is sent, to the letter: a server that ignores a parameter would not show its absence.
SEEN = ObjectState(
    etag=ETAG,
    size=9,
    headers=ContentHeaders("a/b", "gzip", "inline", "de", "no-store", "soon", "/elsewhere"),
    metadata={"owner": "x"},
    tags={"a b": "c=d"},
    storage_class="STANDARD_IA",
    encryption=Encryption("aws:kms", "key-1", bucket_key=True),
    lock=Lock("GOVERNANCE", "2999-01-01T00:00:00+00:00", legal_hold=True, event_hold=EventHold(days=30)),
    checksums={"CRC32C": "abc="},
    full_checksums=True,
)
NOT_INHERITED = {
    "WebsiteRedirectLocation": "/elsewhere",
    "ServerSideEncryption": "aws:kms",
    "SSEKMSKeyId": "key-1",
    "BucketKeyEnabled": True,
    "ObjectLockMode": "GOVERNANCE",
    "ObjectLockRetainUntilDate": datetime(2999, 1, 1, tzinfo=UTC),
    "ObjectLockLegalHoldStatus": "ON",
    "ObjectLockEventHold": "ON",
    "ObjectLockEventHoldDurationDays": 30,
}


@pytest.fixture
def clients() -> AwsClients:
    """Clients that never get to send."""
    return AwsClients(region="us-east-1", access_key_id="a", secret_access_key="b")


def owners() -> Owners:
    """Each bucket has its account."""
    return Owners({"old-bucket": "111111111111", "new-bucket": "222222222222"})


def granting() -> Owners:
    """And the target's account gets full control of the copies."""
    return replace(owners(), full_control=frozenset({"new-bucket"}))


def test_every_parameter_of_a_replacing_copy(clients: AwsClients) -> None:
    """Source pinned by etag and version, target by etag, owners named, nothing of the source left behind."""
    expected: dict[str, Any] = {
        "Bucket": "new-bucket",
        "Key": "new/key",
        "CopySource": {"Bucket": "old-bucket", "Key": SOURCE.key, "VersionId": "v1"},
        "CopySourceIfMatch": f'"{ETAG}"',
        "IfMatch": '"known"',
        "MetadataDirective": "COPY",
        "TaggingDirective": "COPY",
        "AnnotationDirective": "COPY",
        "StorageClass": "STANDARD_IA",
        "ExpectedBucketOwner": "222222222222",
        "ExpectedSourceBucketOwner": "111111111111",
        "ACL": "bucket-owner-full-control",
    } | NOT_INHERITED
    answer = {"CopyObjectResult": {"ETag": f'"{ETAG}"'}, "VersionId": "t1", "CopySourceVersionId": "v1"}
    with Stubber(clients.s3_once) as stub:
        stub.add_response("copy_object", answer, expected)
        target = TargetObject(TARGET, MustMatch("known"), FAR, "STANDARD_IA")
        copied = S3ObjectStore(clients, owners=granting()).copy_object(
            SourceObject(SOURCE, ETAG, "v1"), target, seen=SEEN
        )
        stub.assert_no_pending_responses()
    assert copied == Written(ETAG, "t1", "v1")


def test_a_first_copy_wants_an_absent_target(clients: AwsClients) -> None:
    """If-None-Match: * and no If-Match."""
    expected: dict[str, Any] = {
        "Bucket": "new-bucket",
        "Key": "new/key",
        "CopySource": {"Bucket": "old-bucket", "Key": SOURCE.key},
        "CopySourceIfMatch": f'"{ETAG}"',
        "IfNoneMatch": "*",
        "MetadataDirective": "COPY",
        "TaggingDirective": "COPY",
        "AnnotationDirective": "COPY",
        "StorageClass": "STANDARD",
    }
    with Stubber(clients.s3_once) as stub:
        stub.add_response("copy_object", {"CopyObjectResult": {"ETag": f'"{ETAG}"'}}, expected)
        S3ObjectStore(clients).copy_object(
            SourceObject(SOURCE, ETAG), TargetObject(TARGET, MustBeAbsent(), FAR), seen=None
        )
        stub.assert_no_pending_responses()


def test_every_parameter_of_an_upload(clients: AwsClients) -> None:
    """CreateMultipartUpload inherits nothing, so all of it is said again."""
    expected: dict[str, Any] = {
        "Bucket": "new-bucket",
        "Key": "new/key",
        "Metadata": {"owner": "x"},
        "Tagging": "a%20b=c%3Dd",
        "ContentType": "a/b",
        "ContentEncoding": "gzip",
        "ContentDisposition": "inline",
        "ContentLanguage": "de",
        "CacheControl": "no-store",
        "StorageClass": "STANDARD_IA",
        "ChecksumAlgorithm": "CRC32C",
        "ChecksumType": "FULL_OBJECT",
        "ExpectedBucketOwner": "222222222222",
        "ACL": "bucket-owner-full-control",
    } | NOT_INHERITED
    store = S3MultipartStore(clients, owners=granting())
    with Stubber(clients.s3_once) as stub:
        stub.add_response("create_multipart_upload", {"UploadId": "u"}, expected)
        assert store.create_upload(TargetObject(TARGET, MustBeAbsent(), FAR, "STANDARD_IA"), seen=SEEN) == "u"


def test_an_expires_text_that_is_no_date_is_sent_as_it_is(clients: AwsClients) -> None:
    """The SDK would take dates only; the owner's header must survive all the same."""
    sent: list[bytes] = []

    def catch(request: Any, **_unused: Any) -> None:
        sent.append(request.headers["Expires"])
        raise UnavailableError("caught before it was sent")

    clients.s3_once.meta.events.register("before-send.s3", catch)
    with pytest.raises(UnavailableError, match="caught"):
        S3MultipartStore(clients).create_upload(TargetObject(TARGET, MustBeAbsent(), FAR), seen=SEEN)
    assert sent == [b"soon"]


def test_every_part_is_pinned(clients: AwsClients) -> None:
    """Each part names the etag, the version, its bytes and both owners."""
    expected: dict[str, Any] = {
        "Bucket": "new-bucket",
        "Key": "new/key",
        "CopySource": {"Bucket": "old-bucket", "Key": SOURCE.key, "VersionId": "v1"},
        "CopySourceIfMatch": f'"{ETAG}"',
        "CopySourceRange": "bytes=5242880-5242889",
        "UploadId": "u",
        "PartNumber": 2,
        "ExpectedBucketOwner": "222222222222",
        "ExpectedSourceBucketOwner": "111111111111",
    }
    with Stubber(clients.s3) as stub:
        stub.add_response("upload_part_copy", {"CopyPartResult": {"ETag": '"p"'}}, expected)
        answer = S3MultipartStore(clients, owners=owners()).copy_parts(
            SourceObject(SOURCE, ETAG, "v1"),
            TargetObject(TARGET, MustBeAbsent(), FAR),
            upload_id="u",
            parts=[Part(2, 5_242_880, 5_242_889)],
        )
    assert answer == {2: "p"}


def test_completion_names_parts_size_and_condition(clients: AwsClients) -> None:
    """Parts in order, the object's size, the target's condition."""
    expected: dict[str, Any] = {
        "Bucket": "new-bucket",
        "Key": "new/key",
        "UploadId": "u",
        "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": "a"}, {"PartNumber": 2, "ETag": "b"}]},
        "MpuObjectSize": 9,
        "IfNoneMatch": "*",
    }
    with Stubber(clients.s3_once) as stub:
        stub.add_response("complete_multipart_upload", {"ETag": '"c-2"'}, expected)
        answer = S3MultipartStore(clients).complete_upload(
            TargetObject(TARGET, MustBeAbsent(), FAR), upload_id="u", etags={2: "b", 1: "a"}, size=9
        )
    assert answer == Written("c-2")


def test_a_completion_without_a_result_is_no_success(clients: AwsClients) -> None:
    """An answer that names no etag is a doubt."""
    with Stubber(clients.s3_once) as stub:
        stub.add_response("complete_multipart_upload", {}, dict.fromkeys(_COMPLETION, ANY))
        with pytest.raises(UnavailableError):
            S3MultipartStore(clients).complete_upload(
                TargetObject(TARGET, MustBeAbsent(), FAR), upload_id="u", etags={1: "a"}, size=9
            )


_COMPLETION = ("Bucket", "Key", "UploadId", "MultipartUpload", "MpuObjectSize", "IfNoneMatch")


def test_tags_of_another_object_than_heads_are_read_again(clients: AwsClients) -> None:
    """HEAD's tag count tells that an overwrite came between the two requests."""
    head: dict[str, Any] = {
        "ETag": f'"{ETAG}"',
        "ContentLength": 1,
        "LastModified": datetime(2026, 1, 1, tzinfo=UTC),
    }
    with Stubber(clients.s3) as stub:
        stub.add_response("head_object", head | {"TagCount": 1})
        stub.add_response("get_object_tagging", {"TagSet": []})
        stub.add_response("head_object", head | {"ETag": '"newer"'})
        stub.add_response("get_object_tagging", {"TagSet": []})
        seen = S3ObjectStore(clients).look_at_object(SOURCE, with_tags=True)
        stub.assert_no_pending_responses()
    assert seen is not None
    assert (seen.etag, seen.tags) == ("newer", {})


def test_the_guard_looks_at_the_clock_when_the_request_goes_out(standin: Server) -> None:
    """A process that was stopped while it built the request does not send it."""
    seconds = iter([5.0, 11.0])
    clients = replace(clients_for(standin), monotonic=lambda: next(seconds))
    bucket = new_name("bucket")
    clients.s3.create_bucket(Bucket=bucket)
    store = S3ObjectStore(clients)
    here = Location(bucket, "key")
    assert store.delete_object(here, if_match=ETAG, send_before=10.0) is Refused.SOURCE_ABSENT
    with pytest.raises(KeyshiftError, match="not sent"):
        store.delete_object(here, if_match=ETAG, send_before=10.0)


def test_an_upload_is_aborted_until_no_part_is_left(clients: AwsClients) -> None:
    """A part that was under way during the first abort keeps the upload alive, so it is aborted again."""
    upload = {"Bucket": TARGET.bucket, "Key": TARGET.key, "UploadId": "u"}
    with Stubber(clients.s3) as stub:
        stub.add_response("abort_multipart_upload", {}, upload)
        stub.add_response("list_parts", {"Parts": [{"PartNumber": 1, "ETag": '"late"'}]}, upload)
        stub.add_response("abort_multipart_upload", {}, upload)
        stub.add_client_error("list_parts", "NoSuchUpload", http_status_code=404, expected_params=upload)
        S3MultipartStore(clients).abort_upload(TARGET, upload_id="u")
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("server_name", ["moto_endpoint", "standin"])
def test_a_lock_that_the_targets_server_refuses_is_not_tried_again(
    server_name: str, request: pytest.FixtureRequest
) -> None:
    """A locked source, and a target bucket without object lock: refused for good, with the way out."""
    world = ServerWorld(request.getfixturevalue(server_name))
    pair = new_pair(world)
    locked = replace(pair.seen(), lock=Lock("GOVERNANCE", "2999-01-01T00:00:00+00:00"))
    with pytest.raises(RefusedRequestError, match="enable object lock on the target bucket"):
        world.store.copy_object(pair.origin(), pair.goal(), seen=locked)


def test_every_page_of_annotations_is_asked_for(clients: AwsClients) -> None:
    """S3 may answer with fewer than it has; a first request shows that it knows annotations."""
    place = {"Bucket": "old-bucket", "Key": SOURCE.key, "ExpectedBucketOwner": "111111111111"}
    moment = datetime(2026, 11, 30, tzinfo=UTC)
    version = {"VersionId": "v1"}

    def page(name: str, **more: str) -> dict[str, Any]:
        return {
            "Annotations": [{"AnnotationName": name, "LastModified": moment, "Size": 3, "ETag": f'"{name}"'}],
            **more,
        }

    with Stubber(clients.s3) as stub:
        stub.add_client_error(
            "get_object_annotation", "NoSuchAnnotation", expected_params=place | version | {"AnnotationName": PROBE}
        )
        stub.add_response("list_object_annotations", page("a", NextContinuationToken="t"), place | version)
        stub.add_response("list_object_annotations", page("b"), place | version | {"ContinuationToken": "t"})
        found = S3AnnotationStore(clients, owners=owners()).list_annotations(SOURCE, version_id="v1")
        stub.assert_no_pending_responses()
    assert found == {"a": Annotation(3, "a"), "b": Annotation(3, "b")}


def test_every_parameter_of_an_annotation(clients: AwsClients) -> None:
    """The object's etag is the condition."""
    expected: dict[str, Any] = {"Bucket": "new-bucket", "Key": "new/key", "ExpectedBucketOwner": "222222222222"}
    expected |= {"AnnotationName": "n", "AnnotationPayload": b"text", "ObjectIfMatch": f'"{ETAG}"'}
    with Stubber(clients.s3_once) as stub:
        stub.add_response("put_object_annotation", {}, expected)
        store = S3AnnotationStore(clients, owners=owners())
        assert store.put_annotation(TARGET, "n", b"text", if_match=ETAG, send_before=FAR)
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidRequest", "InternalError"])
def test_a_failed_look_for_annotations_is_asked_again(clients: AwsClients, code: str) -> None:
    """It says nothing about the server."""
    with Stubber(clients.s3) as stub:
        store = S3AnnotationStore(clients)
        for _ in range(2):
            stub.add_client_error("get_object_annotation", code, http_status_code=400)
            with pytest.raises((AccessDeniedError, RefusedRequestError, UnavailableError), match=code):
                store.list_annotations(SOURCE)
        stub.add_client_error("get_object_annotation", "NotImplemented", http_status_code=501)
        for _ in range(2):
            with pytest.raises(RefusedRequestError, match="its server has no annotations"):
                store.list_annotations(SOURCE)
        stub.assert_no_pending_responses()


def test_a_delete_marker_by_its_version_has_no_annotations(clients: AwsClients) -> None:
    """S3 answers 405, which says nothing about the server either."""
    with Stubber(clients.s3) as stub:
        store = S3AnnotationStore(clients)
        stub.add_client_error("get_object_annotation", "MethodNotAllowed", http_status_code=405)
        assert store.list_annotations(SOURCE, version_id="m") is None
        stub.add_client_error("get_object_annotation", "NoSuchAnnotation", http_status_code=404)
        stub.add_client_error("list_object_annotations", "MethodNotAllowed", http_status_code=405)
        assert store.list_annotations(SOURCE, version_id="m") is None


@pytest.mark.parametrize(
    ("said", "hold"),
    [
        ({}, None),
        ({"ObjectLockEventHold": "OFF"}, None),
        ({"ObjectLockEventHold": "ON", "ObjectLockEventHoldDurationDays": 30}, EventHold(days=30)),
        ({"ObjectLockEventHold": "ON", "ObjectLockEventHoldDurationYears": 2}, EventHold(years=2)),
    ],
)
def test_an_event_hold_is_read_and_sent_again(
    clients: AwsClients, said: dict[str, Any], hold: EventHold | None
) -> None:
    """HEAD shows it to who may read retentions; a copy has it only if its request says so."""
    answer = {"ETag": f'"{ETAG}"', "ContentLength": 1, "LastModified": datetime(2026, 11, 30, tzinfo=UTC), **said}
    with Stubber(clients.s3) as stub:
        stub.add_response("head_object", answer)
        seen = S3ObjectStore(clients).look_at_object(SOURCE)
    assert seen is not None
    assert seen.lock == Lock(event_hold=hold)
    assert not_inherited(seen, now=0) == (said if hold is not None else {})


PAYING = Owners({"old-bucket": "111111111111"}, frozenset({"old-bucket"}))
PAYER = {"RequestPayer": "requester"}


def test_a_requester_pays_source_is_read_and_copied_at_our_cost(clients: AwsClients) -> None:
    """The request on the paying bucket says so, and no other; a bucket's own settings are its owner's to pay."""
    other = Location("new-bucket", "k")
    expected: dict[str, Any] = {"Bucket": "old-bucket", "Key": SOURCE.key, "ExpectedBucketOwner": "111111111111"}
    assert PAYING.of(SOURCE) == {"ExpectedBucketOwner": "111111111111"} | PAYER
    assert PAYING.of_source(SOURCE) == {"ExpectedSourceBucketOwner": "111111111111"} | PAYER
    assert (PAYING.of(other), PAYING.of_source(other)) == ({}, {})
    assert PAYING.of_settings("old-bucket") == {"ExpectedBucketOwner": "111111111111"}
    with Stubber(clients.s3) as stub:
        stub.add_client_error("head_object", "404", expected_params=expected | PAYER | {"ChecksumMode": "ENABLED"})
        stub.add_response("head_bucket", {}, {"Bucket": "old-bucket", "ExpectedBucketOwner": "111111111111"})
        assert S3ObjectStore(clients, owners=PAYING).look_at_object(SOURCE) is None
        stub.assert_no_pending_responses()


def test_every_request_on_objects_can_say_who_pays(clients: AwsClients) -> None:
    """The SDK refuses a parameter that an operation does not know."""
    calls = (
        "HeadObject GetObject CopyObject DeleteObject PutObject GetObjectTagging ListObjectsV2 ListObjectVersions "
        "CreateMultipartUpload UploadPart UploadPartCopy CompleteMultipartUpload AbortMultipartUpload ListParts "
        "ListMultipartUploads ListObjectAnnotations GetObjectAnnotation PutObjectAnnotation"
    )
    for name in calls.split():
        shape = clients.s3.meta.service_model.operation_model(name).input_shape
        assert shape is not None
        assert "RequestPayer" in shape.members, name
