"""Is the migration true? Compares one record with what both keys hold: pure, one rule after the other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.keys import Location
from domain.objects import ObjectState, is_other_version, same_bytes
from domain.protocol.reconciling import is_as_recorded
from domain.protocol.record import Origin, Record, State


class Difference(StrEnum):
    """What is not as it should be."""

    NOT_MIGRATED = "not-migrated"
    """The rules move the source, and no copy of it was ever finished."""
    UNFINISHED = "unfinished"
    """An attempt runs, or ended without saying what it did."""
    CHANGED_SINCE = "changed-since"
    """The owner changed the source after it was copied, and no event of it has been worked off yet."""
    SOURCE_ABSENT = "source-absent"
    MISSING = "missing"
    """The copy is not at the target."""
    TARGET_CHANGED = "target-changed"
    """Another writer put an object where the copy was, of the same bytes or of others."""
    ORPHAN = "orphan"
    """Our copy is there, its source is not, and we did not delete it."""
    SIZE = "size"
    BYTES = "bytes"
    UNPROVEN = "unproven"
    """Nothing that S3 says proves that the bytes are the same: only reading them does (``--deep``)."""
    METADATA = "metadata"
    HEADERS = "headers"
    TAGS = "tags"
    STORAGE_CLASS = "storage-class"
    ENCRYPTION = "encryption"
    LOCK = "lock"
    CONFLICT = "conflict"
    PARKED = "parked"
    REFERENCE = "reference"
    """A legacy URI of it is still held somewhere."""
    REJECTED = "rejected"
    """The rules match the key, but its new key would be none that S3 can hold."""
    UNMAPPED = "unmapped"
    """No rule maps the source key, and the rules say ``unmapped: fail``."""
    UNREADABLE = "unreadable"
    """A look at one of the keys failed; nothing is known."""


class Remark(StrEnum):
    """What is worth saying and is no difference, unless ``--strict`` makes it one."""

    FOREIGN = "foreign"
    """At a key of the target layout, but no record ever named it: whoever writes the new layout wrote it."""
    OUTSIDE = "outside"
    """No rule knows the key, neither as a source nor as a target."""


REPAIRABLE = frozenset(
    {
        Difference.NOT_MIGRATED,
        Difference.UNFINISHED,
        Difference.CHANGED_SINCE,
        Difference.TARGET_CHANGED,
        Difference.SOURCE_ABSENT,
        Difference.PARKED,
        Difference.CONFLICT,
        Difference.UNREADABLE,
        Difference.SIZE,
        Difference.BYTES,
        Difference.METADATA,
        Difference.HEADERS,
        Difference.TAGS,
        Difference.STORAGE_CLASS,
        Difference.ENCRYPTION,
        Difference.LOCK,
    }
)
"""What another look by a worker may settle, and only by the protocol: these are what ``--requeue`` enqueues.

