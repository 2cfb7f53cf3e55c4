"""Migrate one object: claim, copy, commit; reconcile where the keys are not as expected (protocol.md §4, §5)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from domain.errors import ArchivedError, PermanentError
from domain.keys import Location, newer_sequencer
from domain.objects import ObjectState, is_digest
from domain.parts import MAX_COPY_BYTES
from domain.protocol.attempt import Attempt, HeldRecord, Lease, MigrationPolicy, MigrationPorts, Outcome, Verdict
from domain.protocol.causes import Cause
from domain.protocol.copying import HandedOn, abort_upload, copy_intent, copy_seen
from domain.protocol.notices import Notice, NoticeKind
from domain.protocol.ports import Deleted, HiddenVersion, Refused, SourceObject, Written
from domain.protocol.reconciling import (
    Decision,
    Sight,
    Step,
    cleaned_etag_of,
    decide,
    is_known,
    marker_of_cleanup,
    may_lie_under_a_marker,
)
from domain.protocol.record import Action, ClaimRequest, Intent, Origin, Record, Refusal, State, claimed, refusal

ROUNDS = 4
"""How often one attempt reads both keys before it returns the message (protocol.md §5)."""
BUSY_SECONDS = 5
UNSETTLED_SECONDS = 2
RULES_SECONDS = 60
"""Other rules arrive only with another deployment."""
_NO_TARGET: Mapping[str, Any] = {"target_etag": None, "target_version": None, "copied_before": None}
_VERIFIED = ("source_etag", "source_version", "target_etag", "target_version")
"""The fields that a verification covers: when one of them changes, the verification is void."""


def migrate_object(  # noqa: PLR0913  # what, where to, why, and the world
    notice: Notice,
    *,
    target: Location,
    rule: str,
    attempt: Attempt,
    ports: MigrationPorts,
    policy: MigrationPolicy,
) -> Outcome:
    """Migrate the object that ``notice`` names to ``target``; the outcome says why it was not done.

    Raises TransientError when the message is to be returned unsettled; nothing is lost then.
    """
    lease = Lease.begin(attempt, policy, ports.clock)
    intent = _first_intent(notice, policy, lease)
    request = ClaimRequest(notice, target, lease.claim, intent, lease.started, rule, policy.rules_digest)
    answer = ports.manifest.claim_record(request)
    before = answer.before
    if answer.granted:
        record = claimed(before, request)
    elif before is not None and before.claim == lease.claim:
        record = before  # an earlier request succeeded, and its answer was lost
        is_new = record.state is State.NEW and not record.maybe
        before = None if is_new else replace(record, claim=None, intent=None)
    else:
        return _refused(before, request)
    held = HeldRecord(record, lease=lease, ports=ports)
    return _Migration(notice, held, ports, policy, rule=rule).run(before, target)


def park_object(  # noqa: PLR0913  # as migrate_object
    notice: Notice,
    *,
    target: Location,
    rule: str,
    cause: Cause,
    detail: str = "",
    attempt: Attempt,
    ports: MigrationPorts,
    policy: MigrationPolicy,
) -> Outcome:
    """Record that the object cannot be migrated in its present state, with the cause; S3 is not changed."""
    lease = Lease.begin(attempt, policy, ports.clock)
    request = ClaimRequest(notice, target, lease.claim, None, lease.started, rule, policy.rules_digest)
    answer = ports.manifest.claim_record(request)
    if not answer.granted:
        return _refused(answer.before, request)
    held = HeldRecord(claimed(answer.before, request), lease=lease, ports=ports)
    _set_aside(held, cause, detail)
    return Outcome(_verdict_of_rules(notice, held.record), held.record.state, cause, detail, RULES_SECONDS)


def _first_intent(notice: Notice, policy: MigrationPolicy, lease: Lease) -> Intent | None:
    # A delete becomes an intent only after both keys were read.
    if notice.kind is NoticeKind.REMOVED or notice.etag is None:
        return None
    return lease.dated(copy_intent(notice.etag, notice.version_id, policy))


def _set_aside(held: HeldRecord, cause: Cause, detail: str = "") -> None:
    """Park the record.

    A conflict stays a conflict, and a cleanup of the source stays known: both decide what comes next.
    """
    if held.record.state is State.CONFLICT:
        held.release()
    else:
        held.park(cause, detail, cleaned_etag=held.cleaned_etag)


def _verdict_of_rules(notice: Notice, record: Record) -> Verdict:
    """Decide what to do with a message whose key the current rules no longer map to the record's target.

    A parked source still exists when the rules are repaired. After a delete, nothing would exist that could show it.
    """
    is_told_once = notice.kind is NoticeKind.REMOVED and not record.holds_nothing
    return Verdict.RETURN if is_told_once else Verdict.DONE


def _refused(before: Record | None, request: ClaimRequest) -> Outcome:
    why = refusal(before, request) or Refusal.BUSY
    state = before.state if before is not None else None
    if why is Refusal.BUSY:
        return Outcome(Verdict.RETURN, state, Cause.BUSY, retry_after=BUSY_SECONDS)
    return Outcome(Verdict.DONE, state, Cause(why.value))


class _Migration:
    """One attempt under a granted claim."""

    def __init__(
        self, notice: Notice, held: HeldRecord, ports: MigrationPorts, policy: MigrationPolicy, *, rule: str
    ) -> None:
        self._notice = notice
        self._rule = rule
        self._held = held
        self._ports = ports
        self._policy = policy
        self._source = notice.source

    def run(self, before: Record | None, target: Location) -> Outcome:
        """Run the attempt; the claim ends with it, unless a request may still take effect."""
        held = self._held
        with held.returned_after_error():
            try:
                return self._attempt(before, target)
            except ArchivedError as error:
                _set_aside(held, Cause.ARCHIVED)
                return Outcome(Verdict.DONE, held.record.state, Cause.ARCHIVED, str(error))
            except PermanentError as error:
                cause = Cause(error.cause)
                _set_aside(held, cause)
                return Outcome(Verdict.RETURN, held.record.state, cause, str(error), BUSY_SECONDS, is_failure=True)

    def _attempt(self, before: Record | None, target: Location) -> Outcome:
        held = self._held
        if held.record.target != target and held.record.holds_nothing:
            # The record was parked before anything was written, for example because the rules of that day could not map
            # the key.
            held.rewrite(target=target, rule=self._rule, rules_digest=self._policy.rules_digest)
        if held.record.target != target:
            detail = f"the rules say {target.uri}, it was begun for {held.record.target.uri}"
            _set_aside(held, Cause.OTHER_TARGET, detail)
            verdict = _verdict_of_rules(self._notice, held.record)
            return Outcome(verdict, held.record.state, Cause.OTHER_TARGET, detail, RULES_SECONDS)
        outcome = self._copy_by_notice(before) if self._is_plain_copy(before) else None
        return outcome or self._reconcile()

    def _is_plain_copy(self, before: Record | None) -> bool:
        """Whether the notice alone is enough to copy: S3 checks its etag at both ends."""
        notice = self._notice
        if notice.kind is NoticeKind.REMOVED or notice.etag is None:
            return False
        if before is None:
            return True
        in_order = notice.kind is NoticeKind.CREATED and notice.sequencer is not None
        comparable = before.sequencer is None or (
            notice.sequencer is not None and len(notice.sequencer.text) == len(before.sequencer.text)
        )
        settled = not before.is_unfinished and before.state not in (State.CONFLICT, State.PARKED)
        return in_order and comparable and settled

    def _copy_by_notice(self, before: Record | None) -> Outcome | None:
        """The common path; ``None`` when S3 refused and both keys must be read."""
        notice, target = self._notice, self._held.record.target
        if_match = before.target_etag if before is not None else None
        if if_match is not None and self._is_taken_over():
            return None
        decision = Decision(Step.COPY, State.COPIED, if_match=if_match, origin=Origin.CREATED)
        storage_class = notice.storage_class or self._policy.promised_storage_class
        is_plain = notice.is_plain or self._policy.promised_plain
        if not self._fits_one_request() or storage_class is None or not is_plain:
            seen = self._ports.store.look_at_object(self._source)
            self._held.note_source(seen)
            if seen is None or seen.etag != notice.etag:
                return None
            return self._copy(decision, seen)
        source = SourceObject(self._source, notice.etag or "")
        goal = self._held.target(target, if_match=if_match, storage_class=storage_class)
        answer = self._held.send_copy(lambda: self._ports.store.copy_object(source, goal, seen=None))
        if isinstance(answer, Refused):
            return None
        return self._commit_copy(
            decision, answer, etag=notice.etag or "", version_id=notice.version_id, size=notice.size
        )

    def _is_taken_over(self) -> bool:
        """Whether another writer has written the target since keyshift's copy.

        The copy's condition, the etag, covers only the bytes.
        """
        record = self._held.at_claim
        target = self._ports.store.look_at_object(record.target)
        return target is None or not is_known(target, record)

    def _fits_one_request(self) -> bool:
        notice, policy = self._notice, self._policy
        small = notice.size is not None and notice.size <= min(policy.multipart_above, MAX_COPY_BYTES)
        return small and is_digest(notice.etag or "") and not policy.encrypted_targets

    def _reconcile(self) -> Outcome:
        """Read both keys and do what they require, with a limited number of tries."""
        for _ in range(ROUNDS):
            sight = self._see()
            outcome = self._act(decide(sight), sight)
            if outcome is not None:
                return outcome
        self._held.release()
        return Outcome(Verdict.RETURN, None, Cause.KEYS_KEEP_CHANGING, retry_after=UNSETTLED_SECONDS)

    def _see(self) -> Sight:
        source = self._look(self._source)
        self._held.note_source(source)
        target = self._look(self._held.record.target)
        self._held.note_sight(source, target)
        sight = Sight(
            record=self._held.as_known,
            source=source,
            target=target,
            removed=self._notice.kind is NoticeKind.REMOVED,
            mirror_deletes=self._policy.mirror_deletes,
            mirror_adopted=self._policy.mirror_adopted,
            now=self._held.lease.started,
        )
        if may_lie_under_a_marker(sight):
            return replace(sight, top=self._ports.store.find_top_marker(self._source))
        return sight

    def _look(self, location: Location) -> ObjectState | None:
        return self._ports.store.look_at_object(location, with_tags=True)

    def _act(self, decision: Decision, sight: Sight) -> Outcome | None:
        if decision.step is Step.COPY and sight.source is not None:
            return self._copy(decision, sight.source)
        if decision.step is Step.COPY_HIDDEN and sight.top is not None and sight.top.hidden is not None:
            return self._copy_hidden(decision, sight.top.hidden)
        if decision.step is Step.DELETE_TARGET and decision.if_match is not None:
            return self._delete_target(decision.if_match)
        return self._settle(decision, sight)

    def _copy(self, decision: Decision, seen: ObjectState, *, version_id: str | None = None) -> Outcome | None:
        answer = copy_seen(
            self._held,
            self._source,
            self._held.record.target,
            seen=seen,
            if_match=decision.if_match,
            ports=self._ports,
            policy=self._policy,
            version_id=version_id,
        )
        if isinstance(answer, HandedOn):
            self._held.release()
            return Outcome(Verdict.CONTINUE, None, Cause.PARTS_LEFT, str(answer.parts_left))
        if isinstance(answer, Refused):
            return None
        return self._commit_copy(decision, answer, etag=seen.etag, version_id=seen.version_id, size=seen.size)

    def _copy_hidden(self, decision: Decision, hidden: HiddenVersion) -> Outcome | None:
        """Copy the version that keyshift's delete marker hides; the record stays CLEANED."""
        seen = self._ports.store.look_at_object(self._source, version_id=hidden.version_id, with_tags=True)
        if seen is None:
            return None
        return self._copy(decision, seen, version_id=hidden.version_id)

    def _delete_target(self, if_match: str) -> Outcome | None:
        held, target = self._held, self._held.record.target
        held.declare_intent(Intent(Action.DELETE_TARGET))
        answer = held.send(
            lambda: self._ports.store.delete_object(target, if_match=if_match, send_before=held.lease.send_before)
        )

        def is_absent() -> bool:
            # Some servers refuse the condition when the key is absent (SeaweedFS: 412).
            return answer is Refused.SOURCE_ABSENT or self._ports.store.look_at_object(target) is None

        # keyshift saw the object, and its own delete, sent twice, may have removed it. The delete stays unsettled until
        # that is known.
        is_gone = isinstance(answer, Deleted) or held.ask_if_done(is_absent)
        if is_gone and answer is not Refused.PRECONDITION:
            return self._commit(State.TOMBSTONE, source_etag=None, origin=None, **_NO_TARGET)
        return None

    def _settle(self, decision: Decision, sight: Sight) -> Outcome:
        source, target = sight.source, sight.target
        changes: dict[str, object] = {"cause": decision.cause, "origin": decision.origin}
        if not decision.keeps_target:
            changes |= _NO_TARGET
        elif target is not None:
            changes |= {"target_etag": target.etag, "target_version": target.version_id}
            changes["copied_before"] = self._held.copied_before()
        if decision.state is State.CONFLICT:
            changes["origin"] = self._held.record.origin
            changes["cleaned_etag"] = cleaned_etag_of(sight.record) if source is None else None
        if decision.state is State.COPIED and source is not None:
            changes |= {"source_etag": source.etag, "source_version": source.version_id, "size": source.size}
        if decision.state is State.CLEANED and (marker := marker_of_cleanup(sight)) is not None:
            changes["marker_version"] = marker
        known = self._held.record
        if any(getattr(known, name) != changes.get(name, getattr(known, name)) for name in _VERIFIED):
            changes["verified_at"] = None
        return self._commit(decision.state, **changes)

    def _commit_copy(
        self, decision: Decision, answer: Written, *, etag: str, version_id: str | None, size: int | None
    ) -> Outcome:
        return self._commit(
            decision.state,
            source_etag=etag,
            source_version=answer.source_version_id or version_id,
            target_etag=answer.etag,
            target_version=answer.version_id,
            copied_before=self._held.copied_before(),
            origin=decision.origin,
            size=size,
            verified_at=None,
            upload=None,
        )

    def _commit(self, state: State, **changes: object) -> Outcome:
        if "upload" not in changes:
            abort_upload(self._held, self._ports.multipart)
        sequencer = newer_sequencer(self._held.record.sequencer, self._notice.sequencer)
        return self._held.commit(state, sequencer=sequencer, **changes)
