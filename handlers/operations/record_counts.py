"""A run that counts records and changes nothing: its slices are segments of the manifest table."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from domain.protocol.ports import RecordPages
from domain.protocol.record import Record
from handlers.operations.segments import read_segment
from handlers.operations.slice_work import Page

Count = Callable[[Sequence[Record]], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class CountedPage:
    """The figures of the records of one page, and the lines that are kept of it."""

    counts: Mapping[str, int]
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class KeptLines:
    """The lines that are kept beside the figures: ``show`` gives the line of a record, ``None``: it has none.

    At most ``most`` lines of a slice are kept, those of its first records, however often its process changes.
    """

    show: Callable[[Record], str | None]
    most: int


class RecordCounts:
    """SliceWork of a count: a process has one page for each slice in memory, and keeps figures and few lines.

    ``count`` gives the figures of the records of one page.
    """

    def __init__(
        self,
        pages: RecordPages,
        segments: int,
        count: Count,
        *,
        sleep: Callable[[float], object],
        keeps: KeptLines | None = None,
    ) -> None:
        self._pages = pages
        self._segments = segments
        self._count = count
        self._sleep = sleep
        self._keeps = keeps

    @property
    def phases(self) -> Sequence[int]:
        """See the port; one."""
        return (self._segments,)

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[CountedPage]]:
        """See the port; where lines are kept, the cursor begins with how many there are of the pages before it."""
        kept, after = self._opened(cursor)
        for page in read_segment(self._pages, number, self._segments, cursor=after, sleep=self._sleep):
            lines = self._lines_of(page.records, kept)
            kept += len(lines)
            tasks = [partial(self._count_page, page.records, lines)]
            yield Page(tasks, self._closed(kept, page.cursor), only_look=True)

    def is_portable(self, number: int) -> bool:  # noqa: ARG002  # the port's
        """See the port; each."""
        return True

    def count_result(self, result: CountedPage) -> Mapping[str, int]:
        """See the port."""
        return result.counts

    def keep_result(self, result: CountedPage) -> str | None:
        """See the port."""
        return "\n".join(result.lines) or None

    def _count_page(self, records: Sequence[Record], lines: Sequence[str]) -> CountedPage:
        return CountedPage(self._count(records), lines)

    def _lines_of(self, records: Sequence[Record], kept: int) -> Sequence[str]:
        if self._keeps is None or kept >= self._keeps.most:
            return ()
        lines = map(self._keeps.show, records)
        return list(islice((line for line in lines if line is not None), self._keeps.most - kept))

    def _opened(self, cursor: str) -> tuple[int, str]:
        if self._keeps is None or not cursor:
            return 0, cursor
        kept, _, after = cursor.partition(" ")
        return int(kept), after

    def _closed(self, kept: int, after: str | None) -> str | None:
        return f"{kept} {after}" if self._keeps is not None and after is not None else after
