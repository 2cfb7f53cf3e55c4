"""Objects of any size as streams: ranged reads of one version, and multipart writes that are all or nothing."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import accepting, meaning_of, translated
from adapters.s3.conditional_read import ConditionalRead
from adapters.s3.known_buckets import KnownBuckets
from adapters.s3.requests import ABSENT, CONFLICT, PRECONDITION, Owners, place, unquoted
from domain.errors import UnavailableError
from domain.keys import Location
from domain.portal.ports import ObjectReader, ObjectWriter
from domain.protocol.parts import MIB
from domain.protocol.ports import Refused, Written

_READ_BYTES = 8 * MIB
_PART_BYTES = 8 * MIB
_PARTS_OF_ONE_SIZE = 1_000
"""After so many parts the next are twice as large: 10,000 parts are then more than the 50 TB that S3 takes."""


class S3ObjectStreams:
    """ObjectStreams on S3; about two parts are in memory, nothing on disk."""

    def __init__(
        self,
        clients: AwsClients,
        *,
        owners: Owners | None = None,
        part_bytes: int = _PART_BYTES,
        read_bytes: int = _READ_BYTES,
    ) -> None:
        self._clients = clients
        self._owners = owners or Owners()
        self._buckets = KnownBuckets(clients, self._owners)
        self._part_bytes = part_bytes
        self._read_bytes = read_bytes

    def open_object(self, location: Location) -> AbstractContextManager[ObjectReader] | None:
        """See the port."""
        head = self._head(location)
        if head is None:
            return None
        seen = ConditionalRead(self._clients.s3, self._owners, location, unquoted(head["ETag"]))
        return _reading(_RangedReader(seen, head["ContentLength"], self._read_bytes))

    def read_metadata(self, location: Location) -> Mapping[str, str] | None:
        """See the port."""
        head = self._head(location)
        return None if head is None else dict(head.get("Metadata", {}))

    def new_object(
        self, location: Location, *, metadata: Mapping[str, str], content_type: str
    ) -> AbstractContextManager[ObjectWriter]:
        """See the port."""
        about = {"Metadata": dict(metadata), "ContentType": content_type}
        target = place(location) | self._owners.of(location)
        return _writing(_PartWriter(self._clients, location, target, about, self._part_bytes))

    def _head(self, location: Location) -> Any:
        with translated("HeadObject", location.uri), accepting(*ABSENT):
            return self._clients.s3.head_object(**place(location), **self._owners.of(location))  # type: ignore[arg-type]  # texts
        self._buckets.require(location)
        return None


@contextmanager
def _reading(reader: "_RangedReader") -> Iterator[ObjectReader]:
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def _writing(writer: "_PartWriter") -> Iterator[ObjectWriter]:
    try:
        yield writer
    finally:
        writer.drop()


class _RangedReader:
    def __init__(self, seen: ConditionalRead, size: int, read_bytes: int) -> None:
        self._seen = seen
        self._size = size
        self._read_bytes = read_bytes
        self._at = 0
        self._waiting = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """See the port; ``-1`` is everything that is left."""
        if size < 0:
            return b"".join(iter(lambda: self.read(self._read_bytes), b""))
        if not self._waiting and self._at < self._size:
            self._waiting = memoryview(self._fetched())
        part, self._waiting = bytes(self._waiting[:size]), self._waiting[size:]
        return part

    def close(self) -> None:
        """See the port."""
        self._waiting, self._at = memoryview(b""), self._size

    def _fetched(self) -> bytes:
        last = min(self._at + self._read_bytes, self._size) - 1
        body = self._seen.open_body((self._at, last))
        uri = self._seen.location.uri
        if isinstance(body, Refused):
            raise UnavailableError(f"{uri} changed while it was read")
        with translated("GetObject", uri):
            read: bytes = body.read()
        self._at = last + 1
        return read


class _PartWriter:
    def __init__(
        self,
        clients: AwsClients,
        location: Location,
        target: Mapping[str, Any],
        about: Mapping[str, Any],
        part_bytes: int,
    ) -> None:
        self._again: Any = clients.s3
        self._once: Any = clients.s3_once
        self._location = location
        self._target = dict(target)
        self._about = dict(about)
        self._part_bytes = part_bytes
        self._waiting = bytearray()
        self._upload: str | None = None
        self._parts: list[dict[str, Any]] = []

    def write(self, body: bytes, /) -> int:
        """See the port."""
        self._waiting += body
        while len(self._waiting) >= self._next_part:
            size = self._next_part
            self._send(bytes(memoryview(self._waiting)[:size]))
            del self._waiting[:size]
        return len(body)

    def finish(self) -> Written | Refused:
        """See the port; sent once, because a repeat after a success would look like a refusal."""
        if self._upload is None:
            action = "PutObject"
            request: dict[str, Any] = self._target | self._about | {"Body": bytes(self._waiting)}
        else:
            action = "CompleteMultipartUpload"
            if self._waiting:
                self._send(bytes(self._waiting))
            request = self._target | {"UploadId": self._upload, "MultipartUpload": {"Parts": self._parts}}
        self._waiting.clear()
        send = self._once.put_object if self._upload is None else self._once.complete_multipart_upload
        with translated(action, self._location.uri):
            try:
                answer = send(**request, IfNoneMatch="*")
            except ClientError as error:
                return meaning_of(error, {Refused.PRECONDITION: PRECONDITION, Refused.CONCURRENT: CONFLICT})
        self._upload = None
        return Written(unquoted(answer["ETag"]), answer.get("VersionId"))

    def drop(self) -> None:
        """Abort what was not finished; nothing is left to do after a success."""
        self._waiting.clear()
        if self._upload is not None:
            upload, self._upload = self._upload, None
            with translated("AbortMultipartUpload", self._location.uri), accepting("NoSuchUpload"):
                self._again.abort_multipart_upload(**self._target, UploadId=upload)

    @property
    def _next_part(self) -> int:
        return self._part_bytes << (len(self._parts) // _PARTS_OF_ONE_SIZE)

    def _send(self, body: bytes) -> None:
        with translated("UploadPart", self._location.uri):
            if self._upload is None:
                answer = self._once.create_multipart_upload(**self._target, **self._about)
                self._upload = str(answer["UploadId"])
            number = len(self._parts) + 1
            part = self._again.upload_part(**self._target, UploadId=self._upload, PartNumber=number, Body=body)
        self._parts.append({"PartNumber": number, "ETag": part["ETag"]})
