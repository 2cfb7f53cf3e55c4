"""Decide from what both keys hold now (protocol.md §5): pure; the table of decisions is in ``decide``."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeGuard

from domain.objects import ObjectState, is_other_version, same_object, what_is_lost
from domain.protocol.causes import Cause
from domain.protocol.ports import HiddenVersion, TopMarker
from domain.protocol.record import EMPTY_TARGET, TARGET_WRITES, Action, Intent, Origin, Record, State


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at both keys showed, and what was known when the claim began.

    Whatever this very attempt sent before it looks was refused, so of what it declared only those doubts are known.
    ``removed`` says that the notice is an owner's delete, ``mirror_adopted`` that it may take along what another writer
    put at the target; ``now`` is in seconds since 1970.
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
    """The next step; ``if_match`` is the target etag it depends on (``None``: the target must be absent).

    ``keeps_target`` says whether the record goes on naming the target it knows.
    """

    step: Step
    state: State
    cause: Cause | None = None
    if_match: str | None = None
    origin: Origin | None = None
    keeps_target: bool = True


def is_known(target: ObjectState, record: Record) -> bool:
    """Whether the target is one that an attempt before this one wrote or adopted."""
    if record.target_etag == target.etag and not was_put_since(target, record):
        return True
    return any(
        wrote(intent, target) for intent in record.maybe if intent.action in TARGET_WRITES and not intent.is_refused
    )


def was_put_since(target: ObjectState, record: Record) -> bool:
    """Whether another writer put what is at the target after the record's copy: same bytes have the same etag."""
    if is_other_version(record.target_version, target.version_id):
        return True
    return record.copied_before is not None and target.last_modified >= record.copied_before


def is_as_recorded(target: ObjectState | None, record: Record) -> TypeGuard[ObjectState]:
    """Whether the target still is what the record's last commit says of it."""
    return target is not None and target.etag == record.target_etag and not was_put_since(target, record)


def doubted(target: ObjectState, record: Record) -> frozenset[Intent]:
    """The refused copies that may have written the target all the same."""
    return frozenset(intent for intent in record.maybe if intent.is_refused and wrote(intent, target))


def wrote(intent: Intent, target: ObjectState) -> bool:
    """Whether the target is what this intent would leave behind, and was not there before it."""
    if target.last_modified < intent.not_before:
        return False
    if intent.target_etag and intent.target_etag == target.etag:
        return True
    if not intent.checksum or not target.full_checksums:
        return False
    algorithm, _, checksum = intent.checksum.partition("=")
    return target.checksums.get(algorithm) == checksum


def was_cleaned(record: Record) -> bool:
    """Whether we emptied the source key ourselves, or may have."""
    if record.state is State.CLEANED or record.cleaned_etag is not None:
        return True
    return any(intent.action is Action.DELETE_SOURCE for intent in record.maybe)


def cleaned_etag_of(record: Record) -> str | None:
    """What a record in a state that does not say so must remember of a cleanup of its source."""
    return record.cleaned_etag or ((record.source_etag or "") if was_cleaned(record) else None)


def is_what_we_hid(hidden: HiddenVersion, record: Record, copy: ObjectState | None) -> bool:
    """Whether cleanup's delete can have hidden that version: it was sent on the condition of one etag.

    It is the version that was copied, or one that its owner put in the last moment, so after our ``copy``. An older
    one comes up when what lay above it is gone for good: removed by a lifecycle rule or a producer, by the cleanup of
    versions (``source_version`` is forgotten then), or by the delete itself (versioning suspended).
    """
    if hidden.etag != record.deleted_etag or record.source_version is None:
        return False
    return hidden.version_id == record.source_version or is_put_after(hidden, copy)


def is_put_after(hidden: HiddenVersion, copy: ObjectState | None) -> bool:
    """Whether that version was put after what is at the target."""
    return copy is not None and hidden.last_modified > copy.last_modified


def may_lie_under_a_marker(sight: Sight) -> bool:
    """Whether a delete marker may cover what the owner wrote around or after our cleanup."""
    record = sight.record
    return (
        sight.source is None
        and sight.target is not None
        and (record.source_version is not None or record.marker_version is not None)
        and was_cleaned(record)
        and is_known(sight.target, sight.record)
    )


def marker_of_cleanup(sight: Sight) -> str | None:
    """The id of cleanup's delete marker, where its answer was lost and a look finds it over what it was to hide.

    Once it is known, a marker that comes later is the owner's own delete.
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
    """The cause; what was once in doubt stays so, though the record forgets the copies that were in doubt."""
    was_in_doubt = record.state is State.CONFLICT and record.cause is Cause.TARGET_IN_DOUBT
    unrecognisable = any(one.action in TARGET_WRITES and not one.is_recognisable for one in record.maybe)
    return Cause.TARGET_IN_DOUBT if doubts or unrecognisable or was_in_doubt else theirs


def _came_up(source: ObjectState, target: ObjectState, record: Record) -> bool:
    """Whether the source is a version from before our copy: its owner took our marker off, and what it hid is gone."""
    was_hidden = record.marker_version is not None and was_cleaned(record)
    return was_hidden and source.etag != record.deleted_etag and source.last_modified < target.last_modified


def _is_overwritten(source: ObjectState, intent: Intent) -> bool:
    """Whether the source is no longer what that copy was of.

    While it still is, a copy of it would be the same in everything, so what is not is somebody else's: say of a
    producer who writes to both places.
    """
    return source.etag != intent.etag or is_other_version(source.version_id, intent.version_id)


def _is_rewritten_copy(source: ObjectState, target: ObjectState, record: Record) -> bool:
    """Whether the target is our own rewriting of this very source, so that another copy would only undo it."""
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
    """Who made the target: a refused copy is no proof that keyshift did, and a copy over an adopted object is its own.

    Taken for keyshift's by mistake, another writer's object would be deleted along with its source.
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
    # After our own cleanup a late delete event proves nothing: we emptied the key. What another writer made is his.
    is_followed = record.origin is not Origin.ADOPTED or sight.mirror_adopted
    mirrored = sight.removed and sight.mirror_deletes and is_followed and not cleaned
    if target is not None and known:
        # Of a decided conflict ``maybe`` holds only what was done since: what is known is the copy that took over.
        if mirrored and (record.state is not State.CONFLICT or record.replaceable_etag is not None):
            return Decision(Step.DELETE_TARGET, State.TOMBSTONE, if_match=target.etag)
        state = State.CLEANED if cleaned else State.GONE
        return Decision(Step.SETTLE, state, origin=record.origin)
    if target is not None:
        # Were a refused copy ours here, the object of a producer who moves by himself would go with his old one.
        return _conflict(_whose(doubted(target, record), record, Cause.TARGET_FOREIGN_SOURCE_GONE))
    if cleaned:
        return _conflict(Cause.COPY_DELETED_AFTER_CLEANUP)
    # A row of a listing that comes after the owner's delete was seen knows less than the record does.
    state = State.TOMBSTONE if sight.removed or record.state is State.TOMBSTONE else State.GONE
    return Decision(Step.SETTLE, state, keeps_target=False)


def _is_deleted_since(sight: Sight) -> bool:
    """Whether the owner put a version after our copy, and deleted it: the marker on it is not ours."""
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
    # Another marker than ours on top is the owner's own delete.
    return record.marker_version in (None, top.marker_id) and is_what_we_hid(top.hidden, record, sight.target)


def _conflict(cause: Cause) -> Decision:
    return Decision(Step.SETTLE, State.CONFLICT, cause=cause, keeps_target=False)
