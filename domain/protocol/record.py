"""The manifest record of one source object (protocol.md §3)."""

from dataclasses import dataclass
from enum import StrEnum

from domain.keys import Location, Sequencer
from domain.protocol.causes import Cause, told
from domain.protocol.intents import Intent
from domain.protocol.seen_parts import SeenParts


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

    ``copied_before`` (whole seconds since 1970) is one second after S3's date of the target, where keyshift has read
    it, else the end of the copy plus the clocks' margin. A target that S3 dates from then on is another writer's, even
    with the same bytes.

    ``source_modified`` (whole seconds since 1970) is S3's date of the copied source, or of its copy. A later source is
    one that keyshift has not copied. The target's own date does not tell that once its references are rewritten.

    ``seen`` is what the last verification of this copy saw, whether or not it proved the copy.

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
    seen: SeenParts | None = None
    rewritten_etag: str | None = None
    cleaned_etag: str | None = None
    replaceable_etag: str | None = None
    copied_before: int | None = None
    source_modified: int | None = None
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
