"""What the domain asks of the world; each docstring is the contract that every adapter and fake is tested against.

Every method may raise a ThrottledError, a LeaseExpiredError or a PermanentError (nothing happened, and nothing of it
is still on its way), or an UnavailableError (the effect may have happened, or may still happen). Calls that change
S3 are therefore sent once: what an SDK's own retry hides, the caller could not tell apart. Expected answers are values.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from domain.audit import AuditEvent
from domain.control import Control
from domain.keys import Location
from domain.objects import ListedObject, ObjectState
from domain.parts import Part
from domain.record import ClaimRequest, Record


class Clock(Protocol):
    """Time as a port, so that a simulation owns it."""

    def now(self) -> float:
        """Seconds since 1970, UTC."""

    def monotonic(self) -> float:
        """Seconds of a clock that never steps back and counts while the process is stopped."""


class Refused(StrEnum):
    """Why S3 did not do a conditional write; nothing was written by this call (an earlier try of it may have)."""

    SOURCE_ABSENT = "source-absent"
    PRECONDITION = "precondition"
    CONCURRENT = "concurrent"


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
class TargetObject:
    """Where to write, on what condition, until when.

    ``if_match`` is the etag the target must have; ``None`` means that it must not exist. ``send_before`` is
    monotonic seconds: past it the request is not sent and LeaseExpiredError is raised. ``storage_class`` is the
    source's, because a copy is STANDARD unless it is passed.
    """

    location: Location
    if_match: str | None
    send_before: float
    storage_class: str = "STANDARD"


@dataclass(frozen=True, slots=True)
class Deleted:
    """A conditional delete that S3 did; ``marker_id`` is the delete marker's version where versions are kept."""

    marker_id: str | None = None


@dataclass(frozen=True, slots=True)
class HiddenVersion:
    """The newest version under the delete marker that is the key's current version."""

    version_id: str
    etag: str
    marker_id: str


class ObjectStore(Protocol):
    """S3 objects, one at a time."""

    def look_at_object(
        self, location: Location, *, version_id: str | None = None, with_tags: bool = False
    ) -> ObjectState | None:
        """The current (or that) version; ``None`` only where S3 is certain that there is none."""

    def copy_object(self, source: SourceObject, target: TargetObject, *, seen: ObjectState | None) -> Written | Refused:
        """Copy bytes, metadata and tags in one request, up to 5 GiB; ``seen`` (HEAD) supplies what S3 does not copy."""

    def delete_object(self, location: Location, *, if_match: str, send_before: float) -> Deleted | Refused:
        """Delete the current version if it has that etag; SOURCE_ABSENT when there was none."""

    def find_hidden_version(self, location: Location) -> HiddenVersion | None:
        """What our delete marker hides; ``None`` where the key's current version is no delete marker."""

    def remove_delete_marker(self, location: Location, *, marker_id: str, send_before: float) -> None:
        """Delete exactly that delete marker, so that the version under it is current again; repeatable."""


class MultipartStore(Protocol):
    """S3 multipart copies."""

    def create_upload(self, target: TargetObject, *, seen: ObjectState) -> str:
        """Start an upload that carries everything of ``seen`` (tags too) that S3 does not inherit; its id."""

    def copy_parts(
        self, source: SourceObject, target: TargetObject, *, upload_id: str, parts: Sequence[Part]
    ) -> Mapping[int, str] | Refused:
        """Copy these parts, each on the condition that the source has its etag; part number to etag."""

    def list_parts(self, target: Location, *, upload_id: str) -> Mapping[int, str] | None:
        """The parts already there; ``None`` when the upload does not exist (completed or aborted)."""

    def complete_upload(
        self, target: TargetObject, *, upload_id: str, etags: Mapping[int, str], size: int
    ) -> Written | Refused:
        """Make the parts one object of ``size`` bytes, on the target's condition; SOURCE_ABSENT: no such upload."""

    def abort_upload(self, target: Location, *, upload_id: str) -> None:
        """Drop the upload and its parts; repeatable."""


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """Whether the claim was granted, and the record as it was before (``None``: there was none)."""

    granted: bool
    before: Record | None


class Manifest(Protocol):
    """The ledger: one record for each source object, strongly consistent for one record."""

    def claim_record(self, request: ClaimRequest) -> ClaimAnswer:
        """Claim in one conditional write, by the rule of ``domain.record.refusal``."""

    def write_record(self, record: Record, *, before: Record | None) -> bool:
        """Replace ``before`` (revision, token and mode unchanged since; ``None``: absent) by ``record``.

        ``True`` also when this very record is already there: an earlier try of ours had landed. ``False`` when
        somebody else changed it.
        """

    def read_record(self, record_id: str) -> Record | None:
        """The record now."""

    def scan_records(self, *, segment: int = 0, segments: int = 1) -> Iterator[Record]:
        """Every record, in no order; what changes meanwhile may be seen or missed."""


@dataclass(frozen=True, slots=True)
class Message:
    """One received SQS message; ``sent_at`` is seconds since 1970, ``receive_count`` starts at 1."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int = 1
    sent_at: float = 0.0


class MessageQueue(Protocol):
    """One SQS queue: at least once, in no order."""

    def send_messages(self, bodies: Sequence[str], *, delay: int = 0) -> None:
        """Send every body, after ``delay`` seconds; returns only when all are accepted."""

    def receive_messages(self, *, at_most: int, wait: int) -> Sequence[Message]:
        """Up to ``at_most`` (1 to 10) messages, waiting up to ``wait`` seconds for the first."""

    def delete_messages(self, messages: Sequence[Message]) -> None:
        """Acknowledge; repeatable."""

    def return_messages(self, messages: Sequence[Message], *, delay: int) -> None:
        """Make them visible again after ``delay`` seconds; a message that is gone meanwhile is no error."""

    def count_messages(self) -> tuple[int, int]:
        """About how many wait and how many are being worked on."""


class EventBus(Protocol):
    """EventBridge."""

    def publish_events(self, events: Sequence[AuditEvent]) -> Sequence[int]:
        """Publish; indexes (ascending) of the events that were not accepted after retries."""


class ObjectListing(Protocol):
    """ListObjectsV2."""

    def list_objects(self, bucket: str, *, prefix: str = "", after: str = "") -> Iterator[ListedObject]:
        """Objects in the order of their keys' UTF-8 bytes, only those after the key ``after``."""


class ProgressCounters(Protocol):
    """Figures of one migration, kept beside the records."""

    def add_progress(self, deltas: Mapping[str, int], *, batch_id: str) -> None:
        """Add to the named counters once, however often the same ``batch_id`` comes within ten minutes."""

    def read_progress(self) -> Mapping[str, int]:
        """The counters now."""


class ControlPanel(Protocol):
    """The operator's word to everything that runs."""

    def read_control(self) -> Control:
        """The control item now; running at full speed where there is none."""

    def write_control(self, control: Control) -> None:
        """Replace the control item."""


class BackfillJournal(Protocol):
    """How far each data file of an inventory has been enqueued."""

    def read_rows_done(self, inventory_id: str, file_key: str) -> int:
        """How many of the file's rows, from its first, are enqueued or need no move; 0 where nothing is known."""

    def write_rows_done(self, inventory_id: str, file_key: str, rows: int) -> None:
        """Remember it; a smaller number than the one known is ignored, since two runs may overlap."""
