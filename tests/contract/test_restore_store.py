"""RestoreObject: the fake and the adapter on servers agree with S3's API reference."""

import pytest

from domain.keys import Location
from domain.lifecycle.archives import Asked, Reading, reading_of
from domain.objects import ObjectState
from domain.protocol.ports import Written
from domain.rules.restoring import RestoreRule, RestoreTier
from tests.fakes.restores import RESTORE_SECONDS
from tests.worlds.objects import ObjectWorld, Pair, new_pair

BULK = RestoreRule(RestoreTier.BULK, days=3, at_most=10)
SEAWEEDFS = "SeaweedFS has no archives: it keeps the class and reads the object"
MOTO = "moto 5.2.5 ends a restore at once"


def seen_at(world: ObjectWorld, location: Location) -> ObjectState:
    """The object as HEAD shows it."""
    seen = world.store.look_at_object(location)
    assert seen is not None
    return seen


def wait_until_readable(world: ObjectWorld, pair: Pair) -> None:
    """Wait as long as the servers take, and some more."""
    for _ in range(30):
        world.wait(RESTORE_SECONDS)
        if reading_of(seen_at(world, pair.source)) is Reading.READABLE:
            return
    pytest.fail("the restore does not end")


@pytest.mark.disagrees("seaweedfs", SEAWEEDFS)
@pytest.mark.disagrees("moto", MOTO)
@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_a_restore_is_begun_once_and_its_object_is_copied(world: ObjectWorld, storage_class: str) -> None:
    """It is archived, then restoring, then readable; a second request begins nothing."""
    pair = new_pair(world, storage_class=storage_class)
    seen = seen_at(world, pair.source)
    assert reading_of(seen) is Reading.ARCHIVED
    assert world.restores.restore_object(pair.source, seen=seen, rule=BULK) is Asked.BEGUN
    assert reading_of(seen_at(world, pair.source)) is Reading.RESTORING
    assert world.restores.restore_object(pair.source, seen=seen, rule=BULK) is Asked.UNDER_WAY
    wait_until_readable(world, pair)
    assert world.restores.restore_object(pair.source, seen=seen, rule=BULK) is Asked.READABLE
    assert isinstance(world.store.copy_object(pair.origin(), pair.goal(), seen=pair.seen()), Written)


@pytest.mark.disagrees("seaweedfs", SEAWEEDFS)
@pytest.mark.disagrees("moto", "moto 5.2.5 refuses a restore of what is not archived as a bad request")
def test_an_object_that_is_not_archived_needs_no_restore(world: ObjectWorld) -> None:
    """S3 answers ObjectAlreadyInActiveTierError."""
    pair = new_pair(world)
    assert world.restores.restore_object(pair.source, seen=pair.seen(), rule=BULK) is Asked.READABLE


@pytest.mark.disagrees("seaweedfs", SEAWEEDFS)
def test_an_object_that_is_gone_is_told(world: ObjectWorld) -> None:
    """Its producer deleted it since it was seen."""
    pair = new_pair(world, storage_class="GLACIER")
    seen = seen_at(world, pair.source)
    world.remove(pair.source)
    assert world.restores.restore_object(pair.source, seen=seen, rule=BULK) is Asked.GONE
