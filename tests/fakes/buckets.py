"""Buckets with their versions, as S3 keeps them; the owners' side of the in-memory store."""

import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import md5

from domain.errors import MissingResourceError
from domain.keys import Location
from domain.objects import ContentHeaders, Encryption, ObjectState
from domain.parts import composed_etag


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a key; without a state it is a delete marker."""

    version_id: str | None
    state: ObjectState | None
    body: bytes = b""


@dataclass(slots=True)
class Bucket:
    """``versions`` of each key, oldest first; where versions are not kept there is at most one.

    ``kms``: objects are encrypted with a KMS key, so that etags are no digests.
    """

    versioned: bool = False
    kms: bool = False
    versions: dict[str, list[Version]] = field(default_factory=dict)


class Buckets:
    """All buckets and one counter that orders every write.

    ``now`` (seconds since 1970) dates what is written; no two writes have the same second, so that their dates order
    them.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._buckets: dict[str, Bucket] = {}
        self._writes = 0
        self._last_modified = 0

    def create(self, name: str, *, versioned: bool = False, kms: bool = False) -> None:
        """Make an empty bucket."""
        self._buckets[name] = Bucket(versioned, kms)

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
        return next((one for one in versions if one.version_id == version_id and one.state is not None), None)

    def put(
        self, location: Location, body: bytes, state: ObjectState, *, part_sizes: list[int] | None = None
    ) -> Version:
        """Write an object; of ``state`` its description counts, etag, size, version and checksums are S3's own."""
        bucket = self.bucket(location.bucket)
        self._writes += 1
        self._last_modified = max(self._last_modified + 1, int(self._now()))
        version_id = f"v{self._writes}" if bucket.versioned else None
        encryption = Encryption("aws:kms", "key", bucket_key=True) if bucket.kms else Encryption("AES256")
        described = replace(
            state,
            etag=self._etag(bucket, body, part_sizes),
            size=len(body),
            version_id=version_id,
            last_modified=self._last_modified,
            encryption=encryption if state.encryption.algorithm in (None, "AES256") else state.encryption,
            checksums={"CRC32": b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()},
            full_checksums=True,
        )
        version = Version(version_id, described, body)
        known = bucket.versions.setdefault(location.key, [])
        if not bucket.versioned:
            known.clear()
        known.append(version)
        return version

    def _etag(self, bucket: Bucket, body: bytes, part_sizes: list[int] | None) -> str:
        salt = f"{self._writes}:".encode() if bucket.kms else b""
        if part_sizes is None:
            return md5_text(salt + body)
        starts = [sum(part_sizes[:index]) for index in range(len(part_sizes))]
        parts = [body[start : start + size] for start, size in zip(starts, part_sizes, strict=True)]
        return composed_etag({number: md5_text(salt + part) for number, part in enumerate(parts, start=1)})

    def remove(self, location: Location) -> str | None:
        """Delete without a condition; the delete marker's version where versions are kept."""
        bucket = self.bucket(location.bucket)
        if not bucket.versioned:
            bucket.versions.pop(location.key, None)
            return None
        self._writes += 1
        marker = Version(f"v{self._writes}", None)
        bucket.versions.setdefault(location.key, []).append(marker)
        return marker.version_id

    def remove_version(self, location: Location, version_id: str) -> None:
        """Delete exactly that version for good."""
        versions = self.bucket(location.bucket).versions
        left = [one for one in versions.get(location.key, []) if one.version_id != version_id]
        versions[location.key] = left
        if not left:
            del versions[location.key]


def described(
    *,
    metadata: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    headers: ContentHeaders | None = None,
    storage_class: str = "STANDARD",
) -> ObjectState:
    """What an owner says of an object."""
    return ObjectState(
        etag="",
        size=0,
        headers=headers or ContentHeaders(content_type="binary/octet-stream"),
        metadata=dict(metadata or {}),
        tags=dict(tags or {}),
        storage_class=storage_class,
    )


def md5_text(body: bytes) -> str:
    """The MD5 as S3 writes it in an etag."""
    return md5(body, usedforsecurity=False).hexdigest()
