"""Tests with its own objects whether a server enforces the conditions that the protocol needs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.s3.requests import NOT_OFFERED, PRECONDITION, Owners
from domain.errors import KeyshiftError
from domain.keys import Location
from domain.lifecycle.inspection import Tried

OTHER_ETAG = '"00000000000000000000000000000000"'
BODY = b"probed"
IGNORED = "a wrong one is taken: here keyshift could overwrite or lose what others write"
SECOND_LINE = "a wrong one is taken: the conditions on the parts must be enough"
REFUSED = "a right one is refused: here nothing would move"
IN_PARTS = (
    "S3 answers 501, as where a bucket policy enforces conditional writes: objects go in parts, at least one each; "
    "keyshift plan --multipart-above 0 has the price"
)


def probe_conditions(
    clients: AwsClients, *, target: Location, owners: Owners, in_parts: bool = False
) -> Iterator[Tried]:
    """Try each condition twice, once so that it must be refused and once so that it must be taken.

    ``in_parts`` means that every object with bytes is copied in parts, so no condition of CopyObject is vital. Objects
    of 6 bytes are written under the key that ``target`` begins. Each of them, each version and each upload is deleted
    again; an error names what could not be.
    """
    bench = _Bench(clients, target, owners)
    try:
        for condition in _CONDITIONS:
            yield _tried(condition, bench, in_parts=in_parts)
    finally:
        bench.clean_up()


class _Bench:
    """The probe's own objects, and every version and upload that it left."""

    def __init__(self, clients: AwsClients, target: Location, owners: Owners) -> None:
        self.client: Any = clients.s3_once
        self._clients = clients
        self._owner: Any = owners.of(target)
        self._writes: Any = owners.of_write(target)
        self._bucket = target.bucket
        token = uuid4().hex
        self.source = f"{target.key}keyshift-probe-{token}-source"
        self.target = f"{target.key}keyshift-probe-{token}-target"
        self._left: dict[tuple[str, str], None] = {}
        self._uploads: dict[str, None] = {}
        self._etags: dict[str, str] = {}
        """Of the objects that are there."""

    def at(self, key: str) -> dict[str, Any]:
        """Bucket and key of a request."""
        return {"Bucket": self._bucket, "Key": key, **self._owner}

    def new_at(self, key: str) -> dict[str, Any]:
        """Bucket and key of a request that makes an object, or begins an upload."""
        return {**self.at(key), **self._writes}

    @property
    def uri(self) -> str:
        """For errors."""
        return f"s3://{self._bucket}/{self.target}"

    def note(self, key: str, answer: Any) -> str:
        """The etag of what a request wrote; its version is deleted in the end."""
        self._left[key, answer.get("VersionId", "")] = None
        etag: str = answer.get("ETag") or answer.get("CopyObjectResult", {}).get("ETag", "")
        self._etags[key] = etag
        return etag

    def put(self, key: str, **condition: Any) -> str:
        """Write an object, on a condition that holds unless one is given; its etag."""
        condition = condition or self._condition_that_holds(key)
        return self.note(key, self.client.put_object(**self.new_at(key), Body=BODY, **condition))

    def _condition_that_holds(self, key: str) -> dict[str, Any]:
        """A bucket may enforce one on every write."""
        etag = self._etags.get(key)
        return {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}

    def _with_target_condition(self, condition: dict[str, Any]) -> dict[str, Any]:
        is_given = bool({"IfMatch", "IfNoneMatch"} & condition.keys())
        return condition if is_given else self._condition_that_holds(self.target) | condition

    def value(self, about: "About", *, is_right: bool) -> Any:
        """What the condition says: something true, or something untrue, of what is there from now on."""
        if about is About.SIZE:
            return len(BODY) if is_right else len(BODY) + 1
        if about is About.ABSENCE:
            self.put(self.target)
            if is_right:
                self.remove()
            return "*"
        etag = self.put(self.source if about is About.SOURCE else self.target)
        return etag if is_right else OTHER_ETAG

    def write(self, **condition: Any) -> None:
        """Write the target."""
        self.put(self.target, **condition)

    def read(self, **condition: Any) -> None:
        """Read the target."""
        self.client.get_object(**self.at(self.target), **condition)["Body"].read()

    def copy(self, **condition: Any) -> None:
        """Copy source to target."""
        wanted = self.new_at(self.target) | self.origin() | {"AnnotationDirective": "EXCLUDE"}
        self.note(self.target, self.client.copy_object(**wanted, **self._with_target_condition(condition)))

    def remove(self, **condition: Any) -> None:
        """Delete the target; where versions are kept, a marker is left."""
        self.note(self.target, self.client.delete_object(**self.at(self.target), **condition))
        del self._etags[self.target]

    def origin(self) -> dict[str, Any]:
        """What a copy reads."""
        if not any(key == self.source for key, _ in self._left):
            self.put(self.source)
        return {"CopySource": {"Bucket": self._bucket, "Key": self.source}}

    def copy_part(self, **condition: Any) -> tuple[str, str]:
        """The source as the only part of a new upload of the target; the upload's id and the part's etag."""
        origin = self.origin()
        upload_id: str = self.client.create_multipart_upload(**self.new_at(self.target))["UploadId"]
        self._uploads[upload_id] = None
        wanted = self.at(self.target) | origin | {"UploadId": upload_id, "PartNumber": 1}
        return upload_id, self.client.upload_part_copy(**wanted, **condition)["CopyPartResult"]["ETag"]

    def complete(self, **condition: Any) -> None:
        """A new upload of the target, completed."""
        upload_id, etag = self.copy_part()
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        wanted = self.at(self.target) | {"UploadId": upload_id, "MultipartUpload": parts}
        condition = self._with_target_condition(condition)
        self.note(self.target, self.client.complete_multipart_upload(**wanted, **condition))
        del self._uploads[upload_id]

    def clean_up(self) -> None:
        """Delete every version, object and upload that was left."""
        for upload_id in self._uploads:
            with translated("AbortMultipartUpload", self.uri):
                self._clients.s3.abort_multipart_upload(**self.at(self.target), UploadId=upload_id)
        for key, version_id in self._left:
            with translated("DeleteObject", f"s3://{self._bucket}/{key}"):
                version: Any = {"VersionId": version_id} if version_id else {}
                self._clients.s3.delete_object(**self.at(key), **version)


