"""Buckets with their versions, as S3 keeps them; the owners' side of the in-memory store."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import md5
from types import MappingProxyType
from typing import Any

from domain.errors import AccessDeniedError, MissingResourceError, RefusedRequestError
from domain.keys import Location
from domain.objects import ContentHeaders, Encryption, Lock, ObjectState
from domain.protocol.parts import composed_etag
from tests.fakes.checksums import CRC32, SHA256, checksum_of

NULL = "null"
"""The version id of what was written while versioning was off or suspended; S3 says it once versioning was ever on."""


class Versioning(StrEnum):
    """A bucket's versioning as GetBucketVersioning tells it; ``OFF``: it was never switched on."""

    OFF = "Off"
    ENABLED = "Enabled"
    SUSPENDED = "Suspended"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a key; without a state it is a delete marker.

    ``version_id`` is ``None`` where versioning was never on. ``written`` orders all writes of the store. ``marked`` is
    the date of a delete marker.
    """

    version_id: str | None
    state: ObjectState | None
    body: bytes = b""
    written: int = 0
    annotations: Mapping[str, bytes] = field(default_factory=dict)
    marked: int = 0

    def is_named(self, version_id: str) -> bool:
        """Whether a request with that id is about it; ``null`` names the object of an unversioned bucket too."""
        return (self.version_id or NULL) == version_id


@dataclass(frozen=True, slots=True)
class Notification:
    """What S3 tells of a change, named as in the message: ``ObjectRemoved:Delete``.

    ``written`` takes the sequencer's place: of a lifecycle expiry it is as old as the object that expires.
    """

    name: str
    location: Location
    version_id: str | None
    written: int


@dataclass(slots=True)
class Bucket:
    """``versions`` of each key, oldest first; where versions are not kept there is at most one.

    ``kms``: objects are encrypted with a KMS key, so that etags are no digests. ``locks``: Object Lock is enabled.
    """

    versioning: Versioning = Versioning.OFF
    kms: bool = False
    locks: bool = False
    versions: dict[str, list[Version]] = field(default_factory=dict)

    @property
    def keeps_versions(self) -> bool:
        """Whether a write keeps what was there before."""
        return self.versioning is Versioning.ENABLED


class Buckets:
    """All buckets and one counter that orders every write.

    ``now`` (seconds since 1970) dates what is written, in whole seconds as S3 does: two writes may have the same date.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._buckets: dict[str, Bucket] = {}
        self._writes = 0

    def create(self, name: str, *, versioned: bool = False, kms: bool = False, locks: bool = False) -> None:
        """Make an empty bucket; with Object Lock (``locks``) it keeps versions too."""
        self._buckets[name] = Bucket(Versioning.ENABLED if versioned or locks else Versioning.OFF, kms, locks)

    def enable_locks(self, name: str) -> None:
        """PutObjectLockConfiguration: only a bucket that keeps versions can have Object Lock."""
        if not self.bucket(name).keeps_versions:
            raise RefusedRequestError(f"{name}: InvalidBucketState: versioning must be enabled for Object Lock")
        self.bucket(name).locks = True

    def set_versioning(self, name: str, status: Versioning) -> None:
        """PutBucketVersioning: it can be suspended, but never be off again.

        What was written before has version ``null`` from then on.
        """
        bucket = self.bucket(name)
        if status is Versioning.OFF:
            raise ValueError("versioning that was on can only be suspended")
        if bucket.locks:
            raise RefusedRequestError(f"{name}: InvalidBucketState: it has Object Lock, so its versioning stays on")
        if bucket.versioning is Versioning.OFF:
            bucket.versions = {key: [_as_null(one) for one in known] for key, known in bucket.versions.items()}
        bucket.versioning = status

    def bucket(self, name: str) -> Bucket:
        """The bucket; MissingResourceError when there is none."""
        if name not in self._buckets:
            raise MissingResourceError(f"The bucket {name} does not exist; create it, or correct its name")
        return self._buckets[name]

    def current(self, location: Location) -> Version | None:
        """What a request without a version id finds; ``None`` where that is a delete marker."""
        versions = self.bucket(location.bucket).versions.get(location.key)
        return versions[-1] if versions and versions[-1].state is not None else None

    def top(self, location: Location) -> Version | None:
        """The newest version, also where that is a delete marker; ``None`` where nothing is kept of the key."""
        versions = self.bucket(location.bucket).versions.get(location.key)
        return versions[-1] if versions else None

    def find(self, location: Location, version_id: str) -> Version | None:
        """That version, also where it is a delete marker."""
        versions = self.bucket(location.bucket).versions.get(location.key, [])
        return next((one for one in versions if one.is_named(version_id)), None)

    def version(self, location: Location, version_id: str | None) -> Version | None:
        """That version, or the current one; a delete marker is none."""
        if version_id is None:
            return self.current(location)
        versions = self.bucket(location.bucket).versions.get(location.key, [])
        return next((one for one in versions if one.is_named(version_id) and one.state is not None), None)

    def put(
        self,
        location: Location,
        body: bytes,
        state: ObjectState,
        *,
        part_sizes: list[int] | None = None,
        dated: float | None = None,
        annotations: Mapping[str, bytes] = MappingProxyType({}),
        algorithm: str = CRC32,
    ) -> Version:
        """Write an object; of ``state`` its description counts, etag, size, version and checksums are S3's own.

        ``algorithm`` is that of its checksum. ``dated`` (seconds since 1970) is its date where that is not this moment.
        RefusedRequestError where it is locked and its bucket has no Object Lock.
        """
        bucket = self.bucket(location.bucket)
        if state.lock != Lock():
            self.require_locks(location)
        version_id = self._next_version_id(bucket)
        encryption = Encryption("aws:kms", "key", bucket_key=True) if bucket.kms else Encryption("AES256")
        if state.encryption.algorithm not in (None, "AES256"):
            encryption = state.encryption
        described = replace(
            state,
            etag=self._etag(body, part_sizes, is_digest=encryption.algorithm == "AES256"),
            size=len(body),
            version_id=version_id,
            last_modified=int(self.now() if dated is None else dated),
            encryption=encryption,
            checksums={algorithm: checksum_of(algorithm, body, part_sizes)},
            full_checksums=algorithm != SHA256 or part_sizes is None,
        )
        version = Version(version_id, described, body, self._writes, annotations)
        self._append(bucket, location.key, version)
        return version

    def _next_version_id(self, bucket: Bucket) -> str | None:
        self._writes += 1
        if bucket.versioning is Versioning.OFF:
            return None
        return f"v{self._writes}" if bucket.keeps_versions else NULL

    @staticmethod
    def _append(bucket: Bucket, key: str, version: Version) -> None:
        """Make it current; it takes the place of the version with the same id, which only ``null`` can have."""
        known = [one for one in bucket.versions.get(key, []) if one.version_id != version.version_id]
        bucket.versions[key] = [*known, version]

    def _etag(self, body: bytes, part_sizes: list[int] | None, *, is_digest: bool) -> str:
        salt = b"" if is_digest else f"{self._writes}:".encode()
        if part_sizes is None:
            return md5_text(salt + body)
        starts = [sum(part_sizes[:index]) for index in range(len(part_sizes))]
        parts = [body[start : start + size] for start, size in zip(starts, part_sizes, strict=True)]
        return composed_etag({number: md5_text(salt + part) for number, part in enumerate(parts, start=1)})

    def remove(self, location: Location) -> str | None:
        """Delete without a condition; the delete marker's version where versioning is or was on.

        While it is suspended the marker is version ``null``, and takes the place of an older version ``null``.
        """
        bucket = self.bucket(location.bucket)
        if bucket.versioning is Versioning.OFF:
            bucket.versions.pop(location.key, None)
            return None
        marker = Version(self._next_version_id(bucket), None, written=self._writes, marked=int(self.now()))
        self._append(bucket, location.key, marker)
        return marker.version_id

    def remove_version(self, location: Location, version_id: str) -> Notification | None:
        """Delete exactly that version, or delete marker, for good; what S3 tells of it, if there was one.

        AccessDeniedError while Object Lock protects it.
        """
        versions = self.bucket(location.bucket).versions
        known = versions.get(location.key, [])
        gone = next((one for one in known if one.is_named(version_id)), None)
        if gone is None:
            return None
        if self.is_locked(gone):
            raise AccessDeniedError(f"{location.uri}: its version {version_id} is protected by Object Lock")
        self._writes += 1
        self.forget(location, gone)
        return Notification("ObjectRemoved:Delete", location, gone.version_id, self._writes)

    def forget(self, location: Location, gone: Version) -> None:
        """Take one version out of its key's history."""
        versions = self.bucket(location.bucket).versions
        versions[location.key] = [one for one in versions[location.key] if one is not gone]
        if not versions[location.key]:
            del versions[location.key]

    def require_locks(self, location: Location) -> None:
        """RefusedRequestError where the bucket has no Object Lock."""
        if not self.bucket(location.bucket).locks:
            raise RefusedRequestError(f"{location.uri}: InvalidRequest: Bucket is missing Object Lock Configuration")

    def change(self, location: Location, version: Version, **changes: Any) -> None:
        """Change properties of a stored version, which keeps its etag, date and place among the others."""
        if version.state is None:
            raise ValueError("a delete marker has no state")
        versions = self.bucket(location.bucket).versions
        changed = replace(version, state=replace(version.state, **changes))
        versions[location.key] = [changed if one is version else one for one in versions[location.key]]

    def annotate(self, location: Location, version: Version, annotations: Mapping[str, bytes]) -> None:
        """Replace a version's annotations; nothing else about it changes."""
        versions = self.bucket(location.bucket).versions
        changed = replace(version, annotations=annotations)
        versions[location.key] = [changed if one is version else one for one in versions[location.key]]

    def is_locked(self, version: Version) -> bool:
        """Whether retention or a legal hold protects it now."""
        return version.state is not None and version.state.lock.in_force(self.now())


def _as_null(version: Version) -> Version:
    state = replace(version.state, version_id=NULL) if version.state is not None else None
    return replace(version, version_id=NULL, state=state)


def described(
    *,
    metadata: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    headers: ContentHeaders | None = None,
    storage_class: str = "STANDARD",
    encryption: Encryption | None = None,
    lock: Lock | None = None,
) -> ObjectState:
    """What an owner says of an object."""
    return ObjectState(
        etag="",
        size=0,
        headers=headers or ContentHeaders(content_type="binary/octet-stream"),
        metadata=dict(metadata or {}),
        tags=dict(tags or {}),
        storage_class=storage_class,
        encryption=encryption or Encryption(),
        lock=lock or Lock(),
    )


def md5_text(body: bytes) -> str:
    """The MD5 as S3 writes it in an etag."""
    return md5(body, usedforsecurity=False).hexdigest()
