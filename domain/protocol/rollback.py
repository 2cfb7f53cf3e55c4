"""Roll back one key (protocol.md §10): the producer's later writes and deletes win, and late events are ignored."""

from functools import partial

from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.attempt import Attempt, Lease, MigrationPolicy, MigrationPorts, Outcome, Verdict
from domain.protocol.causes import Cause
from domain.protocol.cleaned_source import is_put_after, is_what_we_hid, was_cleaned
from domain.protocol.copying import HandedOn, SeenCopy, abort_upload, copy_seen
from domain.protocol.held_record import HeldRecord, run_claimed
from domain.protocol.intents import Action, Intent
from domain.protocol.known_target import is_known, may_be_ours
from domain.protocol.ports import MustBeAbsent, Refused, TopMarker
from domain.protocol.record import Mode, Origin, Record, State

ROLL_BACK = Intent(Action.ROLL_BACK)
PURGE = Intent(Action.PURGE)
_ENDED = (State.ROLLED_BACK, State.ROLLBACK_CONFLICT, State.PURGED)


def roll_back_object(
    source: Location, target: Location, *, attempt: Attempt, ports: MigrationPorts, policy: MigrationPolicy
) -> Outcome:
    """Restore the source if keyshift had cleaned it, and make sure that forward events no longer count.

    A source that was never migrated gets a record too, which fences its late events. Raises TransientError when the
    rollback is to be tried again.
    """
    lease = Lease.begin(attempt, policy, ports.clock)
    record = ports.manifest.read_record(source.record_id)
    if record is None:
        fence = Record(source, target, State.ROLLED_BACK, mode=Mode.ROLLED_BACK, changed_at=lease.started)
        if ports.manifest.write_record(fence, before=None):
            return Outcome(Verdict.DONE, State.ROLLED_BACK, Cause.NOTHING_MIGRATED)
        return Outcome(Verdict.RETURN, None, Cause.BUSY)
    if record.mode is Mode.ROLLED_BACK and record.claim is None and record.state in _ENDED:
        return Outcome(Verdict.DONE, record.state, Cause.ALREADY_ROLLED_BACK)
    if record.is_claimed_at(lease.started):
        return Outcome(Verdict.RETURN, record.state, Cause.BUSY)
    work = partial(_restore, ports=ports, policy=policy)
    return run_claimed(record, ROLL_BACK, work, lease=lease, ports=ports, mode=Mode.ROLLED_BACK)


def _restore(held: HeldRecord, ports: MigrationPorts, policy: MigrationPolicy) -> Outcome:
    record = held.record
    if ports.store.look_at_object(record.source) is not None:
        return _finish(held, ports, State.ROLLED_BACK)
    keeps_versions = record.source_version is not None or record.marker_version is not None
    if was_cleaned(record):
        top = ports.store.find_top_marker(record.source) if keeps_versions else None
        return _restore_hidden(held, top, ports, policy) if top is not None else _copy_back(held, ports, policy)
    return _finish(held, ports, State.ROLLED_BACK)


def _restore_hidden(held: HeldRecord, top: TopMarker, ports: MigrationPorts, policy: MigrationPolicy) -> Outcome:
    """Remove keyshift's delete marker from the version that it hides.

    If that version is gone, copy back from the target. If the marker is the producer's own delete, leave it.
    """
    record = held.record
    copy = ports.store.look_at_object(record.target)
    hidden = top.hidden
    if record.marker_version not in (None, top.marker_id):
        return _finish(held, ports, State.ROLLED_BACK)
    if hidden is not None and is_what_we_hid(hidden, record, copy):
        if record.marker_version is None:
            # The purge needs it to decide whether an older version may become visible.
            held.rewrite(marker_version=top.marker_id)
        held.send(
            lambda: ports.store.remove_delete_marker(
                record.source, marker_id=top.marker_id, send_before=held.lease.send_before
            )
        )
        # A lifecycle rule may have deleted the hidden version before: then an older version became visible, or none.
        seen = ports.store.look_at_object(record.source)
        if seen is None:
            # Or the producer deleted it: a marker that is on top now is the producer's, and that delete remains.
            is_deleted = ports.store.find_top_marker(record.source) is not None
            return _finish(held, ports, State.ROLLED_BACK) if is_deleted else _copy_back(held, ports, policy)
        if seen.etag != record.deleted_etag and not is_put_after(seen, record, copy):
            return _finish(held, ports, State.ROLLBACK_CONFLICT, cause=Cause.OLDER_SOURCE)
        return _finish(held, ports, State.ROLLED_BACK)
    if record.marker_version is None and hidden is not None and is_put_after(hidden, record, copy):
        # The producer wrote after keyshift's copy and deleted it. The marker is the producer's, although keyshift never
        # learned the id of its own.
        return _finish(held, ports, State.ROLLED_BACK)
    return _copy_back(held, ports, policy)


