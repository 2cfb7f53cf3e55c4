"""Delete one source whose bytes are proven to be at the target (protocol.md §9)."""

from domain.objects import ObjectState, is_other_version
from domain.protocol.attempt import (
    Attempt,
    HeldRecord,
    Lease,
    MigrationPolicy,
    MigrationPorts,
    Outcome,
    Verdict,
    take_claim,
)
from domain.protocol.causes import Cause, told
from domain.protocol.ports import Deleted, Refused
from domain.protocol.reconciling import is_as_recorded, is_put_after, is_what_we_hid
from domain.protocol.record import Action, Intent, Mode, Record, State

DELETE_SOURCE = Intent(Action.DELETE_SOURCE)


def clean_source(
    record_id: str, *, attempt: Attempt, ports: MigrationPorts, policy: MigrationPolicy, need_proof: bool = True
) -> Outcome:
    """Delete the source of a copied and verified record, if both keys still hold what was verified.

    ``need_proof`` requires ``verified_at``. The caller has checked that nothing pins the object and that it has been
    quiet for longer than any claim. Raises TransientError when the delete is to be tried again.
    """
    record = ports.manifest.read_record(record_id)
    if record is None or record.mode is not Mode.FORWARD:
        return Outcome(Verdict.DONE, record.state if record else None, Cause.NOT_FORWARD)
    lease = Lease.begin(attempt, policy, ports.clock)
    blocked = _blocked(record, lease.started, need_proof=need_proof)
    if blocked is not None:
        return blocked
    # An earlier cleanup's marker is not the one that this cleanup puts. If it were kept, rollback would take this
    # cleanup's marker for the producer's delete.
    held = take_claim(record, DELETE_SOURCE, lease=lease, ports=ports, marker_version=None)
    if held is None:
        return Outcome(Verdict.RETURN, record.state, Cause.BUSY)
    with held.returned_after_error():
        return _delete_if_proven(held, ports)


def _blocked(record: Record, now: float, *, need_proof: bool) -> Outcome | None:
    """Why the record cannot be claimed for cleanup, or ``None``."""
    if record.is_claimed_at(now) or (record.claim is not None and record.intent != DELETE_SOURCE):
        return Outcome(Verdict.RETURN, record.state, Cause.ATTEMPT_RUNS)
    if record.state is not State.COPIED:
        return Outcome(Verdict.DONE, record.state, Cause.NOT_COPIED)
    # Only cleanup resumes what an earlier cleanup began: its delete raises no event.
    if record.maybe - {DELETE_SOURCE} or record.upload is not None:
        return Outcome(Verdict.DONE, record.state, Cause.UNSETTLED)
    if record.is_rewritten and not record.keeps_original:
        return Outcome(Verdict.DONE, record.state, Cause.ONLY_ORIGINAL)
    if need_proof and record.verified_at is None:
        return Outcome(Verdict.DONE, record.state, Cause.NOT_VERIFIED)
    return None


def _delete_if_proven(held: HeldRecord, ports: MigrationPorts) -> Outcome:
    record = held.record
    target = ports.store.look_at_object(record.target, with_tags=True)
    if not is_as_recorded(target, record):
        emptied = record.source_etag if DELETE_SOURCE in record.maybe else None
        return held.commit(State.CONFLICT, cause=Cause.TARGET_CHANGED, cleaned_etag=emptied)
    source = ports.store.look_at_object(record.source, with_tags=True)
    kept = _why_kept(source, target, record, held.lease.started)
    if kept is not None:
        held.forget_intent(without_effect=True)
        return Outcome(Verdict.DONE, State.COPIED, kept)
    if source is not None and record.source_version is None and source.version_id is not None:
        # The version was unknown: the server does not return a copy's source version, or versioning was enabled later.
        held.rewrite(source_version=source.version_id)
    answer = held.send(
        lambda: ports.store.delete_object(
            record.source, if_match=record.source_etag or "", send_before=held.lease.send_before
        )
    )
    if isinstance(answer, Deleted):
        return held.commit(State.CLEANED, marker_version=answer.marker_id)
    refused = answer

    def is_absent() -> bool:
        # Some servers refuse the condition when the key is absent (SeaweedFS: 412).
        return refused is Refused.SOURCE_ABSENT or ports.store.look_at_object(record.source) is None

    # Cleanup saw the source, and its own delete, sent twice, may have removed it. The delete stays unsettled until that
    # is known.
    if held.ask_if_done(is_absent) if source is not None else is_absent():
        return _settle_absent(held, ports, target, may_be_ours=source is not None or DELETE_SOURCE in record.maybe)
    held.forget_intent(without_effect=True)
    return Outcome(Verdict.DONE, State.COPIED, Cause.SOURCE_CHANGED_NOW)


def _settle_absent(held: HeldRecord, ports: MigrationPorts, copy: ObjectState, *, may_be_ours: bool) -> Outcome:
    """Commit a source that is absent already.

    An earlier attempt of keyshift deleted it, or this one did when a proxy sent the delete twice, or its producer did.
    If keyshift may have deleted it, the delete's event must not remove the copy, which is the only one.
    """
    record = held.record
    if not may_be_ours:
        return held.commit(State.GONE)
    if record.source_version is None:
        return held.commit(State.CLEANED)
    top = ports.store.find_top_marker(record.source)
    if top is None or top.hidden is None:
        return held.commit(State.CLEANED)
    if is_what_we_hid(top.hidden, record, copy):
        return held.commit(State.CLEANED, marker_version=top.marker_id)
    # The producer wrote a version after keyshift's copy and deleted it, so the marker above it is the producer's.
    return held.commit(State.GONE if is_put_after(top.hidden, copy) else State.CLEANED)


def preview_source(record: Record, *, ports: MigrationPorts, now: float) -> str | None:
    """Why ``clean_source`` would keep this source, judged by reads alone; ``None``: it would delete it."""
    if record.mode is not Mode.FORWARD or record.state is not State.COPIED:
        return f"its record is {record.state.value}"
    blocked = _blocked(record, now, need_proof=True)
    if blocked is not None:
        return blocked.reason
    target = ports.store.look_at_object(record.target, with_tags=True)
    if not is_as_recorded(target, record):
        return told(Cause.TARGET_CHANGED)
    kept = _why_kept(ports.store.look_at_object(record.source, with_tags=True), target, record, now)
    return told(kept) if kept is not None else None


def _why_kept(source: ObjectState | None, target: ObjectState, record: Record, now: float) -> Cause | None:
    if source is None:
        return None
    if source.lock.in_force(now):
        return Cause.LOCKED
    if not _is_as_verified(source, target, record):
        return Cause.SOURCE_CHANGED
    return None


def _is_as_verified(source: ObjectState, target: ObjectState, record: Record) -> bool:
    """Whether the source still is the version that was copied, metadata and tags included.

    The version id shows that the same bytes were written again. Where no version id is known, the metadata must at
    least equal the target's.
    """
    return (
        source.etag == record.source_etag
        and not is_other_version(source.version_id, record.source_version)
        and source.metadata == target.metadata
        and source.headers == target.headers
        and source.tags == target.tags
    )
