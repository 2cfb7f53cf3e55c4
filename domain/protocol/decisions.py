"""What a decision about one object is made from, and what it can be (protocol.md §5)."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.kms_keys import NO_KEYS, KeyMap
from domain.objects import ObjectState
from domain.protocol.causes import Cause
from domain.protocol.ports import HiddenVersion, MustMatch, StoredVersion, TargetCondition, TopMarker
from domain.protocol.record import Origin, Record, State


@dataclass(frozen=True, slots=True)
class Sight:
    """The state of both keys at one moment, and what was known when the claim began.

    Each request that this attempt sent before was refused, so of its own intents only the unconfirmed copies are known.
    ``removed`` means that the notice is a producer's delete. ``mirror_adopted`` means that this delete may also delete
    a target that another writer made. ``now`` is in seconds since 1970. ``kms_keys`` names the KMS key that a copy gets
    where it is not its source's. ``versions`` of the source, oldest first, are known only in a migration that carries
    every version.
    """

    record: Record
    source: ObjectState | None
    target: ObjectState | None
    top: TopMarker | None = None
    removed: bool = False
    mirror_deletes: bool = True
    mirror_adopted: bool = False
    now: float = 0.0
    kms_keys: KeyMap = NO_KEYS
    versions: Sequence[StoredVersion] | None = None


@dataclass(frozen=True, slots=True)
class Settle:
    """Write only the record: both keys are as they should be, or never can be.

    ``keeps_target`` means that the record keeps the target etag that it has.
    """

    state: State
    cause: Cause | None = None
    origin: Origin | None = None
    keeps_target: bool = True


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy the source to the target on this condition; the record becomes COPIED."""

    source: ObjectState
    condition: TargetCondition


@dataclass(frozen=True, slots=True)
class CopyHidden:
    """Copy the version that cleanup's delete marker hides; the record stays CLEANED."""

    hidden: HiddenVersion
    condition: MustMatch


@dataclass(frozen=True, slots=True)
class DeleteTarget:
    """Delete the target if it has this etag; the record becomes TOMBSTONE."""

    etag: str


@dataclass(frozen=True, slots=True)
class CarryVersions:
    """Copy these earlier versions of the source, oldest first, and then look again.

    A delete marker among them deletes the target. The first step has this condition, and each later one the state that
    the step before it left.
    """

    versions: tuple[StoredVersion, ...]
    condition: TargetCondition


Decision = Settle | Copy | CopyHidden | DeleteTarget
