"""ObjectListing and VersionListing: the fake and the S3 adapters keep one contract."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber

from adapters.s3.listing import S3ObjectListing
from domain.keys import Location
from domain.objects import deleted_key
from domain.protocol.ports import MustBeAbsent, TargetObject
from tests.servers import Server
from tests.worlds.objects import FAR, ObjectWorld, ServerWorld, clients_for, new_pair

KEYS = ["a", "a b", "a+b", "a/b", "a//b", "a%2Fb", "á", "\U0001f600", "\uffff", "a\nb", "a\x01b", "/a", 'quote"', "ü/z"]


@pytest.mark.disagrees("moto", "moto cannot store a key with a newline")
@pytest.mark.disagrees("seaweedfs", "SeaweedFS loses // and leading / keys, and orders otherwise (emulators.md)")
def test_keys_come_raw_and_in_byte_order(world: ObjectWorld) -> None:
    """Every key comes as it is, in the order of its UTF-8 bytes, with etag and size."""
    bucket = world.bucket()
    for key in KEYS:
        world.put(Location(bucket, key), key.encode())
    rows = list(world.listing.list_objects(bucket))
    assert [row.key for row in rows] == sorted(KEYS, key=str.encode)
    assert [row.size for row in rows] == [len(row.key.encode()) for row in rows]
    for row in rows:
        state = world.store.look_at_object(Location(bucket, row.key))
        assert state is not None
        assert state.etag == row.etag


def test_listing_goes_on_after_a_key_and_within_a_prefix(world: ObjectWorld) -> None:
    """Only keys after the given one, only with the prefix."""
    bucket = world.bucket()
    for key in ("p/a", "p/b", "p/c", "q/a"):
        world.put(Location(bucket, key), b"x")
    assert [row.key for row in world.listing.list_objects(bucket, prefix="p/", after="p/a")] == ["p/b", "p/c"]


def test_listing_crosses_pages(world: ObjectWorld) -> None:
    """More objects than one page holds are all listed."""
    bucket = world.bucket()
    count = 1_005 if world.name in ("fake", "standin") else 3
    for number in range(count):
        world.put(Location(bucket, f"{number:05}"), b"x")
    assert len(list(world.listing.list_objects(bucket))) == count


@pytest.mark.disagrees("moto", "moto cannot store a key with a newline")
@pytest.mark.disagrees("seaweedfs", "SeaweedFS loses // and leading / keys, and orders otherwise (emulators.md)")
def test_keys_of_versions_come_raw_and_in_byte_order(world: ObjectWorld) -> None:
    """As those of objects do."""
    bucket = world.bucket(versioned=True)
    for key in KEYS:
        world.put(Location(bucket, key), key.encode())
    rows = list(world.version_listing.list_objects(bucket))
    assert [row.key for row in rows] == sorted(KEYS, key=str.encode)
    assert [row.size for row in rows] == [len(row.key.encode()) for row in rows]


@pytest.mark.parametrize("versioned", [True, False])
def test_a_listing_of_versions_has_the_same_rows_for_objects_that_are_there(
    world: ObjectWorld, *, versioned: bool
) -> None:
    """Also in a bucket that never had versions, and also from a key on; only the version's id is more."""
    bucket = world.bucket(versioned=versioned)
    for key in ("a/1", "p/1", "p/2", "p/3"):
        world.put(Location(bucket, key), key.encode())
    for given in ({}, {"prefix": "p/"}, {"prefix": "p/", "after": "p/1"}):
        rows = list(world.version_listing.list_objects(bucket, **given))
        assert [replace(row, version_id=None) for row in rows] == list(world.listing.list_objects(bucket, **given))
        assert [row.version_id is not None for row in rows] == [versioned] * len(rows)


def with_history(world: ObjectWorld) -> str:
    """A versioned bucket: ``p/a`` was written twice, ``p/b`` deleted, ``p/c`` deleted and written again."""
    bucket = world.bucket(versioned=True)
    for key in ("p/a", "p/b", "p/c"):
        world.put(Location(bucket, key), b"1")
    world.put(Location(bucket, "p/a"), b"22")
    for key in ("p/b", "p/c"):
        world.remove(Location(bucket, key))
    world.put(Location(bucket, "p/c"), b"333")
    world.put(Location(bucket, "q"), b"x")
    return bucket


