"""Migrate one object: claim, copy, commit; reconcile where the keys are not as expected (protocol.md §4, §5)."""

from dataclasses import replace

from domain.protocol.attempt import (
    BUSY_SECONDS,
    Attempt,
    Lease,
    MigrationPolicy,
    MigrationPorts,
    Outcome,
    Verdict,
    copy_intent,
)
from domain.protocol.causes import Cause
from domain.protocol.claimed_object import ClaimedObject, wait_for_rules
from domain.protocol.claims import ClaimRequest, Refusal, claimed, refusal
from domain.protocol.held_record import HeldRecord
from domain.protocol.intents import Intent
from domain.protocol.notices import Destination, Notice, NoticeKind
from domain.protocol.ports import ClaimAnswer, RecordChange
from domain.protocol.record import Record, State


def migrate_object(
    notice: Notice,
    *,
    destination: Destination,
    attempt: Attempt,
    ports: MigrationPorts,
    policy: MigrationPolicy,
) -> Outcome:
    """Migrate the object that ``notice`` names to its destination; the outcome says why it was not done.

    Raises TransientError when the message is to be returned unsettled; nothing is lost then.
    """
    begun = begin_attempt(notice, destination=destination, attempt=attempt, ports=ports, policy=policy)
    return begun.run(None)


def begin_attempt(
    notice: Notice,
    *,
    destination: Destination,
    attempt: Attempt,
    ports: MigrationPorts,
    policy: MigrationPolicy,
) -> "BegunAttempt":
    """Start the lease of an attempt that is not claimed yet: the claims of many attempts can be written together."""
    lease = Lease.begin(attempt, policy, ports.clock)
    # Where versions are carried, the version of the notice is seldom the first one.
    intent = _first_intent(notice, policy, lease) if ports.history is None else None
    request = ClaimRequest(
        notice, destination.target, lease.claim, intent, lease.started, destination.rule, policy.rules_digest
    )
    return BegunAttempt(request, lease, ports, policy)


class BegunAttempt:
    """An attempt whose lease runs: it is claimed, run and committed, alone or together with others."""

    def __init__(self, request: ClaimRequest, lease: Lease, ports: MigrationPorts, policy: MigrationPolicy) -> None:
        self.request = request
        self._lease = lease
        self._ports = ports
        self._policy = policy
        self._held: HeldRecord | None = None

    def has_time_for(self, seconds: float) -> bool:
        """Whether it may still send requests so many seconds from now."""
        return self._lease.has_time_for(seconds, self._ports.clock)

    @property
    def commitment(self) -> RecordChange | None:
        """The commit that ``run`` left to be written together with others."""
        return self._held.commitment if self._held is not None else None

    def run(self, answer: ClaimAnswer | None, *, defers_commit: bool = False) -> Outcome:
        """Run the attempt after this answer to its claim; ``None``: claim the record now.

        With ``defers_commit``, ``commitment`` may hold the last write; the outcome is true once ``settle`` returns.
        """
        request, ports = self.request, self._ports
        answer = answer or ports.manifest.claim_record(request)
        before = answer.before
        if answer.granted:
            record = claimed(before, request)
        elif before is not None and before.claim == request.claim:
            record = before  # an earlier request succeeded, and its answer was lost
            is_new = record.state is State.NEW and not record.maybe
            before = None if is_new else replace(record, claim=None, intent=None)
        else:
            return _refused(before, request)
        self._held = HeldRecord(record, lease=self._lease, ports=ports, defers_commit=defers_commit)
        return ClaimedObject(request.notice, self._held, ports, self._policy, rule=request.rule).run(
            before, request.target
        )

    def park(self, cause: Cause, detail: str = "") -> Outcome:
        """Record that the object cannot be migrated in its present state, with the cause; S3 is not changed."""
        request = replace(self.request, intent=None)
        answer = self._ports.manifest.claim_record(request)
        if not answer.granted:
            return _refused(answer.before, request)
        held = HeldRecord(claimed(answer.before, request), lease=self._lease, ports=self._ports)
        return wait_for_rules(request.notice, held, cause, detail)

    def give_back(self, answer: ClaimAnswer) -> None:
        """End a granted claim under which nothing was sent."""
        if answer.granted:
            record = claimed(answer.before, self.request)
            HeldRecord(record, lease=self._lease, ports=self._ports).release()

    def settle(self, *, is_written: bool | None) -> None:
        """Settle the deferred commit, which was written, refused, or of which nothing is known (``None``)."""
        if self._held is not None:
            with self._held.returned_after_error():
                self._held.settle_commit(is_written)


def _first_intent(notice: Notice, policy: MigrationPolicy, lease: Lease) -> Intent | None:
    # A delete becomes an intent only after both keys were read.
    if notice.kind is NoticeKind.REMOVED or notice.etag is None:
        return None
    return lease.dated(copy_intent(notice.etag, notice.version_id, policy))


def _refused(before: Record | None, request: ClaimRequest) -> Outcome:
    why = refusal(before, request) or Refusal.BUSY
    state = before.state if before is not None else None
    if why is Refusal.BUSY:
        return Outcome(Verdict.RETURN, state, Cause.BUSY, retry_after=BUSY_SECONDS)
    return Outcome(Verdict.DONE, state, Cause(why.value))
