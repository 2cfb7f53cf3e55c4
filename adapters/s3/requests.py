"""Parts of S3 requests, and of HEAD's response, that several adapters share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

from domain.keys import Location
from domain.objects import ContentHeaders, Encryption, EventHold, Lock, ObjectState
from domain.protocol.ports import MustBeAbsent, MustMatch, SourceObject, TargetObject

ABSENT = frozenset({"404", "NoSuchKey", "NoSuchVersion"})
PRECONDITION = frozenset({"412", "PreconditionFailed"})
CONFLICT = frozenset({"409", "ConditionalRequestConflict", "OperationAborted"})
NOT_ALLOWED = frozenset({"405", "MethodNotAllowed"})
NOT_OFFERED = frozenset({"501", "NotImplemented"})

_CHECKSUMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128")
_WHOLE_OBJECT = ("CRC64NVME", "CRC32C", "CRC32")
"""Algorithms that S3 can give for the whole of a multipart object (ChecksumType FULL_OBJECT)."""


@dataclass(frozen=True, slots=True)
class Owners:
    """The account that each bucket must belong to, where that is configured: a guard against taken-over names.

    ``requester_pays`` names the buckets whose requests are paid by who sends them. ``full_control`` names those whose
    accounts get full control of every object that is written there.
    """

    accounts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    requester_pays: frozenset[str] = frozenset()
    full_control: frozenset[str] = frozenset()

    def of(self, location: Location) -> dict[str, str]:
        """The parameters for a request on objects, keys or uploads at ``location``."""
        return self.of_settings(location.bucket) | self._payer(location)

    def of_write(self, location: Location) -> dict[str, str]:
        """The parameters for a request that makes an object at ``location``, or begins an upload to it."""
        acl = {"ACL": "bucket-owner-full-control"} if location.bucket in self.full_control else {}
        return self.of(location) | acl

    def of_source(self, location: Location) -> dict[str, str]:
        """The parameters for a request that reads ``location`` as a copy source."""
        account = self.accounts.get(location.bucket)
        return ({"ExpectedSourceBucketOwner": account} if account else {}) | self._payer(location)

    def of_settings(self, bucket: str) -> dict[str, str]:
        """The parameter for a request on the bucket itself, which the bucket's account pays for."""
        account = self.accounts.get(bucket)
        return {"ExpectedBucketOwner": account} if account else {}

    def _payer(self, location: Location) -> dict[str, str]:
        return {"RequestPayer": "requester"} if location.bucket in self.requester_pays else {}


def place(location: Location) -> dict[str, str]:
    """The parameters for bucket and key."""
    return {"Bucket": location.bucket, "Key": location.key}


def quoted(etag: str) -> str:
    """An etag as HTTP writes it; events and inventories leave the quotes out."""
    return f'"{etag}"'


def unquoted(etag: str) -> str:
    """An etag as keyshift stores it: without quotes."""
    return etag.strip('"')


def copy_source(source: SourceObject) -> dict[str, Any]:
    """The source and its condition; a mapping, because botocore encodes a text once more (aws-facts.md §2.2)."""
    origin = place(source.location) | ({"VersionId": source.version_id} if source.version_id else {})
    return {"CopySource": origin} | ({"CopySourceIfMatch": quoted(source.etag)} if source.etag else {})


def target_condition(target: TargetObject) -> dict[str, str]:
    """The condition on the object at the target."""
    match target.condition:
        case MustBeAbsent():
            return {"IfNoneMatch": "*"}
        case MustMatch(etag):
            return {"IfMatch": quoted(etag)}


