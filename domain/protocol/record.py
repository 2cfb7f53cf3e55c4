"""The manifest record of one source object, and the pure rules by which it may change (protocol.md §3, §4)."""

from dataclasses import dataclass, replace
from enum import StrEnum

from domain.keys import Location, Sequencer
from domain.protocol.causes import Cause, told
from domain.protocol.notices import Notice, NoticeKind


class State(StrEnum):
    """What the record says about source and target while no attempt works on it."""

    NEW = "NEW"
    COPIED = "COPIED"
    CONFLICT = "CONFLICT"
    TOMBSTONE = "TOMBSTONE"
    """The producer deleted the source, and keyshift deleted the copy."""
    GONE = "GONE"
    """The source is absent for an unknown reason; a copy that exists is kept."""
    PARKED = "PARKED"
    """The object waits for an operator or a producer: archived, no permission, impossible key; ``cause`` says which."""
    CLEANED = "CLEANED"
    ROLLED_BACK = "ROLLED_BACK"
    ROLLBACK_CONFLICT = "ROLLBACK_CONFLICT"
    PURGED = "PURGED"
    """Rolled back, and the copy that keyshift created is deleted."""


class Mode(StrEnum):
    """Whether forward events still count."""

    FORWARD = "FORWARD"
    ROLLED_BACK = "ROLLED_BACK"


class Origin(StrEnum):
    """Whether keyshift created the target or found an equal object there."""

    CREATED = "created"
    ADOPTED = "adopted"


class Action(StrEnum):
    """What an attempt is about to do."""

    COPY = "copy"
    DELETE_TARGET = "delete-target"
    DELETE_SOURCE = "delete-source"
    ROLL_BACK = "roll-back"
    PURGE = "purge"
    REWRITE = "rewrite"
    """Write other content to the target, with the references in it switched."""
    UPLOAD = "upload"
    """Copy parts of a multipart upload; the target is unchanged until the upload is completed, which is a COPY."""


TARGET_WRITES = (Action.COPY, Action.REWRITE)


