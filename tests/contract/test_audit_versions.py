"""What the chain's places keep when another program writes over a segment: the fakes and the real ones alike."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from adapters.dynamodb.audited_items import DynamoDbAuditedItems
from adapters.dynamodb.chain_head import DynamoDbChainHead
from adapters.dynamodb.control import DynamoDbControlPanel
from adapters.dynamodb.reference_items import item_of_entry, journal_id
from adapters.dynamodb.stage import DynamoDbStageBook
from adapters.local.event_book import SqliteEventBook
from adapters.s3.segment_archive import S3SegmentArchive
from adapters.s3.versions import StoredKey, stored_keys
from domain.audit.chain import Link
from domain.audit.item_events import CONTROL_ID, STAGE_ID
from domain.audit.ports import AuditedItems, BookedEvent, ChainHead, Deferred, DoubtedSegment, EventBook, SegmentArchive
from domain.errors import UnavailableError
from domain.lifecycle.stages import Stage, StageEntry
from domain.references.ports import JournalEntry
from domain.steering.control import Control
from tests.fakes.archive import InMemoryAuditedItems, InMemoryChainHead, InMemoryEventBook, InMemorySegmentArchive
from tests.servers import Server, new_name
from tests.worlds.objects import clients_for
from tests.worlds.tables import TableWorld, new_table

KEY = "audit/m/{:012d}.jsonl.gz"


@dataclass(frozen=True)
class Place:
    """An archive, and another program that may write to its bucket."""

    archive: SegmentArchive
    overwrite: Callable[[int, bytes], Any]
    delete: Callable[[int], Any]


def s3_place(server: Server, *, lock: bool, at_once: int = 2) -> Place:
    """A new bucket, listed in short pages."""
    s3, bucket = server.client("s3"), new_name("audit")
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=lock)
    return Place(
        S3SegmentArchive(clients_for(server), bucket, prefix="audit", migration="m", at_once=at_once),
        lambda sequence, body: s3.put_object(Bucket=bucket, Key=KEY.format(sequence), Body=body),
        lambda sequence: s3.delete_object(Bucket=bucket, Key=KEY.format(sequence)),
    )


@pytest.fixture(params=["fake", "standin", "seaweedfs"])
def place(request: pytest.FixtureRequest) -> Place:
    """A place whose bucket keeps versions."""
    if request.param == "fake":
        archive = InMemorySegmentArchive()
        return Place(archive, archive.overwrite, archive.delete)
    return s3_place(request.getfixturevalue(request.param), lock=True)


def test_the_oldest_version_is_read(place: Place) -> None:
    """A newer one is counted, and so is a marker; a plain read gets the newest."""
    for number in (1, 2, 3):
        assert place.archive.write_segment(number, f"body {number}".encode())
    place.overwrite(1, b"first forgery")
    place.overwrite(1, b"second forgery")
    place.delete(2)
    read = list(place.archive.read_segments())
    assert [(one.sequence, one.body, one.versions, one.markers) for one in read] == [
        (1, b"body 1", 3, 0),
        (2, b"body 2", 1, 1),
        (3, b"body 3", 1, 0),
    ]
    assert all(one.keeps_versions for one in read)
    assert [one.sequence for one in place.archive.read_segments(after=1)] == [2, 3]
    assert [place.archive.read_original(number) for number in (1, 2, 4)] == [b"body 1", b"body 2", None]
    assert (place.archive.read_segment(1), place.archive.read_segment(2)) == (b"second forgery", None)


def test_a_deleted_segment_is_written_again_over_its_marker(place: Place) -> None:
    """S3 takes a marker for no object: If-None-Match holds, and the oldest version is what was there before."""
    place.archive.write_segment(1, b"one")
    place.delete(1)
    assert place.archive.write_segment(1, b"two")
    (read,) = place.archive.read_segments()
    assert (read.body, read.versions, read.markers) == (b"one", 2, 1)


@pytest.mark.parametrize("world", ["standin", "seaweedfs"])
def test_a_bucket_without_versions_says_so(world: str, request: pytest.FixtureRequest) -> None:
    """What was written over there is gone, and each segment says that it would be; its pages go on all the same."""
    place = s3_place(request.getfixturevalue(world), lock=False, at_once=1)
    for number in (1, 2, 3):
        place.archive.write_segment(number, f"body {number}".encode())
    place.overwrite(2, b"forged")
    read = list(place.archive.read_segments())
    assert [(one.sequence, one.body, one.versions, one.keeps_versions) for one in read] == [
        (1, b"body 1", 1, False),
        (2, b"forged", 1, False),
        (3, b"body 3", 1, False),
    ]
    assert place.archive.read_original(3) == b"body 3"


def test_a_segment_has_the_servers_own_date(standin: Server) -> None:
    """The same that HeadObject tells."""
    place = s3_place(standin, lock=True)
    place.archive.write_segment(1, b"one")
    (read,) = place.archive.read_segments()
    bucket = place.archive.bucket  # type: ignore[attr-defined]
    headed = standin.client("s3").head_object(Bucket=bucket, Key=KEY.format(1))
    assert int(read.stored_at) == headed["LastModified"].timestamp()


def test_pages_that_do_not_go_on_are_an_error() -> None:
    """A server that repeats a page would be listed without end."""

    def same_page(_page: Any) -> Any:
        return {"IsTruncated": True, "NextKeyMarker": "a", "NextVersionIdMarker": "null"}

    with pytest.raises(UnavailableError, match="repeats a page"):
        list(stored_keys(same_page, "bucket", prefix=""))


def test_a_key_of_markers_alone_has_no_version() -> None:
    """As where a key was deleted that never was written."""
    page = {"DeleteMarkers": [{"Key": "b", "VersionId": "1"}, {"Key": "b", "VersionId": "0"}], "IsTruncated": False}
    assert list(stored_keys(lambda _page: page, "bucket", prefix="")) == [StoredKey("b", markers=2)]


# The head
@pytest.fixture(params=["fake", "standin", "moto"])
def head(request: pytest.FixtureRequest) -> ChainHead:
    """A head that is not set."""
    if request.param == "fake":
        return InMemoryChainHead()
    world = new_table(request.getfixturevalue("moto_endpoint" if request.param == "moto" else request.param))
    return DynamoDbChainHead(world.clients, world.table)


def test_a_doubted_link_cannot_be_the_head(head: ChainHead) -> None:
    """Its writer is told, before there is any head and after; what comes after it can be anchored."""
    assert head.doubt_segments(2, seen=None)
    assert head.read_head() is None
    assert [head.advance_head(Link(number, "a" * 64)) for number in (1, 2)] == [False, False]
    assert head.advance_head(Link(3, "c" * 64))
    assert head.doubt_segments(5, seen=Link(3, "c" * 64))
    assert [head.advance_head(Link(number, "d" * 64)) for number in (4, 5, 6)] == [False, False, True]
    assert head.read_head() == Link(6, "d" * 64)


def test_a_doubt_holds_only_while_the_head_is_the_one_that_was_seen(head: ChainHead) -> None:
    """Whether it moved on, or was set for the first time."""
    assert head.advance_head(Link(1, "a" * 64))
    assert not head.doubt_segments(2, seen=None)
    assert not head.doubt_segments(2, seen=Link(1, "b" * 64))
    assert head.advance_head(Link(2, "b" * 64))
    assert not head.doubt_segments(3, seen=Link(1, "a" * 64))
    assert head.advance_head(Link(3, "c" * 64))


def test_of_two_doubts_the_further_one_stays(head: ChainHead) -> None:
    """And a doubt may be repeated."""
    assert [head.doubt_segments(last, seen=None) for last in (3, 2, 3)] == [True] * 3
    assert not head.advance_head(Link(3, "a" * 64))


# The book
@pytest.fixture(params=["fake", "sqlite"])
def book(request: pytest.FixtureRequest) -> Iterator[EventBook]:
    """A book of two segments of two events each, and a third that tells the first segment's again."""
    with SqliteEventBook.opened() as opened:
        made: EventBook = InMemoryEventBook() if request.param == "fake" else opened
        for segment in (1, 2, 3, 4):
            made.book_segment(segment, 10.0 * segment)
        for segment in (1, 2):
            for line in (1, 2):
                made.book_event(f"s{segment}", line, BookedEvent(b"", "", segment, line))
        for number in (1, 2, 2):
            made.book_repeat("s1", number, 3)
        yield made


