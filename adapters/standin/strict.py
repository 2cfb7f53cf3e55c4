"""The strict layer in front of the emulator's S3: every request passes here, on the event loop's thread."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import SubElement
from xml.sax.saxutils import escape

from adapters.standin.attributes import attribute_refusal
from adapters.standin.copying import Copies
from adapters.standin.enforcement import enforced_refusal
from adapters.standin.keyrules import key_refusal
from adapters.standin.limits import Limits
from adapters.standin.multipart import Multiparts
from adapters.standin.preconditions import target_refusal
from adapters.standin.wire import Answer, S3Request, operation_of, parsable, s3_error

_CREATORS = frozenset({"PutObject", "CopyObject", "CreateMultipartUpload"})
_KEYS = frozenset({"Key", "Prefix", "Delimiter", "KeyMarker", "NextKeyMarker"})
_ENCRYPTION = "x-amz-server-side-encryption"
_MANAGED_KEY = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000053"

_Handler = Callable[[S3Request], Answer]


def _is_version(stored: dict[str, Any], version_id: str | None) -> bool:
    return stored.get("version_id") == version_id and not stored.get("is_delete_marker")


class StrictS3:
    """Takes the place of the emulator's request table; ``install`` once per process."""

    def __init__(self, s3: Any, limits: Limits) -> None:
        self._s3 = s3
        self._base = s3._dispatch
        copies, multiparts = Copies(s3, limits, self._pass), Multiparts(s3, limits, self._pass)
        self._handlers: dict[str, _Handler] = {
            "CopyObject": copies.copy_object,
            "UploadPartCopy": copies.upload_part_copy,
            "CreateMultipartUpload": multiparts.create_upload,
            "CompleteMultipartUpload": multiparts.complete_upload,
            "PutObject": self._put_object,
            "DeleteObject": self._delete_object,
            "HeadObject": self._head_object,
            "ObjectSubresource": self._subresource,
            "GetObject": self._get_object,
            "ListObjectVersions": self._list_versions,
        }

    def install(self) -> None:
        """Put the layer in front."""
        self._s3._dispatch = self.dispatch

    def dispatch(  # noqa: PLR0913, PLR0917 - the signature of the function that it replaces
        self, method: str, bucket: str, key: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Answer:
        """Answer one request; the emulator calls this with its own argument order."""
        operation = operation_of(method, key, query, headers)
        refused = self._owner_refusal(bucket, headers) or (key_refusal(key) if key else None)
        refused = refused or enforced_refusal(operation, headers, self._s3._bucket_policies.get(bucket))
        if refused is None and operation in _CREATORS:
            refused = attribute_refusal(headers)
            if headers.get(_ENCRYPTION, "").startswith("aws:kms"):
                # KMS without a key of one's own means the account's key for S3.
                headers.setdefault(f"{_ENCRYPTION}-aws-kms-key-id", _MANAGED_KEY)
        if refused:
            return refused
        answer = self._handlers.get(operation, self._pass)(S3Request(method, bucket, key, headers, body, query))
        return answer if operation == "GetObject" and answer[0] < 300 else parsable(answer)

    def _owner_refusal(self, bucket: str, headers: dict[str, str]) -> Answer | None:
        """ExpectedBucketOwner and ExpectedSourceBucketOwner; the stand-in's buckets are all of one account."""
        account = self._s3.get_account_id()
        owners = (headers.get("x-amz-expected-bucket-owner"), headers.get("x-amz-source-expected-bucket-owner"))
        if all(owner in {None, account} for owner in owners):
            return None
        return s3_error("AccessDenied", "Access Denied", 403, BucketName=bucket)

    def _pass(self, request: S3Request) -> Answer:
        answer: Answer = self._base(
            request.method, request.bucket, request.key, request.headers, request.body, request.query
        )
        return answer

    def _current(self, request: S3Request) -> dict[str, Any] | None:
        bucket = self._s3._buckets.get(request.bucket)
        found: dict[str, Any] | None = bucket["objects"].get(request.key) if bucket else None
        return found

    def _put_object(self, request: S3Request) -> Answer:
        current = self._current(request)
        if request.bucket in self._s3._buckets:
            refused = target_refusal(request.headers, current, key=request.key)
            if refused:
                return refused
        request.headers.setdefault("content-type", "binary/octet-stream")
        answer = self._pass(request)
        if answer[0] == 200 and not request.headers.get("x-amz-tagging"):
            # An overwrite without tags has none; the emulator keeps those of the object before it.
            written = self._current(request)
            version_id = written.get("version_id") if written else None
            self._s3._object_tags.pop((request.bucket, request.key, version_id), None)
        return answer

    def _subresource(self, request: S3Request) -> Answer:
        """Of a changed or deleted set of tags S3 tells by an event; the emulator does not."""
        hidden = self._tags_of_hidden(request) if request.method == "GET" and "tagging" in request.query else None
        if hidden is not None:
            return hidden
        answer = self._pass(request)
        kind = {"PUT": "Put", "DELETE": "Delete"}.get(request.method)
        tagged = self._current(request)
        if "tagging" in request.query and kind and answer[0] < 300 and tagged:
            version_id = request.parameter("versionId") or tagged.get("version_id")
            self._s3._fire_s3_event_async(
                request.bucket,
                request.key,
                f"s3:ObjectTagging:{kind}",
                etag=tagged["etag"],
                version_id=version_id,
            )
        return answer

    def _tags_of_hidden(self, request: S3Request) -> Answer | None:
        """The tags of a version of a key that has no current one; the emulator knows none of such a key."""
        version_id = request.parameter("versionId")
        stored = self._s3._object_versions.get((request.bucket, request.key), [])
        if self._current(request) is not None or not any(_is_version(one, version_id) for one in stored):
            return None
        tags = self._s3._object_tags.get((request.bucket, request.key, version_id), {})
        texts = (f"<Tag><Key>{escape(key)}</Key><Value>{escape(value)}</Value></Tag>" for key, value in tags.items())
        body = f"<Tagging><TagSet>{''.join(texts)}</TagSet></Tagging>"
        return 200, {"Content-Type": "application/xml", "x-amz-version-id": version_id}, body.encode()

    def _delete_object(self, request: S3Request) -> Answer:
        current = self._current(request)
        if request.bucket in self._s3._buckets:
            refused = target_refusal({"if-match": request.headers.get("if-match", "")}, current, key=request.key)
            if refused:
                return refused
        answer = self._pass(request)
        marker = answer[1].get("x-amz-delete-marker") and not request.parameter("versionId")
        if answer[0] == 204 and marker and current is None:
            # Each delete of a versioned key makes a marker and an event, even where nothing was left to hide.
            self._s3._fire_s3_event_async(
                request.bucket,
                request.key,
                "s3:ObjectRemoved:DeleteMarkerCreated",
                deletion_type="Delete Marker Created",
                version_id=answer[1]["x-amz-version-id"],
            )
        return answer

    def _head_object(self, request: S3Request) -> Answer:
        answer = self._get_object(request)
        if answer[0] == 200:
            version_id = answer[1].get("x-amz-version-id")
            known = None if version_id in {None, "null"} else version_id
            tags = self._s3._object_tags.get((request.bucket, request.key, known))
            if tags:
                answer[1]["x-amz-tagging-count"] = str(len(tags))
        return answer

    def _list_versions(self, request: S3Request) -> Answer:
        marked = (request.bucket, request.parameter("key-marker"))
        if request.parameter("version-id-marker") == "null" and marked not in self._s3._object_versions:
            # The key has this one version only; the emulator would list it again, and never come to the next.
            query = {name: value for name, value in request.query.items() if name != "version-id-marker"}
            request = replace(request, query=query)
        if request.parameter("encoding-type") != "url":
            return self._pass(request)
        with self._encoding_keys():
            return self._pass(request)

    @contextmanager
    def _encoding_keys(self) -> Iterator[None]:
        """URL-encoded keys in the answers made inside; the emulator encodes only those of the other listings."""
        render = self._s3._xml_body

        def render_encoded(root: Any) -> Any:
            for element in root.iter():
                if element.tag in _KEYS and element.text:
                    element.text = quote(element.text, safe="/")
            SubElement(root, "EncodingType").text = "url"
            return render(root)

        self._s3._xml_body = render_encoded
        try:
            yield
        finally:
            self._s3._xml_body = render

    def _get_object(self, request: S3Request) -> Answer:
        answer = self._pass(request)
        headers = answer[1]
        if answer[0] in {200, 206} and f"{_ENCRYPTION}-customer-algorithm" not in headers:
            # Every object written since January 2023 is encrypted, with SSE-S3 where nothing else was asked.
            headers.setdefault(_ENCRYPTION, "AES256")
        if answer[0] in {200, 206} and request.bucket in self._s3._bucket_versioning:
            # What was written while versioning was off or suspended; a write's own answer does not say so.
            headers.setdefault("x-amz-version-id", "null")
        if "x-amz-checksum-type" in headers:
            values = [value for name, value in headers.items() if name.startswith("x-amz-checksum-")]
            composite = any("-" in value for value in values)
            headers["x-amz-checksum-type"] = "COMPOSITE" if composite else "FULL_OBJECT"
        return answer
