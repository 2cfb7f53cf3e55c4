"""One attempt at an object whose claim was granted: copy by the notice, or reconcile (protocol.md §4, §5)."""

from collections.abc import Sequence
from dataclasses import replace

from domain.errors import ArchivedError, PermanentError
from domain.keys import Location, newer_sequencer
from domain.objects import ObjectState
from domain.protocol.annotating import carry_annotations
from domain.protocol.attempt import BUSY_SECONDS, RULES_SECONDS, MigrationPolicy, MigrationPorts, Outcome, Verdict
from domain.protocol.carrying import CarriedVersions
from domain.protocol.causes import Cause
from domain.protocol.claims import may_copy_by_notice
from domain.protocol.copying import HandedOn, SeenCopy, abort_upload, copy_seen
from domain.protocol.decisions import CarryVersions, Copy, CopyHidden, DeleteTarget, Settle, Sight
from domain.protocol.deleting import delete_target
from domain.protocol.held_record import HeldRecord
from domain.protocol.known_target import is_known
from domain.protocol.notices import Notice, NoticeKind
from domain.protocol.ports import (
    HiddenVersion,
    MustBeAbsent,
    MustMatch,
    Refused,
    SourceObject,
    StoredVersion,
    TargetCondition,
    Written,
)
from domain.protocol.reconciling import decide, may_lie_under_a_marker
from domain.protocol.record import Origin, Record, State
from domain.protocol.settling import NO_TARGET, settled_fields
from domain.protocol.versions import carry_first

ROUNDS = 4
"""How often one attempt reads both keys before it returns the message (protocol.md §5)."""
UNSETTLED_SECONDS = 2


def wait_for_rules(notice: Notice, held: HeldRecord, cause: Cause, detail: str) -> Outcome:
    """Set aside a record to which the current rules do not send the object; S3 is not changed."""
    held.set_aside(cause, detail)
    return Outcome(_verdict_of_rules(notice, held.record), held.record.state, cause, detail, RULES_SECONDS)


def _verdict_of_rules(notice: Notice, record: Record) -> Verdict:
    """Decide what to do with a message whose key the current rules no longer map to the record's target.

    A parked source still exists when the rules are repaired. After a delete, nothing would exist that could show it.
    """
    is_told_once = notice.kind is NoticeKind.REMOVED and not record.holds_nothing
    return Verdict.RETURN if is_told_once else Verdict.DONE


