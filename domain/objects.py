"""The state of one object as S3 returns it, and when two objects are provably the same."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

_MD5 = re.compile(r"[0-9a-f]{32}\Z")
NO_TEXT: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ContentHeaders:
    """The system metadata that the producer set and that a move must preserve."""

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

    @property
    def is_kms(self) -> bool:
        """Whether a key of KMS is involved."""
        return self.algorithm in ("aws:kms", "aws:kms:dsse")

    def is_kept_by(self, other: "Encryption") -> bool:
        """Whether the other is encrypted in the same way and with the same key."""
        return (self.algorithm, self.kms_key_id) == (other.algorithm, other.kms_key_id)


@dataclass(frozen=True, slots=True)
class EventHold:
    """An event hold that is on, and how long the object is retained after its end; at most one length is given."""

    days: int | None = None
    years: int | None = None

    @property
    def length(self) -> int:
        """In days."""
        return self.days or 365 * (self.years or 0)

    @property
    def as_text(self) -> str:
        """For people."""
        given = f" of {self.days} days" if self.days else f" of {self.years} years" if self.years else ""
        return f"event hold{given}"


@dataclass(frozen=True, slots=True)
class Lock:
    """Object Lock as HEAD shows it; ``retain_until`` is ISO 8601 in UTC."""

    mode: str | None = None
    retain_until: str | None = None
    legal_hold: bool = False
    event_hold: EventHold | None = None

    def in_force(self, now: float) -> bool:
        """Whether it is in force at that moment (seconds since 1970)."""
        return self.legal_hold or self.event_hold is not None or self.retained_until > now

    @property
    def retained_until(self) -> float:
        """The end of the retention in seconds since 1970; 0 without one."""
        return datetime.fromisoformat(self.retain_until).timestamp() if self.retain_until is not None else 0.0

    @property
    def as_text(self) -> str:
        """For people; empty where nothing is locked."""
        until = f"{self.mode} until {self.retain_until}" if self.mode and self.retain_until else ""
        holds = (
            "legal hold" if self.legal_hold else "",
            self.event_hold.as_text if self.event_hold is not None else "",
        )
        return " and ".join(one for one in (until, *holds) if one)

    @property
    def holds(self) -> "Lock":
        """What is left of it once its retention is over."""
        return Lock(legal_hold=self.legal_hold, event_hold=self.event_hold)

    def is_kept_by(self, other: "Lock", now: float) -> bool:
        """Whether the other lock is at least as strict; a retention that has ended cannot be set again."""
        if self.legal_hold and not other.legal_hold:
            return False
        if self.event_hold is not None and not _holds_as_long(self.event_hold, other.event_hold):
            return False
        if self.retained_until <= now:
            return True
        is_weaker = self.mode == "COMPLIANCE" and other.mode != "COMPLIANCE"
        return not is_weaker and other.retained_until >= self.retained_until


def _holds_as_long(one: EventHold, other: EventHold | None) -> bool:
    return other is not None and other.length >= one.length


@dataclass(frozen=True, slots=True)
class ObjectState:
    """One object as HEAD (and GetObjectTagging) showed it.

    ``etag`` without quotes; ``size`` in bytes; ``last_modified`` in seconds since 1970, UTC, whole. ``checksums``
    maps an algorithm (``CRC64NVME``) to its base64 text; they are of the whole object when ``full_checksums``,
    otherwise composed of the parts' checksums. ``tags`` is ``None`` when they were not read.
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
    restoring: bool = False
    encryption: Encryption = Encryption()
    lock: Lock = Lock()
    checksums: Mapping[str, str] = field(default_factory=lambda: NO_TEXT)
    full_checksums: bool = False

    @property
    def is_archived(self) -> bool:
        """Whether its bytes cannot be read until it is restored (aws-facts.md §2.6)."""
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


def is_other_version(one: str | None, other: str | None) -> bool:
    """Whether two version ids prove two writes; an unknown id proves nothing.

    S3 names what it stores without versioning ``null`` once the bucket has ever had versioning, and does not name it
    before; some servers do not tell a copy's source version at all.
    """
    return bool(one and other) and one != other


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


def what_is_lost(source: ObjectState, target: ObjectState, *, now: float) -> tuple[str, ...]:
    """The source's lock, KMS key or storage class that an otherwise equal target lacks; ``now`` in seconds since 1970.

    A copy carries these only if the request names them. A target may have more, for example by its bucket's default
    retention. The class of an archived source cannot be copied.
    """
    lost = []
    if source.storage_class != target.storage_class and not source.is_archived:
        lost.append("storage class")
    if source.encryption.is_kms and not source.encryption.is_kept_by(target.encryption):
        lost.append("KMS key")
    if not source.lock.is_kept_by(target.lock, now):
        lost.append("object lock")
    return tuple(lost)


@dataclass(frozen=True, slots=True)
class ListedObject:
    """One row of a listing or of an inventory; ``etag`` without quotes, ``size`` in bytes.

    An inventory may contain only the key. So does the row of a delete marker (``is_marker``): its key is deleted. A row
    that is not ``is_latest`` is of an earlier version. ``is_encrypted`` means that a KMS key is used, so the etag is
    not a digest of the bytes. ``is_plain`` means that neither a KMS key nor an object lock is used. ``last_modified``
    is in seconds since 1970, UTC.
    """

    key: str
    etag: str | None
    size: int | None
    storage_class: str | None = "STANDARD"
    version_id: str | None = None
    is_encrypted: bool = False
    is_plain: bool = False
    last_modified: float | None = None
    is_marker: bool = False
    is_latest: bool = True


def deleted_key(key: str) -> ListedObject:
    """The row of a key whose current version is a delete marker."""
    return ListedObject(key, None, None, None, is_marker=True)