def _copy_back(held: HeldRecord, ports: MigrationPorts, policy: MigrationPolicy) -> Outcome:
    """Copy the target to the source, which is absent."""
    record = held.record
    target = ports.store.look_at_object(record.target, with_tags=True)
    if target is None or not is_known(target, record):
        return _finish(held, ports, State.ROLLBACK_CONFLICT, cause=Cause.NOTHING_TO_RESTORE)
    if record.is_rewritten:
        return _finish(held, ports, State.ROLLBACK_CONFLICT, cause=Cause.ORIGINAL_GONE)
    source_key = record.seen.source_key if record.seen is not None else None
    original = policy.kms_keys.as_original(target, source_key)
    copy = SeenCopy(record.target, record.source, original, MustBeAbsent(), intent=ROLL_BACK)
    answer = copy_seen(held, copy, ports=ports, policy=policy)
    if isinstance(answer, HandedOn):
        held.release()
        return Outcome(Verdict.CONTINUE, None, Cause.PARTS_LEFT, str(answer.left))
    if answer is Refused.CONCURRENT:
        held.release()
        return Outcome(Verdict.RETURN, record.state, Cause.CONCURRENT_WRITER)
    # A source that is there now is the producer's, or a proxy sent the copy twice.
    if isinstance(answer, Refused) and ports.store.look_at_object(record.source) is None:
        return _finish(held, ports, State.ROLLBACK_CONFLICT, cause=Cause.COPY_CHANGED)
    return _finish(held, ports, State.ROLLED_BACK)


def _finish(held: HeldRecord, ports: MigrationPorts, state: State, *, cause: Cause | None = None) -> Outcome:
    abort_upload(held, ports.multipart)
    # Writes that may have happened stay known for the purge, unconfirmed copies too. Only the rollback's own intent is
    # settled.
    if held.record.cause is Cause.TARGET_IN_DOUBT:
        cause = cause or Cause.TARGET_IN_DOUBT
    return held.commit(state, cause=cause, maybe=held.record.maybe - {ROLL_BACK})


def purge_copy(record_id: str, *, attempt: Attempt, ports: MigrationPorts, policy: MigrationPolicy) -> Outcome:
    """Delete the copy that keyshift created, once the source is back.

    An adopted object, or one that another writer has changed, is never deleted.
    """
    record = ports.manifest.read_record(record_id)
    if record is None or record.mode is not Mode.ROLLED_BACK:
        return Outcome(Verdict.DONE, record.state if record else None, Cause.NOT_ROLLED_BACK)
    lease = Lease.begin(attempt, policy, ports.clock)
    if record.state in (State.PURGED, State.ROLLBACK_CONFLICT):
        why = Cause.PURGED if record.state is State.PURGED else record.cause
        return Outcome(Verdict.DONE, record.state, why, record.cause_detail)
    if record.intent == PURGE and record.is_claimed_at(lease.started):
        return Outcome(Verdict.RETURN, record.state, Cause.PURGE_IN_DOUBT)
    if record.state is not State.ROLLED_BACK or (record.claim is not None and record.intent != PURGE):
        return Outcome(Verdict.RETURN, record.state, Cause.ROLLBACK_UNFINISHED)
    if record.origin is Origin.ADOPTED:
        return Outcome(Verdict.DONE, record.state, Cause.COPY_ADOPTED)
    return run_claimed(record, PURGE, partial(_purge, ports=ports), lease=lease, ports=ports)


def _copied_etags(record: Record) -> frozenset[str | None]:
    """The etags of the sources that the target may be a copy of."""
    return frozenset({record.source_etag, *(one.etag for one in record.maybe if one.action is Action.COPY)})


def _purge(held: HeldRecord, ports: MigrationPorts) -> Outcome:
    record = held.record
    target: ObjectState | None = ports.store.look_at_object(record.target)
    if target is not None and is_known(target, record):
        etag = target.etag
        source = ports.store.look_at_object(record.source)
        if source is None:
            # The source is absent without proof that its producer deleted it: the copy may be the only one.
            return held.commit(State.ROLLBACK_CONFLICT, cause=Cause.SOURCE_ABSENT)
        is_other = record.marker_version is not None and source.etag not in _copied_etags(record)
        if is_other and not is_put_after(source, record, target):
            return held.commit(State.ROLLBACK_CONFLICT, cause=Cause.OLDER_SOURCE)
        answer = held.send(
            lambda: ports.store.delete_object(record.target, if_match=etag, send_before=held.lease.send_before)
        )
        if answer is Refused.CONCURRENT:
            held.forget_intent()
            return Outcome(Verdict.RETURN, record.state, Cause.CONCURRENT_WRITER)
    elif target is not None and (may_be_ours(target, record) or record.cause is Cause.TARGET_IN_DOUBT):
        return held.commit(State.ROLLBACK_CONFLICT, cause=Cause.TARGET_IN_DOUBT)
    return held.commit(State.PURGED)
