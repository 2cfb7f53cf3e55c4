"""The manifest table in segments: how many, the pages of one, and the records of all of them."""

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

from domain.protocol.ports import RecordPage, RecordPages
from domain.protocol.record import Record
from handlers.engine.dependencies import Dependencies
from handlers.operations.parallel import patiently

RECORDS_AT_ONCE = 500
"""Records of one page: what a killed process has to look at again, and at most 1.5 MB of results."""
LEAST_SEGMENTS, MOST_SEGMENTS = 4, 1_000
RECORDS_A_SEGMENT = 5_000
READ_AHEAD = 8
"""Pages that are read in parallel, and the most that are in memory."""
RECORDS_READ_AT_ONCE, RECORDS_A_READ = 1_000, 800
"""Records of a page that is only read, at most, and on average: then a second page of a segment is seldom needed."""
MOST_READS = 1_000_000
"""The most segments of a Scan."""


def segments_of(records: int) -> int:
    """Into how many segments a table of about so many records is cut."""
    return min(MOST_SEGMENTS, max(LEAST_SEGMENTS, records // RECORDS_A_SEGMENT))


def read_segment(
    pages: RecordPages, segment: int, segments: int, *, cursor: str, sleep: Callable[[float], object]
) -> Iterator[RecordPage]:
    """The pages of a segment after the cursor, empty: from the first."""
    after: str | None = cursor
    while after is not None:
        read = partial(pages.read_page, segment, segments, cursor=after, at_most=RECORDS_AT_ONCE)
        page = patiently(read, sleep=sleep)
        yield page
        after = page.cursor


def read_records(pages: RecordPages, dependencies: Dependencies, *, about: int) -> Iterator[Record]:
    """Every record, of ``about`` so many, segment after segment; the next segments are read in parallel meanwhile.

    At most READ_AHEAD pages are in memory, whatever the number of records is.
    """
    segments = min(MOST_READS, max(0, about) // RECORDS_A_READ + 1)

    def read(segment: int, cursor: str) -> RecordPage:
        page = partial(pages.read_page, segment, segments, cursor=cursor, at_most=RECORDS_READ_AT_ONCE)
        return patiently(page, sleep=dependencies.sleep)

    with dependencies.objects_at_once(READ_AHEAD) as pool:
        ahead = deque(pool.submit(read, segment, "") for segment in range(min(READ_AHEAD - 1, segments)))
        try:
            for segment in range(segments):
                page = ahead.popleft().result()
                if segment + READ_AHEAD - 1 < segments:
                    ahead.append(pool.submit(read, segment + READ_AHEAD - 1, ""))
                yield from page.records
                while page.cursor is not None:
                    page = read(segment, page.cursor)
                    yield from page.records
        finally:
            for future in ahead:
                future.cancel()
