"""The dry run of a rollback as a run: its slices are segments of the manifest table."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from domain.protocol.ports import RecordPages
from domain.protocol.record import Record, State
from domain.runs.works import OBJECTS
from handlers.operations.rollback import has_kept_copy, is_ended
from handlers.operations.rollback_run import RollbackOptions
from handlers.operations.segments import read_segment
from handlers.operations.slice_work import Page

RESTORES, FENCES, CONFLICTS, DONE, COPIES_KEPT = "restores", "fences", "conflicts", "done", "copies_kept"


class RollbackPlanWork:
    """SliceWork of a dry run: it counts each record under what would happen to it."""

    def __init__(self, pages: RecordPages, options: RollbackOptions, *, sleep: Callable[[float], object]) -> None:
        self._pages = pages
        self._options = options
        self._sleep = sleep

    @property
    def phases(self) -> Sequence[int]:
        """See the port; one."""
        return (self._options.segments,)

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[Mapping[str, int]]]:
        """See the port."""
        for page in read_segment(self._pages, number, self._options.segments, cursor=cursor, sleep=self._sleep):
            yield Page([partial(_planned, page.records)], page.cursor, only_look=True)

    def is_portable(self, number: int) -> bool:  # noqa: ARG002  # the port's
        """See the port; each."""
        return True

    def count_result(self, result: Mapping[str, int]) -> Mapping[str, int]:
        """See the port."""
        return result

    def keep_result(self, result: Mapping[str, int]) -> str | None:  # noqa: ARG002  # the port's
        """See the port; nothing."""
        return None


def _planned(records: Sequence[Record]) -> Mapping[str, int]:
    counts: Counter[str] = Counter({OBJECTS: len(records)})
    for record in records:
        if is_ended(record):
            counts[DONE] += 1
            continue
        kinds = {State.CLEANED: RESTORES, State.CONFLICT: CONFLICTS}
        counts[kinds.get(record.state, FENCES)] += 1
        counts[COPIES_KEPT] += has_kept_copy(record)
    return counts
