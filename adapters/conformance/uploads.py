"""Multipart copies (aws-facts.md §2.5)."""

import time
from email.utils import parsedate_to_datetime
from typing import Any

from adapters.conformance.bench import BODY, OTHER_ETAG, Bench
from adapters.conformance.trial import Holds, Trial, answer_to, trial
from domain.protocol.parts import composed_etag

TRIALS: list[Trial] = []
FAILED, ABSENT, NO_UPLOAD = "412 PreconditionFailed", "404 NoSuchKey", "404 NoSuchUpload"
_APART = 2.1
"""Seconds: S3 dates objects by whole ones."""


def begun(bench: Bench, bucket: str, key: str) -> tuple[Any, Any]:
    """An upload of one part, copied from a new object: the answer to its beginning, and the request to complete it."""
    source, _ = bench.put(bucket)
    place = {"Bucket": bucket, "Key": key}
    answer = bench.s3.create_multipart_upload(**place)
    place["UploadId"] = answer["UploadId"]
    origin = {"Bucket": bucket, "Key": source}
    etag = bench.s3.upload_part_copy(**place, PartNumber=1, CopySource=origin)["CopyPartResult"]["ETag"]
    return answer, place | {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}


def completed(bench: Bench, bucket: str, key: str) -> Any:
    """The answer to its completion."""
    _, request = begun(bench, bucket, key)
    return bench.s3.complete_multipart_upload(**request)


def _completing(bench: Bench, key: str, **condition: Any) -> str:
    _, request = begun(bench, bench.plain, key)
    return answer_to(bench.s3.complete_multipart_upload, **request, **condition)


@trial(TRIALS, "2.5", "UploadPartCopy, If-Match on the source, another etag", FAILED, vital=True)
def _part_of_another(bench: Bench) -> str:
    source, _ = bench.put(bench.plain)
    place = {"Bucket": bench.plain, "Key": bench.new_key()}
    place["UploadId"] = bench.s3.create_multipart_upload(**place)["UploadId"]
    origin = {"Bucket": bench.plain, "Key": source}
    request = {**place, "PartNumber": 1, "CopySource": origin, "CopySourceIfMatch": OTHER_ETAG}
    return answer_to(bench.s3.upload_part_copy, **request)


@trial(TRIALS, "2.1", "CompleteMultipartUpload, If-None-Match, the key is taken", FAILED, vital=True)
def _complete_over(bench: Bench) -> str:
    key, _ = bench.put(bench.plain)
    return _completing(bench, key, IfNoneMatch="*")


@trial(TRIALS, "2.1", "CompleteMultipartUpload, If-None-Match, the key is absent", "200", vital=True)
def _complete_new(bench: Bench) -> str:
    return _completing(bench, bench.new_key(), IfNoneMatch="*")


@trial(TRIALS, "2.1", "CompleteMultipartUpload, If-Match, another etag", FAILED, vital=True)
def _complete_over_another(bench: Bench) -> str:
    key, _ = bench.put(bench.plain)
    return _completing(bench, key, IfMatch=OTHER_ETAG)


@trial(TRIALS, "2.1", "CompleteMultipartUpload, If-Match, the key is absent", ABSENT)
def _complete_over_nothing(bench: Bench) -> str:
    return _completing(bench, bench.new_key(), IfMatch=OTHER_ETAG)


@trial(TRIALS, "2.5", "ListParts of an upload whose completion got a 412", "200", vital=True)
def _refused_upload(bench: Bench) -> str:
    key, _ = bench.put(bench.plain)
    _, request = begun(bench, bench.plain, key)
    answer_to(bench.s3.complete_multipart_upload, **request, IfNoneMatch="*")
    return answer_to(bench.s3.list_parts, Bucket=bench.plain, Key=key, UploadId=request["UploadId"])


@trial(TRIALS, "2.5", "CompleteMultipartUpload, MpuObjectSize, another size", "400")
def _complete_of_another_size(bench: Bench) -> str | Holds:
    told = _completing(bench, bench.new_key(), MpuObjectSize=len(BODY) + 1)
    return Holds(told) if told.startswith("400") else told


@trial(TRIALS, "2.4", "Etag of an object of parts", "MD5 of the parts' MD5s, and their number", vital=True)
def _etag_of_parts(bench: Bench) -> str | Holds:
    _, request = begun(bench, bench.plain, bench.new_key())
    (part,) = request["MultipartUpload"]["Parts"]
    etag = bench.s3.complete_multipart_upload(**request)["ETag"].strip('"')
    return Holds("it is") if etag == composed_etag({1: part["ETag"].strip('"')}) else etag


@trial(TRIALS, "2.5", "Date of an object of parts", "the beginning of its upload")
def _date_of_parts(bench: Bench) -> str:
    key = bench.new_key()
    answer, request = begun(bench, bench.plain, key)
    time.sleep(_APART)
    bench.s3.complete_multipart_upload(**request)
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    modified = bench.s3.head_object(Bucket=bench.plain, Key=key)["LastModified"]
    if not date:
        return "the answers have no Date"
    is_begin = (modified - parsedate_to_datetime(date)).total_seconds() < _APART - 1
    return "the beginning of its upload" if is_begin else "its completion"


@trial(TRIALS, "2.5", "CompleteMultipartUpload a second time", f"200, later {NO_UPLOAD}")
def _completed_twice(bench: Bench) -> str | Holds:
    _, request = begun(bench, bench.plain, bench.new_key())
    bench.s3.complete_multipart_upload(**request)
    told = answer_to(bench.s3.complete_multipart_upload, **request)
    return Holds(told) if told in ("200", NO_UPLOAD) else told


@trial(TRIALS, "2.5", "ListParts of an upload that was aborted", NO_UPLOAD, vital=True)
def _aborted(bench: Bench) -> str:
    key = bench.new_key()
    _, request = begun(bench, bench.plain, key)
    upload = {"Bucket": bench.plain, "Key": key, "UploadId": request["UploadId"]}
    bench.s3.abort_multipart_upload(**upload)
    return answer_to(bench.s3.list_parts, **upload)


@trial(TRIALS, "2.5", "CreateMultipartUpload names the version that will be", "the version that it became")
def _version_foretold(bench: Bench) -> str:
    answer, request = begun(bench, bench.versioned, bench.new_key())
    # The service model of this SDK does not have the field, so it is read from the header.
    foretold = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-version-id", "")
    became = bench.s3.complete_multipart_upload(**request).get("VersionId", "")
    if not foretold:
        return "it names none"
    return "the version that it became" if foretold == became else "another version"
