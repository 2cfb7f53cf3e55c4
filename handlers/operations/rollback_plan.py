"""What a rollback would do, counted: the figures of its dry run."""

from collections import Counter
from collections.abc import Mapping, Sequence

from domain.protocol.record import Record, State
from domain.runs.works import OBJECTS
from handlers.operations.rollback import has_kept_copy, is_ended

RESTORES, FENCES, CONFLICTS, DONE, COPIES_KEPT = "restores", "fences", "conflicts", "done", "copies_kept"


def plan_rollback(records: Sequence[Record]) -> Mapping[str, int]:
    """How many of these records there are under what a rollback would do to them."""
    counts: Counter[str] = Counter({OBJECTS: len(records)})
    for record in records:
        if is_ended(record):
            counts[DONE] += 1
            continue
        kinds = {State.CLEANED: RESTORES, State.CONFLICT: CONFLICTS}
        counts[kinds.get(record.state, FENCES)] += 1
        counts[COPIES_KEPT] += has_kept_copy(record)
    return counts
