"""A run that counts records and changes nothing: its slices are segments of the manifest table."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from domain.protocol.ports import RecordPages
from domain.protocol.record import Record
from handlers.operations.segments import read_segment
from handlers.operations.slice_work import Page


class RecordCounts:
    """SliceWork of a count: a process has one page for each slice in memory, and keeps figures alone.

    ``count`` gives the figures of the records of one page.
    """

    def __init__(
        self,
        pages: RecordPages,
        segments: int,
        count: Callable[[Sequence[Record]], Mapping[str, int]],
        *,
        sleep: Callable[[float], object],
    ) -> None:
        self._pages = pages
        self._segments = segments
        self._count = count
        self._sleep = sleep

    @property
    def phases(self) -> Sequence[int]:
        """See the port; one."""
        return (self._segments,)

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[Mapping[str, int]]]:
        """See the port."""
        for page in read_segment(self._pages, number, self._segments, cursor=cursor, sleep=self._sleep):
            yield Page([partial(self._count, page.records)], page.cursor, only_look=True)

    def is_portable(self, number: int) -> bool:  # noqa: ARG002  # the port's
        """See the port; each."""
        return True

    def count_result(self, result: Mapping[str, int]) -> Mapping[str, int]:
        """See the port."""
        return result

    def keep_result(self, result: Mapping[str, int]) -> str | None:  # noqa: ARG002  # the port's
        """See the port; nothing."""
        return None
