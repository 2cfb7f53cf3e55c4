"""One worker's try at one object: its claim, how long it may send, and the record while it is ours."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self, TypeVar

from domain.errors import LeaseExpiredError, PermanentError, ThrottledError, TransientError, UnavailableError
from domain.keys import Location
from domain.objects import ObjectState
from domain.parts import MULTIPART_ABOVE, PART_BYTES
from domain.protocol.causes import Cause, told
from domain.protocol.ports import Clock, Manifest, MultipartStore, ObjectStore, Refused, TargetObject
from domain.protocol.reconciling import cleaned_etag_of, wrote
from domain.protocol.record import TARGET_WRITES, Action, Claim, Intent, Mode, Record, State, left_over

Answer = TypeVar("Answer")


class Verdict(StrEnum):
    """What is to become of the message."""

    DONE = "done"
    RETURN = "return"
    """Give it back; it is due again after a while."""
    CONTINUE = "continue"
    """A large copy goes on in another attempt: enqueue a row for the object, then acknowledge."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended; ``retry_after`` in seconds counts for a returned message.

    ``cause`` says why, with its ``detail``; ``None`` where the state says it all. ``is_failure``: a request failed in
    a way that another attempt does not mend.
    """

    verdict: Verdict
    state: State | None
    cause: Cause | None = None
    detail: str = ""
    retry_after: int = 0
    is_failure: bool = False

    @property
    def reason(self) -> str:
        """The sentence for people."""
        if self.is_failure and self.detail:
            return self.detail
        if self.cause is not None:
            return told(self.cause, self.detail)
        return self.state.value if self.state is not None else self.verdict.value


@dataclass(frozen=True, slots=True)
class Attempt:
    """A fencing token nobody else has, and for how many seconds from now requests may be sent."""

    token: str
    limit: float


@dataclass(frozen=True, slots=True)
class MigrationPolicy:
    """What one migration decided once for all its objects; sizes in bytes, times in seconds.

    ``mirror_adopted`` lets a source's delete take along a target that another writer made; ``mirror_deletes`` alone
    takes only what keyshift made.
    ``request_seconds`` is the longest that one request may still take effect after it was sent; ``margin_seconds``
    covers the difference between two workers' clocks. ``promised_storage_class`` is the class that the rules
    file promises for every object, and ``promised_plain`` the promise that none has a KMS key or an object lock: both
    together save a HEAD for each event. ``encrypted_targets`` says that the target bucket encrypts with KMS, so that
    etags there are not digests.
    """

    mirror_deletes: bool = True
    mirror_adopted: bool = False
    multipart_above: int = MULTIPART_ABOVE
    part_size: int = PART_BYTES
    parts_at_once: int = 16
    request_seconds: float = 120.0
    margin_seconds: float = 30.0
    promised_storage_class: str | None = None
    promised_plain: bool = False
    encrypted_targets: bool = False
    rules_digest: str = ""

    @property
    def complete_seconds(self) -> float:
        """The longest that CompleteMultipartUpload may still take effect: "several minutes", says S3's API reference.

        S3 keeps its connection open meanwhile, so that no time-out of ours ends it.
        """
        return 5 * self.request_seconds

    def longest_claim(self, attempt_seconds: float) -> float:
        """Seconds after which no request of an attempt can still be under way (protocol.md §6)."""
        return attempt_seconds + self.complete_seconds + self.margin_seconds


@dataclass(frozen=True, slots=True)
class MigrationPorts:
    """The world as one attempt sees it."""

    store: ObjectStore
    multipart: MultipartStore
    manifest: Manifest
    clock: Clock


class ClaimLostError(TransientError):
    """Somebody took the record over: what we did is in its ``maybe``, and they will look."""

    cause = "claim-lost"


@dataclass(frozen=True, slots=True)
class Lease:
    """A claim and the monotonic second until which its holder may send.

    The claim outlives that second by the longest request and a margin, since S3 cannot be fenced by our token
    (protocol.md §6). What S3 wrote before ``not_before`` was there before this attempt, however wrong the clocks.
    """

    claim: Claim
    send_before: float
    started: float
    not_before: int
    margin_seconds: float

    @classmethod
    def begin(cls, attempt: Attempt, policy: MigrationPolicy, clock: Clock) -> Self:
        """Start the clock; the monotonic time is read first, so that it can only be on the safe side."""
        send_before = clock.monotonic() + attempt.limit
        started = clock.now()
        deadline = started + attempt.limit + policy.request_seconds + policy.margin_seconds
        not_before = max(1, int(started - policy.margin_seconds))
        return cls(Claim(attempt.token, deadline), send_before, started, not_before, policy.margin_seconds)

    def dated(self, intent: Intent) -> Intent:
        """The intent with the earliest date that S3 can give to what it writes, unless it has one."""
        if intent.action not in TARGET_WRITES or intent.not_before:
            return intent
        return replace(intent, not_before=self.not_before)


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
    """The record of one object while our claim on it stands."""

    def __init__(self, record: Record, *, lease: Lease, ports: MigrationPorts) -> None:
        self.record = record
        self.at_claim = record
        self.lease = lease
        self._ports = ports
        self._in_doubt = False
        self._may_be_done = False
        self._doubtful: frozenset[Intent] = frozenset()
        self._ruled_out: frozenset[Intent] = frozenset()
        self._saw_source = False

    @property
    def as_known(self) -> Record:
        """The record as of the claim, and what this attempt may have written although S3 refused it."""
        written = {intent for intent in self._unsettled() if intent.action in TARGET_WRITES}
        return replace(self.at_claim, maybe=self.at_claim.maybe | written)

    @property
    def cleaned_etag(self) -> str | None:
        """What the record must remember of a cleanup of its source, unless the source was seen since."""
        return None if self._saw_source else cleaned_etag_of(self.record)

    def note_source(self, source: ObjectState | None) -> None:
        """A source that is there was not deleted by an earlier attempt, or was put again since."""
        self._saw_source = source is not None

    def note_sight(self, source: ObjectState | None, target: ObjectState | None) -> None:
        """Forget what earlier attempts declared and a look at both keys rules out.

        Their claims outlived their requests, so what is not there now was not written, or is replaced.
        """
        self.note_source(source)
        self._ruled_out = frozenset(one for one in self.at_claim.maybe if _is_ruled_out(one, source, target))

    def rewrite(self, **changes: Any) -> None:
        """Change the record, still holding it; ClaimLostError when it is no longer ours."""
        self._write(replace(self.record, **changes))

    def declare_intent(self, intent: Intent) -> None:
        """Make durable what we are about to do; what we declared before and may have done stays among ``maybe``."""
        declared, dated = self.record.intent, self.lease.dated(intent)
        if declared is None or declared.undated != dated.undated or declared.not_before > dated.not_before:
            self.rewrite(intent=dated, maybe=self._unsettled())
            self._may_be_done = False

    def lengthen_claim(self, seconds: float) -> None:
        """Let the claim end so much later than it would: what is sent next may take longer than any other request."""
        claim, deadline = self.record.claim, self.lease.claim.deadline + seconds
        if claim is not None and claim.deadline < deadline:
            self.rewrite(claim=replace(claim, deadline=deadline))

    def commit(self, state: State, **changes: Any) -> Outcome:
        """Say what the object's state is now, and give the claim back with nothing left unsettled."""
        self._write(replace(self.record, state=state, claim=None, **{**_SETTLED, **changes}))
        return Outcome(Verdict.DONE, state, self.record.cause, self.record.cause_detail)

    def park(self, cause: Cause, detail: str = "", **changes: Any) -> None:
        """Set the object aside with its cause; what may have been written stays known."""
        self._write(self._given_back(state=State.PARKED, cause=cause, cause_detail=detail, **changes))

    def release(self) -> None:
        """Give the claim back without a result; whatever we may have written stays among ``maybe``."""
        self._write(self._given_back())

    def forget_intent(self, *, without_effect: bool = False) -> None:
        """Give the claim back, certain that what we had declared was never sent.

        ``without_effect``: a look showed that what earlier attempts had declared alike had no effect either.
        """
        maybe = self.record.maybe - {self.record.intent} if without_effect else self.record.maybe
        self._write(replace(self.record, claim=None, intent=None, maybe=maybe))

    def target(self, location: Location, *, if_match: str | None, storage_class: str = "STANDARD") -> TargetObject:
        """Where to write, under this lease."""
        return TargetObject(location, if_match, self.lease.send_before, storage_class)

    def send(self, request: Callable[[], Answer], *, is_last: bool = True) -> Answer:
        """Send one request that changes S3, if it can end before the claim does.

        A request without a usable answer leaves us in doubt: it may still take effect, so the claim then has to
        run out by itself. One that is refused counts as not done, see ``send_copy``. ``is_last`` is false for one
        that leaves nothing where the intent says without another one after it.
        """
        if self._ports.clock.monotonic() >= self.lease.send_before:
            raise LeaseExpiredError(f"{self.record.source.uri}: no time left to change anything; it is tried again")
        was_done, self._may_be_done = self._may_be_done, self._may_be_done or is_last
        try:
            answer = request()
        except UnavailableError:
            self._in_doubt = True
            raise
        except (ThrottledError, PermanentError, LeaseExpiredError):
            self._may_be_done = was_done
            raise
        if isinstance(answer, Refused):
            self._may_be_done = was_done
        return answer

    def send_copy(self, request: Callable[[], Answer]) -> Answer:
        """Send the copy that was declared; S3's refusal is remembered as a doubt.

        The port sends it once, but a proxy on the way may send it again, and then the second answer is the refusal of
        the first one's success (protocol.md §5).
        """
        answer = self.send(request)
        if isinstance(answer, Refused):
            self._doubtful |= self._refused_copy()
        return answer

    def ask_if_done(self, may_be_done: Callable[[], bool]) -> bool:
        """Whether what was declared and refused may be done all the same.

        If the look fails, a delete may be done, and a copy stays the doubt that each refused copy is.
        """
        refused, doubtful = self._refused_copy(), self._doubtful
        self._may_be_done, self._doubtful = not refused, doubtful | refused
        self._may_be_done = may_be_done()
        self._doubtful = doubtful
        return self._may_be_done

    @contextmanager
    def returned_after_error(self) -> Iterator[None]:
        """Release the claim when the block raises, unless one of our requests may still be on its way."""
        try:
            yield
        except (ThrottledError, LeaseExpiredError, UnavailableError, PermanentError):
            if not self._in_doubt:
                self.release()
            raise

    def copied_before(self) -> int:
        """From which second on S3 dates what another writer puts at the target, if what is there now is ours."""
        return math.ceil(self._ports.clock.now() + self.lease.margin_seconds)

    def has_time_for(self, seconds: float) -> bool:
        """Whether requests may still be sent that many seconds from now."""
        return self._ports.clock.monotonic() + seconds < self.lease.send_before

    def _refused_copy(self) -> frozenset[Intent]:
        """The declared copy as a doubt, once S3 has refused it; nothing if something else was declared."""
        intent = self.record.intent
        if intent is None or intent.action is not Action.COPY:
            return frozenset()
        return frozenset({replace(intent, is_refused=True)})

    def _given_back(self, **changes: Any) -> Record:
        return replace(self.record, claim=None, intent=None, maybe=self._unsettled(), **changes)

    def _unsettled(self) -> frozenset[Intent]:
        """What may have been done: what was not sent was not, and what S3 refused hardly.

        Kept without that doubt, a write would make another writer's equal object ours, and a delete an owner's own.
        """
        intent, maybe = self.record.intent, self.record.maybe - self._ruled_out
        if intent is not None and (self._may_be_done or intent.is_task):
            maybe |= {intent}
        return _with_doubtful(maybe, self._doubtful)

    def _write(self, record: Record) -> None:
        written = replace(record, revision=self.record.revision + 1, changed_at=self._ports.clock.now())
        if not self._ports.manifest.write_record(written, before=self.record):
            raise ClaimLostError(f"{self.record.source.uri}: another worker took it over; it is tried again")
        self.record = written


