"""What a backfill has counted is written as it goes, and complete at its end."""

from domain.planning.shares import Share
from domain.planning.total import FileProgress, Total, total_of
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


def test_a_run_that_skips_uncounted_rows_knows_no_total() -> None:
    """An earlier release enqueued them, and stored no figures."""
    book = InMemoryTotalBook()
    counter = TotalCounter(book, "m", FakeClock().monotonic)
    counter.note(Fed(enqueued=500, skipped=20_000, is_counted=False))
    counter.end(Fed(enqueued=500, skipped=20_000, is_counted=False))
    assert book.writes == 0


def test_a_run_that_goes_on_counts_what_was_enqueued_before() -> None:
    """Share and time left are of the whole inventory, whoever read the first rows."""
    book = InMemoryTotalBook()
    counter = TotalCounter(book, "m", FakeClock().monotonic)
    counter.end(Fed(enqueued=500, size=10, skipped=20_000, earlier=Share(700, 70)))
    assert book.total == Total("m", 1_200, 80, is_complete=True)


def test_the_total_of_files_is_complete_when_each_was_read() -> None:
    """One that is under way, or was not counted, makes it a minimum."""
    read, under_way = FileProgress(10, 8, 80, is_read=True), FileProgress(5, 4, 40)
    assert total_of("m", [read, read]) == Total("m", 16, 160, is_complete=True)
    assert total_of("m", [read, under_way]) == Total("m", 12, 120, is_complete=False)
    assert not total_of("m", [read, FileProgress(9, is_read=True, is_counted=False)]).is_complete
