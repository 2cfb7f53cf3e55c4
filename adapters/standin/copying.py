"""CopyObject and UploadPartCopy as AWS does them, on an emulator that does them loosely."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import md5
from typing import Any

from adapters.standin.limits import Limits
from adapters.standin.preconditions import source_refusal, target_refusal
from adapters.standin.wire import Answer, CopySource, S3Request, parse_copy_source, s3_error

_ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_CHANGES = (
    "x-amz-storage-class",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-website-redirect-location",
)
_TO_ITSELF = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)
_REDIRECT = "x-amz-website-redirect-location"


@dataclass(frozen=True, slots=True)
class Found:
    """A copy source that exists: its record in the emulator, and the mapping or list that holds it."""

    source: CopySource
    record: dict[str, Any]
    body: bytes


class Copies:
    """The two copy operations; ``dispatch`` is the emulator's own handler of a request."""

    def __init__(self, s3: Any, limits: Limits, dispatch: Any) -> None:
        self._s3 = s3
        self._limits = limits
        self._dispatch = dispatch

    def copy_object(self, request: S3Request) -> Answer:
        """One CopyObject: judged here, presented to the emulator in the shape that S3 would copy."""
        found = self._find_readable(request)
        if not isinstance(found, Found):
            return found
        if len(found.body) > self._limits.copy_bytes:
            return s3_error("InvalidRequest", self._too_large(), 400)
        if self._to_itself(request, found.source):
            return s3_error("InvalidRequest", _TO_ITSELF, 400)
        bucket = self._s3._buckets.get(request.bucket)
        if bucket is not None:
            refused = target_refusal(request.headers, bucket["objects"].get(request.key), key=request.key)
            if refused:
                return refused
        return self._copy(request, found)

    def upload_part_copy(self, request: S3Request) -> Answer:
        """One UploadPartCopy; the part gets the checksum that its upload asked for, which the emulator forgets."""
        found = self._find_readable(request)
        if not isinstance(found, Found):
            return found
        ranged = request.headers.get("x-amz-copy-source-range")
        if ranged and len(found.body) <= self._limits.part_bytes:
            return s3_error(
                "InvalidRequest", "The specified copy source is not supported as a byte-range copy source", 400
            )
        if not ranged and len(found.body) > self._limits.copy_bytes:
            return s3_error("InvalidRequest", self._too_large(), 400)
        answer = self._dispatch(replace(request, headers=_named(request.headers, found.source)))
        return self._with_part_checksum(request, answer) if answer[0] == 200 else answer

    def _find_readable(self, request: S3Request) -> Found | Answer:
        found = self._find(request)
        if not isinstance(found, Found):
            return found
        return source_refusal(request.headers, found.record) or self._unreadable(found) or found

    def _too_large(self) -> str:
        return (
            "The specified copy source is larger than the maximum allowable size for a copy source: "
            f"{self._limits.copy_bytes}"
        )

    def _find(self, request: S3Request) -> Found | Answer:
        source = parse_copy_source(request.headers["x-amz-copy-source"])
        if source is None:
            return s3_error("InvalidArgument", "Copy Source must mention the source bucket and key", 400)
        s3 = self._s3
        bucket = s3._buckets.get(source.bucket)
        if bucket is None:
            return s3_error("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=source.bucket)
        current = bucket["objects"].get(source.key)
        versions = s3._object_versions.get((source.bucket, source.key), [])
        if source.version_id:
            entry = next((version for version in versions if version["version_id"] == source.version_id), None)
            if entry is None and source.version_id == "null" and current is not None and not current.get("version_id"):
                return Found(replace(source, version_id=None), current, self._body(source, current))
            if entry is None:
                return s3_error("NoSuchVersion", "The specified version does not exist.", 404, Key=source.key)
            if entry.get("is_delete_marker"):
                message = "The source of a copy request may not specifically refer to a delete marker by version id."
                return s3_error("InvalidRequest", message, 400)
            return Found(source, entry, s3._version_body(bucket, source.bucket, source.key, entry))
        if current is None:
            return s3_error("NoSuchKey", "The specified key does not exist.", 404, Key=source.key)
        return Found(source, current, self._body(source, current))

    def _body(self, source: CopySource, record: dict[str, Any]) -> bytes:
        body: bytes = self._s3._read_body(source.bucket, source.key, record)
        return body

    def _unreadable(self, found: Found) -> Answer | None:
        storage_class = found.record.get("storage_class") or "STANDARD"
        if storage_class not in _ARCHIVED:
            return None
        if self._s3._sync_restore(found.source.bucket, found.source.key, found.record) == "restored":
            return None
        message = "Operation is not valid for the source object's storage class"
        return s3_error("InvalidObjectState", message, 403, StorageClass=storage_class)

    @staticmethod
    def _to_itself(request: S3Request, source: CopySource) -> bool:
        same = (source.bucket, source.key, source.version_id) == (request.bucket, request.key, None)
        replaced = request.headers.get("x-amz-metadata-directive", "").upper() == "REPLACE"
        return same and not replaced and not any(name in request.headers for name in _CHANGES)

    def _copy(self, request: S3Request, found: Found) -> Answer:
        asked = (request.headers.get("x-amz-checksum-algorithm") or "").upper()
        headers = _named(request.headers, found.source)
        # A copy is STANDARD unless it says otherwise, whatever its source is.
        headers.setdefault("x-amz-storage-class", "STANDARD")
        if headers.get("x-amz-metadata-directive", "").upper() == "REPLACE":
            headers.setdefault("content-type", "binary/octet-stream")
            headers.setdefault("content-encoding", "")
        for name in [name for name in headers if name.startswith(("x-amz-copy-source-if-", "if-"))]:
            del headers[name]
        view = self._as_copied(found, asked)
        with self._presented(found, view):
            status, answer_headers, body = self._dispatch(replace(request, headers=headers))
        if status == 200 and (checksums := view.get("checksums")):
            extra = "".join(f"<Checksum{name}>{value}</Checksum{name}>" for name, value in checksums.items())
            extra += "<ChecksumType>FULL_OBJECT</ChecksumType>"
            body = body.replace(b"</CopyObjectResult>", f"{extra}</CopyObjectResult>".encode())
        if status == 200:
            self._lock_as_asked(request)
        return status, answer_headers, body

    def _lock_as_asked(self, request: S3Request) -> None:
        """A copy is locked as its request says, or as its bucket does by default; never as its source is."""
        s3 = self._s3
        version_id = s3._buckets[request.bucket]["objects"][request.key].get("version_id")
        for locks in (s3._object_retention, s3._object_legal_hold):
            locks.pop((request.bucket, request.key, version_id), None)
        if s3._bucket_object_lock.get(request.bucket):
            s3._apply_object_lock_from_headers(request.bucket, request.key, request.headers, version_id)

    def _as_copied(self, found: Found, asked: str) -> dict[str, Any]:
        """The source as its copy will be: single part, whole-object checksum, no website redirect."""
        record = found.record
        checksums: dict[str, str] = record.get("checksums") or {}
        multipart = "-" in str(record["etag"])
        composite = any("-" in value for value in checksums.values())
        if not (multipart or composite or asked or _REDIRECT in (record.get("preserved_headers") or {})):
            return record
        view = dict(record)
        if multipart:
            view["etag"] = f'"{md5(found.body, usedforsecurity=False).hexdigest()}"'
        if asked or composite:
            names = [asked] if asked else list(checksums)
            view["checksums"] = {name: self._s3._compute_s3_checksum(name, found.body) for name in names}
        kept = record.get("preserved_headers") or {}
        view["preserved_headers"] = {name: value for name, value in kept.items() if name != _REDIRECT}
        return view

    @contextmanager
    def _presented(self, found: Found, view: dict[str, Any]) -> Iterator[None]:
        """Let the emulator see ``view`` in the source's place; no other request runs meanwhile."""
        if view is found.record:
            yield
            return
        place = (found.source.bucket, found.source.key)
        if found.source.version_id is None:
            holder: Any = self._s3._buckets[found.source.bucket]["objects"]
            index: Any = found.source.key
        else:
            holder = self._s3._object_versions[place]
            index = next(at for at, entry in enumerate(holder) if entry is found.record)
        holder[index] = view
        try:
            yield
        finally:
            if found.source.version_id is not None:
                index = next(at for at, entry in enumerate(holder) if entry is view)
            if holder[index] is view:
                holder[index] = found.record

    def _with_part_checksum(self, request: S3Request, answer: Answer) -> Answer:
        upload = self._s3._multipart_uploads[request.parameter("uploadId")]
        algorithm = upload.get("checksum_algorithm")
        if not algorithm:
            return answer
        part = upload["parts"][int(request.parameter("partNumber"))]
        checksum = self._s3._compute_s3_checksum(algorithm, part["body"])
        part["checksums"] = {algorithm: checksum}
        element = f"<Checksum{algorithm}>{checksum}</Checksum{algorithm}></CopyPartResult>".encode()
        return answer[0], answer[1], answer[2].replace(b"</CopyPartResult>", element)


def _named(headers: dict[str, str], source: CopySource) -> dict[str, str]:
    """The headers for the emulator, which does not know ``versionId=null`` of an object older than versioning."""
    copied = dict(headers)
    if source.version_id is None:
        copied["x-amz-copy-source"] = copied["x-amz-copy-source"].partition("?")[0]
    return copied
