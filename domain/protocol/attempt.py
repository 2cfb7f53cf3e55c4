"""One worker's attempt at one object: its claim, how long it may send requests, and the record it holds."""

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
    """What the worker does with the message after the attempt."""

    DONE = "done"
    RETURN = "return"
    """Return the message to the queue; it is due again after a while."""
    CONTINUE = "continue"
    """Another attempt resumes the large copy: enqueue a row for the object, then acknowledge the message."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended.

    ``retry_after`` (seconds) counts for a returned message. ``cause`` says why the attempt ended, and ``detail`` adds
    to it. ``cause`` is ``None`` where the state is explanation enough. ``is_failure`` means that a request failed and
    that another attempt cannot repair it.
    """

    verdict: Verdict
    state: State | None
    cause: Cause | None = None
    detail: str = ""
    retry_after: int = 0
    is_failure: bool = False

    @property
    def reason(self) -> str:
        """The reason as a sentence for people."""
        if self.is_failure and self.detail:
            return self.detail
        if self.cause is not None:
            return told(self.cause, self.detail)
        return self.state.value if self.state is not None else self.verdict.value


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: its fencing token, which is unique, and for how many seconds from now it may send requests."""

    token: str
    limit: float


@dataclass(frozen=True, slots=True)
class MigrationPolicy:
    """The choices that one migration makes for all its objects; sizes in bytes, times in seconds.

    ``mirror_deletes`` lets a delete of the source also delete a target that keyshift made. ``mirror_adopted`` extends
    that to a target that another writer made.

    ``request_seconds`` is the longest time in which one request may still take effect after it was sent.
    ``margin_seconds`` covers the difference between two workers' clocks.

    ``promised_storage_class`` is the storage class that the rules file promises for every object. ``promised_plain`` is
    the promise that no object has a KMS key or an object lock. Both promises together save a HEAD for each event.

    ``encrypted_targets`` means that the target bucket encrypts with KMS, so etags there are not digests.
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
        """The longest time, in seconds, in which CompleteMultipartUpload may still take effect.

        S3's API reference gives "several minutes". S3 keeps the connection open meanwhile, so keyshift's time-out does
        not end the request.
        """
        return 5 * self.request_seconds

    def longest_claim(self, attempt_seconds: float) -> float:
        """The number of seconds after which no request of an attempt can still be under way (protocol.md §6)."""
        return attempt_seconds + self.complete_seconds + self.margin_seconds


@dataclass(frozen=True, slots=True)
class MigrationPorts:
    """The ports that one attempt uses."""

    store: ObjectStore
    multipart: MultipartStore
    manifest: Manifest
    clock: Clock


class ClaimLostError(TransientError):
    """Another worker took over the record.

    This attempt's intents are kept in ``Record.maybe``; the other worker reconciles them.
    """

    cause = "claim-lost"


