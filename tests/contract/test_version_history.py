"""The versions of one key, delete markers included, in the order in which they were stored."""

import pytest

from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.ports import StoredVersion
from tests.fakes.buckets import NULL, Versioning
from tests.worlds.objects import ObjectWorld, new_pair
from tests.worlds.presence import present

MOTO_ORDER = "moto 5.2.5 lists all versions before all delete markers"


def written(world: ObjectWorld, location: Location, *bodies: bytes | None) -> list[str]:
    """An owner's writes and deletes one after the other; what each left, as ``described`` says it."""
    left = []
    for body in bodies:
        if body is None:
            world.remove(location)
            left.append("marker")
        else:
            world.put(location, body)
            left.append(f"{seen(world, location).etag} {len(body)}")
    return left


def seen(world: ObjectWorld, location: Location) -> ObjectState:
    """The current version."""
    return present(world.store.look_at_object(location))


def described(version: StoredVersion) -> str:
    """What a version is, without its id and date."""
    return "marker" if version.is_marker else f"{version.etag} {version.size}"


@pytest.mark.disagrees("moto", MOTO_ORDER)
@pytest.mark.parametrize(
    "bodies",
    [(b"a", b"bb", None, b"ccc"), (b"a", None, b"a", None), (b"a", None, None, b"b"), (None, b"a", b"b")],
)
def test_versions_and_markers_come_in_their_order(world: ObjectWorld, bodies: tuple[bytes | None, ...]) -> None:
    """All within a second, so dates cannot tell."""
    pair = new_pair(world, versioned=True)
    place = Location(pair.source.bucket, "old/other")
    left = written(world, place, *bodies)
    assert [described(one) for one in world.history.list_versions(place)] == left


def test_versions_alone_come_in_their_order(world: ObjectWorld) -> None:
    """With their ids, by which each can be read, and their dates."""
    pair = new_pair(world, b"a", versioned=True)
    left = written(world, pair.source, b"bb", b"ccc")
    listed = world.history.list_versions(pair.source)
    assert [described(one) for one in listed][1:] == left
    for version in listed:
        found = present(world.store.look_at_object(pair.source, version_id=version.version_id))
        assert (found.etag, found.size, found.last_modified) == (version.etag, version.size, version.last_modified)


def test_a_longer_key_has_a_history_of_its_own(world: ObjectWorld) -> None:
    """The key is a prefix of others for S3."""
    pair = new_pair(world, b"a", versioned=True)
    written(world, Location(pair.source.bucket, pair.source.key + "/longer"), b"b", None)
    written(world, Location(pair.source.bucket, pair.source.key + "x"), b"b")
    assert [one.size for one in world.history.list_versions(pair.source)] == [1]
    assert list(world.history.list_versions(Location(pair.source.bucket, "old"))) == []


def test_the_list_begins_at_a_version(world: ObjectWorld) -> None:
    """From ``since`` on; where the key has no such version, it is complete."""
    pair = new_pair(world, b"a", versioned=True)
    written(world, pair.source, b"bb", b"ccc")
    listed = world.history.list_versions(pair.source)
    assert list(world.history.list_versions(pair.source, since=listed[1].version_id)) == list(listed)[1:]
    assert list(world.history.list_versions(pair.source, since=listed[2].version_id)) == list(listed)[2:]
    assert list(world.history.list_versions(pair.source, since="absent")) == list(listed)


def test_a_bucket_without_versions_has_one_of_each(world: ObjectWorld) -> None:
    """It is version null."""
    pair = new_pair(world, b"a")
    assert [one.version_id for one in world.history.list_versions(pair.source)] == [NULL]


def test_what_was_written_before_versioning_is_the_oldest(world: ObjectWorld) -> None:
    """Version null lies under what came later."""
    pair = new_pair(world, b"before")
    world.set_versioning(pair.source.bucket, Versioning.ENABLED)
    written(world, pair.source, b"after")
    assert [(one.version_id == NULL, one.size) for one in world.history.list_versions(pair.source)] == [
        (True, 6),
        (False, 5),
    ]
