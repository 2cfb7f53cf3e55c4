"""One worker's attempt at one object: what it is given, how long it may send requests, and how it ends."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from domain.kms_keys import NO_KEYS, KeyMap
from domain.objects import is_digest
from domain.protocol.causes import Cause, told
from domain.protocol.intents import TARGET_WRITES, Action, Intent
from domain.protocol.notices import Notice
from domain.protocol.parts import MAX_COPY_BYTES, MULTIPART_ABOVE, PART_BYTES
from domain.protocol.ports import (
    AnnotationStore,
    Clock,
    Manifest,
    MultipartStore,
    ObjectStore,
    Refused,
    VersionHistory,
    Written,
)
from domain.protocol.record import Claim, State

BUSY_SECONDS = 5
RULES_SECONDS = 60
"""Other rules arrive only with another deployment."""


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


class InPartsOnly:
    """The buckets that take no CopyObject with a condition (aws-facts.md §2.1), as far as this process has seen.

    There a completed upload takes the condition, so each object goes in parts. It is kept for the life of the process:
    a bucket whose policy was changed meanwhile costs more requests, and nothing else. ``tell`` gets each bucket once.
    """

    def __init__(self, tell: Callable[[str], None] = lambda _: None) -> None:
        self._tell = tell
        self._buckets: set[str] = set()

    def learn(self, bucket: str, answer: Written | Refused) -> None:
        """Remember the bucket if that was its answer to a CopyObject."""
        if answer is Refused.NOT_OFFERED and bucket not in self._buckets:
            self._buckets.add(bucket)
            self._tell(bucket)

    def __contains__(self, bucket: str) -> bool:
        return bucket in self._buckets


@dataclass(frozen=True, slots=True)
class MigrationPolicy:
    """The choices that one migration makes for all its objects; sizes in bytes, times in seconds.

    ``mirror_deletes`` lets a delete of the source also delete a target that keyshift made. ``mirror_adopted`` extends
    that to a target that another writer made.

    ``request_seconds`` is the longest time in which one request may still take effect after it was sent.
    ``margin_seconds`` covers the difference between two workers' clocks.

    ``promised_storage_class`` is the storage class that the rules file promises for every object. ``promised_plain`` is
    the promise that no object has a KMS key or an object lock. Both promises together save a HEAD for each event.

    ``encrypts_targets`` says whether the target bucket encrypts with KMS, so that etags there are not digests. It may
    ask S3, and raises what a port raises. ``kms_keys`` names the KMS key of a copy where it is not its source's.
    ``in_parts_only`` is what this process has learnt of its buckets.
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
    encrypts_targets: Callable[[], bool] = lambda: False
    kms_keys: KeyMap = NO_KEYS
    rules_digest: str = ""
    in_parts_only: InPartsOnly = field(default_factory=InPartsOnly)

    @property
    def complete_seconds(self) -> float:
        """The longest time, in seconds, in which CompleteMultipartUpload may still take effect.

        S3's API reference gives "several minutes". S3 keeps the connection open meanwhile, so keyshift's time-out does
        not end the request.
        """
        return 5 * self.request_seconds

    def is_cut(self, size: int, bucket: str) -> bool:
        """Whether an object of ``size`` bytes is copied into ``bucket`` in parts.

        With a limit of 0, and where the bucket takes nothing else, one without bytes is too.
        """
        is_always = self.multipart_above == 0 or bucket in self.in_parts_only
        return is_always or size > min(self.multipart_above, MAX_COPY_BYTES)

    def fits_one_request(self, notice: Notice, bucket: str) -> bool:
        """Whether one request copies the object into ``bucket`` and leaves an etag that is known before."""
        is_small = notice.size is not None and not self.is_cut(notice.size, bucket)
        return is_small and is_digest(notice.etag or "") and not self.encrypts_targets()

    def longest_claim(self, attempt_seconds: float) -> float:
        """The number of seconds after which no request of an attempt can still be under way (protocol.md §6)."""
        return attempt_seconds + self.complete_seconds + self.margin_seconds


@dataclass(frozen=True, slots=True)
class MigrationPorts:
    """The ports that one attempt uses.

    ``annotations`` is ``None`` where the rules file promises that no source has any, so nothing looks for them.
    ``history`` is ``None`` where only current versions are carried, so nothing lists the others.
    """

    store: ObjectStore
    multipart: MultipartStore
    manifest: Manifest
    clock: Clock
    annotations: AnnotationStore | None = None
    history: VersionHistory | None = None


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

    @property
    def earliest(self) -> float:
        """The second, since 1970, in which it began by the clock that is latest: no retention is over before."""
        return self.started - self.margin_seconds

    def has_time_for(self, seconds: float, clock: Clock) -> bool:
        """Whether requests may still be sent that many seconds from now."""
        return clock.monotonic() + seconds < self.send_before

    def dated(self, intent: Intent) -> Intent:
        """The intent with ``not_before``, the earliest date that S3 can give to its write.

        An intent that already has a date, or that does not write to the target, is returned unchanged.
        """
        if intent.action not in TARGET_WRITES or intent.not_before:
            return intent
        return replace(intent, not_before=self.not_before)


def copy_intent(
    etag: str, version_id: str | None, policy: MigrationPolicy, *, checksum: str = "", is_encrypted: bool = False
) -> Intent:
    """The intent of a copy of this source in one request, with the etag and checksum that it would leave.

    The target etag can be foretold only where source and target etags both are the MD5 of the bytes (aws-facts.md
    §2.4). That requires an upload in one part and no KMS key.
    """
    plain = is_digest(etag) and not is_encrypted and not policy.encrypts_targets()
    foretold = etag if plain else ""
    return Intent(Action.COPY, etag, version_id or "", foretold, checksum)
