"""An operator's decision on a conflict: the source takes its target although another writer wrote or deleted it.

protocol.md §5 calls it take-source. The decision goes into the record and not into a message, so it is written and
audited before anything happens. A duplicate or late message repeats nothing, and the next commit ends the decision. The
copy is an ordinary attempt, on the condition that the target is still what the operator saw.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from domain.objects import ObjectState, same_object
from domain.protocol.causes import Cause
from domain.protocol.known_target import is_known
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


class Objection(StrEnum):
    """Why the source must not take its target now."""

    ROLLED_BACK = "rolled-back"
    UNFINISHED = "unfinished"
    NOT_IN_CONFLICT = "not-in-conflict"
    SOURCE_ABSENT = "source-absent"
    COPY_IN_PLACE = "copy-in-place"
    TARGET_ABSENT = "target-absent"
    TARGET_CHANGED = "target-changed"
    TARGET_FOREIGN = "target-foreign"


def why_not_taken(conflict: Conflict, *, replacing: str | None) -> Objection | None:
    """Why the source must not take its target; ``None`` when it may.

    ``replacing`` is the etag of another writer's object, which the operator has seen at the target and gives up.
    """
    record, source, target = conflict.record, conflict.source, conflict.target
    if record.mode is not Mode.FORWARD:
        return Objection.ROLLED_BACK
    if record.is_unfinished:
        return Objection.UNFINISHED
    if record.state not in (State.CONFLICT, State.COPIED):
        return Objection.NOT_IN_CONFLICT
    if source is None:
        return Objection.SOURCE_ABSENT
    is_own = target is not None and is_known(target, record)
    if is_own and record.cause is not Cause.OLDER_VERSION_CAME_UP:
        return Objection.COPY_IN_PLACE
    if target is None:
        return None if replacing is None else Objection.TARGET_ABSENT
    if is_own or same_object(source, target) or target.etag == replacing:
        return None
    return Objection.TARGET_FOREIGN if replacing is None else Objection.TARGET_CHANGED


def objection_text(objection: Objection, conflict: Conflict, *, replacing: str | None) -> str:
    """The sentence for people, with the remedy."""
    record = conflict.record
    target, etag = record.target.uri, conflict.target.etag if conflict.target is not None else None
    in_doubt = record.cause is Cause.TARGET_IN_DOUBT
    match objection:
        case Objection.ROLLED_BACK:
            return "it is rolled back"
        case Objection.UNFINISHED:
            return "an attempt at it runs, or ended without a result: keyshift verify --requeue, then look again"
        case Objection.NOT_IN_CONFLICT:
            return (
                f"it is {record.state.value}: only a conflict, or a copy that another writer replaced or deleted, can"
                " be decided"
            )
        case Objection.SOURCE_ABSENT:
            remedy = (
                f"; if {target} holds only keyshift's copy, delete it: keyshift verify --requeue then settles the key"
            )
            return f"nothing is at {record.source.uri}: there is no source to copy" + (remedy if in_doubt else "")
        case Objection.COPY_IN_PLACE:
            return "its copy is where it belongs: there is nothing to decide"
        case Objection.TARGET_ABSENT:
            return f"nothing is at {target} to be replaced: leave --replacing away"
        case Objection.TARGET_CHANGED:
            return f"{target} holds {etag} now, not {replacing}: look again with keyshift conflicts list"
        case Objection.TARGET_FOREIGN:
            found = "keyshift's copy or another writer's object" if in_doubt else "another writer's object"
            return f"{target} holds {found}: remove or rename it, or give it up with --replacing {etag}"


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
        seen=None,
        cause=Cause.SOURCE_TAKES_TARGET,
        cause_detail=f"{by}: {why}",
        revision=record.revision + 1,
        changed_at=now,
    )
