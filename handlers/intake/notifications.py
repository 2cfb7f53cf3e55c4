"""S3's events about an object, direct or through EventBridge, as notices (aws-facts.md §1).

pydantic's ``str`` refuses lone surrogates, which neither an S3 key nor a request can contain.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote_plus

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, NonNegativeInt, ValidationError

from domain.errors import MalformedMessageError
from domain.keys import Location, Sequencer
from domain.protocol.notices import Notice, NoticeKind

MAJOR_VERSION = "2"
"""AWS: compare the major of eventVersion for equality, ignore fields you do not know."""

EVENT_FAMILIES: Mapping[str, NoticeKind] = {
    "ObjectCreated": NoticeKind.CREATED,
    "ObjectRemoved": NoticeKind.REMOVED,
    "LifecycleExpiration": NoticeKind.REMOVED,
    "ObjectTagging": NoticeKind.LISTED,
    "ObjectAnnotation": NoticeKind.LISTED,
    "ObjectRetention": NoticeKind.LISTED,
    "LifecycleTransition": NoticeKind.LISTED,
}
"""A change that leaves the etag as it is makes both keys be looked at. ACLs are not carried, so theirs is ignored."""
DETAIL_TYPES: Mapping[str, NoticeKind] = {
    "Object Created": NoticeKind.CREATED,
    "Object Deleted": NoticeKind.REMOVED,
    "Object Restore Completed": NoticeKind.LISTED,
    "Object Tags Added": NoticeKind.LISTED,
    "Object Tags Deleted": NoticeKind.LISTED,
    "Object Storage Class Changed": NoticeKind.LISTED,
}

LIFECYCLE = "LifecycleExpiration"
LIFECYCLE_REASON = "Lifecycle Expiration"
FOR_GOOD = "Permanently Deleted"

_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]+\Z")
_ACCOUNT = re.compile(r"[0-9]{12}(:.*)?\Z")
_AWS = "AWS:"


@dataclass(frozen=True, slots=True)
class Ignored:
    """A record with nothing to do, and why."""

    reason: str


def _unquoted(text: Any) -> Any:
    return (text.strip('"') or None) if isinstance(text, str) else text


ETag = Annotated[str | None, BeforeValidator(_unquoted)]
VersionId = Annotated[str | None, BeforeValidator(lambda text: text or None)]


class _AwsShape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Bucket(_AwsShape):
    name: str = Field(min_length=1)


class _DirectObject(_AwsShape):
    key: str = Field(min_length=1)
    size: NonNegativeInt | None = None
    etag: ETag = Field(default=None, alias="eTag")
    version_id: VersionId = Field(default=None, alias="versionId")
    sequencer: str | None = None


class _DirectEntity(_AwsShape):
    bucket: _Bucket
    object: _DirectObject


class _Identity(_AwsShape):
    principal_id: str | None = Field(default=None, alias="principalId")


class _DirectRecord(_AwsShape):
    version: str = Field(alias="eventVersion")
    name: str = Field(alias="eventName")
    s3: _DirectEntity
    identity: _Identity = Field(default=_Identity(), alias="userIdentity")


class _BusObject(_AwsShape):
    key: str = Field(min_length=1)
    size: NonNegativeInt | None = None
    etag: ETag = None
    version_id: VersionId = Field(default=None, alias="version-id")
    sequencer: str | None = None


class _BusDetail(_AwsShape):
    bucket: _Bucket
    object: _BusObject
    reason: str = ""
    deletion_type: str = Field(default="", alias="deletion-type")


class _BusEvent(_AwsShape):
    detail_type: str = Field(alias="detail-type")
    detail: _BusDetail


def direct_notices(records: list[Any], *, own_principals: Collection[str]) -> Iterator[Notice | Ignored | str]:
    """One result for each entry of ``Records``; a text is the fault of that entry."""
    for number, entry in enumerate(records, start=1):
        try:
            yield _direct_notice(entry, own_principals)
        except MalformedMessageError as error:
            yield f"record {number} of {len(records)}: {error}"


def _direct_notice(entry: Any, own_principals: Collection[str]) -> Notice | Ignored:
    if isinstance(entry, dict) and entry.get("eventSource", "aws:s3") != "aws:s3":
        raise MalformedMessageError(f"eventSource {entry['eventSource']!r} is not S3's")
    record = validated(_DirectRecord, entry)
    if record.version.partition(".")[0] != MAJOR_VERSION:
        raise MalformedMessageError(
            f"eventVersion {record.version!r} is not supported; keyshift reads {MAJOR_VERSION}.x"
        )
    name = record.name.removeprefix("s3:")
    kind = NoticeKind.LISTED if name == "ObjectRestore:Completed" else EVENT_FAMILIES.get(name.partition(":")[0])
    if kind is None:
        return Ignored(f"{name} changes nothing that a copy has")
    if kind is NoticeKind.REMOVED and _is_own(record.identity.principal_id, own_principals):
        return Ignored("keyshift's own delete")
    seen = record.s3.object
    try:
        # S3 sends the key as a web form would: decoded once, a space for each plus sign.
        key = unquote_plus(seen.key, errors="strict")
    except UnicodeDecodeError as error:
        raise MalformedMessageError(f"key {seen.key!r} is not UTF-8 after URL decoding") from error
    is_of_version = name == "ObjectRemoved:Delete" and seen.version_id is not None
    has_order = not (name.startswith(f"{LIFECYCLE}:") or is_of_version)
    return _notice(kind, Location(record.s3.bucket.name, key), seen, has_order=has_order)


def bus_notice(event: Mapping[str, Any]) -> Notice | Ignored:
    """The notice in one EventBridge event; its key is raw and is never decoded.

    A delete is never recognised as keyshift's here, because ``requester`` is an account. The record shows that.
    """
    if str(event.get("detail-type")) not in DETAIL_TYPES:
        return Ignored(f"{event.get('detail-type')} changes nothing that a copy has")
    parsed = validated(_BusEvent, event)
    kind = DETAIL_TYPES[parsed.detail_type]
    seen, detail = parsed.detail.object, parsed.detail
    is_of_version = detail.deletion_type == FOR_GOOD and seen.version_id is not None
    has_order = kind is not NoticeKind.REMOVED or not (detail.reason == LIFECYCLE_REASON or is_of_version)
    return _notice(kind, Location(detail.bucket.name, seen.key), seen, has_order=has_order)


def _notice(kind: NoticeKind, source: Location, seen: _DirectObject | _BusObject, *, has_order: bool) -> Notice:
    """The notice; without ``has_order`` both keys are read.

    A change that leaves the etag as it is, and a restore, are told by the key alone: by its etag such an object would
    count as copied. A lifecycle rule's removal carries the sequencer of the object's creation, which is older than a
    later copy. The permanent delete of a version has no time, and the version may not have been the current one.
    """
    if kind is NoticeKind.LISTED:
        return Notice(kind, source)
    return Notice(
        kind=kind,
        source=source,
        etag=seen.etag,
        version_id=seen.version_id,
        size=seen.size,
        sequencer=read_sequencer(seen.sequencer) if has_order else None,
    )


def read_sequencer(text: str | None) -> Sequencer | None:
    """The event's place in S3's order; an unreadable one counts as missing, so both keys are read."""
    return Sequencer(text) if text is not None and _HEXADECIMAL.match(text) else None


def _is_own(principal: str | None, own_principals: Collection[str]) -> bool:
    """Whether the principal, or the role before its session's name, is exactly one of keyshift's."""
    if principal is None:
        return False
    ours = {one.removeprefix(_AWS) for one in own_principals}
    name = principal.removeprefix(_AWS)
    return name in ours or name.partition(":")[0] in ours


def principal_fault(principal: str) -> str | None:
    """Why keyshift must not be recognised by this principal id, or ``None``."""
    name = principal.removeprefix(_AWS)
    if _ACCOUNT.match(name):
        return "is an account, in which other principals delete too"
    if name.startswith("arn:") or "/" in name:
        return "is an ARN, and S3's events name principal ids"
    if name in ("", "AWS", "*") or name.endswith(".amazonaws.com"):
        return "is not the id of one principal"
    return None


Shape = TypeVar("Shape", bound=BaseModel)


def validated(shape: type[Shape], content: Any) -> Shape:
    """``content`` as ``shape``; MalformedMessageError names the first few fields that are wrong."""
    try:
        return shape.model_validate(content)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'it'}: {fault['msg']}" for fault in error.errors()[:3]]
        raise MalformedMessageError("; ".join(faults)) from error
