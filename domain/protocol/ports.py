"""The ports of the protocol: S3 objects, whole and in parts, the manifest table, a clock."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.annotations import Annotations
from domain.protocol.claims import ClaimRequest
from domain.protocol.parts import Part
from domain.protocol.record import Record


class Refused(StrEnum):
    """Why S3 did not do a conditional write; this call wrote nothing, but an earlier try of it may have."""

    SOURCE_ABSENT = "source-absent"
    PRECONDITION = "precondition"
    CONCURRENT = "concurrent"
    NOT_OFFERED = "not-offered"
    """The bucket takes no CopyObject with a condition (501), so this one had no effect, and no earlier try of it."""


@dataclass(frozen=True, slots=True)
class Written:
    """A conditional write that S3 did: the target's new etag (no quotes) and version, and the version it read."""

    etag: str
    version_id: str | None = None
    source_version_id: str | None = None


@dataclass(frozen=True, slots=True)
class SourceObject:
    """Which bytes to read: the source's etag always, its version where the bucket keeps versions.

    An empty ``etag`` with a version id reads exactly that version.
    """

    location: Location
    etag: str
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class MustBeAbsent:
    """The condition that there is no object at the target (``If-None-Match: *``)."""


@dataclass(frozen=True, slots=True)
class MustMatch:
    """The condition that the object at the target has this etag (``If-Match``)."""

    etag: str


TargetCondition = MustBeAbsent | MustMatch


@dataclass(frozen=True, slots=True)
class TargetObject:
    """Where to write, on what condition, until when.

    ``send_before`` is in monotonic seconds: after it the request is not sent and LeaseExpiredError is raised.
    ``storage_class`` is the source's, because a copy is STANDARD unless the class is passed.
    """

    location: Location
    condition: TargetCondition
    send_before: float
    storage_class: str = "STANDARD"


@dataclass(frozen=True, slots=True)
class Deleted:
    """A conditional delete that S3 did; ``marker_id`` is the delete marker's version where versions are kept."""

    marker_id: str | None = None


@dataclass(frozen=True, slots=True)
class HiddenVersion:
    """The newest version under a delete marker; ``last_modified`` in seconds since 1970, UTC, whole."""

    version_id: str
    etag: str
    last_modified: int


@dataclass(frozen=True, slots=True)
class TopMarker:
    """The delete marker that is a key's current version, and the newest version under it, if one is left.

    A lifecycle rule or a producer may have permanently deleted the version that the marker once hid.
    """

    marker_id: str
    hidden: HiddenVersion | None


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version of a key as ListObjectVersions shows it; a delete marker has neither etag nor size.

    ``version_id`` is ``null`` for what was written without versioning; ``last_modified`` in seconds since 1970, whole.
    """

    version_id: str
    last_modified: int
    etag: str = ""
    size: int = 0
    is_marker: bool = False


class ObjectStore(Protocol):
    """S3 objects, one at a time."""

    def look_at_object(
        self, location: Location, *, version_id: str | None = None, with_tags: bool = False
    ) -> ObjectState | None:
        """The current (or that) version with its metadata; ``None`` only where S3 is certain that it does not exist."""

    def copy_object(self, source: SourceObject, target: TargetObject, *, seen: ObjectState | None) -> Written | Refused:
        """Copy bytes, metadata and tags in one request, up to 5 GiB; ``seen`` (HEAD) supplies what S3 does not copy.

        NOT_OFFERED where the target's bucket enforces conditional writes and takes them of a completed upload only.
        """

    def delete_object(self, location: Location, *, if_match: str, send_before: float) -> Deleted | Refused:
        """Delete the current version if it has that etag; SOURCE_ABSENT when the key was absent."""

    def find_top_marker(self, location: Location) -> TopMarker | None:
        """The delete marker that hides the key; ``None`` where the key's current version is not a delete marker."""

    def remove_delete_marker(self, location: Location, *, marker_id: str, send_before: float) -> None:
        """Delete exactly that delete marker, so that the version under it is current again; repeatable."""


class MultipartStore(Protocol):
    """S3 multipart copies."""

    def create_upload(self, target: TargetObject, *, seen: ObjectState) -> str:
        """Start an upload that carries everything of ``seen`` (tags too) that S3 does not inherit; returns its id."""

    def copy_parts(
        self, source: SourceObject, target: TargetObject, *, upload_id: str, parts: Sequence[Part]
    ) -> Mapping[int, str] | Refused:
        """Copy these parts, each on the condition that the source has its etag; returns part number to etag."""

    def list_parts(self, target: Location, *, upload_id: str) -> Mapping[int, str] | None:
        """The parts that S3 holds already; ``None`` when the upload does not exist (completed or aborted)."""

    def complete_upload(
        self, target: TargetObject, *, upload_id: str, etags: Mapping[int, str], size: int
    ) -> Written | Refused:
        """Make the parts one object of ``size`` bytes, on the target's condition.

        SOURCE_ABSENT means that the upload does not exist.
        """

    def abort_upload(self, target: Location, *, upload_id: str) -> None:
        """Delete the upload and its parts; repeatable."""


