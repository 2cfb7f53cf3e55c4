"""Decide the next step from the state of both keys (protocol.md §5); pure. ``decide`` contains the table."""

from domain.objects import ObjectState, is_other_version, same_object, what_is_lost
from domain.protocol.causes import Cause
from domain.protocol.cleaned_source import is_put_after, is_what_we_hid, was_cleaned
from domain.protocol.decisions import Copy, CopyHidden, Decision, DeleteTarget, Settle, Sight
from domain.protocol.intents import Action, Intent
from domain.protocol.known_target import doubted, is_known, may_be_ours, wrote
from domain.protocol.ports import HiddenVersion, MustBeAbsent, MustMatch
from domain.protocol.record import EMPTY_TARGET, Origin, Record, State


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
    15  absent  absent       cleaned, and no mirrored delete was begun                     CONFLICT
    16  absent  absent       a delete event, a begun mirrored delete, or a TOMBSTONE       settle TOMBSTONE
    17  absent  absent                                                                     settle GONE
    """
    if sight.source is None:
        return _decide_without_source(sight)
    record, target = sight.record, sight.target
    if target is None:
        was_ours = record.target_etag is not None or record.state is State.CONFLICT
        if was_ours and not _is_mirrored(record) and not _may_be_filled(record):
            return _conflict(Cause.COPY_DELETED if record.target_etag else Cause.TARGET_EMPTIED)
        return Copy(sight.source, MustBeAbsent())
    known = is_known(target, record)
    doubts = doubted(target, record)
    if same_object(sight.source, target) or _is_rewritten_copy(sight.source, target, record):
        origin = _origin_of(target, record, known=known)
        wanted = sight.kms_keys.as_copied(sight.source)
        if origin is Origin.CREATED and what_is_lost(wanted, target, now=sight.now):
            return Copy(sight.source, MustMatch(target.etag))
        return Settle(State.COPIED, origin=origin)
    if known and _came_up(sight.source, target, record):
        # The copy stays keyshift's: what the producer puts next takes its place.
        return Settle(State.CONFLICT, cause=Cause.OLDER_VERSION_CAME_UP)
    if known:
        return Copy(sight.source, MustMatch(target.etag))
    if target.etag == record.replaceable_etag:
        return Copy(sight.source, MustMatch(target.etag))
    if any(is_overwritten(sight.source, intent) for intent in doubts):
        return Copy(sight.source, MustMatch(target.etag))
    return _conflict(_whose(target, record, Cause.TARGET_FOREIGN))


def _is_mirrored(record: Record) -> bool:
    """Whether keyshift began to delete the target after its producer had deleted the source."""
    return any(intent.action is Action.DELETE_TARGET for intent in record.maybe)


def _may_be_filled(record: Record) -> bool:
    """Whether an operator decided that the source may take the absent target, and no copy was sent since.

    After a copy the decision is used up: another writer may have deleted that copy too.
    """
    is_sent = any(intent.action is Action.COPY for intent in record.maybe)
    return record.replaceable_etag == EMPTY_TARGET and not is_sent


def _whose(target: ObjectState, record: Record, theirs: Cause) -> Cause:
    """The cause of the conflict.

    A conflict about an unconfirmed copy keeps its cause, although the record forgets the unconfirmed copies.
    """
    was_in_doubt = record.cause is Cause.TARGET_IN_DOUBT
    return Cause.TARGET_IN_DOUBT if was_in_doubt or may_be_ours(target, record) else theirs


def _came_up(source: ObjectState, target: ObjectState, record: Record) -> bool:
    """Whether the source is a version older than keyshift's copy.

    Its producer removed keyshift's delete marker, and the version that the marker hid is gone.
    """
    was_hidden = record.marker_version is not None and was_cleaned(record)
    return was_hidden and source.etag != record.deleted_etag and not is_put_after(source, record, target)


def is_overwritten(source: ObjectState, intent: Intent) -> bool:
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
    if target is not None and is_known(target, record):
        hidden = _hidden_by_cleanup(sight) if cleaned else None
        if hidden is not None:
            return CopyHidden(hidden, MustMatch(target.etag))
        # After cleanup a late delete event proves nothing, because keyshift itself deleted the source. A target that
        # another writer made is left alone.
        is_followed = record.origin is not Origin.ADOPTED or sight.mirror_adopted
        mirrored = sight.removed and sight.mirror_deletes and is_followed and not cleaned
        # After a decision on a conflict, ``maybe`` holds only later intents. So a known target is the copy that
        # replaced the other object.
        if mirrored and (record.state is not State.CONFLICT or record.replaceable_etag is not None):
            return DeleteTarget(target.etag)
        return Settle(State.CLEANED if cleaned else State.GONE, origin=_origin_of(target, record, known=True))
    if target is not None:
        # An unconfirmed copy does not count as keyshift's here. Otherwise keyshift would delete the object of a
        # producer who moves objects themselves, together with the old one.
        return _conflict(_whose(target, record, Cause.TARGET_FOREIGN_SOURCE_GONE))
    mirrored = _is_mirrored(record)
    if cleaned and not mirrored:
        return _conflict(Cause.COPY_DELETED_AFTER_CLEANUP)
    # A listing's row that arrives after the producer's delete was processed is older than the record.
    is_told = sight.removed or mirrored or record.state is State.TOMBSTONE
    state = State.TOMBSTONE if is_told else State.GONE
    return Settle(state, keeps_target=False)


def _is_deleted_since(sight: Sight) -> bool:
    """Whether the producer wrote a version after keyshift's copy and deleted it; its marker is not keyshift's."""
    top, record = sight.top, sight.record
    if top is None or top.hidden is None or not is_put_after(top.hidden, record, sight.target):
        return False
    if record.marker_version is not None:
        return top.marker_id != record.marker_version
    return top.hidden.etag != record.deleted_etag


def _hidden_by_cleanup(sight: Sight) -> HiddenVersion | None:
    """The version that a producer wrote during cleanup, which cleanup's marker hides; ``None`` if there is none."""
    top, record = sight.top, sight.record
    if top is None or top.hidden is None or top.hidden.version_id == record.source_version:
        return None
    # A producer's own marker over a later version is no longer on top here: ``_is_deleted_since`` was asked before.
    return top.hidden if is_what_we_hid(top.hidden, record, sight.target) else None


def _conflict(cause: Cause) -> Decision:
    return Settle(State.CONFLICT, cause=cause, keeps_target=False)
