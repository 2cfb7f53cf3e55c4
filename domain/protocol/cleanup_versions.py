"""Permanently delete the verified version of a cleaned source; the record already has what an undo needs."""

from functools import partial

from domain.protocol.attempt import Attempt, Lease, MigrationPolicy, MigrationPorts, Outcome, Verdict
from domain.protocol.causes import Cause
from domain.protocol.copying import abort_upload
from domain.protocol.held_record import HeldRecord, run_claimed
from domain.protocol.intents import Action, Intent
from domain.protocol.known_target import is_as_recorded
from domain.protocol.ports import VersionStore
from domain.protocol.record import Mode, Record, State


def forget_version(
    record_id: str, *, attempt: Attempt, ports: MigrationPorts, versions: VersionStore, policy: MigrationPolicy
) -> Outcome:
    """Delete the version that keyshift's delete marker hides.

    It must be the verified version, and the target must still hold its copy.

    From then on the record names no source version: rollback copies back from the target. An older version in the
    bucket is never taken for the producer's newest. The marker stays, so older versions stay hidden. A version that a
    lifecycle rule, a producer or S3 (versioning suspended) deleted before counts as deleted.

    Raises TransientError when the delete is to be tried again.
    """
    record = ports.manifest.read_record(record_id)
    lease = Lease.begin(attempt, policy, ports.clock)
    if record is None or record.mode is not Mode.FORWARD or record.state is not State.CLEANED:
        return Outcome(Verdict.DONE, record.state if record else None, Cause.NOT_CLEANED)
    if record.is_claimed_at(lease.started):
        return Outcome(Verdict.RETURN, record.state, Cause.BUSY)
    if record.is_rewritten:
        return Outcome(Verdict.DONE, State.CLEANED, Cause.ONLY_ORIGINAL)
    begun = _begun(record)
    if begun is None and record.source_version is None:
        return Outcome(Verdict.DONE, State.CLEANED, Cause.NO_VERSION_LEFT)
    intent = begun or Intent(Action.DELETE_SOURCE, record.source_etag or "", record.source_version or "")
    work = partial(_forget, intent=intent, ports=ports, versions=versions)
    return run_claimed(record, intent, work, lease=lease, ports=ports)


def _begun(record: Record) -> Intent | None:
    """The intent that an attempt recorded before it died, or ``None``."""
    intents = record.maybe | ({record.intent} if record.intent is not None else frozenset())
    return next((intent for intent in intents if intent.action is Action.DELETE_SOURCE and intent.version_id), None)


def _forget(held: HeldRecord, intent: Intent, ports: MigrationPorts, versions: VersionStore) -> Outcome:
    abort_upload(held, ports.multipart)
    record = held.record
    target = ports.store.look_at_object(record.target)
    if not is_as_recorded(target, record):
        return _kept(held, Cause.TARGET_CHANGED)
    top = ports.store.find_top_marker(record.source)
    if top is None or top.marker_id != record.marker_version:
        return _kept(held, Cause.MARKER_MOVED)
    # The version itself is read, because under suspended versioning another object can have the id ``null``.
    seen = ports.store.look_at_object(record.source, version_id=intent.version_id)
    if seen is None or seen.etag != record.source_etag or intent.version_id == record.marker_version:
        return held.commit(State.CLEANED, source_version=None)
    if top.hidden is None or top.hidden.version_id != intent.version_id:
        return _kept(held, Cause.MARKER_MOVED)
    if seen.lock.in_force(held.lease.earliest):
        if record.source_version is None:
            # An earlier attempt could not delete it, and no request of that attempt is under way any more.
            held.rewrite(source_version=intent.version_id)
        return _kept(held, Cause.LOCKED)
    if record.source_version is not None:
        # Recorded before the delete: from here on a restore copies back, and an older version does not count as newer.
        held.rewrite(source_version=None)
    held.send(
        lambda: versions.remove_version(record.source, version_id=intent.version_id, send_before=held.lease.send_before)
    )
    return held.commit(State.CLEANED)


def _kept(held: HeldRecord, why: Cause) -> Outcome:
    record = held.record
    if record.source_version is None:
        held.release()
    else:
        held.commit(
            State.CLEANED, maybe=frozenset(one for one in record.maybe if one.action is not Action.DELETE_SOURCE)
        )
    return Outcome(Verdict.DONE, State.CLEANED, why)
