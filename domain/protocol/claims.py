"""The claim on a record: who may take it, and the record after it (protocol.md §3)."""

from dataclasses import dataclass, replace
from enum import StrEnum

from domain.keys import Location
from domain.protocol.intents import Intent
from domain.protocol.notices import Notice, NoticeKind
from domain.protocol.record import Claim, Mode, Record, State


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A request to claim a source object for one attempt.

    ``notice`` gives the reason; ``now`` is in seconds since 1970.
    """

    notice: Notice
    target: Location
    claim: Claim
    intent: Intent | None
    now: float
    rule: str = ""
    rules_digest: str = ""


class Refusal(StrEnum):
    """Why a claim was not granted."""

    ROLLED_BACK = "rolled-back"
    INCORPORATED = "incorporated"
    BUSY = "busy"


def refusal(record: Record | None, request: ClaimRequest) -> Refusal | None:
    """Return why ``request`` must not be granted on ``record``, or ``None`` when it may be granted.

    The DynamoDB adapter holds the same rule as a condition expression; the contract suite compares the two.
    """
    if record is None:
        return None
    if record.mode is not Mode.FORWARD:
        return Refusal.ROLLED_BACK
    if record.is_claimed_at(request.now):
        return Refusal.BUSY
    if not record.is_unfinished and is_incorporated(record, request.notice):
        return Refusal.INCORPORATED
    return None


def is_incorporated(record: Record, notice: Notice) -> bool:
    """Whether a finished record already reflects what ``notice`` reports."""
    if notice.kind is not NoticeKind.LISTED:
        return notice.sequencer is not None and notice.sequencer.is_at_most(record.sequencer)
    return (
        record.state in (State.COPIED, State.CLEANED)
        and notice.etag is not None
        and record.source_etag == notice.etag
        and notice.version_id in (None, record.source_version)
    )


def may_copy_by_notice(record: Record | None, notice: Notice) -> bool:
    """Whether the notice alone is enough to copy: S3 checks its etag at both ends."""
    if notice.kind is NoticeKind.REMOVED or notice.etag is None:
        return False
    if record is None:
        return True
    in_order = notice.kind is NoticeKind.CREATED and notice.sequencer is not None
    comparable = record.sequencer is None or (
        notice.sequencer is not None and len(notice.sequencer.text) == len(record.sequencer.text)
    )
    settled = not record.is_unfinished and record.state not in (State.CONFLICT, State.PARKED)
    return in_order and comparable and settled


def may_go_along(record: Record | None, notice: Notice) -> bool:
    """Whether a delete of the source may still require work: keyshift's copy would have to be deleted too."""
    # An attempt that still runs, or died, may have written the target although the record shows no copy yet.
    if record is None or record.mode is not Mode.FORWARD or replace(record, maybe=left_over(record)).holds_nothing:
        return False
    if record.is_unfinished:
        return True
    return record.target_etag is not None and not is_incorporated(record, notice)


def claimed(record: Record | None, request: ClaimRequest) -> Record:
    """The record after a granted claim: an abandoned attempt's intent becomes one of ``maybe``."""
    if record is None:
        return Record(
            source=request.notice.source,
            target=request.target,
            claim=request.claim,
            intent=request.intent,
            rule=request.rule,
            rules_digest=request.rules_digest,
            changed_at=request.now,
        )
    return replace(
        record,
        claim=request.claim,
        intent=request.intent,
        maybe=left_over(record),
        revision=record.revision + 1,
        changed_at=request.now,
    )


def left_over(record: Record) -> frozenset[Intent]:
    """Every intent of which it is not known whether it took effect."""
    return record.maybe | ({record.intent} if record.intent is not None else frozenset())