def test_a_deleted_key_has_a_row_with_the_key_alone(world: ObjectWorld) -> None:
    """One row for every key that has a version, in order, with the prefix, and from any key on."""
    bucket = with_history(world)
    rows = list(world.version_listing.list_objects(bucket, prefix="p/"))
    assert [(row.key, row.size, row.is_marker) for row in rows] == [
        ("p/a", 2, False),
        ("p/b", None, True),
        ("p/c", 3, False),
    ]
    assert rows[1] == deleted_key("p/b")
    for after, left in (("p/a", ["p/b", "p/c"]), ("p/b", ["p/c"]), ("p/c", [])):
        rows = list(world.version_listing.list_objects(bucket, prefix="p/", after=after))
        assert [row.key for row in rows] == left


def test_every_version_and_delete_marker_is_listed(world: ObjectWorld) -> None:
    """Of one key the current one first."""
    rows = list(world.version_listing.list_versions(with_history(world), prefix="p/"))
    assert [(row.key, row.is_latest) for row in rows] == [
        ("p/a", True),
        ("p/a", False),
        ("p/b", True),
        ("p/b", False),
        ("p/c", True),
        ("p/c", False),
        ("p/c", False),
    ]
    assert {row.size for row in rows if row.key == "p/c" and not row.is_latest} == {1, None}
    assert [row.is_marker for row in rows] == [row.etag is None for row in rows]
    assert all(row.last_modified for row in rows)


def test_a_listing_of_versions_crosses_pages(world: ObjectWorld) -> None:
    """A key whose versions go on on the next pages has one row; the worlds' pages have three versions."""
    bucket = world.bucket(versioned=True)
    for number in range(5):
        for size in range(number):
            world.put(Location(bucket, f"{number}"), b"x" * size)
    rows = list(world.version_listing.list_objects(bucket))
    assert [(row.key, row.size) for row in rows] == [("1", 0), ("2", 1), ("3", 2), ("4", 3)]
    assert len(list(world.version_listing.list_versions(bucket))) == 1 + 2 + 3 + 4


def test_unfinished_uploads_are_listed_until_they_are_aborted(standin: Server) -> None:
    """Uploads under the prefix, with place, id and time; what is aborted is gone from the list."""
    world = ServerWorld(standin)
    pair = new_pair(world)
    place = Location(pair.target.bucket, "new/a b+c%2F😀")
    upload_id = world.multipart.create_upload(TargetObject(place, MustBeAbsent(), FAR), seen=pair.seen())
    world.multipart.create_upload(pair.goal(), seen=pair.seen())
    listed = list(world.listing.list_uploads(place.bucket, prefix="new/a"))
    assert [(where, named) for where, named, _ in listed] == [(place, upload_id)]
    assert abs(listed[0][2] - datetime.now(UTC).timestamp()) < 60
    world.multipart.abort_upload(place, upload_id=upload_id)
    assert [where for where, _, _ in world.listing.list_uploads(place.bucket)] == [pair.target]


def test_encoded_keys_of_uploads_are_decoded(standin: Server) -> None:
    """S3 is asked to encode, since XML cannot carry every key; the marker of the next page is the raw key."""
    clients = clients_for(standin)
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    asked = {"Bucket": "b", "Prefix": "", "EncodingType": "url"}
    first = {
        "EncodingType": "url",
        "IsTruncated": True,
        "NextKeyMarker": "a%01+%2B",
        "NextUploadIdMarker": "1",
        "Uploads": [{"Key": "a%01+%2B", "UploadId": "1", "Initiated": begun}],
    }
    last = {
        "EncodingType": "url",
        "IsTruncated": False,
        "Uploads": [{"Key": "%252F", "UploadId": "2", "Initiated": begun}],
    }
    with Stubber(clients.s3) as stub:
        stub.add_response("list_multipart_uploads", first, asked)
        stub.add_response("list_multipart_uploads", last, asked | {"KeyMarker": "a\x01 +", "UploadIdMarker": "1"})
        rows = list(S3ObjectListing(clients).list_uploads("b"))
    assert [where.key for where, _, _ in rows] == ["a\x01 +", "%2F"]
