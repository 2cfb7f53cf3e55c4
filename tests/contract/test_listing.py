"""ObjectListing: the fake and the S3 adapter keep one contract."""

import pytest

from domain.keys import Location
from tests.contract.object_worlds import ObjectWorld

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