def _is_ruled_out(intent: Intent, source: ObjectState | None, target: ObjectState | None) -> bool:
    if intent.action in TARGET_WRITES:
        return intent.is_recognisable and (target is None or not wrote(intent, target))
    if intent.action is Action.DELETE_SOURCE:
        return source is not None and not intent.is_task
    return intent.action is Action.DELETE_TARGET and target is not None


def _bounded(maybe: frozenset[Intent]) -> frozenset[Intent]:
    """The same, with one entry for all that differ in their dates alone, and one for all that nothing can recognise.

    Of several dates the earliest counts: it leaves more in doubt.
    """
    merged: dict[Intent, Intent] = {}
    for intent in sorted(maybe):
        is_lost = intent.action in TARGET_WRITES and not intent.is_recognisable
        named = Intent(intent.action) if is_lost else intent
        merged.setdefault(replace(named, not_before=0), named)
    return frozenset(merged.values())


def _with_doubtful(maybe: frozenset[Intent], doubtful: frozenset[Intent]) -> frozenset[Intent]:
    """Both; what may have been done anyhow is no doubt, and of a copy refused again and again the first time counts."""
    known = {intent.undated for intent in maybe}
    return _bounded(maybe | {intent for intent in doubtful if intent.undated not in known})


def take_claim(
    record: Record, intent: Intent, *, lease: Lease, ports: MigrationPorts, mode: Mode | None = None, **changes: Any
) -> HeldRecord | None:
    """Claim a record that was just read, for a job of its own; ``None``: somebody else was quicker.

    Whatever an abandoned attempt had declared stays among ``maybe``; ``changes`` are made along with the claim.
    """
    mine = replace(
        record,
        claim=lease.claim,
        mode=mode or record.mode,
        intent=intent,
        maybe=left_over(record),
        revision=record.revision + 1,
        changed_at=lease.started,
        **changes,
    )
    if not ports.manifest.write_record(mine, before=record):
        return None
    return HeldRecord(mine, lease=lease, ports=ports)