def object_state(answer: Mapping[str, Any]) -> ObjectState:
    """HEAD's response as an ObjectState; it does not contain the tags."""
    checksums = {name: answer[f"Checksum{name}"] for name in _CHECKSUMS if f"Checksum{name}" in answer}
    retain_until: datetime | None = answer.get("ObjectLockRetainUntilDate")
    return ObjectState(
        etag=unquoted(answer["ETag"]),
        size=answer["ContentLength"],
        version_id=answer.get("VersionId"),
        last_modified=int(answer["LastModified"].timestamp()),
        headers=ContentHeaders(
            content_type=answer.get("ContentType"),
            content_encoding=answer.get("ContentEncoding"),
            content_disposition=answer.get("ContentDisposition"),
            content_language=answer.get("ContentLanguage"),
            cache_control=answer.get("CacheControl"),
            expires=answer.get("ExpiresString"),
            website_redirect_location=answer.get("WebsiteRedirectLocation"),
        ),
        metadata=dict(answer.get("Metadata", {})),
        storage_class=answer.get("StorageClass") or "STANDARD",
        archive_status=answer.get("ArchiveStatus"),
        restored='ongoing-request="false"' in answer.get("Restore", ""),
        restoring='ongoing-request="true"' in answer.get("Restore", ""),
        encryption=Encryption(
            algorithm=answer.get("ServerSideEncryption"),
            kms_key_id=answer.get("SSEKMSKeyId"),
            bucket_key=bool(answer.get("BucketKeyEnabled")),
        ),
        lock=Lock(
            mode=answer.get("ObjectLockMode"),
            retain_until=retain_until.isoformat() if retain_until else None,
            legal_hold=answer.get("ObjectLockLegalHoldStatus") == "ON",
            event_hold=_event_hold(answer),
        ),
        checksums=checksums,
        full_checksums=bool(checksums) and answer.get("ChecksumType") == "FULL_OBJECT",
    )


def _event_hold(answer: Mapping[str, Any]) -> EventHold | None:
    if answer.get("ObjectLockEventHold") != "ON":
        return None
    return EventHold(answer.get("ObjectLockEventHoldDurationDays"), answer.get("ObjectLockEventHoldDurationYears"))


def not_inherited(seen: ObjectState, *, now: float) -> dict[str, Any]:
    """What CopyObject and a multipart copy do not carry over by themselves (aws-facts.md §2.3).

    Encryption is carried over where it names a KMS key; otherwise the target bucket's default applies. An expired
    retention cannot be set again.
    """
    parameters: dict[str, Any] = {}
    if seen.headers.website_redirect_location:
        parameters["WebsiteRedirectLocation"] = seen.headers.website_redirect_location
    if seen.encryption.algorithm in ("aws:kms", "aws:kms:dsse"):
        parameters["ServerSideEncryption"] = seen.encryption.algorithm
        if seen.encryption.kms_key_id:
            parameters["SSEKMSKeyId"] = seen.encryption.kms_key_id
        if seen.encryption.bucket_key:
            parameters["BucketKeyEnabled"] = True
    if seen.lock.mode and seen.lock.retain_until:
        until = datetime.fromisoformat(seen.lock.retain_until)
        if until.timestamp() > now:
            parameters |= {"ObjectLockMode": seen.lock.mode, "ObjectLockRetainUntilDate": until}
    if seen.lock.legal_hold:
        parameters["ObjectLockLegalHoldStatus"] = "ON"
    hold = seen.lock.event_hold
    if hold is not None:
        lengths = {"ObjectLockEventHoldDurationDays": hold.days, "ObjectLockEventHoldDurationYears": hold.years}
        parameters |= {"ObjectLockEventHold": "ON"} | {name: length for name, length in lengths.items() if length}
    return parameters


def upload_description(seen: ObjectState) -> dict[str, Any]:
    """Everything that CreateMultipartUpload needs again, except ``Expires``, which the SDK would rewrite."""
    if seen.tags is None:
        raise ValueError("the tags of a multipart copy's source must be read first")
    headers = seen.headers
    named = {
        "ContentType": headers.content_type,
        "ContentEncoding": headers.content_encoding,
        "ContentDisposition": headers.content_disposition,
        "ContentLanguage": headers.content_language,
        "CacheControl": headers.cache_control,
    }
    parameters: dict[str, Any] = {name: text for name, text in named.items() if text is not None}
    parameters["Metadata"] = dict(seen.metadata)
    if seen.tags:
        parameters["Tagging"] = urlencode(dict(seen.tags), quote_via=quote)
    return parameters | {"ChecksumAlgorithm": _algorithm(seen), "ChecksumType": "FULL_OBJECT"}


def empty_part(seen: ObjectState) -> dict[str, Any]:
    """What UploadPart needs to put no bytes into an upload that ``upload_description`` describes."""
    algorithm = _algorithm(seen)
    return {"Body": b"", f"Checksum{algorithm}": "AAAAAAAAAAA=" if algorithm == "CRC64NVME" else "AAAAAA=="}


def _algorithm(seen: ObjectState) -> str:
    """Of the checksum of the whole copy: each of them is a CRC, which is zero for no bytes."""
    return next((name for name in _WHOLE_OBJECT if seen.full_checksums and name in seen.checksums), "CRC64NVME")
