"""StageBook, ProbeBook, the books of keys, ByteReader, VersionStore: fakes and adapters keep one contract."""

from collections.abc import Iterator
from hashlib import sha256
from math import inf
from typing import Any

import pytest

from adapters.dynamodb.control import DynamoDbControlPanel
from adapters.dynamodb.probes import DynamoDbProbeBook
from adapters.dynamodb.stage import DynamoDbStageBook
from adapters.local.census_book import SqliteCensusBook
from adapters.local.key_book import SqliteKeyBook
from adapters.s3.byte_reader import S3ByteReader
from adapters.s3.object_store import S3ObjectStore
from domain.errors import MissingResourceError
from domain.keys import Location
from domain.lifecycle.census import ABSENT, Expected, Role
from domain.lifecycle.ports import ByteReader, CensusBook, KeyBook, ProbeBook, StageBook
from domain.lifecycle.stages import Stage, StageEntry
from domain.objects import ObjectState
from domain.protocol.ports import VersionStore
from domain.steering.control import Control, paused
from domain.steering.ports import ControlPanel
from tests.fakes.lifecycle import InMemoryCensusBook, InMemoryKeyBook, InMemoryProbeBook, InMemoryStageBook
from tests.fakes.panel import InMemoryControlPanel
from tests.worlds.objects import FAR, FakeWorld, ObjectWorld, ServerWorld, clients_for
from tests.worlds.presence import present
from tests.worlds.tables import new_table

TABLES = ["fake", "standin", "moto"]


def table_of(request: pytest.FixtureRequest) -> tuple[object, ...]:
    """Clients and a new table on the server that the test is for."""
    world = new_table(request.getfixturevalue("moto_endpoint" if request.param == "moto" else request.param))
    return world.clients, world.table


@pytest.fixture(params=TABLES)
def stages(request: pytest.FixtureRequest) -> StageBook:
    """A book that nobody has written in."""
    return InMemoryStageBook() if request.param == "fake" else DynamoDbStageBook(*table_of(request))  # type: ignore[arg-type]


@pytest.fixture(params=TABLES)
def guarded(request: pytest.FixtureRequest) -> tuple[StageBook, ControlPanel]:
    """An empty book, and the control item on which its steps depend."""
    if request.param == "fake":
        panel = InMemoryControlPanel()
        return InMemoryStageBook(panel=panel), panel
    table: Any = table_of(request)
    return DynamoDbStageBook(*table), DynamoDbControlPanel(*table)


@pytest.fixture(params=["fake", "sqlite"])
def census(request: pytest.FixtureRequest) -> Iterator[CensusBook]:
    """A book in which nothing is said."""
    if request.param == "fake":
        yield InMemoryCensusBook()
        return
    sqlite = SqliteCensusBook()
    yield sqlite
    sqlite.close()


@pytest.fixture(params=TABLES)
def probes(request: pytest.FixtureRequest) -> ProbeBook:
    """No probe has arrived."""
    return InMemoryProbeBook() if request.param == "fake" else DynamoDbProbeBook(*table_of(request))  # type: ignore[arg-type]


@pytest.fixture(params=["fake", "sqlite"])
def book(request: pytest.FixtureRequest) -> Iterator[KeyBook]:
    """An empty book of keys."""
    if request.param == "fake":
        yield InMemoryKeyBook()
        return
    sqlite = SqliteKeyBook()
    yield sqlite
    sqlite.close()


@pytest.fixture(params=["fake", "standin", "seaweedfs"])
def objects(request: pytest.FixtureRequest) -> tuple[ObjectWorld, ByteReader, VersionStore]:
    """A world of objects, and what reads and deletes single versions in it."""
    if request.param == "fake":
        fake = FakeWorld()
        return fake, fake.store, fake.store
    server = request.getfixturevalue(request.param)
    clients = clients_for(server)
    return ServerWorld(server), S3ByteReader(clients), S3ObjectStore(clients)


def test_a_migration_of_which_nothing_was_said_is_prepared(stages: StageBook) -> None:
    """No entry means PREPARED."""
    assert stages.read_stage() == StageEntry()


def test_a_stage_is_kept_whole_and_replaces_only_what_was_read(stages: StageBook) -> None:
    """Every field comes back; somebody else's change in between is never overwritten; our own repeat is not refused."""
    live = StageEntry(
        Stage.LIVE,
        12.5,
        "me",
        "probes",
        99.25,
        '{"a":1}',
        revision=1,
        changed_at=1_790_000_000.25,
        cut_over_at=12.5,
        live_at=11.25,
        rules_digest="d",
    )
    assert stages.write_stage(live, before=StageEntry())
    assert stages.read_stage() == live
    assert stages.write_stage(live, before=StageEntry()), "an earlier try of ours had landed"
    other = StageEntry(Stage.ROLLING_BACK, revision=1)
    assert not stages.write_stage(other, before=StageEntry())
    assert stages.write_stage(StageEntry(Stage.CUT_OVER, revision=2), before=live)
    assert stages.read_stage() == StageEntry(Stage.CUT_OVER, revision=2)


