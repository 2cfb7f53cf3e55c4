"""Delete one source whose bytes are proven to be at the target (protocol.md §9)."""

from dataclasses import replace
from functools import partial

from domain.kms_keys import KeyMap
from domain.objects import ObjectState, is_other_version, what_is_lost
from domain.protocol.annotating import compare_annotations
from domain.protocol.attempt import Attempt, Lease, MigrationPolicy, MigrationPorts, Outcome, Verdict
from domain.protocol.causes import Cause
from domain.protocol.claims import left_over
from domain.protocol.cleaned_source import is_put_after, is_what_we_hid
from domain.protocol.held_record import HeldRecord, run_claimed
from domain.protocol.intents import Action, Intent
from domain.protocol.known_target import is_as_recorded
from domain.protocol.ports import Deleted, Refused, SourceObject
from domain.protocol.record import Mode, Record, State

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
    # Both keys are read before the claim, so a cleanup that dies over a look leaves no delete unsettled. The claim is
    # conditional on the record that was read before them.
    target = ports.store.look_at_object(record.target, with_tags=True)
    if not is_as_recorded(target, record):
        emptied = record.source_etag if _may_be_deleted(record) else None
        return _unclaimed(record, lease, ports).commit(
            State.CONFLICT, cause=Cause.TARGET_CHANGED, cleaned_etag=emptied, marker_version=None
        )
    source = ports.store.look_at_object(record.source, with_tags=True)
    if source is None:
        return _settle_absent(_unclaimed(record, lease, ports), ports, target, may_be_ours=_may_be_deleted(record))
    kept = _why_kept(source, target, record, lease.earliest, keys=policy.kms_keys)
    kept = kept or _why_kept_by_annotations(source, record, ports)
    if kept is not None:
        if _may_be_deleted(record):  # the source shows that no earlier delete took effect
            _unclaimed(record, lease, ports).rewrite(claim=None, maybe=frozenset())
        return Outcome(Verdict.DONE, State.COPIED, *kept)
    # An earlier cleanup's marker is not the one that this cleanup puts. If it were kept, rollback would take this
    # cleanup's marker for the producer's delete. The version may be unknown: the server does not return a copy's source
    # version, or versioning was enabled later.
    version = record.source_version or source.version_id
    work = partial(_delete, ports=ports, copy=target)
    return run_claimed(
        record, DELETE_SOURCE, work, lease=lease, ports=ports, marker_version=None, source_version=version
    )


def _may_be_deleted(record: Record) -> bool:
    """Whether an earlier cleanup may have deleted the source."""
    return DELETE_SOURCE in left_over(record)


def _unclaimed(record: Record, lease: Lease, ports: MigrationPorts) -> HeldRecord:
    """The record for a single write, on the condition that no other attempt has changed it."""
    return HeldRecord(replace(record, intent=None), lease=lease, ports=ports)


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


def _delete(held: HeldRecord, ports: MigrationPorts, copy: ObjectState) -> Outcome:
    """Delete the source, which was seen before the claim."""
    record = held.record
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
    if held.ask_if_done(is_absent):
        return _settle_absent(held, ports, copy, may_be_ours=True)
    held.forget_intent(without_effect=True)
    return Outcome(Verdict.DONE, State.COPIED, Cause.SOURCE_CHANGED_NOW)


def _settle_absent(held: HeldRecord, ports: MigrationPorts, copy: ObjectState, *, may_be_ours: bool) -> Outcome:
    """Commit a source that is absent already.

    An earlier attempt of keyshift deleted it, or this one did when a proxy sent the delete twice, or its producer did.
    If keyshift may have deleted it, the delete's event must not remove the copy, which is the only one.
    """
    record = held.record
    commit = partial(held.commit, marker_version=None)
    if not may_be_ours:
        return commit(State.GONE)
    if record.source_version is None:
        return commit(State.CLEANED)
    top = ports.store.find_top_marker(record.source)
    if top is None or top.hidden is None:
        return commit(State.CLEANED)
    if is_what_we_hid(top.hidden, record, copy):
        return held.commit(State.CLEANED, marker_version=top.marker_id)
    # The producer wrote a version after keyshift's copy and deleted it, so the marker above it is the producer's.
    return commit(State.GONE if is_put_after(top.hidden, record, copy) else State.CLEANED)


def preview_source(record: Record, *, ports: MigrationPorts, policy: MigrationPolicy, now: float) -> Cause | None:
    """Why ``clean_source`` would keep this source, judged by reads alone; ``None``: it would delete it."""
    if record.mode is not Mode.FORWARD:
        return Cause.NOT_FORWARD
    blocked = _blocked(record, now, need_proof=True)
    if blocked is not None:
        return blocked.cause
    target = ports.store.look_at_object(record.target, with_tags=True)
    if not is_as_recorded(target, record):
        return Cause.TARGET_CHANGED
    source = ports.store.look_at_object(record.source, with_tags=True)
    if source is None:
        return None
    kept = _why_kept(source, target, record, now, keys=policy.kms_keys)
    kept = kept or _why_kept_by_annotations(source, record, ports)
    return kept[0] if kept is not None else None


def _why_kept(
    source: ObjectState, target: ObjectState, record: Record, now: float, *, keys: KeyMap
) -> tuple[Cause, str] | None:
    """Why the source stays, with the detail; ``None``: nothing keeps it."""
    if source.lock.in_force(now):
        return Cause.LOCKED, ""
    if not _is_as_verified(source, target, record):
        return Cause.SOURCE_CHANGED, ""
    # A lifecycle rule and UpdateObjectEncryption change these and leave version, etag and date as they are.
    lost = what_is_lost(keys.as_copied(source), target, now=now)
    return (Cause.COPY_LACKS, ", ".join(lost)) if lost else None


def _why_kept_by_annotations(source: ObjectState, record: Record, ports: MigrationPorts) -> tuple[Cause, str] | None:
    """Why the source stays for its annotations, which change without a trace in HEAD; raises where they are unknown."""
    if ports.annotations is None:
        return None
    origin = SourceObject(record.source, source.etag, source.version_id)
    lack = compare_annotations(ports.annotations, origin, record.target).lack
    return (Cause.COPY_LACKS, lack) if lack else None


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
