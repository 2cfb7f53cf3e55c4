"""The places of the audit chains, and EventBook: the fakes and the real ones keep one contract."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.dynamodb.chain_head import DynamoDbChainHead, DynamoDbHeadOfHeads
from adapters.dynamodb.shards import DynamoDbShardTree
from adapters.local.event_book import SqliteEventBook
from adapters.s3.segment_archive import Retention, S3SegmentArchive
from domain.audit.chain import MISSING_SHARD, Link, is_shard_id
from domain.audit.ports import (
    CHAIN_SPAN,
    BookedEvent,
    ChainHead,
    Chains,
    Deferred,
    EventBook,
    Gap,
    HeadOfHeads,
    SegmentArchive,
    UnmetName,
)
from domain.audit.ports import Shard as StreamShard
from domain.errors import KeyshiftError
from handlers.bootstrap.audit_chain import StoredChains
from tests.fakes.archive import (
    InMemoryChainHead,
    InMemoryChains,
    InMemoryEventBook,
    InMemoryHeadOfHeads,
    InMemorySegmentArchive,
)
from tests.fakes.streams import ScriptedStreams, Shard
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


def test_the_book_compares_names_with_segments(book: EventBook) -> None:
    """Each that differs, and of each chain's missing ones the highest; the first teller is kept."""
    for number, digest in ((1, "a"), (2, "b")):
        book.book_segment(number, 0.0, digest)
    assert (book.segment_sha256(2), book.segment_sha256(3)) == ("b", None)
    for number, digest, by in ((1, "a", "x"), (2, "c", "x"), (2, "c", "y"), (3, "d", "x"), (7, "e", "y")):
        book.book_name(number, digest, by)
    book.book_name(CHAIN_SPAN + 1, "f", "z")
    assert sorted(book.unmet_names(), key=lambda one: one.segment) == [
        UnmetName(2, "c", "x", "b"),
        UnmetName(7, "e", "y", None),
        UnmetName(CHAIN_SPAN + 1, "f", "z", None),
    ]


def test_the_book_knows_which_gaps_are_open(book: EventBook) -> None:
    """One is closed when each of its numbers is booked, in whatever order."""
    gaps = [Gap("a", "A", 2, 3, 4, 1, 1), Gap("b", "B", 1, 10**18, 10**18 + 1, 1, 2)]
    for gap in gaps:
        book.book_gap(gap)
    book.book_event("a", 3, BookedEvent(b"", "", 1, 1))
    assert list(book.open_gaps()) == gaps
    book.book_event("a", 2, BookedEvent(b"", "", 1, 1))
    assert list(book.open_gaps()) == gaps[1:]


# Chains apart
@pytest.fixture(params=["fake", "standin", "seaweedfs"])
def chains(request: pytest.FixtureRequest) -> Chains:
    """Chains of which nothing is stored; the real ones are listed in short pages."""
    if request.param == "fake":
        return InMemoryChains()
    server = request.getfixturevalue(request.param)
    return StoredChains(clients_for(server), "", replace(new_archive(server), at_once=2))


def test_chains_do_not_see_each_others_segments(chains: Chains) -> None:
    """Each has its own numbers."""
    assert list(chains.stored_shards()) == []
    stored = {MISSING_SHARD: 3, "s-1": 2, "s-2": 1, "t": 1}
    for shard, count in stored.items():
        for number in range(1, count + 1):
            assert chains.archive(shard).write_segment(number, f"{shard}/{number}".encode())
    for shard, count in stored.items():
        bodies = [f"{shard}/{number}".encode() for number in range(1, count + 1)]
        assert [one.body for one in chains.archive(shard).read_segments()] == bodies
        assert [one.sequence for one in chains.archive(shard).read_segments(after=1)] == list(range(2, count + 1))
        assert chains.archive(shard).last_sequence() == count
        assert chains.archive(shard).read_original(count) == bodies[-1]
    assert sorted(chains.stored_shards()) == ["s-1", "s-2", "t"]


def test_what_lies_beside_the_chains_is_told(standin: Server) -> None:
    """A key in the chains' folder, one in a chain's, and one after them all; each where it lies.

    A shard whose id begins another's is another, wherever S3's order puts it.
    """
    archive = new_archive(standin)
    chains = StoredChains(clients_for(standin), "", replace(archive, at_once=1))
    for shard in ("s", "s-1", "s0"):
        chains.archive(shard).write_segment(1, b"one")
    chains.archive(MISSING_SHARD).write_segment(1, b"one")
    for name in ("shards/flat", "shards/s/x", "shards/s/0/y", "shards/ ?/z", "zzz", "shards0"):
        standin.client("s3").put_object(Bucket=archive.bucket, Key=f"audit/m/{name}", Body=b"?")
    assert list(chains.stored_shards()) == [" ?", "shards/flat", "s-1", "s", "s0"]
    assert [is_shard_id(name) for name in (" ?", "shards/flat", "s-1")] == [False, False, True]
    beside = [
        one.key.removeprefix("audit/m/")
        for shard in (MISSING_SHARD, "s")
        for one in chains.archive(shard).read_segments()
        if one.sequence is None
    ]
    assert beside == ["zzz", "shards/s/0/y", "shards/s/x"]


