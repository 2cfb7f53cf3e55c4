"""What a copy carries, and its etag and checksum (aws-facts.md §2.3, §2.4)."""

from hashlib import md5
from typing import Any

from botocore.parsers import ResponseParserError

from adapters.conformance.bench import BODY, OTHER_ETAG, Bench, NotOfferedError
from adapters.conformance.trial import Trial, answer_to, answer_to_denied, trial
from adapters.conformance.uploads import completed
from adapters.conformance.writes import FAILED, copy_of, denied_there
from adapters.s3.requests import unquoted

TRIALS: list[Trial] = []
DIGEST = md5(BODY, usedforsecurity=False).hexdigest()
_NO_ANNOTATIONS = {"Action": ["s3:GetObjectAnnotation", "s3:PutObjectAnnotation"]}


@trial(TRIALS, "2.4", "Etag of an object of one part", "MD5 of the bytes", vital=True)
def _etag_of_put(bench: Bench) -> str:
    _, etag = bench.put(bench.plain)
    return "MD5 of the bytes" if unquoted(etag) == DIGEST else etag


@trial(TRIALS, "2.4", "Etag of its copy", "MD5 of the bytes", vital=True)
def _etag_of_copy(bench: Bench) -> str:
    etag: str = bench.s3.copy_object(**copy_of(bench))["CopyObjectResult"]["ETag"]
    return "MD5 of the bytes" if unquoted(etag) == DIGEST else etag


@trial(TRIALS, "2.4", "Etag of the copy of an object of parts, in one request", "MD5 of the bytes")
def _etag_of_joined(bench: Bench) -> str:
    key = bench.new_key()
    completed(bench, bench.plain, key)
    request = copy_of(bench) | {"CopySource": {"Bucket": bench.plain, "Key": key}}
    etag: str = bench.s3.copy_object(**request)["CopyObjectResult"]["ETag"]
    return "MD5 of the bytes" if unquoted(etag) == DIGEST else etag


@trial(TRIALS, "2.4", "Checksum that CopyObject was asked for", "CRC64NVME, FULL_OBJECT")
def _checksum_of_copy(bench: Bench) -> str:
    request = copy_of(bench, ChecksumAlgorithm="CRC64NVME")
    bench.s3.copy_object(**request)
    seen = bench.s3.head_object(Bucket=bench.plain, Key=request["Key"], ChecksumMode="ENABLED")
    name = "CRC64NVME" if "ChecksumCRC64NVME" in seen else "no checksum"
    return f"{name}, {seen.get('ChecksumType', 'no type')}"


@trial(TRIALS, "2.4", "Etag of an object under a KMS key", "not the MD5 of the bytes")
def _etag_under_key(bench: Bench) -> str:
    key_id = bench.options.kms_key
    _, etag = bench.put(bench.plain, ServerSideEncryption="aws:kms", SSEKMSKeyId=key_id)
    return "MD5 of the bytes" if unquoted(etag) == DIGEST else "not the MD5 of the bytes"


UNDER_KEY = TRIALS.pop()
"""Only with ``--kms-key``."""
WITHOUT_KEY = Trial(UNDER_KEY.fact, None, "give a key with --kms-key")


@trial(TRIALS, "2.3", "Metadata and tags of a copy", "carried along", vital=True)
def _carried(bench: Bench) -> str:
    source, _ = bench.put(bench.plain, Metadata={"of": "source"}, Tagging="a=1")
    request = copy_of(bench) | {"CopySource": {"Bucket": bench.plain, "Key": source}}
    bench.s3.copy_object(**request)
    place = {"Bucket": bench.plain, "Key": request["Key"]}
    metadata = bench.s3.head_object(**place).get("Metadata")
    tags = bench.s3.get_object_tagging(**place)["TagSet"]
    is_whole = metadata == {"of": "source"} and tags == [{"Key": "a", "Value": "1"}]
    return "carried along" if is_whole else f"metadata {metadata}, tags {tags}"


@trial(TRIALS, "2.3", "Storage class of a copy that names none", "STANDARD")
def _class_of_copy(bench: Bench) -> str:
    source, _ = bench.put(bench.plain, StorageClass="STANDARD_IA")
    request = copy_of(bench) | {"CopySource": {"Bucket": bench.plain, "Key": source}}
    bench.s3.copy_object(**request)
    seen: str = bench.s3.head_object(Bucket=bench.plain, Key=request["Key"]).get("StorageClass", "STANDARD")
    return seen


@trial(TRIALS, "2.3", "CopyObject onto itself that changes nothing", "400 InvalidRequest")
def _onto_itself(bench: Bench) -> str:
    key, _ = bench.put(bench.plain)
    place = {"Bucket": bench.plain, "Key": key}
    return answer_to(bench.s3.copy_object, **place, CopySource=place, AnnotationDirective="EXCLUDE")


@trial(TRIALS, "2.3", "Annotations of a copy with AnnotationDirective COPY", "carried along")
def _annotations(bench: Bench) -> str:
    source = _annotated(bench)
    request = copy_of(bench) | {"CopySource": {"Bucket": bench.plain, "Key": source}, "AnnotationDirective": "COPY"}
    bench.s3.copy_object(**request)
    listed = bench.s3.list_object_annotations(Bucket=bench.plain, Key=request["Key"]).get("Annotations", [])
    return "carried along" if [one["AnnotationName"] for one in listed] == ["note"] else f"{len(listed)} annotations"


@trial(TRIALS, "2.3", "PutObjectAnnotation, ObjectIfMatch, another etag", FAILED)
def _annotation_of_another(bench: Bench) -> str:
    key = _annotated(bench)
    return answer_to(bench.s3.put_object_annotation, **_annotation(bench, key), ObjectIfMatch=OTHER_ETAG)


@trial(TRIALS, "2.3", "CopyObject of an object without annotations, where they are denied", "403 AccessDenied")
def _annotations_denied(bench: Bench) -> str:
    _annotated(bench)
    bucket = bench.denying("unannotated", _NO_ANNOTATIONS)
    request: dict[str, Any] = {"Bucket": bucket, "Key": "source", "AnnotationName": "note", "AnnotationPayload": b"n"}
    denied_there(bench, lambda: answer_to_denied(bench.s3.put_object_annotation, **request))
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": {"Bucket": bucket, "Key": "source"}}
    return answer_to_denied(bench.s3.copy_object, **copy, AnnotationDirective="COPY")


def _annotation(bench: Bench, key: str) -> dict[str, Any]:
    return {"Bucket": bench.plain, "Key": key, "AnnotationName": "note", "AnnotationPayload": b"kept"}


def _annotated(bench: Bench) -> str:
    """A key whose object has an annotation; raises NotOfferedError where the server has none."""
    key, _ = bench.put(bench.plain)
    try:
        told = answer_to(bench.s3.put_object_annotation, **_annotation(bench, key))
    except ResponseParserError as error:  # the answer to a PutObject, which is what this server took it for
        raise NotOfferedError("PutObjectAnnotation: the answer is to another request") from error
    listed = (
        [] if told != "200" else bench.s3.list_object_annotations(Bucket=bench.plain, Key=key).get("Annotations", [])
    )
    if not listed:
        raise NotOfferedError(f"PutObjectAnnotation: {told}, and none is listed")
    return key
