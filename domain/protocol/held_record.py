"""The record of one object while one attempt holds the claim on it (protocol.md §4)."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from domain.errors import LeaseExpiredError, PermanentError, ThrottledError, TransientError, UnavailableError
from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.attempt import Lease, MigrationPorts, Outcome, Verdict
from domain.protocol.causes import Cause
from domain.protocol.claims import left_over
from domain.protocol.cleaned_source import cleaned_etag_of
from domain.protocol.intents import TARGET_WRITES, Action, Intent, with_doubtful
from domain.protocol.known_target import earlier_copy, is_ruled_out, is_ruled_out_by_source
from domain.protocol.ports import RecordChange, Refused, TargetCondition, TargetObject
from domain.protocol.record import Record, State

Answer = TypeVar("Answer")


class ClaimLostError(TransientError):
    """Another worker took over the record.

    This attempt's intents are kept in ``Record.maybe``; the other worker reconciles them.
    """

    cause = "claim-lost"


_SETTLED: Mapping[str, Any] = {
    "intent": None,
    "maybe": frozenset(),
    "upload": None,
    "cause": None,
    "cause_detail": "",
    "cleaned_etag": None,
    "replaceable_etag": None,
}


class HeldRecord:
    """The record of one object while this attempt holds the claim on it."""

    def __init__(self, record: Record, *, lease: Lease, ports: MigrationPorts, defers_commit: bool = False) -> None:
        self.record = record
        self.at_claim = record
        self.lease = lease
        self.commitment: RecordChange | None = None
        """The commit that is still to be written, where the caller writes many of them together."""
        self._defers_commit = defers_commit
        self._ports = ports
        self._is_unanswered = False
        """A request had no usable answer and may still take effect, so the claim is left to expire."""
        self._may_have_landed = False
        """A request for the declared intent was sent, and S3 did not refuse it."""
        self._refused_copies: frozenset[Intent] = frozenset()
        """Copies that S3 refused, although a proxy may have sent them twice."""
        self._ruled_out: frozenset[Intent] = frozenset()
        """Intents of earlier attempts that had no effect, by the state of the keys."""
        self._saw_source = False
        self._known_copy: Mapping[str, Any] = {}

    @property
    def as_known(self) -> Record:
        """The record as of the claim; its ``maybe`` also contains this attempt's writes that may have happened.

        S3 refused these writes, but a proxy may have sent them twice.
        """
        written = {intent for intent in self._unsettled() if intent.action in TARGET_WRITES}
        return replace(self.at_claim, maybe=self.at_claim.maybe | written)

    @property
    def cleaned_etag(self) -> str | None:
        """The etag of the source that cleanup deleted, or may have; ``None`` once this attempt has read the source."""
        return None if self._saw_source else cleaned_etag_of(self.record)

    def note_source(self, source: ObjectState | None) -> None:
        """Note whether the source exists.

        A source that exists was not deleted by an earlier attempt, or a producer has written it again since.
        """
        self._saw_source = source is not None
        if source is not None:
            self._ruled_out |= {one for one in self.at_claim.maybe if is_ruled_out_by_source(one)}

    def note_sight(self, source: ObjectState | None, target: ObjectState | None) -> None:
        """Forget the intents of earlier attempts that the state of both keys rules out.

        The claims of those attempts outlived their requests. What is absent now was not written, or was replaced.
        """
        self.note_source(source)
        self._known_copy = earlier_copy(target, self.at_claim)
        # Not added to: this attempt may have declared the same again since it looked first.
        self._ruled_out = frozenset(one for one in self.at_claim.maybe if is_ruled_out(one, source, target))

    def rewrite(self, **changes: Any) -> None:
        """Change the record and keep the claim; raises ClaimLostError when another worker has taken the record over."""
        self._write(**changes)

    def declare_intent(self, intent: Intent) -> None:
        """Record the intent before its request is sent.

        The previous intent stays in ``maybe`` if its request may have taken effect.
        """
        declared, dated = self.record.intent, self.lease.dated(intent)
        if declared is None or not declared.identifies(dated) or declared.not_before > dated.not_before:
            self.rewrite(intent=dated, maybe=self._unsettled())
            self._may_have_landed = False

    def lengthen_claim(self, seconds: float) -> None:
        """Move the end of the claim by ``seconds``: the next request may take longer than any other."""
        claim, deadline = self.record.claim, self.lease.claim.deadline + seconds
        if claim is not None and claim.deadline < deadline:
            self.rewrite(claim=replace(claim, deadline=deadline))

    def commit(self, state: State, **changes: Any) -> Outcome:
        """Record the object's final state and end the claim; nothing stays unsettled."""
        committed = self._next(state=state, claim=None, **{**_SETTLED, **changes})
        if self._defers_commit:
            self.commitment = RecordChange(committed, self.record)
        else:
            self._store(committed)
        return Outcome(Verdict.DONE, state, committed.cause, committed.cause_detail)

    def advance(self, state: State, *, maybe: frozenset[Intent], **changes: Any) -> None:
        """Record a step that is done and keep the claim; what this attempt knew before the step counts no more.

        ``maybe`` says what is still to be done. Raises ClaimLostError when another worker has taken the record over.
        """
        self._store(self._next(state=state, **{**_SETTLED, "maybe": maybe, **changes}))
        self.at_claim = replace(self.record, claim=None)
        self._may_have_landed = False
        self._refused_copies = self._ruled_out = frozenset()
        self._known_copy = {}

    def settle_commit(self, is_written: bool | None) -> None:
        """Note how the deferred commit went; where that is not known, write it."""
        change, self.commitment = self.commitment, None
        if change is None or is_written:
            return
        if is_written is None:
            self._store(change.record)
        else:
            raise self._lost()

    def park(self, cause: Cause, detail: str = "", **changes: Any) -> None:
        """Set the object aside with its cause and end the claim; writes that may have happened stay in ``maybe``."""
        self._give_back(state=State.PARKED, cause=cause, cause_detail=detail, **changes)

    def set_aside(self, cause: Cause, detail: str = "") -> None:
        """Park the record.

        A conflict stays a conflict, and a cleanup of the source stays known: both decide what comes next.
        """
        if self.record.state is State.CONFLICT:
            self.release()
        else:
            self.park(cause, detail, cleaned_etag=self.cleaned_etag)

    def release(self) -> None:
        """End the claim without a result; writes that may have happened stay in ``maybe``."""
        self._give_back()

    def forget_intent(self, *, without_effect: bool = False) -> None:
        """End the claim when it is certain that the request for the declared intent was never sent.

        ``without_effect`` means that keyshift read both keys, and the equal intents of earlier attempts had no effect
        either.
        """
        maybe = self.record.maybe - {self.record.intent} if without_effect else self.record.maybe
        self._write(claim=None, intent=None, maybe=maybe)

    def target(
        self, location: Location, condition: TargetCondition, *, storage_class: str = "STANDARD"
    ) -> TargetObject:
        """The target location with its condition and the second after which nothing is sent."""
        return TargetObject(location, condition, self.lease.send_before, storage_class)

    def send(self, request: Callable[[], Answer], *, is_last: bool = True) -> Answer:
        """Send one request that changes S3, if it can end before the claim does; returns its answer.

        A request without a usable answer may still take effect, so the claim is then left to expire. A refused request
        counts as not done, except for a copy (see ``send_copy``). ``is_last`` is false for a request that has the
        declared effect only together with a later one. Raises LeaseExpiredError when there is no time left.
        """
        if self._ports.clock.monotonic() >= self.lease.send_before:
            raise LeaseExpiredError(f"{self.record.source.uri}: no time left to change anything")
        was_done, self._may_have_landed = self._may_have_landed, self._may_have_landed or is_last
        try:
            answer = request()
        except UnavailableError:
            self._is_unanswered = True
            raise
        except (ThrottledError, PermanentError, LeaseExpiredError):
            self._may_have_landed = was_done
            raise
        if isinstance(answer, Refused):
            self._may_have_landed = was_done
        return answer

    def send_copy(self, request: Callable[[], Answer]) -> Answer:
        """Send the declared copy; if S3 refuses it, remember it as an unconfirmed copy.

        The port sends the request once, but a proxy may send it twice. S3 then refuses the second request because the
        first one succeeded (protocol.md §5). A bucket that offers no such request refused the first one, too.
        """
        answer = self.send(request)
        if isinstance(answer, Refused) and answer is not Refused.NOT_OFFERED:
            self._refused_copies |= self._refused_copy()
        return answer

    def ask_if_done(self, may_be_done: Callable[[], bool]) -> bool:
        """Whether the declared request may have taken effect although S3 refused it.

        ``may_be_done`` checks that in S3. If the check raises, a delete counts as possibly done, and a copy stays an
        unconfirmed copy.
        """
        refused, doubtful = self._refused_copy(), self._refused_copies
        self._may_have_landed, self._refused_copies = not refused, doubtful | refused
        self._may_have_landed = may_be_done()
        self._refused_copies = doubtful
        return self._may_have_landed

    @contextmanager
    def returned_after_error(self) -> Iterator[None]:
        """Release the claim when the block raises, unless one of its requests may still take effect."""
        try:
            yield
        except (ThrottledError, LeaseExpiredError, UnavailableError, PermanentError):
            if not self._is_unanswered:
                self.release()
            raise

    def copied_before(self) -> int:
        """The second from which S3 dates any write of another writer, if the present target is keyshift's copy.

        The value is in seconds since 1970.
        """
        return math.ceil(self._ports.clock.now() + self.lease.margin_seconds)

    def has_time_for(self, seconds: float) -> bool:
        """Whether requests may still be sent that many seconds from now."""
        return self.lease.has_time_for(seconds, self._ports.clock)

    def _refused_copy(self) -> frozenset[Intent]:
        """The declared copy, marked as refused; empty if the declared intent is not a copy."""
        intent = self.record.intent
        if intent is None or intent.action is not Action.COPY:
            return frozenset()
        return frozenset({replace(intent, is_refused=True)})

    def _give_back(self, **changes: Any) -> None:
        self._write(claim=None, intent=None, maybe=self._unsettled(), **{**self._known_copy, **changes})

    def _unsettled(self) -> frozenset[Intent]:
        """The intents that may have taken effect.

        The declared intent counts if its request was sent and not refused. A refused copy is kept as an unconfirmed
        copy. Without that mark, keyshift would later claim another writer's equal object as its copy. It would also
        take a producer's delete for its own.
        """
        intent, maybe = self.record.intent, self.record.maybe - self._ruled_out
        if intent is not None and (self._may_have_landed or intent.is_task):
            maybe |= {intent}
        return with_doubtful(maybe, self._refused_copies)

    def _next(self, **changes: Any) -> Record:
        changed_at = self._ports.clock.now()
        return replace(self.record, revision=self.record.revision + 1, changed_at=changed_at, **changes)

    def _write(self, **changes: Any) -> None:
        self._store(self._next(**changes))

    def _store(self, record: Record) -> None:
        if not self._ports.manifest.write_record(record, before=self.record):
            raise self._lost()
        self.record = record

    def _lost(self) -> ClaimLostError:
        return ClaimLostError(f"{self.record.source.uri}: another worker took it over")


