"""Which earlier versions of a source must be carried to its target before what comes next (protocol.md §12)."""

from collections.abc import Sequence

from domain.objects import ObjectState
from domain.protocol.cleaned_source import is_put_after, was_cleaned
from domain.protocol.decisions import CarryVersions, Copy, Decision, DeleteTarget, Settle, Sight
from domain.protocol.intents import Action
from domain.protocol.known_target import doubted, is_as_recorded, is_known, wrote
from domain.protocol.ports import MustBeAbsent, MustMatch, StoredVersion
from domain.protocol.reconciling import is_overwritten
from domain.protocol.record import Origin, Record, State

_NULL = "null"


def carry_first(decision: Decision, sight: Sight) -> Decision | CarryVersions:
    """``decision``, or what comes before it in a migration that carries every version.

    The target is written only where ``decision`` would write it, or where it is keyshift's: so another writer's object
    stays another writer's.
    """
    target = sight.target
    if sight.versions is None or (isinstance(decision, Settle) and decision.state is State.CLEANED):
        return decision
    missed = missed_versions(sight)
    if missed:
        condition = MustMatch(target.etag) if target is not None else MustBeAbsent()
        return CarryVersions(missed, condition) if _writes_target(decision, sight) else decision
    return _copy_again(decision, sight) or decision


def _writes_target(decision: Decision, sight: Sight) -> bool:
    if isinstance(decision, Copy | DeleteTarget):
        return True
    if not isinstance(decision, Settle) or decision.state is State.CONFLICT or sight.record.state is State.CONFLICT:
        return False
    return sight.target is None or _may_be_replaced(sight.target, sight)


def _may_be_replaced(target: ObjectState, sight: Sight) -> bool:
    """Whether it is keyshift's, or may be an unconfirmed copy of another version (row 8 of ``decide``)."""
    record, source = sight.record, sight.source
    if is_known(target, record):
        return True
    return source is not None and any(is_overwritten(source, intent) for intent in doubted(target, record))


def _copy_again(decision: Decision, sight: Sight) -> Copy | None:
    """The copy of a source that equals keyshift's target in everything, but is a later version than the carried one.

    The same bytes were written again, and that version has its own place in the history.
    """
    source, target = sight.source, sight.target
    if not isinstance(decision, Settle) or decision.state is not State.COPIED or source is None or target is None:
        return None
    if not _may_be_replaced(target, sight):
        return None
    carried = carried_versions(sight.record, target)
    if carried:
        is_later = (source.version_id or _NULL) not in carried
    else:
        # Cleanup has deleted the carried version for good, and only its date is left.
        is_later = is_known(target, sight.record) and is_put_after(source, sight.record, target)
    return Copy(source, MustMatch(target.etag)) if is_later else None


def carried_versions(record: Record, target: ObjectState | None) -> frozenset[str]:
    """The ids of the version that the target is a copy of; several where equal copies were not answered.

    Without a target it is the version that was copied last. Empty: no version is known to be carried.
    """
    if target is not None and not is_as_recorded(target, record):
        fitting = {one.version_id for one in record.maybe if one.action is Action.COPY and wrote(one, target)}
        if fitting:
            return frozenset(fitting - {""})
    return frozenset({record.source_version}) if record.source_version else frozenset()


def missed_versions(sight: Sight) -> tuple[StoredVersion, ...]:
    """The versions and delete markers between what the target is a copy of and the source as it was seen, oldest first.

    Where the source is absent, the delete marker on top is one of them. Cleanup's own markers are not.
    """
    record, target = sight.record, sight.target
    newer = _not_carried(sight.versions or (), record, target)
    if newer and newer[0].is_marker and record.marker_version is None and was_cleaned(record):
        newer = newer[1:]  # cleanup's own marker, whose id was never answered
    if sight.source is not None:
        newer = newer[: _place_of(sight.source.version_id or _NULL, newer)]
    return _with_effect([one for one in newer if one.version_id != record.marker_version], sight)


def _not_carried(
    versions: Sequence[StoredVersion], record: Record, target: ObjectState | None
) -> Sequence[StoredVersion]:
    carried = carried_versions(record, target)
    for at, version in enumerate(versions):
        if version.version_id in carried:
            return versions[at + 1 :]
    is_ours = target is not None and is_known(target, record)
    if not carried and not is_ours and record.source_etag is None and record.source_modified is None:
        return versions
    # The carried version was deleted by its id, by a lifecycle rule or by cleanup. Only its date is left.
    since = record.source_modified if record.source_modified is not None else _date_of(target)
    return [one for one in versions if since is not None and one.last_modified > since]


def _date_of(target: ObjectState | None) -> int | None:
    return target.last_modified if target is not None else None


def _place_of(version_id: str, versions: Sequence[StoredVersion]) -> int:
    """Where that version is; the last place where it was deleted for good since it was seen."""
    for at, version in enumerate(versions):
        if version.version_id == version_id:
            return at
    return max(0, len(versions) - 1)


def _with_effect(versions: Sequence[StoredVersion], sight: Sight) -> tuple[StoredVersion, ...]:
    """Without the delete markers that would hide nothing at the target, or what keyshift may not hide."""
    # What an operator gives up, or what may be keyshift's, is replaced by a version, and never only hidden.
    is_there = sight.target is not None and is_known(sight.target, sight.record)
    may_hide = sight.mirror_deletes and (sight.record.origin is not Origin.ADOPTED or sight.mirror_adopted)
    kept = []
    for version in versions:
        if version.is_marker and not (is_there and may_hide):
            continue
        is_there, may_hide = not version.is_marker, sight.mirror_deletes
        kept.append(version)
    return tuple(kept)
