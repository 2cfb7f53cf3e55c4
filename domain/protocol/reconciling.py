"""Decide the next step from the state of both keys (protocol.md §5); pure. ``decide`` contains the table."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeGuard

from domain.objects import ObjectState, is_other_version, same_object, what_is_lost
from domain.protocol.causes import Cause
from domain.protocol.ports import HiddenVersion, TopMarker
from domain.protocol.record import EMPTY_TARGET, TARGET_WRITES, Action, Intent, Origin, Record, State


@dataclass(frozen=True, slots=True)
class Sight:
    """The state of both keys at one moment, and what was known when the claim began.

    Each request that this attempt sent before was refused, so of its own intents only the unconfirmed copies are known.
    ``removed`` means that the notice is a producer's delete. ``mirror_adopted`` means that this delete may also delete
    a target that another writer made. ``now`` is in seconds since 1970.
    """

    record: Record
    source: ObjectState | None
    target: ObjectState | None
    top: TopMarker | None = None
    removed: bool = False
    mirror_deletes: bool = True
    mirror_adopted: bool = False
    now: float = 0.0


class Step(StrEnum):
    """What to do next."""

    SETTLE = "settle"
    """Both keys are as they should be, or never can be: only the record is written."""
    COPY = "copy"
    COPY_HIDDEN = "copy-hidden"
    DELETE_TARGET = "delete-target"


@dataclass(frozen=True, slots=True)
class Decision:
    """The next step and its condition.

    ``if_match`` is the etag that the target must have; ``None`` means that the target must be absent. ``keeps_target``
    means that the record keeps the target etag that it has.
    """

    step: Step
    state: State
    cause: Cause | None = None
    if_match: str | None = None
    origin: Origin | None = None
    keeps_target: bool = True


def is_known(target: ObjectState, record: Record) -> bool:
    """Whether an attempt before this one wrote or adopted the target."""
    if record.target_etag == target.etag and not was_put_since(target, record):
        return True
    return any(
        wrote(intent, target) for intent in record.maybe if intent.action in TARGET_WRITES and not intent.is_refused
    )


def was_put_since(target: ObjectState, record: Record) -> bool:
    """Whether another writer has written the target since keyshift's copy; equal bytes have equal etags."""
    if is_other_version(record.target_version, target.version_id):
        return True
    return record.copied_before is not None and target.last_modified >= record.copied_before


def is_as_recorded(target: ObjectState | None, record: Record) -> TypeGuard[ObjectState]:
    """Whether the target is still as the record's last commit describes it."""
    return target is not None and target.etag == record.target_etag and not was_put_since(target, record)


def doubted(target: ObjectState, record: Record) -> frozenset[Intent]:
    """The refused copies that may have written the target nevertheless."""
    return frozenset(intent for intent in record.maybe if intent.is_refused and wrote(intent, target))


def wrote(intent: Intent, target: ObjectState) -> bool:
    """Whether the target matches what this intent would write, and was not there before it."""
    if target.last_modified < intent.not_before:
        return False
    if intent.target_etag and intent.target_etag == target.etag:
        return True
    if not intent.checksum or not target.full_checksums:
        return False
    algorithm, _, checksum = intent.checksum.partition("=")
    return target.checksums.get(algorithm) == checksum


def was_cleaned(record: Record) -> bool:
    """Whether keyshift deleted the source in a cleanup, or may have."""
    if record.state is State.CLEANED or record.cleaned_etag is not None:
        return True
    return any(intent.action is Action.DELETE_SOURCE for intent in record.maybe)


def cleaned_etag_of(record: Record) -> str | None:
    """The source's etag that a record must keep after a cleanup, while its state does not show the cleanup.

    ``None`` when the source was not cleaned; empty where the etag is not known.
    """
    return record.cleaned_etag or ((record.source_etag or "") if was_cleaned(record) else None)


def is_what_we_hid(hidden: HiddenVersion, record: Record, copy: ObjectState | None) -> bool:
    """Whether cleanup's delete can have hidden that version; the delete was conditional on one etag.

    It is the copied version, or an equal one that its producer wrote at the last moment, so after keyshift's ``copy``.

    An older version with that etag becomes visible when the versions above it are deleted permanently. A lifecycle rule
    or a producer can do that. So can the cleanup of versions, which then forgets ``source_version``. Under suspended
    versioning, the delete itself does it.
    """
    if hidden.etag != record.deleted_etag or record.source_version is None:
        return False
    return hidden.version_id == record.source_version or is_put_after(hidden, copy)


def is_put_after(hidden: HiddenVersion, copy: ObjectState | None) -> bool:
    """Whether that version was written after the object at the target."""
    return copy is not None and hidden.last_modified > copy.last_modified


