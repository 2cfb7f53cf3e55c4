"""Decide from what both keys hold now (protocol.md §5): pure, one row of the table after the other."""

from dataclasses import dataclass
from enum import StrEnum

from domain.objects import ObjectState, same_object
from domain.ports import TopMarker
from domain.record import EMPTY_TARGET, TARGET_WRITES, Action, Intent, Origin, Record, State


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at both keys showed, and what was known when the claim began.

    Whatever this very attempt sent before it looks was refused, so of what it declared only those doubts are known.
    ``removed`` says that the notice is an owner's delete.
    """

    record: Record
    source: ObjectState | None
    target: ObjectState | None
    top: TopMarker | None = None
    removed: bool = False
    mirror_deletes: bool = True


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
    cause: str | None = None
    if_match: str | None = None
    origin: Origin | None = None
    keeps_target: bool = True


EMPTIED = "what was at the target was deleted by somebody else"
NOBODY_KNOWS = (
    "what is at the target may be our copy, which S3 refused but a proxy may have sent twice, or somebody else's"
)


def is_known(target: ObjectState, record: Record) -> bool:
    """Whether the target is one that an attempt before this one wrote or adopted."""
    if record.target_etag == target.etag:
        return True
    return any(
        wrote(intent, target) for intent in record.maybe if intent.action in TARGET_WRITES and not intent.is_doubtful
    )


def doubted(target: ObjectState, record: Record) -> frozenset[Intent]:
    """The refused copies that may have written the target all the same."""
    return frozenset(
        intent
        for intent in record.maybe
        if intent.is_doubtful and wrote(intent, target) and target.last_modified >= intent.not_before
    )


def wrote(intent: Intent, target: ObjectState) -> bool:
    """Whether the target is what this intent would leave behind."""
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


def may_hide_a_version(sight: Sight) -> bool:
    """Whether our delete marker may cover something that the owner wrote and nobody copied yet."""
    return (
        sight.source is None
        and sight.target is not None
        and sight.record.source_version is not None
        and was_cleaned(sight.record)
        and is_known(sight.target, sight.record)
    )


def decide(sight: Sight) -> Decision:
    """The one right step for what was seen; whatever cannot be decided from S3 is a CONFLICT, never a guess."""
    if sight.source is None:
        return _decide_without_source(sight)
    record, target = sight.record, sight.target
    if target is None:
        was_ours = record.target_etag is not None or record.state is State.CONFLICT
        ours_to_delete = any(intent.action is Action.DELETE_TARGET for intent in record.maybe)
        if was_ours and not ours_to_delete and record.replaceable_etag != EMPTY_TARGET:
            return _conflict("the copy was deleted by somebody else" if record.target_etag else EMPTIED)
        return Decision(Step.COPY, State.COPIED, origin=Origin.CREATED)
    known = is_known(target, record)
    if same_object(sight.source, target) or _is_rewritten_copy(sight.source, target, record):
        return Decision(Step.SETTLE, State.COPIED, origin=record.origin or _origin_of(target, record))
    if known:
        return Decision(Step.COPY, State.COPIED, if_match=target.etag, origin=record.origin)
    if target.etag == record.replaceable_etag:
        return Decision(Step.COPY, State.COPIED, if_match=target.etag, origin=Origin.CREATED)
    doubts = doubted(target, record)
    if any(_is_overwritten(sight.source, intent) for intent in doubts):
        return Decision(Step.COPY, State.COPIED, if_match=target.etag, origin=record.origin)
    return _conflict(_whose(doubts, record, "somebody else's object is at the target"))


def _whose(doubts: frozenset[Intent], record: Record, theirs: str) -> str:
    """The cause; what was once in doubt stays so, though the record forgets the copies that S3 refused."""
    was_in_doubt = record.state is State.CONFLICT and record.cause == NOBODY_KNOWS
    return NOBODY_KNOWS if doubts or was_in_doubt else theirs


def _is_overwritten(source: ObjectState, intent: Intent) -> bool:
    """Whether the source is no longer what that copy was of.

    While it still is, a copy of it would be the same in everything, so what is not is somebody else's: say of a
    producer who writes to both places.
    """
    both_known = bool(source.version_id and intent.version_id)
    return source.etag != intent.etag or (both_known and source.version_id != intent.version_id)


def _is_rewritten_copy(source: ObjectState, target: ObjectState, record: Record) -> bool:
    """Whether the target is our own rewriting of this very source, so that another copy would only undo it."""
    return (
        record.is_rewritten
        and target.etag == record.target_etag
        and (source.etag, source.version_id) == (record.source_etag, record.source_version)
        and source.metadata == target.metadata
        and source.headers == target.headers
        and source.tags == target.tags
    )


def _origin_of(target: ObjectState, record: Record) -> Origin:
    ours = any(
        wrote(intent, target) for intent in record.maybe if intent.action is Action.COPY and not intent.is_doubtful
    )
    return Origin.CREATED if ours else Origin.ADOPTED


def _decide_without_source(sight: Sight) -> Decision:
    record, target = sight.record, sight.target
    cleaned = was_cleaned(record)
    known = target is not None and is_known(target, record)
    if known and cleaned and _hides_an_owners_version(sight):
        return Decision(Step.COPY_HIDDEN, State.CLEANED, if_match=target.etag if target else None, origin=record.origin)
    # After our own cleanup a late delete event proves nothing: we emptied the key.
    mirrored = sight.removed and sight.mirror_deletes and not cleaned
    if target is not None and known:
        # Of a decided conflict ``maybe`` holds only what was done since: what is known is the copy that took over.
        if mirrored and (record.state is not State.CONFLICT or record.replaceable_etag is not None):
            return Decision(Step.DELETE_TARGET, State.TOMBSTONE, if_match=target.etag)
        state = State.CLEANED if cleaned else State.GONE
        return Decision(Step.SETTLE, state, origin=record.origin)
    if target is not None:
        # Were a refused copy ours here, the object of a producer who moves by himself would go with his old one.
        theirs = "the source is gone and somebody else's object is at the target"
        return _conflict(_whose(doubted(target, record), record, theirs))
    if cleaned:
        return _conflict("the copy was deleted by somebody else after the source was cleaned up")
    # A row of a listing that comes after the owner's delete was seen knows less than the record does.
    state = State.TOMBSTONE if sight.removed or record.state is State.TOMBSTONE else State.GONE
    return Decision(Step.SETTLE, state, keeps_target=False)


def _hides_an_owners_version(sight: Sight) -> bool:
    top, record = sight.top, sight.record
    if top is None or top.hidden is None or top.hidden.version_id == record.source_version:
        return False
    # Another marker than ours on top is the owner's own delete.
    return record.marker_version in (None, top.marker_id)


def _conflict(cause: str) -> Decision:
    return Decision(Step.SETTLE, State.CONFLICT, cause=cause, keeps_target=False)