def test_the_book_knows_when_a_segment_was_stored(book: EventBook) -> None:
    """And of which it was never told."""
    assert (book.segment_stored_at(2), book.segment_stored_at(5)) == (20.0, None)


def test_the_book_knows_what_was_not_told_again(book: EventBook) -> None:
    """Nothing without a doubt; then each doubted segment whose events no segment without doubt repeats."""
    assert list(book.unconfirmed_segments()) == []
    book.doubt_segments(1, 1)
    assert list(book.unconfirmed_segments()) == []
    book.doubt_segments(2, 10**12)
    assert list(book.unconfirmed_segments()) == [DoubtedSegment(1, 10.0, 2, 1), DoubtedSegment(2, 20.0, 2, 1)]
    book.book_repeat("s2", 1, 4)
    book.book_repeat("s1", 2, 1)
    book.book_segment(5, 50.0)
    book.book_repeat("s2", 1, 5)
    assert list(book.unconfirmed_segments()) == [DoubtedSegment(1, 10.0, 2, 1), DoubtedSegment(2, 20.0, 1, 2)]


def test_items_are_among_what_was_not_seen(book: EventBook) -> None:
    """Like records; marking one takes it out."""
    book.book_event("keyshift#bogus", 1, BookedEvent(b"", "", 4, 1))
    book.mark_seen("s1")
    assert sorted(book.subjects_not_seen()) == ["keyshift#bogus", "s2"]