def may_lie_under_a_marker(sight: Sight) -> bool:
    """Whether a delete marker may cover a version that the producer wrote during or after keyshift's cleanup."""
    record = sight.record
    return (
        sight.source is None
        and sight.target is not None
        and (record.source_version is not None or record.marker_version is not None)
        and was_cleaned(record)
        and is_known(sight.target, sight.record)
    )


def marker_of_cleanup(sight: Sight) -> str | None:
    """The id of cleanup's delete marker, found above the version that it was to hide.

    It is needed where the answer to cleanup's delete was lost. Once the id is known, a later marker is the producer's
    own delete. ``None`` if the id is known already or there is no such marker.
    """
    top, record = sight.top, sight.record
    if top is None or top.hidden is None or record.marker_version is not None:
        return None
    return top.marker_id if is_what_we_hid(top.hidden, record, sight.target) else None


def decide(sight: Sight) -> Decision:
    """Choose the one right step for what was seen: the first row that fits (protocol.md §5).

    What S3 cannot decide is a CONFLICT, never a guess. A row without a condition is for what the rows above leave.
    A target is known, unconfirmed or the same by ``is_known``, ``doubted`` and ``same_object``; else it is unknown.
    "Copy if it matches" carries If-Match with the etag that was read.

    #   source  target       and                                                           step
    1   there   absent       keyshift's or a CONFLICT, and no decision fills it            CONFLICT
    2   there   absent                                                                     copy if absent
    3   there   same         created by keyshift, without the source's class, key or lock  copy if it matches
    4   there   same                                                                       settle COPIED
    5   there   known        the marker of cleanup is gone, and an older version came up   CONFLICT
    6   there   known                                                                      copy if it matches
    7   there   unknown      an operator gave up the object of this etag                   copy if it matches
    8   there   unconfirmed  the source is no longer what that copy was of                 copy if it matches
    9   there   unknown                                                                    CONFLICT
    10  absent  known        cleaned, and the marker hides a producer's newer version      copy it, CLEANED
    11  absent  known        a mirrored delete, not cleaned, not an undecided CONFLICT     delete, TOMBSTONE
    12  absent  known        cleaned                                                       settle CLEANED
    13  absent  known                                                                      settle GONE
    14  absent  unknown                                                                    CONFLICT
    15  absent  absent       cleaned                                                       CONFLICT
    16  absent  absent       a delete event, or a TOMBSTONE already                        settle TOMBSTONE
    17  absent  absent                                                                     settle GONE
    """
    if sight.source is None:
        return _decide_without_source(sight)
    record, target = sight.record, sight.target
    if target is None:
        was_ours = record.target_etag is not None or record.state is State.CONFLICT
        ours_to_delete = any(intent.action is Action.DELETE_TARGET for intent in record.maybe)
        if was_ours and not ours_to_delete and record.replaceable_etag != EMPTY_TARGET:
            return _conflict(Cause.COPY_DELETED if record.target_etag else Cause.TARGET_EMPTIED)
        return Decision(Step.COPY, State.COPIED, origin=Origin.CREATED)
    known = is_known(target, record)
    doubts = doubted(target, record)
    if same_object(sight.source, target) or _is_rewritten_copy(sight.source, target, record):
        if known and record.origin is Origin.CREATED and what_is_lost(sight.source, target, now=sight.now):
            return Decision(Step.COPY, State.COPIED, if_match=target.etag, origin=Origin.CREATED)
        return Decision(Step.SETTLE, State.COPIED, origin=_origin_of(target, record, known=known))
    if known and _came_up(sight.source, target, record):
        return _conflict(Cause.OLDER_VERSION_CAME_UP)
    if known:
        return Decision(Step.COPY, State.COPIED, if_match=target.etag, origin=Origin.CREATED)
    if target.etag == record.replaceable_etag:
        return Decision(Step.COPY, State.COPIED, if_match=target.etag, origin=Origin.CREATED)
    if any(_is_overwritten(sight.source, intent) for intent in doubts):
        return Decision(Step.COPY, State.COPIED, if_match=target.etag, origin=Origin.CREATED)
    return _conflict(_whose(doubts, record, Cause.TARGET_FOREIGN))


def _whose(doubts: frozenset[Intent], record: Record, theirs: Cause) -> Cause:
    """The cause of the conflict.

    A conflict about an unconfirmed copy keeps its cause, although the record forgets the unconfirmed copies.
    """
    was_in_doubt = record.state is State.CONFLICT and record.cause is Cause.TARGET_IN_DOUBT
    unrecognisable = any(one.action in TARGET_WRITES and not one.is_recognisable for one in record.maybe)
    return Cause.TARGET_IN_DOUBT if doubts or unrecognisable or was_in_doubt else theirs