class ClaimedObject:
    """One object whose claim this attempt holds."""

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
                held.set_aside(Cause.ARCHIVED, error.version)
                return Outcome(Verdict.DONE, held.record.state, Cause.ARCHIVED, str(error))
            except PermanentError as error:
                cause = Cause(error.cause)
                held.set_aside(cause)
                return Outcome(Verdict.RETURN, held.record.state, cause, str(error), BUSY_SECONDS, is_failure=True)

    def _attempt(self, before: Record | None, target: Location) -> Outcome:
        held = self._held
        if held.record.target != target and held.record.holds_nothing:
            # The record was parked before anything was written, for example because the rules of that day could not map
            # the key.
            held.rewrite(target=target, rule=self._rule, rules_digest=self._policy.rules_digest)
        if held.record.target != target:
            detail = f"the rules say {target.uri}, it was begun for {held.record.target.uri}"
            return wait_for_rules(self._notice, held, Cause.OTHER_TARGET, detail)
        # Earlier versions go first, and a notice says nothing of them.
        is_told = self._ports.history is None and may_copy_by_notice(before, self._notice)
        outcome = self._copy_by_notice(before) if is_told else None
        return outcome or self._reconcile()

    def _copy_by_notice(self, before: Record | None) -> Outcome | None:
        """The common path; ``None`` when S3 refused and both keys must be read."""
        notice, target = self._notice, self._held.record.target
        etag = before.target_etag if before is not None else None
        if etag is not None and self._is_taken_over():
            return None
        condition = MustMatch(etag) if etag is not None else MustBeAbsent()
        storage_class = notice.storage_class or self._policy.promised_storage_class
        is_plain = notice.is_plain or self._policy.promised_plain
        if not self._policy.fits_one_request(notice, target.bucket) or storage_class is None or not is_plain:
            seen = self._ports.store.look_at_object(self._source)
            self._held.note_source(seen)
            if seen is None or seen.etag != notice.etag:
                return None
            return self._copy(seen, condition)
        source = SourceObject(self._source, notice.etag or "")
        goal = self._held.target(target, condition, storage_class=storage_class)
        answer = self._held.send_copy(lambda: self._ports.store.copy_object(source, goal, seen=None))
        self._policy.in_parts_only.learn(target.bucket, answer)
        if isinstance(answer, Refused):
            return None
        changes = {"source_etag": notice.etag, "source_modified": None, "size": notice.size}
        return self._commit_copy(State.COPIED, answer, version_id=notice.version_id, **changes)

    def _is_taken_over(self) -> bool:
        """Whether another writer has written the target since keyshift's copy.

        The copy's condition, the etag, covers only the bytes.
        """
        record = self._held.at_claim
        target = self._ports.store.look_at_object(record.target)
        return target is None or not is_known(target, record)

    def _reconcile(self) -> Outcome:
        """Read both keys and do what they require, with a limited number of tries."""
        tries = 0
        while tries < ROUNDS:
            known = self._held.at_claim
            outcome = self._act(self._see())
            if outcome is not None:
                return outcome
            # A round that carried a version was not in vain: the record says more than at its begin.
            tries += known is self._held.at_claim
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
            kms_keys=self._policy.kms_keys,
            versions=self._list_versions(),
        )
        if may_lie_under_a_marker(sight):
            return replace(sight, top=self._ports.store.find_top_marker(self._source))
        return sight

    def _list_versions(self) -> Sequence[StoredVersion] | None:
        """The source's versions where they are carried: from the last one, or all while something is unsettled."""
        history, record = self._ports.history, self._held.as_known
        if history is None:
            return None
        return history.list_versions(self._source, since=None if record.maybe else record.source_version)

    def _look(self, location: Location) -> ObjectState | None:
        return self._ports.store.look_at_object(location, with_tags=True)

    def _act(self, sight: Sight) -> Outcome | None:
        match carry_first(decide(sight), sight):
            case CarryVersions() as decision:
                return self._carry_versions(decision, sight)
            case Copy(source, condition):
                # Where every version is carried, the same bytes put again since are a version of their own.
                version_id = source.version_id if self._ports.history is not None else None
                return self._copy(source, condition, version_id=version_id)
            case CopyHidden(hidden, condition):
                return self._copy_hidden(hidden, condition)
            case DeleteTarget(etag):
                return self._delete_target(etag)
            case decision:
                return self._settle(decision, sight) if self._carries_annotations(decision, sight) else None

    def _carries_annotations(self, decision: Settle, sight: Sight) -> bool:
        """Put what keyshift's copy lacks of the source's annotations; ``False`` where the target is another one now.

        An attempt may have ended between a copy in parts and its annotations, or they were put since.
        """
        source, target = sight.source, sight.target
        if decision.origin is not Origin.CREATED or source is None or target is None:
            return True
        origin = SourceObject(self._source, source.etag, source.version_id)
        place = self._held.record.target
        return carry_annotations(self._held, self._ports.annotations, origin, place, etag=target.etag)

    def _copy(
        self,
        seen: ObjectState,
        condition: TargetCondition,
        *,
        version_id: str | None = None,
        state: State = State.COPIED,
    ) -> Outcome | None:
        wanted = self._policy.kms_keys.as_copied(seen)
        copy = SeenCopy(self._source, self._held.record.target, wanted, condition, version_id)
        answer = copy_seen(self._held, copy, ports=self._ports, policy=self._policy)
        if isinstance(answer, HandedOn):
            self._held.release()
            return Outcome(Verdict.CONTINUE, None, Cause.PARTS_LEFT, str(answer.left))
        if isinstance(answer, Refused):
            return None
        changes = {"source_etag": seen.etag, "source_modified": seen.last_modified, "size": seen.size}
        return self._commit_copy(state, answer, version_id=seen.version_id, **changes)

    def _copy_hidden(self, hidden: HiddenVersion, condition: MustMatch) -> Outcome | None:
        """Copy the version that keyshift's delete marker hides; the record stays CLEANED."""
        seen = self._ports.store.look_at_object(self._source, version_id=hidden.version_id, with_tags=True)
        if seen is None:
            return None
        return self._copy(seen, condition, version_id=hidden.version_id, state=State.CLEANED)

    def _delete_target(self, etag: str) -> Outcome | None:
        if not delete_target(self._held, self._ports.store, etag=etag):
            return None
        return self._commit(State.TOMBSTONE, source_etag=None, origin=None, **NO_TARGET)

    def _carry_versions(self, decision: CarryVersions, sight: Sight) -> Outcome | None:
        handed_on = CarriedVersions(self._held, self._ports, self._policy).carry(decision, sight)
        if handed_on is None:
            return None
        self._held.release()
        return Outcome(Verdict.CONTINUE, None, Cause.VERSIONS_LEFT, str(handed_on.left))

    def _settle(self, decision: Settle, sight: Sight) -> Outcome:
        changes = settled_fields(decision, sight, self._held.record)
        return self._commit(decision.state, **changes)

    def _commit_copy(self, state: State, answer: Written, *, version_id: str | None, **changes: object) -> Outcome:
        return self._commit(
            state,
            source_version=answer.source_version_id or version_id,
            target_etag=answer.etag,
            target_version=answer.version_id,
            copied_before=self._held.copied_before(),
            origin=Origin.CREATED,
            verified_at=None,
            seen=None,
            upload=None,
            **changes,
        )

    def _commit(self, state: State, **changes: object) -> Outcome:
        if "upload" not in changes:
            abort_upload(self._held, self._ports.multipart)
        sequencer = newer_sequencer(self._held.record.sequencer, self._notice.sequencer)
        return self._held.commit(state, sequencer=sequencer, **changes)
