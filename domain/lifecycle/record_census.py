"""How many records stand in the way of a stage, by reason."""

from dataclasses import dataclass

from domain.protocol.record import Mode, Record, State


@dataclass(slots=True)
class RecordCensus:
    """The number of records that each reason keeps from being cut over, each with one example.

    Of the ``verified`` copies, ``by_inventories`` were compared by inventories only.

    ``compared`` counts copies without a verification that the command itself has compared. A verification before
    ``verified_since`` (seconds since 1970) is too old to count.
    """

    verified_since: float = 0.0
    records: int = 0
    verified: int = 0
    by_inventories: int = 0
    unfinished: int = 0
    conflict: int = 0
    parked: int = 0
    gone: int = 0
    unverified: int = 0
    compared: int = 0
    stale: int = 0
    rolled_back: int = 0
    examples: dict[str, str] | None = None

    def add(self, record: Record, *, proven: bool = False) -> None:
        """Count one record under the first reason that applies; ``proven``: the command has just compared its copy."""
        self.records += 1
        name = _reason(record, self.verified_since)
        if name == "unverified" and proven:
            self.compared += 1
            return
        if name is None:
            self.verified += record.state in (State.COPIED, State.CLEANED)
            self.by_inventories += _is_by_inventories(record)
            return
        setattr(self, name, getattr(self, name) + 1)
        self.examples = self.examples or {}
        self.examples.setdefault(name, record.source.uri)


def is_unverified(record: Record) -> bool:
    """Whether a verification of its copy is all that keeps the record from being cut over."""
    return _reason(record, 0.0) == "unverified"


def _is_by_inventories(record: Record) -> bool:
    """Whether parts of the copy were never compared; cleanup compares them, so a cleaned one does not count."""
    return record.state is State.COPIED and record.seen is not None and record.seen.by_inventories


def _reason(record: Record, verified_since: float) -> str | None:  # one row for each reason
    if record.mode is Mode.ROLLED_BACK:
        return "rolled_back"
    if record.is_unfinished or record.state is State.NEW:
        return "unfinished"
    if record.state is State.CONFLICT:
        return "conflict"
    if record.state is State.PARKED:
        return "parked"
    if record.state is State.GONE:
        return "gone"
    if record.state is State.COPIED and record.verified_at is None:
        return "unverified"
    if record.state is State.COPIED and record.verified_at is not None and record.verified_at < verified_since:
        return "stale"
    return None
