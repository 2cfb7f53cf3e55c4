"""The audit chain's segments in S3: written once, never overwritten, under object lock where the bucket has it.

Object lock keeps versions, not keys: a PutObject over a locked key succeeds and makes a newer version. So the
verification of the chain reads the oldest version of each key, which the lock keeps, and reports newer ones.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import accepting, error_code, translated
from adapters.s3.requests import ABSENT, CONFLICT, PRECONDITION
from adapters.s3.versions import NO_VERSION, StoredKey, stored_keys
from domain.audit.chain import MISSING_SHARD
from domain.audit.ports import StoredSegment
from domain.errors import InputError

_SUFFIX = ".jsonl.gz"
_DIGITS = 12
_READERS = 8
_AHEAD = 32
_LOOK = 10
"""Versions in a listing that asks for one key: the key's own, and the next one's, which ends it."""
_CONFLICT_TRIES = 5


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a segment is locked, where the bucket has object lock: days, and GOVERNANCE or COMPLIANCE."""

    days: int
    mode: str = "GOVERNANCE"


@dataclass(frozen=True)
class S3SegmentArchive:
    """SegmentArchive on S3.

    Keys are ``PREFIX/MIGRATION/shards/SHARD/000000000001.jsonl.gz``, and ``PREFIX/MIGRATION/000000000001.jsonl.gz`` in
    the chain without a shard.
    """

    clients: AwsClients
    bucket: str
    prefix: str
    migration: str
    retention: Retention | None = None
    at_once: int = 1_000
    """Versions in one page of a listing."""
    shard: str = MISSING_SHARD

    @property
    def folder(self) -> str:
        """The prefix of every key of the chain."""
        return f"{self._shards}{self.shard}/" if self.shard else self._root

    @property
    def _root(self) -> str:
        return "/".join(part for part in (self.prefix.strip("/"), self.migration) if part) + "/"

    @property
    def _shards(self) -> str:
        return f"{self._root}shards/"

    def stored_shards(self) -> Iterator[str]:
        """See ``Chains``; one short listing for each name."""
        after = self._shards
        while True:
            one = partial(self._list_versions, at_once=_LOOK)
            found = next(stored_keys(one, self.bucket, prefix=self._shards, after=after), None)
            if found is None:
                return
            name = found.key.removeprefix(self._shards).partition("/")[0]
            is_folder = found.key != self._shards + name
            yield name if is_folder else found.key.removeprefix(self._root)
            after = _after_folder(f"{self._shards}{name}/") if is_folder else found.key

    def write_segment(self, sequence: int, body: bytes) -> bool:
        """See the port."""
        for _ in range(_CONFLICT_TRIES):
            refused = self._put(sequence, body)
            if refused is None:
                return True
            if refused in PRECONDITION:
                break
        return self.read_segment(sequence) == body

    def _put(self, sequence: int, body: bytes) -> str | None:
        """Write the segment; returns AWS's error code where S3 refused the condition."""
        key = self._key(sequence)
        with translated("PutObject", self._uri(key)):
            try:
                self.clients.s3_once.put_object(
                    Bucket=self.bucket,
                    Key=key,
                    Body=body,
                    IfNoneMatch="*",
                    ContentType="application/gzip",
                    **self._lock(),
                )
            except ClientError as error:
                if error_code(error) in PRECONDITION | CONFLICT:
                    return error_code(error)
                raise
        return None

    def read_segment(self, sequence: int) -> bytes | None:
        """See the port."""
        return self._get(self._key(sequence))

    def read_original(self, sequence: int) -> bytes | None:
        """See the port."""
        for found in stored_keys(self._list_versions, self.bucket, prefix=self._key(sequence)):
            if found.oldest is not None:
                return self._get(found.key, found.oldest)
        return None

    def _get(self, key: str, version_id: str | None = None) -> bytes | None:
        version: dict[str, Any] = {"VersionId": version_id} if version_id is not None else {}
        with translated("GetObject", self._uri(key)), accepting(*ABSENT):
            return bytes(self.clients.s3.get_object(Bucket=self.bucket, Key=key, **version)["Body"].read())
        return None

    def last_sequence(self) -> int:
        """See the port; only needed where the head is missing, so a long listing is acceptable."""
        return max((self._sequence(key) or 0 for key in self._keys()), default=0)

    def read_segments(self, *, after: int = 0) -> Iterator[StoredSegment]:
        """See the port; some segments are fetched ahead. A version that is removed after it was listed is left out."""
        with ThreadPoolExecutor(_READERS, thread_name_prefix="segments") as pool:
            ahead: deque[tuple[StoredKey, Future[bytes | None]]] = deque()
            for found in self._stored_keys(self._key(after) if after else ""):
                ahead.append((found, pool.submit(self._oldest_body, found)))
                if len(ahead) > _AHEAD:
                    yield from self._ready(*ahead.popleft())
            while ahead:
                yield from self._ready(*ahead.popleft())

    def _stored_keys(self, after: str) -> Iterator[StoredKey]:
        """The chain's keys and those beside them; the chains of shards below the chain without one are left out."""
        for found in stored_keys(self._list_versions, self.bucket, prefix=self.folder, after=after):
            if not self.shard and found.key.startswith(self._shards):
                break
            yield found
        else:
            return
        beyond = max(after, _after_folder(self._shards))
        yield from stored_keys(self._list_versions, self.bucket, prefix=self.folder, after=beyond)

    def _oldest_body(self, found: StoredKey) -> bytes | None:
        if self._sequence(found.key) is None or found.oldest is None:
            return b""
        return self._get(found.key, found.oldest)

    def _ready(self, found: StoredKey, fetched: "Future[bytes | None]") -> Iterator[StoredSegment]:
        body = fetched.result()
        if body is not None:
            yield StoredSegment(
                found.key,
                self._sequence(found.key),
                body,
                stored_at=found.stored_at,
                versions=found.versions,
                markers=found.markers,
                keeps_versions=found.oldest != NO_VERSION,
            )

    def _list_versions(self, page: Mapping[str, Any], *, at_once: int | None = None) -> Mapping[str, Any]:
        with translated("ListObjectVersions", f"s3://{self.bucket}/{self.folder}"):
            return self.clients.s3.list_object_versions(MaxKeys=at_once or self.at_once, **page)

    def _keys(self) -> Iterator[str]:
        page: dict[str, Any] = {"Bucket": self.bucket, "Prefix": self.folder}
        while True:
            with translated("ListObjectsV2", f"s3://{self.bucket}/{self.folder}"):
                answer = self.clients.s3.list_objects_v2(**page)
            yield from (one["Key"] for one in answer.get("Contents", []))
            if not answer.get("IsTruncated"):
                return
            page |= {"ContinuationToken": answer["NextContinuationToken"]}

    def _key(self, sequence: int) -> str:
        return f"{self.folder}{sequence:0{_DIGITS}d}{_SUFFIX}"

    def _sequence(self, key: str) -> int | None:
        name = key.removeprefix(self.folder).removesuffix(_SUFFIX)
        is_number = len(name) == _DIGITS and name.isascii() and name.isdigit()
        return int(name) if is_number and int(name) and key.endswith(_SUFFIX) else None

    def _uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def _lock(self) -> dict[str, Any]:
        if self.retention is None or not self.has_lock:
            return {}
        until = datetime.fromtimestamp(time.time(), UTC) + timedelta(days=self.retention.days)
        return {"ObjectLockMode": self.retention.mode, "ObjectLockRetainUntilDate": until}

    @cached_property
    def has_lock(self) -> bool:
        """Whether the bucket has object lock."""
        with translated("GetObjectLockConfiguration", f"s3://{self.bucket}"):
            try:
                answer = self.clients.s3.get_object_lock_configuration(Bucket=self.bucket)
            except ClientError as error:
                if error_code(error) == "ObjectLockConfigurationNotFoundError":
                    return False
                if error_code(error) == "NoSuchBucket":
                    raise InputError(
                        f"the audit bucket {self.bucket} does not exist: create it, or correct KEYSHIFT_AUDIT_BUCKET"
                    ) from error
                raise
        return answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"


def _after_folder(folder: str) -> str:
    """A key after every key of the folder and before every later one that another chain can have."""
    return folder.removesuffix("/") + "0"
