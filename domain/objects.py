"""What S3 says about one object, and when two objects are provably the same."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

_MD5 = re.compile(r"[0-9a-f]{32}\Z")
NO_TEXT: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ContentHeaders:
    """The system metadata that belongs to the owner and must survive a move."""

    content_type: str | None = None
    content_encoding: str | None = None
    content_disposition: str | None = None
    content_language: str | None = None
    cache_control: str | None = None
    expires: str | None = None
    website_redirect_location: str | None = None


@dataclass(frozen=True, slots=True)
class Encryption:
    """How S3 encrypts an object at rest: ``algorithm`` is ``AES256``, ``aws:kms`` or ``aws:kms:dsse``."""

    algorithm: str | None = None
    kms_key_id: str | None = None
    bucket_key: bool = False


@dataclass(frozen=True, slots=True)
class Lock:
    """Object Lock as HEAD shows it; ``retain_until`` is ISO 8601 in UTC."""

    mode: str | None = None
    retain_until: str | None = None
    legal_hold: bool = False

    def in_force(self, now: float) -> bool:
        """Whether it binds anybody at that moment (seconds since 1970)."""
        retained = self.retain_until is not None and datetime.fromisoformat(self.retain_until).timestamp() > now
        return self.legal_hold or retained


@dataclass(frozen=True, slots=True)
class ObjectState:
    """One object as HEAD (and GetObjectTagging) showed it.

    ``etag`` without quotes; ``size`` in bytes; ``last_modified`` in seconds since 1970, UTC, whole. ``checksums``
    maps an algorithm (``CRC64NVME``) to its base64 text; they are of the whole object when ``full_checksums``,
    otherwise composed of the parts'. ``tags`` is ``None`` when nobody asked for them.
    """

    etag: str
    size: int
    version_id: str | None = None
    last_modified: int = 0
    headers: ContentHeaders = ContentHeaders()
    metadata: Mapping[str, str] = field(default_factory=lambda: NO_TEXT)
    tags: Mapping[str, str] | None = None
    storage_class: str = "STANDARD"
    archive_status: str | None = None
    restored: bool = False
    encryption: Encryption = Encryption()
    lock: Lock = Lock()
    checksums: Mapping[str, str] = field(default_factory=lambda: NO_TEXT)
    full_checksums: bool = False

    @property
    def is_archived(self) -> bool:
        """Whether its bytes cannot be read until somebody restores it (aws-facts.md §2.6)."""
        if self.restored:
            return False
        return self.storage_class in ("GLACIER", "DEEP_ARCHIVE") or self.archive_status is not None

    @property
    def etag_is_digest(self) -> bool:
        """Whether the etag is the MD5 of the bytes: one part, and not encrypted with a KMS key."""
        return is_digest(self.etag) and self.encryption.algorithm in (None, "AES256")


def is_digest(etag: str) -> bool:
    """Whether ``etag`` has the form of an MD5; the multipart form ends in a dash and the number of parts."""
    return _MD5.match(etag) is not None


def same_bytes(one: ObjectState, other: ObjectState) -> bool:
    """Whether both are proven to hold the same bytes; ``False`` also means "not proven"."""
    if one.size != other.size:
        return False
    if one.full_checksums and other.full_checksums:
        shared = one.checksums.keys() & other.checksums.keys()
        if shared:
            return all(one.checksums[name] == other.checksums[name] for name in shared)
    return one.etag_is_digest and other.etag_is_digest and one.etag == other.etag


def same_object(one: ObjectState, other: ObjectState) -> bool:
    """Whether both are proven to be the same object: bytes, metadata, headers and (both read) tags."""
    return (
        same_bytes(one, other)
        and one.metadata == other.metadata
        and one.headers == other.headers
        and one.tags is not None
        and one.tags == other.tags
    )


@dataclass(frozen=True, slots=True)
class ListedObject:
    """One row of ListObjectsV2 or of an inventory; ``etag`` without quotes, ``size`` in bytes.

    An inventory may leave out all but the key. ``is_encrypted`` says that a KMS key is involved, so that the etag is
    no digest of the bytes. ``last_modified`` is in seconds since 1970, UTC.
    """

    key: str
    etag: str | None
    size: int | None
    storage_class: str | None = "STANDARD"
    version_id: str | None = None
    is_encrypted: bool = False
    last_modified: float | None = None
