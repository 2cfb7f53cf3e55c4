"""An operator's decision on a conflict: the source takes its target although another writer wrote or deleted it.

protocol.md §5 calls it take-source. The decision goes into the record and not into a message, so it is written and
audited before anything happens. A duplicate or late message repeats nothing, and the next commit ends the decision. The
copy is an ordinary attempt, on the condition that the target is still what the operator saw.
"""

from dataclasses import dataclass, replace

from domain.objects import ObjectState, same_object
from domain.protocol.causes import Cause
from domain.protocol.reconciling import is_known
from domain.protocol.record import EMPTY_TARGET, Mode, Record, State


@dataclass(frozen=True, slots=True)
class Conflict:
    """One record with the state of both keys, tags included."""

    record: Record
    source: ObjectState | None
    target: ObjectState | None

    @property
    def is_decided(self) -> bool:
        """Whether an operator has decided, and no attempt has run since."""
        return self.record.replaceable_etag is not None


def why_not_taken(conflict: Conflict, *, replacing: str | None) -> str:
    """Why the source must not take its target, with the remedy; an empty text when it may.

    ``replacing`` is the etag of another writer's object, which the operator has seen at the target and gives up.
    """
    record, source, target = conflict.record, conflict.source, conflict.target
    if record.mode is not Mode.FORWARD:
        return "it is rolled back"
    if record.is_unfinished:
        return "an attempt at it runs, or ended without a result: keyshift verify --requeue, then look again"
    if record.state not in (State.CONFLICT, State.COPIED):
        return f"it is {record.state.value}: only a conflict, or a copy that somebody took away, can be decided"
    in_doubt = record.cause is Cause.TARGET_IN_DOUBT
    if source is None:
        ours = (
            f"; if {record.target.uri} holds only our copy, delete it: keyshift verify --requeue then settles the key"
        )
        return f"nothing is at {record.source.uri}: there is no source to copy" + (ours if in_doubt else "")
    if target is not None and is_known(target, record):
        return "its copy is where it belongs: there is nothing to decide"
    if target is None:
        return "" if replacing is None else f"nothing is at {record.target.uri} to be replaced: leave --replacing away"
    if same_object(source, target) or target.etag == replacing:
        return ""
    if replacing is not None:
        return f"{record.target.uri} holds {target.etag} now, not {replacing}: look again with keyshift conflicts list"
    return (
        f"{record.target.uri} holds {'our copy or ' if in_doubt else ''}somebody else's object: remove or rename it,"
        f" or give it up with --replacing {target.etag}"
    )


def take_source(conflict: Conflict, *, by: str, why: str, now: float) -> Record:
    """The record with the operator's decision; write it only if the stored record is still the one that was read."""
    record, target = conflict.record, conflict.target
    return replace(
        record,
        state=State.CONFLICT,
        replaceable_etag=EMPTY_TARGET if target is None else target.etag,
        target_etag=None,
        target_version=None,
        copied_before=None,
        verified_at=None,
        cause=Cause.SOURCE_TAKES_TARGET,
        cause_detail=f"{by}: {why}",
        revision=record.revision + 1,
        changed_at=now,
    )
