"""What a backfill has counted is written as it goes, and complete at its end."""

from domain.planning.total import Total
from handlers.operations.backfill import Fed
from handlers.operations.totals import WRITE_SECONDS, TotalCounter
from tests.fakes.clock import FakeClock
from tests.fakes.total import InMemoryTotalBook


def test_the_count_is_a_minimum_until_the_end() -> None:
    """Written at the first call and then at most every few seconds; the end is always written."""
    clock, book = FakeClock(), InMemoryTotalBook()
    counter = TotalCounter(book, "listing of s3://b/", clock.monotonic)
    counter.note(Fed(enqueued=500, size=10))
    clock.advance(WRITE_SECONDS / 2)
    counter.note(Fed(enqueued=1_000, size=20))
    assert book.total == Total("listing of s3://b/", 500, 10, is_complete=False)
    clock.advance(WRITE_SECONDS / 2)
    counter.note(Fed(enqueued=1_500, size=30))
    assert book.total == Total("listing of s3://b/", 1_500, 30, is_complete=False)
    counter.end(Fed(enqueued=1_600, size=32))
    assert book.total == Total("listing of s3://b/", 1_600, 32, is_complete=True)
    assert book.writes == 3


def test_a_run_that_skips_rows_knows_no_total() -> None:
    """It was resumed: nobody counted what the first run enqueued."""
    book = InMemoryTotalBook()
    counter = TotalCounter(book, "m", FakeClock().monotonic)
    counter.note(Fed(enqueued=500, skipped=20_000))
    counter.end(Fed(enqueued=500, skipped=20_000))
    assert book.writes == 0
