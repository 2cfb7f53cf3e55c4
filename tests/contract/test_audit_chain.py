"""SegmentArchive, ChainHead and EventBook: the fakes and the real ones keep one contract."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.dynamodb.chain_head import DynamoDbChainHead
from adapters.local.event_book import SqliteEventBook
from adapters.s3.segment_archive import Retention, S3SegmentArchive
from domain.audit.chain import Link
from domain.audit.ports import BookedEvent, ChainHead, Deferred, EventBook, SegmentArchive
from domain.errors import KeyshiftError
from tests.fakes.archive import InMemoryChainHead, InMemoryEventBook, InMemorySegmentArchive
from tests.servers import Server, new_name
from tests.worlds.objects import clients_for
from tests.worlds.tables import new_table


def new_archive(server: Server, *, lock: bool = False, retention: Retention | None = None) -> S3SegmentArchive:
    """An archive in a new bucket."""
    bucket = new_name("audit")
    server.client("s3").create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=lock)
    return S3SegmentArchive(clients_for(server), bucket, prefix="audit", migration="m", retention=retention)


@pytest.fixture(params=["fake", "standin", "seaweedfs"])
def archive(request: pytest.FixtureRequest) -> SegmentArchive:
    """An empty archive."""
    return InMemorySegmentArchive() if request.param == "fake" else new_archive(request.getfixturevalue(request.param))


@pytest.fixture(params=["fake", "standin", "moto"])
def head(request: pytest.FixtureRequest) -> ChainHead:
    """A head that nobody has set."""
    if request.param == "fake":
        return InMemoryChainHead()
    world = new_table(request.getfixturevalue("moto_endpoint" if request.param == "moto" else request.param))
    return DynamoDbChainHead(world.clients, world.table)


@pytest.fixture(params=["fake", "sqlite"])
def book(request: pytest.FixtureRequest) -> Iterator[EventBook]:
    """An empty book."""
    if request.param == "fake":
        yield InMemoryEventBook()
        return
    with SqliteEventBook.opened() as opened:
        yield opened


def test_a_segment_is_written_once(archive: SegmentArchive) -> None:
    """The second writer is told, unless it writes the very same bytes."""
    assert archive.write_segment(1, b"one")
    assert archive.write_segment(1, b"one")
    assert not archive.write_segment(1, b"other")
    assert archive.read_segment(1) == b"one"
    assert archive.read_segment(2) is None


def test_segments_are_read_in_order(archive: SegmentArchive) -> None:
    """Also after a given number, and the last one is known."""
    assert (archive.last_sequence(), list(archive.read_segments())) == (0, [])
    for number in (3, 1, 12, 2):
        archive.write_segment(number, f"body {number}".encode())
    assert [(one.sequence, one.body) for one in archive.read_segments()] == [
        (1, b"body 1"),
        (2, b"body 2"),
        (3, b"body 3"),
        (12, b"body 12"),
    ]
    assert [one.sequence for one in archive.read_segments(after=2)] == [3, 12]
    assert archive.last_sequence() == 12


def test_writers_at_the_same_time_have_one_winner(archive: SegmentArchive) -> None:
    """If-None-Match holds under contention."""
    with ThreadPoolExecutor(4) as threads:
        won = list(threads.map(lambda writer: archive.write_segment(1, f"writer {writer}".encode()), range(4)))
    assert sum(won) == 1


def test_a_key_that_is_no_segments_is_told(standin: Server) -> None:
    """Whatever somebody puts beside the segments is seen, none of it as a segment."""
    archive = new_archive(standin)
    archive.write_segment(1, b"one")
    for name in ("0.jsonl.gz", "000000000000.jsonl.gz", "x", "000000000002.jsonl", "0000000000x2.jsonl.gz"):
        standin.client("s3").put_object(Bucket=archive.bucket, Key=f"audit/m/{name}", Body=b"?")
    read = list(archive.read_segments())
    assert [one.sequence for one in read if one.sequence is not None] == [1]
    assert len([one for one in read if one.sequence is None]) == 5


def test_a_segment_is_locked_where_the_bucket_has_object_lock(standin: Server) -> None:
    """Nobody deletes its version before the retention ends; without object lock it is written all the same."""
    archive = new_archive(standin, lock=True, retention=Retention(days=30))
    assert archive.write_segment(1, b"one")
    answer = standin.client("s3").head_object(Bucket=archive.bucket, Key="audit/m/000000000001.jsonl.gz")
    assert answer["ObjectLockMode"] == "GOVERNANCE"
    assert new_archive(standin, retention=Retention(days=30)).write_segment(1, b"one")


def test_a_bucket_that_is_not_there_is_named(standin: Server) -> None:
    """The remedy names the variable."""
    archive = S3SegmentArchive(
        clients_for(standin), new_name("no"), prefix="a", migration="m", retention=Retention(days=1)
    )
    with pytest.raises(KeyshiftError, match="KEYSHIFT_AUDIT_BUCKET"):
        archive.write_segment(1, b"one")


def test_the_head_only_goes_forward(head: ChainHead) -> None:
    """A slower writer does not set it back; repeating a write is no loss."""
    assert head.read_head() is None
    assert head.advance_head(Link(2, "b" * 64))
    assert head.advance_head(Link(2, "b" * 64))
    assert not head.advance_head(Link(2, "c" * 64))
    assert not head.advance_head(Link(1, "a" * 64))
    assert head.read_head() == Link(2, "b" * 64)
    assert head.advance_head(Link(3, "c" * 64))
    assert head.read_head() == Link(3, "c" * 64)


def test_the_book_knows_every_event(book: EventBook) -> None:
    """Each by its subject and number, and the highest number of each."""
    assert (book.newest_number("a"), book.find_event("a", 1)) == (None, None)
    event = BookedEvent(b"d" * 32, "told", 3, 4)
    book.book_event("a", 2, event)
    book.book_event("a", 1, BookedEvent(b"e" * 32, "", 5, 6))
    assert (book.newest_number("a"), book.find_event("a", 2), book.find_event("b", 2)) == (2, event, None)


def test_the_book_knows_what_was_not_seen(book: EventBook) -> None:
    """Records and other items; marking twice is fine."""
    for subject in ("a", "b", "keyshift#control"):
        book.book_event(subject, 1, BookedEvent(b"", "", 1, 1))
    book.mark_seen("a")
    book.mark_seen("a")
    assert sorted(book.subjects_not_seen()) == ["b", "keyshift#control"]


def test_the_book_keeps_what_is_deferred(book: EventBook) -> None:
    """In the order in which it came."""
    states = [Deferred("s", "s3://b/k", number, "d", 1_790_000_000.5) for number in (2, 1)]
    for state in states:
        book.defer_record(state)
    assert list(book.deferred_records()) == states
