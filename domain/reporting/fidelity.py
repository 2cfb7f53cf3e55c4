"""What became of one object: moved or not, and what a move kept, changed and lost (aws-facts.md §2.3)."""

from dataclasses import dataclass

from domain.protocol.record import Origin, Record, State

_OUTCOMES = {
    State.NEW: "waiting",
    State.COPIED: "moved",
    State.CONFLICT: "conflict",
    State.TOMBSTONE: "deleted with its source",
    State.GONE: "source vanished",
    State.PARKED: "parked",
    State.CLEANED: "moved, source deleted",
    State.ROLLED_BACK: "rolled back",
    State.ROLLBACK_CONFLICT: "conflict while rolling back",
    State.PURGED: "rolled back, copy deleted",
}
_MOVED = frozenset({State.COPIED, State.CLEANED})
_ALL = ("bytes", "metadata", "headers", "tags", "storage class", "KMS key", "object lock")


@dataclass(frozen=True, slots=True)
class Fidelity:
    """One object's outcome; the three lists are empty for an object that has no copy."""

    outcome: str
    kept: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def fidelity_of(record: Record) -> Fidelity:
    """What the record tells; an adopted target was there before and proven to be the same object."""
    outcome = _OUTCOMES[record.state]
    if record.state not in _MOVED:
        return Fidelity(outcome)
    if record.origin is Origin.ADOPTED:
        return Fidelity("adopted", ("bytes", "metadata", "headers", "tags"))
    changed = ["Last-Modified: it is the time of the copy, so age-based lifecycle rules start again"]
    lost = ["ACL: the target bucket's owner and policy decide"]
    kept: tuple[str, ...] = _ALL
    if record.is_rewritten:
        kept = _ALL[1:]
        changed.append("content: the references in it name the new keys")
    elif record.target_etag is not None and record.source_etag != record.target_etag:
        changed.append("ETag: it was uploaded in other parts, or is encrypted with another key")
    if record.source_version not in (None, "null"):
        changed.append("version id: the copy is a new version")
        lost.append("older versions: they stay at the source")
    return Fidelity(outcome, kept, tuple(changed), tuple(lost))
