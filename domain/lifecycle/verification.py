"""Compares one record with the objects at both keys; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.keys import Location
from domain.kms_keys import NO_KEYS, KeyMap
from domain.lifecycle.seen_copy import parts_seen, wrong_key
from domain.objects import ObjectState, is_other_version, same_bytes
from domain.protocol.annotations import AnnotationsCompared
from domain.protocol.histories import VersionsCompared
from domain.protocol.known_target import is_as_recorded
from domain.protocol.record import Origin, Record, State
from domain.protocol.seen_parts import SeenParts


class Difference(StrEnum):
    """A difference between a record and its keys."""

    NOT_MIGRATED = "not-migrated"
    """The rules move the source, and a copy of it was never finished."""
    UNFINISHED = "unfinished"
    """An attempt runs, or ended without a recorded result."""
    CHANGED_SINCE = "changed-since"
    """The producer changed the source after it was copied, and the event is not handled yet."""
    SOURCE_ABSENT = "source-absent"
    MISSING = "missing"
    """The copy is not at the target."""
    TARGET_CHANGED = "target-changed"
    """Another writer put an object in the copy's place, with the same bytes or others."""
    ORPHAN = "orphan"
    """keyshift's copy is there, its source is not, and keyshift did not delete it."""
    SIZE = "size"
    BYTES = "bytes"
    UNPROVEN = "unproven"
    """Nothing that S3 returns without the bytes proves that they are equal: only reading them does (``--deep``)."""
    METADATA = "metadata"
    HEADERS = "headers"
    TAGS = "tags"
    STORAGE_CLASS = "storage-class"
    ENCRYPTION = "encryption"
    LOCK = "lock"
    ANNOTATIONS = "annotations"
    VERSIONS = "versions"
    """The target lacks earlier versions of the source; they cannot be put behind a later one."""
    CONFLICT = "conflict"
    PARKED = "parked"
    REFERENCE = "reference"
    """A reference holder still has a legacy URI of it."""
    REJECTED = "rejected"
    """The rules match the key, but its new key is not a valid S3 key."""
    UNMAPPED = "unmapped"
    """The source key matches no rule, and the rules file has ``unmapped: fail``."""
    UNREADABLE = "unreadable"
    """One of the keys could not be read; nothing is known."""


class Remark(StrEnum):
    """A remark, which counts as a difference only with ``--strict``."""

    FOREIGN = "foreign"
    """An object at a key of the target layout that no record names: another writer's."""
    OUTSIDE = "outside"
    """The key matches no rule, neither as a source nor as a target."""


_LOSSES = frozenset(
    {
        Difference.SIZE,
        Difference.BYTES,
        Difference.METADATA,
        Difference.HEADERS,
        Difference.TAGS,
        Difference.STORAGE_CLASS,
        Difference.ENCRYPTION,
        Difference.LOCK,
        Difference.ANNOTATIONS,
        Difference.VERSIONS,
    }
)
"""Differences that name a part of the source that the target lacks."""

REPAIRABLE = (_LOSSES - {Difference.VERSIONS}) | {
    Difference.NOT_MIGRATED,
    Difference.UNFINISHED,
    Difference.CHANGED_SINCE,
    Difference.TARGET_CHANGED,
    Difference.SOURCE_ABSENT,
    Difference.PARKED,
    Difference.CONFLICT,
    Difference.UNREADABLE,
}
"""Differences that a worker may settle by the protocol: ``--requeue`` enqueues these.

A missing copy is not among them, because another writer deleted it. An object that another writer put in its place is
adopted if it equals the source in everything, and becomes a CONFLICT otherwise.
"""


_UNEQUAL = frozenset({Difference.SIZE, Difference.BYTES, Difference.UNPROVEN})


@dataclass(frozen=True, slots=True)
class Finding:
    """The result for one object; ``state`` is its record's, empty where it has no record.

    ``verified`` means that source and target were proven to be the same. ``seen`` is what was compared; it is ``None``
    where a side was absent or no longer what was copied.
    """

    source: Location | None
    target: Location | None
    state: str
    differences: tuple[Difference, ...] = ()
    remarks: tuple[Remark, ...] = ()
    detail: str = ""
    verified: bool = False
    seen: SeenParts | None = None


@dataclass(frozen=True, slots=True)
class Sides:
    """The objects at both keys, with tags; digests (SHA-256, hexadecimal) only where the bytes were read.

    ``annotations`` and ``versions`` are ``None`` where they were not looked at.
    """

    source: ObjectState | None
    target: ObjectState | None
    source_digest: str | None = None
    target_digest: str | None = None
    annotations: AnnotationsCompared | None = None
    versions: VersionsCompared | None = None


def needs_reading(record: Record, sides: Sides) -> bool:
    """Whether only the bytes can show that the copy is right."""
    source, target = sides.source, sides.target
    if record.state is not State.COPIED or source is None or target is None or source.size != target.size:
        return False
    if record.is_rewritten:
        return False
    return not same_bytes(source, target) and not _proven_different(source, target)


