"""What one change of a record adds to the figures of a migration."""

from collections.abc import Mapping

from domain.record import Record, State

RECORDS = "records."
OBJECTS_COPIED = "objects_copied"
BYTES_COPIED = "bytes_copied"
RULE = "rule."


def progress_of(before: Record | None, after: Record | None) -> Mapping[str, int]:
    """Counters to add for the change from ``before`` to ``after``; ``None``: there is no such record.

    ``records.STATE`` counts records in that state, ``objects_copied`` and ``bytes_copied`` every finished copy
    (an object that was overwritten counts again), ``rule.NAME`` the finished copies of one rule.
    """
    deltas: dict[str, int] = {}
    if before is not None:
        deltas[RECORDS + before.state.value] = -1
    if after is not None:
        key = RECORDS + after.state.value
        deltas[key] = deltas.get(key, 0) + 1
        if _finishes_a_copy(before, after):
            deltas |= {OBJECTS_COPIED: 1, BYTES_COPIED: after.size or 0, RULE + after.rule: 1}
    return {name: delta for name, delta in deltas.items() if delta}


def _finishes_a_copy(before: Record | None, after: Record) -> bool:
    ended = before is not None and before.claim is not None and after.claim is None
    return ended and after.state is State.COPIED
