"""Multipart uploads: the tags, checksum type and limits that the emulator forgets."""

from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

from adapters.standin.limits import Limits
from adapters.standin.preconditions import target_refusal
from adapters.standin.wire import Answer, S3Request, s3_error

_IDS = frozenset({"x-amz-request-id", "x-amz-id-2"})
_TOO_SMALL = "Your proposed upload is smaller than the minimum allowed size"


class Multiparts:
    """CreateMultipartUpload and CompleteMultipartUpload; ``dispatch`` is the emulator's own handler."""

    def __init__(self, s3: Any, limits: Limits, dispatch: Any) -> None:
        self._s3 = s3
        self._limits = limits
        self._dispatch = dispatch

    def create_upload(self, request: S3Request) -> Answer:
        """Remember the tags and the checksum type until the upload is completed."""
        request.headers.setdefault("content-type", "binary/octet-stream")
        known = set(self._s3._multipart_uploads)
        answer: Answer = self._dispatch(request)
        if answer[0] != 200:
            return answer
        (upload_id,) = set(self._s3._multipart_uploads) - known
        upload = self._s3._multipart_uploads[upload_id]
        upload["keyshift_tags"] = dict(parse_qsl(request.headers.get("x-amz-tagging", ""), keep_blank_values=True))
        algorithm = upload.get("checksum_algorithm")
        kind = request.headers.get("x-amz-checksum-type", "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE")
        upload["keyshift_whole"] = bool(algorithm) and kind.upper() == "FULL_OBJECT"
        if upload["keyshift_whole"]:
            answer[1]["x-amz-checksum-type"] = "FULL_OBJECT"
        return answer

    def complete_upload(self, request: S3Request) -> Answer:
        """Check the target's condition and the part sizes, complete, then put tags and checksum in place."""
        s3, upload_id = self._s3, request.parameter("uploadId")
        upload = s3._multipart_uploads.get(upload_id)
        bucket = s3._buckets.get(request.bucket)
        if upload is None or bucket is None:
            return self._replayed(self._dispatch(request))
        refused = target_refusal(request.headers, bucket["objects"].get(request.key), key=request.key)
        refused = refused or self._small_part(request.body, upload["parts"])
        if refused:
            return refused
        answer: Answer = self._dispatch(request)
        if answer[0] != 200:
            return answer
        return self._finished(request, upload, bucket["objects"][request.key], answer)

    @staticmethod
    def _replayed(answer: Answer) -> Answer:
        """The same answer under a new id: each answer of S3 has its own."""
        headers = {name: value for name, value in answer[1].items() if name.lower() not in _IDS}
        return answer[0], headers, answer[2]

    def _small_part(self, body: bytes, parts: dict[int, dict[str, Any]]) -> Answer | None:
        try:
            listed = [int(one.text or 0) for one in ET.fromstring(body).iter() if one.tag.endswith("PartNumber")]  # noqa: S314 - loopback only, and expat limits entities
        except (ET.ParseError, ValueError):
            return None  # the emulator answers MalformedXML
        if listed != sorted(set(listed)):
            message = "The list of parts was not in ascending order. Parts must be ordered by part number."
            return s3_error("InvalidPartOrder", message, 400)
        for number in listed[:-1]:
            size = parts.get(number, {}).get("size", self._limits.part_bytes)
            if size < self._limits.part_bytes:
                return s3_error("EntityTooSmall", _TOO_SMALL, 400, ProposedSize=str(size), PartNumber=str(number))
        return None

    def _finished(self, request: S3Request, upload: dict[str, Any], record: dict[str, Any], answer: Answer) -> Answer:
        s3, body = self._s3, answer[2]
        place = (request.bucket, request.key, record.get("version_id"))
        s3._object_tags.pop(place, None)
        if upload.get("keyshift_tags"):
            s3._object_tags[place] = upload["keyshift_tags"]
        if upload.get("keyshift_whole"):
            (algorithm, composite), *_ = record["checksums"].items()
            whole = s3._compute_s3_checksum(algorithm, record["body"])
            # The version entry shares this mapping, so both change.
            record["checksums"][algorithm] = whole
            record["checksum_type"] = "FULL_OBJECT"
            body = body.replace(composite.encode(), whole.encode()).replace(b"COMPOSITE", b"FULL_OBJECT")
        answer = (answer[0], answer[1], body)
        s3._completed_multipart_uploads[request.parameter("uploadId")]["response"] = answer
        return answer
