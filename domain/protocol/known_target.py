"""Whether the object at the target is keyshift's copy (protocol.md §5)."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from domain.objects import ObjectState, is_other_version
from domain.protocol.intents import TARGET_WRITES, Action, Intent
from domain.protocol.record import Origin, Record, State


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


def may_be_ours(target: ObjectState, record: Record) -> bool:
    """Whether a target that is not known may be keyshift's: a copy that was refused, or that nothing can recognise."""
    unrecognisable = any(one.action in TARGET_WRITES and not one.is_recognisable for one in record.maybe)
    return unrecognisable or bool(doubted(target, record))


def wrote(intent: Intent, target: ObjectState) -> bool:
    """Whether the target matches what this intent would write, and was not there before it."""
    if target.last_modified < intent.not_before:
        return False
    if intent.target_etag and intent.target_etag == target.etag:
        return True
    if intent.target_etag and intent.action is Action.COPY:
        # Equal bytes in other parts, or in one, are another writer's. Only a rewriting may be encrypted otherwise.
        return False
    if not intent.checksum or not target.full_checksums:
        return False
    algorithm, _, checksum = intent.checksum.partition("=")
    return target.checksums.get(algorithm) == checksum


def is_ruled_out(intent: Intent, source: ObjectState | None, target: ObjectState | None) -> bool:
    """Whether the state of both keys shows that this intent had no effect, or that its object was replaced since."""
    if intent.action in TARGET_WRITES:
        return intent.is_recognisable and (target is None or not wrote(intent, target))
    if source is not None and is_ruled_out_by_source(intent):
        return True
    return intent.action is Action.DELETE_TARGET and target is not None


def is_ruled_out_by_source(intent: Intent) -> bool:
    """Whether a source that is there shows that this had no effect; the target need not be read for that."""
    return intent.action is Action.DELETE_SOURCE and not intent.is_task


def date_after(target: ObjectState) -> int:
    """The second, since 1970, from which S3 dates what replaces the object that was seen there."""
    return target.last_modified + 1


def earlier_copy(target: ObjectState | None, record: Record) -> Mapping[str, Any]:
    """What to record of a copy that is at the target, although the attempt that sent it never learned so.

    Once that is recorded, a target that is absent later was deleted by another writer. Empty if the target is not such
    a copy.
    """
    if target is None or record.target_etag is not None or record.state not in (State.NEW, State.PARKED):
        return {}
    sent = (one for one in record.maybe if one.action is Action.COPY and not one.is_refused and wrote(one, target))
    intent = min(sent, default=None)
    if intent is None:
        return {}
    return {
        "source_etag": intent.etag,
        "source_version": intent.version_id or None,
        "target_etag": target.etag,
        "target_version": target.version_id,
        "size": target.size,
        "origin": Origin.CREATED,
        "copied_before": date_after(target),
    }