def test_a_step_depends_on_the_operators_control(guarded: tuple[StageBook, ControlPanel]) -> None:
    """It is written only while the control item is the one that was seen; our own repeat is not refused."""
    stages, panel = guarded
    live = StageEntry(Stage.LIVE, revision=1)
    assert stages.write_stage(live, before=StageEntry(), control=Control())
    assert stages.write_stage(live, before=StageEntry(), control=Control()), "an earlier try of ours had landed"
    word = paused(Control(), reason="lunch", by="me", now=1.0)
    assert panel.write_control(word, before=Control())
    over = StageEntry(Stage.CUT_OVER, revision=2)
    assert not stages.write_stage(over, before=live, control=Control())
    assert stages.read_stage() == live
    assert not stages.write_stage(over, before=StageEntry(), control=word)
    assert stages.write_stage(over, before=live, control=word)
    assert stages.read_stage() == over


def expected(key: str, role: Role = Role.SOURCE, **more: Any) -> Expected:
    """What a record says of a place."""
    given: dict[str, Any] = {"record_id": Location("b", "r").record_id, "etag": "e", "since": 9.5}
    return Expected(Location("b", key), role, **(given | more))


def test_a_census_meets_what_is_listed_and_names_what_is_not(census: CensusBook) -> None:
    """Each place in each of its roles, as it was said last; what nothing is said of, or ABSENT, is never missed."""
    both = Location("b", "both").record_id
    census.add_expected(iter([expected("k"), expected("both", record_id=both)]))
    census.add_expected(iter([expected("k", etag="newer"), expected("both", Role.TARGET, etag=None, since=inf)]))
    many = (expected(f"many/{number}", etag=ABSENT) for number in range(25_000))
    census.add_expected(many)
    census.add_expected(iter([expected("gone", Role.TARGET), expected("quiet", etag=None)]))
    assert list(census.meet(Location("b", "k"))) == [expected("k", etag="newer")]
    assert list(census.meet(Location("b", "nowhere"))) == []
    assert list(census.meet(Location("b", "many/24999"))) == [expected("many/24999", etag=ABSENT)]
    assert list(census.find_unmet()) in (
        [(both, Role.SOURCE), (expected("gone").record_id, Role.TARGET)],
        [(expected("gone").record_id, Role.TARGET), (both, Role.SOURCE)],
    )
    met = list(census.meet(Location("b", "both")))
    assert met == [expected("both", record_id=both), expected("both", Role.TARGET, etag=None, since=inf)]
    assert list(census.find_unmet()) == [(expected("gone").record_id, Role.TARGET)]


def test_a_probe_has_arrived_once_somebody_noted_it(probes: ProbeBook) -> None:
    """Each key for itself; noting twice is no error."""
    assert not probes.has_arrived("a/.keyshift/probe-1")
    for _ in range(2):
        probes.note_arrival("a/.keyshift/probe-1")
    assert probes.has_arrived("a/.keyshift/probe-1")
    assert not probes.has_arrived("a/.keyshift/probe-2")


def test_a_book_knows_its_sources_and_targets(book: KeyBook) -> None:
    """By bucket and raw key; a source without a target is known as a source only."""
    pairs = [(Location("b", f"old/{number}"), Location("b", f"new/{number}")) for number in range(25_000)]
    book.add_pairs(iter([*pairs, (Location("b", "parked"), None)]))
    book.add_pairs(iter(pairs[:3]))
    assert book.has_source(Location("b", "old/24999"))
    assert book.has_target(Location("b", "new/0"))
    assert book.has_source(Location("b", "parked"))
    assert not book.has_source(Location("b", "new/0"))
    assert not book.has_target(Location("other", "new/0"))


def seen_at(world: ObjectWorld, place: Location) -> ObjectState:
    """What is there."""
    return present(world.store.look_at_object(place))


def test_a_digest_is_that_of_the_object_that_was_seen(objects: tuple[ObjectWorld, ByteReader, VersionStore]) -> None:
    """Of every byte; ``None`` once the object is another one or gone; an empty object has a digest too."""
    world, reader, _ = objects
    place = Location(world.bucket(), "k")
    for body in (b"", b"bytes" * 300_000):
        world.put(place, body)
        seen = seen_at(world, place)
        assert reader.digest_object(place, seen=seen) == sha256(body).hexdigest()
    world.put(place, b"other")
    assert reader.digest_object(place, seen=seen) is None
    world.remove(place)
    assert reader.digest_object(place, seen=seen) is None


def test_a_version_is_deleted_for_good_and_only_that_one(
    objects: tuple[ObjectWorld, ByteReader, VersionStore],
) -> None:
    """The marker above it and the versions below it stay; deleting again is no error."""
    world, _, versions = objects
    place = Location(world.bucket(versioned=True), "k")
    world.put(place, b"one")
    world.put(place, b"two")
    seen = seen_at(world, place)
    assert seen.version_id is not None
    world.remove(place)
    for _ in range(2):
        versions.remove_version(place, version_id=seen.version_id, send_before=FAR)
    top = present(world.store.find_top_marker(place))
    assert top.hidden is not None
    assert top.hidden.version_id != seen.version_id
    assert world.body(place) is None


# SeaweedFS answers 412 or NoSuchKey there, as if the object were another one.
@pytest.mark.parametrize("objects", ["fake", "standin"], indirect=True)
def test_reading_from_a_bucket_that_is_not_there_is_an_error(
    objects: tuple[ObjectWorld, ByteReader, VersionStore],
) -> None:
    """A missing bucket is never an absent object."""
    world, reader, _ = objects
    place = Location(world.bucket(), "k")
    world.put(place, b"x")
    seen = seen_at(world, place)
    with pytest.raises(MissingResourceError):
        reader.digest_object(Location("no-such-bucket-anywhere", "k"), seen=seen)