A copy that is missing is not among them: another writer decided that. What another writer put in its place is adopted
if it is the same as the source in everything, and becomes a CONFLICT otherwise.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is said of one object; ``state`` is its record's, empty where it has none.

    ``verified`` says that source and target were proven to be the same.
    """

    source: Location | None
    target: Location | None
    state: str
    differences: tuple[Difference, ...] = ()
    remarks: tuple[Remark, ...] = ()
    detail: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Sides:
    """What both keys hold, with tags; digests (SHA-256, hexadecimal) only where the bytes were read."""

    source: ObjectState | None
    target: ObjectState | None
    source_digest: str | None = None
    target_digest: str | None = None


def needs_reading(record: Record, sides: Sides) -> bool:
    """Whether only the bytes themselves can tell if the copy is right."""
    source, target = sides.source, sides.target
    if record.state is not State.COPIED or source is None or target is None or source.size != target.size:
        return False
    if record.is_rewritten:
        return False
    return not same_bytes(source, target) and not _proven_different(source, target)


def judge(record: Record, sides: Sides, *, now: float) -> Finding:
    """Every difference between what the record says and what both keys hold; ``now`` in seconds since 1970."""
    differences = tuple(dict.fromkeys(_differences(record, sides, now)))
    return Finding(
        record.source,
        record.target,
        record.state.value,
        differences,
        detail=record.why,
        verified=not differences and record.state is State.COPIED,
    )


def _differences(  # noqa: C901, PLR0912  # one row for each state
    record: Record, sides: Sides, now: float
) -> Iterator[Difference]:
    if record.is_unfinished:
        yield Difference.UNFINISHED
    ours = is_as_recorded(sides.target, record)
    match record.state:
        case State.NEW:
            yield Difference.NOT_MIGRATED
        case State.CONFLICT | State.ROLLBACK_CONFLICT:
            yield Difference.CONFLICT
        case State.PARKED:
            yield Difference.PARKED
        case State.TOMBSTONE | State.GONE:
            if sides.source is not None:
                yield Difference.NOT_MIGRATED
            elif ours and record.origin is not Origin.ADOPTED:
                yield Difference.ORPHAN
        case State.CLEANED:
            if sides.source is not None:
                yield Difference.CHANGED_SINCE
            if not ours:
                yield Difference.MISSING if sides.target is None else Difference.TARGET_CHANGED
        case State.COPIED:
            yield from _of_a_copy(record, sides, now)
        case State.ROLLED_BACK | State.PURGED:
            if sides.source is None and ours:
                yield Difference.SOURCE_ABSENT


def _of_a_copy(record: Record, sides: Sides, now: float) -> Iterator[Difference]:
    source, target = sides.source, sides.target
    if source is None:
        yield Difference.SOURCE_ABSENT
    elif source.etag != record.source_etag or is_other_version(source.version_id, record.source_version):
        yield Difference.CHANGED_SINCE
        return
    if target is None:
        yield Difference.MISSING
        return
    if not is_as_recorded(target, record):
        yield Difference.TARGET_CHANGED
    if source is not None:
        # A manifest whose references were switched holds other content by our own commit: its etag is the proof.
        others = (Difference.SIZE, Difference.BYTES, Difference.UNPROVEN) if record.is_rewritten else ()
        yield from (one for one in compare_objects(source, target, sides=sides, now=now) if one not in others)


def compare_objects(  # noqa: C901  # one row for each thing that a copy carries
    source: ObjectState, target: ObjectState, *, sides: Sides, now: float
) -> Iterator[Difference]:
    """What of the source the target does not carry."""
    if source.size != target.size:
        yield Difference.SIZE
    elif sides.source_digest is not None and sides.target_digest is not None:
        if sides.source_digest != sides.target_digest:
            yield Difference.BYTES
    elif not same_bytes(source, target):
        yield Difference.BYTES if _proven_different(source, target) else Difference.UNPROVEN
    if source.metadata != target.metadata:
        yield Difference.METADATA
    if source.headers != target.headers:
        yield Difference.HEADERS
    if source.tags is None or source.tags != target.tags:
        yield Difference.TAGS
    if source.storage_class != target.storage_class:
        yield Difference.STORAGE_CLASS
    if source.encryption.is_kms and not source.encryption.is_kept_by(target.encryption):
        yield Difference.ENCRYPTION
    if not source.lock.is_kept_by(target.lock, now):
        yield Difference.LOCK


def _proven_different(one: ObjectState, other: ObjectState) -> bool:
    """Whether what S3 says rules out that the bytes are the same; different etags alone do not."""
    if one.full_checksums and other.full_checksums:
        shared = one.checksums.keys() & other.checksums.keys()
        if shared:
            return any(one.checksums[name] != other.checksums[name] for name in shared)
    return one.etag_is_digest and other.etag_is_digest and one.etag != other.etag


@dataclass(frozen=True, slots=True)
class Summary:
    """All findings counted; ``clean`` means no difference at all."""

    objects: int
    verified: int
    differences: Mapping[str, int]
    remarks: Mapping[str, int]
    strict: bool = False

    @property
    def clean(self) -> bool:
        """Whether the answer is yes."""
        return not self.differences and not (self.strict and self.remarks)