class AnnotationStore(Protocol):
    """The annotations of S3 objects.

    Each method raises AccessDeniedError without its permission, and RefusedRequestError where the server has no
    annotations: what an object has is not known then.
    """

    def list_annotations(self, location: Location, *, version_id: str | None = None) -> Annotations | None:
        """Every annotation of the current (or that) version; ``None`` only where that version does not exist."""

    def read_annotation(self, location: Location, name: str, *, version_id: str | None = None) -> bytes | None:
        """The annotation's payload; ``None`` only where the annotation or its object does not exist."""

    def put_annotation(
        self, location: Location, name: str, payload: bytes, *, if_match: str, send_before: float
    ) -> bool:
        """Put or replace it if the current version has that etag; ``False``, without effect, where it has not."""


class Clock(Protocol):
    """Time as a port, so that a simulation controls it."""

    def now(self) -> float:
        """Seconds since 1970, UTC."""

    def monotonic(self) -> float:
        """Seconds of a clock that never steps back and counts while the process is stopped."""


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """Whether the claim was granted, and the record as it was before (``None``: it did not exist)."""

    granted: bool
    before: Record | None


@dataclass(frozen=True, slots=True)
class RecordChange:
    """One write of a record: ``record`` replaces ``before``, which is unchanged in revision, token and mode."""

    record: Record
    before: Record


class Manifest(Protocol):
    """The manifest table: one record for each source object, strongly consistent for one record."""

    def claim_record(self, request: ClaimRequest) -> ClaimAnswer:
        """Claim in one conditional write, by the rule of ``domain.protocol.claims.refusal``."""

    def write_record(self, record: Record, *, before: Record | None) -> bool:
        """Replace ``before`` by ``record`` (``before`` is unchanged in revision, token and mode; ``None``: absent).

        Returns ``True`` also when this very record is already there, because an earlier try succeeded. Returns
        ``False`` when another process changed it.
        """

    def read_record(self, record_id: str) -> Record | None:
        """The current record; ``None`` if it does not exist."""

    def read_records(self, record_ids: Sequence[str]) -> Mapping[str, Record]:
        """The current records by their ids, each consistent for itself; ids without a record are left out."""

    def scan_records(self, *, segment: int = 0, segments: int = 1) -> Iterator[Record]:
        """Every record, in no particular order; a record that changes meanwhile may be seen or missed."""


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Some records of a segment, and the cursor to read on from; ``None``: the segment has no more."""

    records: Sequence[Record]
    cursor: str | None


class RecordPages(Protocol):
    """The manifest's records, page by page, so that another process can read on."""

    def read_page(self, segment: int, segments: int, *, cursor: str, at_most: int) -> RecordPage:
        """At most so many records of a segment after ``cursor``, empty: from the first; a page may be empty.

        All segments together hold every record once that was written before their first pages were read.
        """


class RecordBatches(Protocol):
    """Many records of the manifest in few requests.

    Each record is written by itself: in any order, some and not others. The methods raise only what concerns every
    write alike (a missing table, no permission).
    """

    def claim_new_records(self, requests: Sequence[ClaimRequest]) -> list[ClaimAnswer | None]:
        """Claim many different sources that probably have no record yet; one answer for each, in their order.

        ``None`` means that it is not known whether the claim was granted: ask ``claim_record`` with the same request.
        """

    def write_records(self, changes: Sequence[RecordChange]) -> list[bool | None]:
        """Write many different records as ``write_record`` does; one answer for each, in their order.

        ``None`` means that it is not known whether the record was written: ask ``write_record`` with the same change.
        """


class VersionStore(Protocol):
    """Single versions of S3 objects."""

    def remove_version(self, location: Location, *, version_id: str, send_before: float) -> None:
        """Delete exactly that version permanently; repeatable."""


class VersionHistory(Protocol):
    """What S3 keeps of one key."""

    def list_versions(self, location: Location, *, since: str | None = None) -> Sequence[StoredVersion]:
        """The versions and delete markers of exactly this key, oldest first.

        The first one is version ``since``, where the key has it; without it or else the list is complete.
        """