def _came_up(source: ObjectState, target: ObjectState, record: Record) -> bool:
    """Whether the source is a version older than keyshift's copy.

    Its producer removed keyshift's delete marker, and the version that the marker hid is gone.
    """
    was_hidden = record.marker_version is not None and was_cleaned(record)
    return was_hidden and source.etag != record.deleted_etag and source.last_modified < target.last_modified


def _is_overwritten(source: ObjectState, intent: Intent) -> bool:
    """Whether the source has changed since that copy was sent.

    If it has not changed, keyshift's copy would equal it in everything. A different object at the target is then
    another writer's, for example of a producer who writes to both places.
    """
    return source.etag != intent.etag or is_other_version(source.version_id, intent.version_id)


def _is_rewritten_copy(source: ObjectState, target: ObjectState, record: Record) -> bool:
    """Whether the target is keyshift's rewritten content of this source; another copy would only undo the rewriting."""
    return (
        record.is_rewritten
        and target.etag == record.target_etag
        and source.etag == record.source_etag
        and not is_other_version(source.version_id, record.source_version)
        and source.metadata == target.metadata
        and source.headers == target.headers
        and source.tags == target.tags
    )


def _origin_of(target: ObjectState, record: Record, *, known: bool) -> Origin:
    """Whether keyshift created the target or adopted it.

    A refused copy does not prove that keyshift created the target. A copy over an adopted object does. If the answer
    were wrong, another writer's object would be deleted along with its source.
    """
    ours = any(
        wrote(intent, target) for intent in record.maybe if intent.action is Action.COPY and not intent.is_refused
    )
    if ours:
        return Origin.CREATED
    return record.origin or Origin.ADOPTED if known else Origin.ADOPTED


def _decide_without_source(sight: Sight) -> Decision:
    record, target = sight.record, sight.target
    cleaned = was_cleaned(record) and not _is_deleted_since(sight)
    known = target is not None and is_known(target, record)
    if known and cleaned and _hides_an_owners_version(sight):
        return Decision(
            Step.COPY_HIDDEN, State.CLEANED, if_match=target.etag if target else None, origin=Origin.CREATED
        )
    # After cleanup a late delete event proves nothing, because keyshift itself deleted the source. A target that
    # another writer made is left alone.
    is_followed = record.origin is not Origin.ADOPTED or sight.mirror_adopted
    mirrored = sight.removed and sight.mirror_deletes and is_followed and not cleaned
    if target is not None and known:
        # After a decision on a conflict, ``maybe`` holds only later intents. So a known target is the copy that
        # replaced the other object.
        if mirrored and (record.state is not State.CONFLICT or record.replaceable_etag is not None):
            return Decision(Step.DELETE_TARGET, State.TOMBSTONE, if_match=target.etag)
        state = State.CLEANED if cleaned else State.GONE
        return Decision(Step.SETTLE, state, origin=record.origin)
    if target is not None:
        # An unconfirmed copy does not count as keyshift's here. Otherwise keyshift would delete the object of a
        # producer who moves objects themselves, together with the old one.
        return _conflict(_whose(doubted(target, record), record, Cause.TARGET_FOREIGN_SOURCE_GONE))
    if cleaned:
        return _conflict(Cause.COPY_DELETED_AFTER_CLEANUP)
    # A listing's row that arrives after the producer's delete was processed is older than the record.
    state = State.TOMBSTONE if sight.removed or record.state is State.TOMBSTONE else State.GONE
    return Decision(Step.SETTLE, state, keeps_target=False)


def _is_deleted_since(sight: Sight) -> bool:
    """Whether the producer wrote a version after keyshift's copy and deleted it; its marker is not keyshift's."""
    top, record = sight.top, sight.record
    if top is None or top.hidden is None or not is_put_after(top.hidden, sight.target):
        return False
    if record.marker_version is not None:
        return top.marker_id != record.marker_version
    return top.hidden.etag != record.deleted_etag


def _hides_an_owners_version(sight: Sight) -> bool:
    top, record = sight.top, sight.record
    if top is None or top.hidden is None or top.hidden.version_id == record.source_version:
        return False
    # A marker on top that is not keyshift's is the producer's own delete.
    return record.marker_version in (None, top.marker_id) and is_what_we_hid(top.hidden, record, sight.target)


def _conflict(cause: Cause) -> Decision:
    return Decision(Step.SETTLE, State.CONFLICT, cause=cause, keeps_target=False)
