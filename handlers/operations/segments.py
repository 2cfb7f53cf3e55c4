"""The manifest table in segments: how many, and the pages of one."""

from collections.abc import Callable, Iterator
from functools import partial

from domain.protocol.ports import RecordPage, RecordPages
from handlers.operations.parallel import patiently

RECORDS_AT_ONCE = 500
"""Records of one page: what a killed process has to look at again, and at most 1.5 MB of results."""
LEAST_SEGMENTS, MOST_SEGMENTS = 4, 1_000
RECORDS_A_SEGMENT = 5_000


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