class About(Enum):
    """What a condition is about."""

    SOURCE = "source"
    TARGET = "target"
    ABSENCE = "absence"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class _Condition:
    """One condition of the protocol: the request that carries it, and the status with which S3 refuses a wrong one."""

    name: str
    send: Callable[..., object]
    parameter: str
    about: About
    status: int = 412
    is_vital: bool = True


_CONDITIONS = (
    _Condition("PutObject: If-None-Match", _Bench.write, "IfNoneMatch", About.ABSENCE),
    _Condition("PutObject: If-Match", _Bench.write, "IfMatch", About.TARGET),
    _Condition("GetObject: If-Match", _Bench.read, "IfMatch", About.TARGET),
    _Condition("CopyObject: If-Match on the source", _Bench.copy, "CopySourceIfMatch", About.SOURCE),
    _Condition("CopyObject: If-None-Match on the target", _Bench.copy, "IfNoneMatch", About.ABSENCE),
    _Condition("CopyObject: If-Match on the target", _Bench.copy, "IfMatch", About.TARGET),
    _Condition("UploadPartCopy: If-Match on the source", _Bench.copy_part, "CopySourceIfMatch", About.SOURCE),
    _Condition("CompleteMultipartUpload: If-None-Match", _Bench.complete, "IfNoneMatch", About.ABSENCE),
    _Condition("CompleteMultipartUpload: If-Match", _Bench.complete, "IfMatch", About.TARGET),
    _Condition(
        "CompleteMultipartUpload: MpuObjectSize", _Bench.complete, "MpuObjectSize", About.SIZE, 400, is_vital=False
    ),
    _Condition("DeleteObject: If-Match", _Bench.remove, "IfMatch", About.TARGET),
)


class _NotOfferedError(Exception):
    """S3 answered 501 to a CopyObject with a condition."""


def _tried(condition: _Condition, bench: _Bench, *, in_parts: bool) -> Tried:
    is_spared = in_parts and condition.send is _Bench.copy
    try:
        return Tried(condition.name, _fault(condition, bench), condition.is_vital and not is_spared)
    except _NotOfferedError:
        return Tried(condition.name, IN_PARTS, is_vital=False)


def _fault(condition: _Condition, bench: _Bench) -> str:
    """What is wrong with a condition; one that cannot be tried does not hide the others."""
    try:
        if not _is_refused(condition, bench, is_right=False):
            return IGNORED if condition.is_vital else SECOND_LINE
        return REFUSED if _is_refused(condition, bench, is_right=True) else ""
    except KeyshiftError as error:
        return f"it could not be tried: {error}"


def _is_refused(condition: _Condition, bench: _Bench, *, is_right: bool) -> bool:
    with translated(condition.name.partition(":")[0], bench.uri):
        value = bench.value(condition.about, is_right=is_right)
        try:
            condition.send(bench, **{condition.parameter: value})
        except ClientError as error:
            if condition.send is _Bench.copy and error_code(error) in NOT_OFFERED:
                raise _NotOfferedError from error
            answered = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if answered != condition.status and error_code(error) not in PRECONDITION:
                raise
            return True
    return False
