"""S3 multipart copies."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import ContextVar
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients, sending_before
from adapters.aws.errors import error_code, meaning_of, translated
from adapters.s3.requests import (
    ABSENT,
    CONFLICT,
    PRECONDITION,
    Owners,
    copy_source,
    empty_part,
    not_inherited,
    object_state,
    place,
    quoted,
    target_condition,
    unquoted,
    upload_description,
)
from domain.errors import UnavailableError
from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.parts import MIN_PART_BYTES, Part
from domain.protocol.ports import Refused, SourceObject, TargetObject, Written

_ABORTS = 5
_NO_UPLOAD = "NoSuchUpload"
_OF_PARTS = {
    Refused.PRECONDITION: PRECONDITION,
    Refused.SOURCE_ABSENT: ABSENT,
    Refused.CONCURRENT: {_NO_UPLOAD},  # another process aborted or completed it
}
_OF_COMPLETIONS = {
    Refused.SOURCE_ABSENT: {_NO_UPLOAD},
    Refused.PRECONDITION: PRECONDITION | ABSENT,  # 404: the target that If-Match names is absent
    Refused.CONCURRENT: CONFLICT,
}
_EXPIRES: ContextVar[str | None] = ContextVar("expires", default=None)


class S3MultipartStore:
    """MultipartStore on S3; ``part_workers`` parts are copied at a time."""

    def __init__(self, clients: AwsClients, *, owners: Owners | None = None, part_workers: int = 8) -> None:
        # The SDK may repeat parts: the same bytes under the same number, and no object changes by them.
        self._repeatable = clients.s3
        self._once = clients.s3_once
        self._owners = owners or Owners()
        self._threads = ThreadPoolExecutor(part_workers, thread_name_prefix="part")
        self._once.meta.events.register(
            "before-call.s3.CreateMultipartUpload", _set_expires, unique_id="keyshift-expires"
        )

    def create_upload(self, target: TargetObject, *, seen: ObjectState) -> str:
        """See the port."""
        parameters = place(target.location) | upload_description(seen) | not_inherited(seen, now=time.time())
        parameters |= {"StorageClass": target.storage_class} | self._owners.of_write(target.location)
        expires = _EXPIRES.set(seen.headers.expires)
        try:
            with translated("CreateMultipartUpload", target.location.uri), sending_before(target.send_before):
                answer = self._once.create_multipart_upload(**parameters)
        finally:
            _EXPIRES.reset(expires)
        return answer["UploadId"]

    def copy_parts(
        self, source: SourceObject, target: TargetObject, *, upload_id: str, parts: Sequence[Part]
    ) -> Mapping[int, str] | Refused:
        """See the port; returns only when no request for a part is under way."""
        tasks = {part.number: self._threads.submit(self._copy_part, source, target, upload_id, part) for part in parts}
        wait(tasks.values())
        answers = {number: task.result() for number, task in tasks.items()}
        refused = next((answer for answer in answers.values() if isinstance(answer, Refused)), None)
        if refused is not None:
            return refused
        return {number: etag for number, etag in answers.items() if not isinstance(etag, Refused)}

    def _copy_part(self, source: SourceObject, target: TargetObject, upload_id: str, part: Part) -> str | Refused:
        parameters: dict[str, Any] = place(target.location) | {"UploadId": upload_id, "PartNumber": part.number}
        parameters |= self._owners.of(target.location)
        name, send = ("UploadPart", self._put_empty) if part.is_empty else ("UploadPartCopy", self._copy_range)
        with translated(name, f"{source.location.uri} (part {part.number})"):
            try:
                with sending_before(target.send_before):
                    etag = send(source, part, parameters)
            except ClientError as error:
                return meaning_of(error, _OF_PARTS)
        if not etag:
            raise UnavailableError(f"{name} from {source.location.uri} was answered without a result")
        return unquoted(etag)

    def _copy_range(self, source: SourceObject, part: Part, parameters: Any) -> str | None:
        parameters |= copy_source(source) | self._owners.of_source(source.location)
        # A first part below the minimum size is the whole object, and S3 accepts no range of so small a source.
        if part.first or part.last + 1 >= MIN_PART_BYTES:
            parameters["CopySourceRange"] = f"bytes={part.first}-{part.last}"
        return self._repeatable.upload_part_copy(**parameters).get("CopyPartResult", {}).get("ETag")

    def _put_empty(self, source: SourceObject, part: Part, parameters: Any) -> str | None:  # noqa: ARG002  # as above
        """S3 copies no range of an object without bytes; the source's condition is looked at before."""
        looked_at: Any = place(source.location) | {"IfMatch": quoted(source.etag)} | self._owner(source.location)
        looked_at |= {"VersionId": source.version_id} if source.version_id else {}
        seen = object_state(self._repeatable.head_object(**looked_at, ChecksumMode="ENABLED"))
        return self._repeatable.upload_part(**parameters, **empty_part(seen)).get("ETag")

    def list_parts(self, target: Location, *, upload_id: str) -> Mapping[int, str] | None:
        """See the port."""
        etags: dict[int, str] = {}
        page: dict[str, Any] = {}
        while True:
            with translated("ListParts", target.uri):
                try:
                    answer = self._repeatable.list_parts(
                        Bucket=target.bucket, Key=target.key, UploadId=upload_id, **page, **self._owner(target)
                    )
                except ClientError as error:
                    if error_code(error) == _NO_UPLOAD:
                        return None
                    raise
            etags |= {part["PartNumber"]: unquoted(part["ETag"]) for part in answer.get("Parts", [])}
            if not answer.get("IsTruncated"):
                return etags
            page = {"PartNumberMarker": answer["NextPartNumberMarker"]}

    def complete_upload(
        self, target: TargetObject, *, upload_id: str, etags: Mapping[int, str], size: int
    ) -> Written | Refused:
        """See the port; after a 409 S3 requires a new upload, so it is not tried again here."""
        listed = [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]
        parameters: dict[str, Any] = place(target.location) | target_condition(target)
        parameters |= {"UploadId": upload_id, "MultipartUpload": {"Parts": listed}, "MpuObjectSize": size}
        parameters |= self._owners.of(target.location)
        with translated("CompleteMultipartUpload", target.location.uri), sending_before(target.send_before):
            try:
                answer = self._once.complete_multipart_upload(**parameters)
            except ClientError as error:
                return meaning_of(error, _OF_COMPLETIONS)
        etag = answer.get("ETag")
        if not etag:
            raise UnavailableError(f"CompleteMultipartUpload of {target.location.uri} was answered without a result")
        return Written(unquoted(etag), answer.get("VersionId"))

    def abort_upload(self, target: Location, *, upload_id: str) -> None:
        """See the port; repeated until the upload is gone: a part under way may outlive the first abort."""
        for _ in range(_ABORTS):
            with translated("AbortMultipartUpload", target.uri):
                try:
                    self._repeatable.abort_multipart_upload(
                        Bucket=target.bucket, Key=target.key, UploadId=upload_id, **self._owner(target)
                    )
                except ClientError as error:
                    if error_code(error) == _NO_UPLOAD:
                        return
                    raise
            if self.list_parts(target, upload_id=upload_id) is None:
                return
        raise UnavailableError(f"The upload {upload_id} of {target.uri} cannot be aborted yet")

    def _owner(self, location: Location) -> Any:
        return self._owners.of(location)


def _set_expires(params: dict[str, Any], **_unused: Any) -> None:
    """Send the producer's Expires text unchanged: as a parameter it would have to be a date that the SDK can parse."""
    expires = _EXPIRES.get()
    if expires is not None:
        params["headers"]["Expires"] = expires