def judge(record: Record, sides: Sides, *, now: float, keys: KeyMap = NO_KEYS) -> Finding:
    """Every difference between the record and the objects at both keys; ``now`` in seconds since 1970.

    ``keys`` names the KMS key that a copy gets where it is not its source's.
    """
    differences = tuple(dict.fromkeys(_differences(record, sides, now, keys)))
    return Finding(
        record.source,
        record.target,
        record.state.value,
        differences,
        detail=record.why or _what_is_wrong(sides, differences, keys),
        verified=not differences and record.state is State.COPIED,
        seen=_seen(record, sides, differences, keys),
    )


def _what_is_wrong(sides: Sides, differences: tuple[Difference, ...], keys: KeyMap) -> str:
    source, target = sides.source, sides.target
    found = [one.lack for one in (sides.annotations, sides.versions) if one is not None]
    if Difference.ENCRYPTION in differences and source is not None and target is not None:
        found.append(wrong_key(source, target, keys))
    return "; ".join(filter(None, found))


def _seen(record: Record, sides: Sides, differences: tuple[Difference, ...], keys: KeyMap) -> SeenParts | None:
    source, target = sides.source, sides.target
    others = (Difference.CHANGED_SINCE, Difference.TARGET_CHANGED)
    if record.state is not State.COPIED or source is None or target is None or set(others) & set(differences):
        return None
    return replace(
        parts_seen(source, target, annotations=sides.annotations, keys=keys),
        versions=sides.versions.count if sides.versions is not None else None,
        lost=tuple(one.value for one in differences if one in _LOSSES),
        is_proven=not _UNEQUAL & set(differences),
    )


def _differences(  # noqa: C901, PLR0912  # one row for each state
    record: Record, sides: Sides, now: float, keys: KeyMap
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
            elif _lacks_versions(sides):
                yield Difference.VERSIONS
        case State.CLEANED:
            if sides.source is not None:
                yield Difference.CHANGED_SINCE
            if not ours:
                yield Difference.MISSING if sides.target is None else Difference.TARGET_CHANGED
        case State.COPIED:
            yield from _of_a_copy(record, sides, now, keys)
        case State.ROLLED_BACK | State.PURGED:
            if sides.source is None and ours:
                yield Difference.SOURCE_ABSENT


def _of_a_copy(record: Record, sides: Sides, now: float, keys: KeyMap) -> Iterator[Difference]:
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
        # keyshift itself committed the other content of a manifest whose references it switched: its etag is the proof.
        others = (Difference.SIZE, Difference.BYTES, Difference.UNPROVEN) if record.is_rewritten else ()
        compared = compare_objects(keys.as_copied(source), target, sides=sides, now=now)
        yield from (one for one in compared if one not in others)


def compare_objects(  # noqa: C901  # one row for each thing that a copy carries
    source: ObjectState, target: ObjectState, *, sides: Sides, now: float
) -> Iterator[Difference]:
    """The parts of the source that the target lacks; the source has the encryption that its copy shall have."""
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
    if sides.annotations is not None and sides.annotations.lack:
        yield Difference.ANNOTATIONS
    if _lacks_versions(sides):
        yield Difference.VERSIONS


def _lacks_versions(sides: Sides) -> bool:
    return sides.versions is not None and bool(sides.versions.absent)


def _proven_different(one: ObjectState, other: ObjectState) -> bool:
    """Whether S3's answers rule out that the bytes are equal; different etags alone do not."""
    if one.full_checksums and other.full_checksums:
        shared = one.checksums.keys() & other.checksums.keys()
        if shared:
            return any(one.checksums[name] != other.checksums[name] for name in shared)
    return one.etag_is_digest and other.etag_is_digest and one.etag != other.etag


OBJECTS, VERIFIED, BY_INVENTORIES = "objects", "verified", "by_inventories"
_DIFFERENCE, _REMARK = "difference.", "remark."


def counts_of(finding: Finding) -> Mapping[str, int]:
    """The figures that one finding adds to a verification's."""
    is_object = finding.source is not None and Difference.REFERENCE not in finding.differences
    named = {_DIFFERENCE + one.value: 1 for one in finding.differences}
    named |= {_REMARK + one.value: 1 for one in finding.remarks}
    if finding.seen is not None and finding.seen.by_inventories:
        named[BY_INVENTORIES] = 1
    return {OBJECTS: int(is_object), VERIFIED: int(finding.verified), **named}


@dataclass(frozen=True, slots=True)
class Summary:
    """All findings counted; ``clean`` means no difference at all.

    Of the ``objects``, ``by_inventories`` were proven by inventories, and not looked at.
    """

    objects: int
    verified: int
    differences: Mapping[str, int]
    remarks: Mapping[str, int]
    strict: bool = False
    by_inventories: int = 0

    @property
    def looked_at(self) -> int:
        """The number of objects that were looked at by requests."""
        return self.objects - self.by_inventories

    @property
    def clean(self) -> bool:
        """Whether everything is in order."""
        return not self.differences and not (self.strict and self.remarks)


def summary_of(counts: Mapping[str, int], *, strict: bool) -> Summary:
    """The summary of figures that were added up."""

    def named(prefix: str) -> Mapping[str, int]:
        return {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}

    return Summary(
        counts.get(OBJECTS, 0),
        counts.get(VERIFIED, 0),
        named(_DIFFERENCE),
        named(_REMARK),
        strict,
        counts.get(BY_INVENTORIES, 0),
    )