# The items
ENTRY = JournalEntry("t/1", "things", {"id": {"S": "1"}}, (), 5.5, revision=2)
CHANGED = [
    Deferred(CONTROL_ID, "the control item", 1, "", 3.5),
    Deferred(STAGE_ID, "the stage", 4, "", 2.5),
    Deferred(journal_id(ENTRY), "the references of an item of things", 2, "", 5.5),
]


@pytest.fixture
def table(standin: Server) -> TableWorld:
    """An empty table."""
    return new_table(standin)


@pytest.fixture(params=["fake", "standin"])
def items(request: pytest.FixtureRequest, table: TableWorld) -> Iterator[tuple[AuditedItems, Callable[[], object]]]:
    """Items that were never written, and what writes them."""
    if request.param == "fake":
        made = InMemoryAuditedItems()
        yield made, lambda: made.items.update({one.subject: one for one in CHANGED})
        return

    def write() -> None:
        control, stage = (
            Control(paused=True, fence=1, changed_at=3.5),
            StageEntry(Stage.LIVE, revision=4, changed_at=2.5),
        )
        assert DynamoDbControlPanel(table.clients, table.table).write_control(control, before=Control())
        assert DynamoDbStageBook(table.clients, table.table).write_stage(stage, before=StageEntry())
        item: Any = item_of_entry(ENTRY)
        table.clients.dynamodb.put_item(TableName=table.table, Item=item)

    yield DynamoDbAuditedItems(table.clients, table.table), write


def test_every_audited_item_is_listed(items: tuple[AuditedItems, Callable[[], object]]) -> None:
    """The control and the stage before any change too, and an entry that has nothing left to restore."""
    audited, write = items
    assert [(one.subject, one.revision) for one in audited.list_items()] == [(CONTROL_ID, 0), (STAGE_ID, 0)]
    assert not any(audited.has_item(one.subject) for one in CHANGED)
    write()
    assert list(audited.list_items()) == CHANGED
    assert all(audited.has_item(one.subject) for one in CHANGED)


def test_an_item_that_is_not_audited_is_none(table: TableWorld) -> None:
    """Although it lies in the same table."""
    DynamoDbChainHead(table.clients, table.table).advance_head(Link(1, "a" * 64))
    assert not DynamoDbAuditedItems(table.clients, table.table).has_item("keyshift#chain")


def test_a_damaged_entry_of_the_journal_is_listed_as_set_back(table: TableWorld) -> None:
    """It neither hides nor ends a verification."""
    item: Any = item_of_entry(ENTRY) | {"item_key": {"S": "?"}}
    table.clients.dynamodb.put_item(TableName=table.table, Item=item)
    damaged = Deferred(journal_id(ENTRY), f"the damaged entry {journal_id(ENTRY)}", 0, "", 0.0)
    assert list(DynamoDbAuditedItems(table.clients, table.table).list_items())[2:] == [damaged]