@dataclass(frozen=True, slots=True, order=True)
class Intent:
    """What an attempt is about to do, recorded before it does it.

    A copy names the source's ``etag`` and, where known, its ``version_id``. ``target_etag`` is the etag that the target
    has if the copy succeeds, so a later attempt can recognise it. It is empty where it cannot be foretold. ``checksum``
    (``CRC64NVME=…``, of the whole object) is for encrypted targets, whose etags cannot be compared.

    ``not_before`` (seconds since 1970) dates a write to the target: an object that S3 dates earlier was there before.
    It is zero where no date is known.

    ``is_refused`` marks an unconfirmed copy: S3 refused it, but a proxy may have sent it twice, so it may exist. An
    object that looks like this copy may also be another writer's.
    """

    action: Action
    etag: str = ""
    version_id: str = ""
    target_etag: str = ""
    checksum: str = ""
    not_before: int = 0
    is_refused: bool = False

    @property
    def is_recognisable(self) -> bool:
        """Whether an object at the target can be compared with what this intent would write."""
        return bool(self.target_etag or self.checksum)

    @property
    def is_task(self) -> bool:
        """Whether it names work that a later attempt must finish in any case: the version to be deleted permanently."""
        return self.action is Action.DELETE_SOURCE and bool(self.version_id)

    @property
    def undated(self) -> "Intent":
        """The intent without its date and without the mark that S3 refused it."""
        return replace(self, not_before=0, is_refused=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """The running attempt: its fencing token and the time (seconds since 1970) when it ends."""

    token: str
    deadline: float


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart copy of exactly this source to ``location``, not completed yet; ``part_size`` in bytes.

    ``not_before`` is in seconds since 1970. S3 dates the completed object by the start of its upload (S3 user guide,
    object metadata).
    """

    upload_id: str
    location: Location
    etag: str
    version_id: str
    last_modified: int
    part_size: int
    not_before: int = 0


EMPTY_TARGET = ""
"""Used in place of an etag: the target is absent, and the source may be copied there.

An operator decided so, although another writer deleted the object at the target.
"""


@dataclass(frozen=True, slots=True)
class Record:
    """One manifest item. Without a claim there is no intent. With a ``maybe`` that is not empty it is unfinished.

    ``marker_version`` is the delete marker that keyshift's cleanup put on a versioned source.

    ``rewritten_etag`` is the etag of an augmented manifest's content with its references switched. That content differs
    from the source's.

    ``cleaned_etag`` is the etag of the source that keyshift's cleanup deleted, or may have, while ``state`` is another
    than CLEANED (CONFLICT, PARKED).

    ``copied_before`` (whole seconds since 1970) is when the target was known to be keyshift's, plus the clocks' margin.
    A target that S3 dates later is another writer's, even with the same bytes.

    ``replaceable_etag`` is an operator's decision on a conflict, valid until the next commit. It is the etag of the
    object at the target that the source may replace, or EMPTY_TARGET.
    """

    source: Location
    target: Location
    state: State = State.NEW
    revision: int = 1
    mode: Mode = Mode.FORWARD
    sequencer: Sequencer | None = None
    source_etag: str | None = None
    source_version: str | None = None
    target_etag: str | None = None
    target_version: str | None = None
    size: int | None = None
    claim: Claim | None = None
    intent: Intent | None = None
    maybe: frozenset[Intent] = frozenset()
    upload: Upload | None = None
    marker_version: str | None = None
    origin: Origin | None = None
    cause: Cause | None = None
    cause_detail: str = ""
    rule: str = ""
    rules_digest: str = ""
    verified_at: float | None = None
    rewritten_etag: str | None = None
    cleaned_etag: str | None = None
    replaceable_etag: str | None = None
    copied_before: int | None = None
    changed_at: float = 0.0

    @property
    def why(self) -> str:
        """The cause as a sentence for people; empty where there is no cause."""
        return told(self.cause, self.cause_detail) if self.cause is not None else ""

    def is_claimed_at(self, now: float) -> bool:
        """Whether an attempt may still run (``now`` in seconds since 1970)."""
        return self.claim is not None and self.claim.deadline >= now

    @property
    def record_id(self) -> str:
        """The partition key."""
        return self.source.record_id

    @property
    def holds_nothing(self) -> bool:
        """Whether no attempt ever wrote to the target, or may have; nothing can be written under an impossible key."""
        if not self.target.key:
            return True
        return self.target_etag is None and not self.maybe and self.upload is None and self.state in _UNTOUCHED

    @property
    def keeps_original(self) -> bool:
        """Whether a delete of the source only hides it; ``null`` is destroyed where versioning is suspended."""
        return self.source_version not in (None, "null")

    @property
    def is_rewritten(self) -> bool:
        """Whether the target holds keyshift's rewritten content and not the source's; a new copy ends that."""
        return self.rewritten_etag is not None and self.rewritten_etag == self.target_etag

    @property
    def is_unfinished(self) -> bool:
        """Whether an attempt still runs, or ended without a recorded result."""
        return self.claim is not None or self.upload is not None or bool(self.maybe)

    @property
    def deleted_etag(self) -> str | None:
        """The etag that cleanup's delete of the source required: what the delete hid or destroyed had this etag."""
        return self.cleaned_etag or self.source_etag


_UNTOUCHED = (State.NEW, State.PARKED)


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A request to claim a source object for one attempt.

    ``notice`` gives the reason; ``now`` is in seconds since 1970.
    """

    notice: Notice
    target: Location
    claim: Claim
    intent: Intent | None
    now: float
    rule: str = ""
    rules_digest: str = ""


class Refusal(StrEnum):
    """Why a claim was not granted."""

    ROLLED_BACK = "rolled-back"
    INCORPORATED = "incorporated"
    BUSY = "busy"


def refusal(record: Record | None, request: ClaimRequest) -> Refusal | None:
    """Return why ``request`` must not be granted on ``record``, or ``None`` when it may be granted.

    The DynamoDB adapter holds the same rule as a condition expression; the contract suite compares the two.
    """
    if record is None:
        return None
    if record.mode is not Mode.FORWARD:
        return Refusal.ROLLED_BACK
    if record.is_claimed_at(request.now):
        return Refusal.BUSY
    if not record.is_unfinished and is_incorporated(record, request.notice):
        return Refusal.INCORPORATED
    return None


def is_incorporated(record: Record, notice: Notice) -> bool:
    """Whether a finished record already reflects what ``notice`` reports."""
    if notice.kind is not NoticeKind.LISTED:
        return notice.sequencer is not None and notice.sequencer.is_at_most(record.sequencer)
    return (
        record.state in (State.COPIED, State.CLEANED)
        and notice.etag is not None
        and record.source_etag == notice.etag
        and notice.version_id in (None, record.source_version)
    )


def may_go_along(record: Record | None, notice: Notice) -> bool:
    """Whether a delete of the source may still require work: keyshift's copy would have to be deleted too."""
    # An attempt that still runs, or died, may have written the target although the record shows no copy yet.
    if record is None or record.mode is not Mode.FORWARD or replace(record, maybe=left_over(record)).holds_nothing:
        return False
    if record.is_unfinished:
        return True
    return record.target_etag is not None and not is_incorporated(record, notice)


def claimed(record: Record | None, request: ClaimRequest) -> Record:
    """The record after a granted claim: an abandoned attempt's intent becomes one of ``maybe``."""
    if record is None:
        return Record(
            source=request.notice.source,
            target=request.target,
            claim=request.claim,
            intent=request.intent,
            rule=request.rule,
            rules_digest=request.rules_digest,
            changed_at=request.now,
        )
    return replace(
        record,
        claim=request.claim,
        intent=request.intent,
        maybe=left_over(record),
        revision=record.revision + 1,
        changed_at=request.now,
    )


def left_over(record: Record) -> frozenset[Intent]:
    """Every intent of which it is not known whether it took effect."""
    return record.maybe | ({record.intent} if record.intent is not None else frozenset())
