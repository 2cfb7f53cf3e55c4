"""ObjectListing: the fake and the S3 adapter keep one contract."""

from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber

from adapters.s3.listing import S3ObjectListing
from domain.keys import Location
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