@pytest.fixture(params=["fake", "standin", "moto"])
def heads(request: pytest.FixtureRequest) -> HeadOfHeads:
    """A head of heads that names nothing."""
    if request.param == "fake":
        return InMemoryHeadOfHeads()
    world = new_table(request.getfixturevalue("moto_endpoint" if request.param == "moto" else request.param))
    return DynamoDbHeadOfHeads(world.clients, world.table)


def test_the_head_of_heads_keeps_the_newest_link_of_each_chain(heads: HeadOfHeads) -> None:
    """A slower writer does not set it back; other chains are left as they are."""
    assert heads.read_heads() == {}
    heads.name_chain("s-1", Link(17, "b" * 64))
    heads.name_chain("s-2", Link(1, "c" * 64))
    heads.name_chain("s-1", Link(1, "a" * 64))
    assert heads.read_heads() == {"s-1": Link(17, "b" * 64), "s-2": Link(1, "c" * 64)}


def test_a_chain_that_is_handed_on_is_taken_out(heads: HeadOfHeads) -> None:
    """Of a split both children take it out, and it need not be there."""
    heads.name_chain("s-1", Link(3, "a" * 64))
    for child in ("s-2", "s-3"):
        heads.name_chain(child, Link(1, "b" * 64), ends="s-1")
    assert sorted(heads.read_heads()) == ["s-2", "s-3"]


@pytest.mark.parametrize("heads", ["fake", "standin"], indirect=True)
def test_writers_of_several_chains_name_them_at_the_same_time(heads: HeadOfHeads) -> None:
    """None is refused, and none is lost; moto is left out, because its updates are not atomic between threads."""
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: heads.name_chain(f"s-{number}", Link(1, f"{number:064x}")), range(8)))
    assert heads.read_heads() == {f"s-{number}": Link(1, f"{number:064x}") for number in range(8)}


def test_a_damaged_entry_names_nothing(standin: Server) -> None:
    """Its chain is then told as not named, and the others are read."""
    world = new_table(standin)
    heads = DynamoDbHeadOfHeads(world.clients, world.table)
    heads.name_chain("s-1", Link(1, "a" * 64))
    damaged: Any = {"a": {"S": "?"}, "b": {"M": {}}, "c": {"M": {"sequence": {"N": "0"}, "sha256": {"S": ""}}}}
    item = world.clients.dynamodb.get_item(TableName=world.table, Key={"pk": {"S": "keyshift#chains"}})["Item"]
    world.clients.dynamodb.put_item(TableName=world.table, Item={**item, **damaged})
    assert heads.read_heads() == {"s-1": Link(1, "a" * 64)}


def test_heads_of_chains_are_apart(standin: Server) -> None:
    """Each in an item of its own."""
    world = new_table(standin)
    for shard, link in ((MISSING_SHARD, Link(1, "a" * 64)), ("s-1", Link(2, "b" * 64))):
        assert DynamoDbChainHead(world.clients, world.table, shard).advance_head(link)
    found = [
        DynamoDbChainHead(world.clients, world.table, shard).read_head() for shard in (MISSING_SHARD, "s-1", "s-2")
    ]
    assert found == [Link(1, "a" * 64), Link(2, "b" * 64), None]


def test_a_shard_knows_its_parent() -> None:
    """Shards come in pages; they are listed again for a shard that is not known, and not for one that is."""
    streams = ScriptedStreams(a=Shard(None), b=Shard("a"), c=Shard("b"), d=Shard(None))
    clients: Any = SimpleNamespace(streams=streams)
    tree = DynamoDbShardTree(clients)
    stream = "arn:aws:dynamodb:eu-central-1:111122223333:table/t/stream/1"
    assert [tree.find_parent(StreamShard(one, stream)) for one in "abcd"] == [None, "a", "b", None]
    assert streams.calls == ["DescribeStream"] * 2
    streams.shards["e"] = Shard("d")
    assert tree.find_parent(StreamShard("e", stream)) == "d"
    assert tree.find_parent(StreamShard("gone", stream)) is None
    assert tree.find_parent(StreamShard("f")) is None
    assert len(streams.calls) == 8