def take_claim(
    record: Record, intent: Intent, *, lease: Lease, ports: MigrationPorts, **changes: Any
) -> HeldRecord | None:
    """Claim a record that was just read, for work that no message asked for.

    The intent of an abandoned attempt stays in ``maybe``. ``changes`` are written with the claim. Returns ``None`` when
    another worker has changed the record since it was read.
    """
    mine = replace(
        record,
        claim=lease.claim,
        intent=intent,
        maybe=left_over(record),
        revision=record.revision + 1,
        changed_at=lease.started,
        **changes,
    )
    if not ports.manifest.write_record(mine, before=record):
        return None
    return HeldRecord(mine, lease=lease, ports=ports)


def run_claimed(
    record: Record,
    intent: Intent,
    work: Callable[[HeldRecord], Outcome],
    *,
    lease: Lease,
    ports: MigrationPorts,
    **changes: Any,
) -> Outcome:
    """Do this work under a claim, as ``take_claim`` takes it.

    The message waits if another worker has the record. The claim ends with an error, unless a request may still take
    effect.
    """
    held = take_claim(record, intent, lease=lease, ports=ports, **changes)
    if held is None:
        return Outcome(Verdict.RETURN, record.state, Cause.BUSY)
    with held.returned_after_error():
        return work(held)