@dataclass(frozen=True, slots=True)
class Lease:
    """A claim and the monotonic second until which its holder may send requests.

    S3 cannot check the fencing token. Therefore the claim outlives that second by the longest request and a margin
    (protocol.md §6). An object that S3 dates before ``not_before`` was there before this attempt, even if the
    clocks differ.
    """

    claim: Claim
    send_before: float
    started: float
    not_before: int
    margin_seconds: float

    @classmethod
    def begin(cls, attempt: Attempt, policy: MigrationPolicy, clock: Clock) -> Self:
        """Start the lease.

        The monotonic time is read first, so an error can only make the time to send shorter.
        """
        send_before = clock.monotonic() + attempt.limit
        started = clock.now()
        deadline = started + attempt.limit + policy.request_seconds + policy.margin_seconds
        not_before = max(1, int(started - policy.margin_seconds))
        return cls(Claim(attempt.token, deadline), send_before, started, not_before, policy.margin_seconds)

    def dated(self, intent: Intent) -> Intent:
        """The intent with ``not_before``, the earliest date that S3 can give to its write.

        An intent that already has a date, or that does not write to the target, is returned unchanged.
        """
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
    """The record of one object while this attempt holds the claim on it."""

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
            self._ruled_out |= {one for one in self.at_claim.maybe if _is_ruled_out_by_source(one)}

    def note_sight(self, source: ObjectState | None, target: ObjectState | None) -> None:
        """Forget the intents of earlier attempts that the state of both keys rules out.

        The claims of those attempts outlived their requests. What is absent now was not written, or was replaced.
        """
        self.note_source(source)
        # Not added to: this attempt may have declared the same again since it looked first.
        self._ruled_out = frozenset(one for one in self.at_claim.maybe if _is_ruled_out(one, source, target))

    def rewrite(self, **changes: Any) -> None:
        """Change the record and keep the claim; raises ClaimLostError when another worker has taken the record over."""
        self._write(replace(self.record, **changes))

    def declare_intent(self, intent: Intent) -> None:
        """Record the intent before its request is sent.

        The previous intent stays in ``maybe`` if its request may have taken effect.
        """
        declared, dated = self.record.intent, self.lease.dated(intent)
        if declared is None or declared.undated != dated.undated or declared.not_before > dated.not_before:
            self.rewrite(intent=dated, maybe=self._unsettled())
            self._may_be_done = False

    def lengthen_claim(self, seconds: float) -> None:
        """Move the end of the claim by ``seconds``: the next request may take longer than any other."""
        claim, deadline = self.record.claim, self.lease.claim.deadline + seconds
        if claim is not None and claim.deadline < deadline:
            self.rewrite(claim=replace(claim, deadline=deadline))

    def commit(self, state: State, **changes: Any) -> Outcome:
        """Record the object's final state and end the claim; nothing stays unsettled."""
        self._write(replace(self.record, state=state, claim=None, **{**_SETTLED, **changes}))
        return Outcome(Verdict.DONE, state, self.record.cause, self.record.cause_detail)

    def park(self, cause: Cause, detail: str = "", **changes: Any) -> None:
        """Set the object aside with its cause and end the claim; writes that may have happened stay in ``maybe``."""
        self._write(self._given_back(state=State.PARKED, cause=cause, cause_detail=detail, **changes))

    def release(self) -> None:
        """End the claim without a result; writes that may have happened stay in ``maybe``."""
        self._write(self._given_back())

    def forget_intent(self, *, without_effect: bool = False) -> None:
        """End the claim when it is certain that the request for the declared intent was never sent.

        ``without_effect`` means that keyshift read both keys, and the equal intents of earlier attempts had no effect
        either.
        """
        maybe = self.record.maybe - {self.record.intent} if without_effect else self.record.maybe
        self._write(replace(self.record, claim=None, intent=None, maybe=maybe))

    def target(self, location: Location, *, if_match: str | None, storage_class: str = "STANDARD") -> TargetObject:
        """The target location with its condition and the second after which nothing is sent."""
        return TargetObject(location, if_match, self.lease.send_before, storage_class)

    def send(self, request: Callable[[], Answer], *, is_last: bool = True) -> Answer:
        """Send one request that changes S3, if it can end before the claim does; returns its answer.

        A request without a usable answer may still take effect, so the claim is then left to expire. A refused request
        counts as not done, except for a copy (see ``send_copy``). ``is_last`` is false for a request that has the
        declared effect only together with a later one. Raises LeaseExpiredError when there is no time left.
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
        """Send the declared copy; if S3 refuses it, remember it as an unconfirmed copy.

        The port sends the request once, but a proxy may send it twice. S3 then refuses the second request because the
        first one succeeded (protocol.md §5).
        """
        answer = self.send(request)
        if isinstance(answer, Refused):
            self._doubtful |= self._refused_copy()
        return answer

    def ask_if_done(self, may_be_done: Callable[[], bool]) -> bool:
        """Whether the declared request may have taken effect although S3 refused it.

        ``may_be_done`` checks that in S3. If the check raises, a delete counts as possibly done, and a copy stays an
        unconfirmed copy.
        """
        refused, doubtful = self._refused_copy(), self._doubtful
        self._may_be_done, self._doubtful = not refused, doubtful | refused
        self._may_be_done = may_be_done()
        self._doubtful = doubtful
        return self._may_be_done

    @contextmanager
    def returned_after_error(self) -> Iterator[None]:
        """Release the claim when the block raises, unless one of its requests may still take effect."""
        try:
            yield
        except (ThrottledError, LeaseExpiredError, UnavailableError, PermanentError):
            if not self._in_doubt:
                self.release()
            raise

    def copied_before(self) -> int:
        """The second from which S3 dates any write of another writer, if the present target is keyshift's copy.

        The value is in seconds since 1970.
        """
        return math.ceil(self._ports.clock.now() + self.lease.margin_seconds)

    def has_time_for(self, seconds: float) -> bool:
        """Whether requests may still be sent that many seconds from now."""
        return self._ports.clock.monotonic() + seconds < self.lease.send_before

    def _refused_copy(self) -> frozenset[Intent]:
        """The declared copy, marked as refused; empty if the declared intent is not a copy."""
        intent = self.record.intent
        if intent is None or intent.action is not Action.COPY:
            return frozenset()
        return frozenset({replace(intent, is_refused=True)})

    def _given_back(self, **changes: Any) -> Record:
        return replace(self.record, claim=None, intent=None, maybe=self._unsettled(), **changes)

    def _unsettled(self) -> frozenset[Intent]:
        """The intents that may have taken effect.

        The declared intent counts if its request was sent and not refused. A refused copy is kept as an unconfirmed
        copy. Without that mark, keyshift would later claim another writer's equal object as its copy. It would also
        take a producer's delete for its own.
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
    if source is not None and _is_ruled_out_by_source(intent):
        return True
    return intent.action is Action.DELETE_TARGET and target is not None


def _is_ruled_out_by_source(intent: Intent) -> bool:
    """Whether a source that is there shows that this had no effect; the target need not be read for that."""
    return intent.action is Action.DELETE_SOURCE and not intent.is_task


def _bounded(maybe: frozenset[Intent]) -> frozenset[Intent]:
    """Merge the intents that differ only in their dates, and all those that cannot be recognised at the target.

    Of several dates the earliest is kept, because it rules out the least.
    """
    merged: dict[Intent, Intent] = {}
    for intent in sorted(maybe):
        is_lost = intent.action in TARGET_WRITES and not intent.is_recognisable
        named = Intent(intent.action) if is_lost else intent
        merged.setdefault(replace(named, not_before=0), named)
    return frozenset(merged.values())


def _with_doubtful(maybe: frozenset[Intent], doubtful: frozenset[Intent]) -> frozenset[Intent]:
    """Both sets together.

    A copy that may have taken effect anyway is not listed as unconfirmed too. If a copy was refused several times, the
    first time counts.
    """
    known = {intent.undated for intent in maybe}
    return _bounded(maybe | {intent for intent in doubtful if intent.undated not in known})


def take_claim(
    record: Record, intent: Intent, *, lease: Lease, ports: MigrationPorts, mode: Mode | None = None, **changes: Any
) -> HeldRecord | None:
    """Claim a record that was just read, for work that no message asked for.

    The intent of an abandoned attempt stays in ``maybe``. ``changes`` are written with the claim. Returns ``None`` when
    another worker has changed the record since it was read.
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
