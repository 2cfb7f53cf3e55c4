"""Verify of a migration that carries every version: what the target lacks of the history is named, and blocks."""

from dataclasses import replace

from domain.keys import Location
from domain.lifecycle.verification import REPAIRABLE, Difference, Finding, judge
from domain.protocol.causes import Cause
from domain.protocol.cleanup import clean_source
from domain.protocol.histories import VersionsCompared
from domain.protocol.record import Origin
from handlers.operations.verify import sides_of
from tests.fakes.buckets import Version
from tests.worlds.history import DELETED, HistoryWorld
from tests.worlds.migration import BARE_ROW, LARGE, POLICY, SOURCE, TARGET, MigrationWorld, holding


def verified(world: MigrationWorld) -> Finding:
    """The finding of the one record."""
    return judge(world.record, sides_of(world.record, world.ports), now=world.clock.now())


def kept(world: MigrationWorld, location: Location) -> list[Version]:
    """The stored versions of a key, oldest first."""
    return world.store.buckets.bucket(location.bucket).versions[location.key]


def forget(world: MigrationWorld, location: Location, at: int) -> None:
    """A lifecycle rule deletes one version for good."""
    world.store.destroy(location, str(kept(world, location)[at].version_id))


def test_a_whole_history_is_proven() -> None:
    """With the number of what lies before the current version."""
    world = HistoryWorld(b"a", DELETED, b"b", b"b", b"c")
    world.settle()
    found = verified(world)
    assert (found.verified, found.differences) == (True, ())
    assert found.seen is not None
    assert found.seen.versions == 4


def test_each_version_that_the_target_lacks_is_named() -> None:
    """One in the middle, and a marker: the copy is not verified, so its source is not cleaned up."""
    for at in range(4):
        world = HistoryWorld(b"a", DELETED, b"bb", b"ccc", b"d")
        world.settle()
        forget(world, TARGET, at)
        found = verified(world)
        assert (found.verified, found.differences) == (False, (Difference.VERSIONS,))
        assert found.detail == f"earlier versions {kept(world, SOURCE)[at].version_id}"
        assert found.seen is not None
        assert found.seen.lost == ("versions",)
        outcome = clean_source(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY)
        assert outcome.cause is Cause.NOT_VERIFIED
    assert Difference.VERSIONS not in REPAIRABLE


def test_another_order_is_a_lack() -> None:
    """The same versions in another order are not the same history."""
    world = HistoryWorld(b"a", b"bb", b"c")
    world.settle()
    there = kept(world, TARGET)
    there[0], there[1] = there[1], there[0]
    assert verified(world).differences == (Difference.VERSIONS,)


def test_what_the_source_has_lost_since_is_not_missed() -> None:
    """A lifecycle rule deletes old versions of the source: the target may have more."""
    world = HistoryWorld(b"a", b"b", b"c")
    world.settle()
    forget(world, SOURCE, 0)
    assert verified(world).verified


def test_a_deleted_keys_history_is_compared_too() -> None:
    """Its record is a TOMBSTONE, and nothing is current on either side."""
    world = HistoryWorld(b"a", b"b", DELETED)
    world.settle()
    assert verified(world).differences == ()
    forget(world, TARGET, 0)
    assert verified(world).differences == (Difference.VERSIONS,)


def test_equal_sizes_are_told_apart_by_their_bytes_and_encrypted_ones_are_not_doubted() -> None:
    """An etag under KMS is no digest: HEAD says so, and the checksums decide."""
    world = HistoryWorld(b"a", b"b", b"c")
    world.settle()
    there = kept(world, TARGET)
    there[0] = replace(there[1], version_id="other")
    assert verified(world).differences == (Difference.VERSIONS,)
    world = HistoryWorld()
    world.store.create_bucket("kms", versioned=True, kms=True)
    world.write(b"a", b"b", b"c")
    target = Location("kms", "new/k")
    world.settle(target=target)
    assert [one.body for one in kept(world, target)] == [b"a", b"b", b"c"]
    assert verified(world).verified


def test_large_versions_are_carried_in_parts() -> None:
    """Each with its own upload."""
    world = HistoryWorld(b"a")
    world.store.put(SOURCE, LARGE)
    world.store.put(SOURCE, LARGE + b"x")
    world.write(b"b")
    world.settle()
    assert [len(one.body) for one in kept(world, TARGET)] == [1, len(LARGE), len(LARGE) + 1, 1]
    assert verified(world).verified
    assert not world.store.uploads


def test_an_adopted_targets_history_is_another_writers() -> None:
    """It is not looked at, and the report says so."""
    world = HistoryWorld(b"a", b"b")
    world.store.put(TARGET, b"b", metadata={"body": "b"})
    world.settle()
    assert world.record.origin is Origin.ADOPTED
    found = verified(world)
    assert found.verified
    assert found.seen is not None
    assert found.seen.versions is None


def test_a_migration_of_current_versions_does_not_look() -> None:
    """It lists nothing."""
    world = holding(b"a", versioned=True)
    world.store.put(SOURCE, b"b")
    world.migrate(BARE_ROW)
    assert verified(world).verified
    assert "list_versions" not in world.store.calls


def test_many_versions_are_counted_and_three_are_named() -> None:
    """A line of a report stays short."""
    assert VersionsCompared(9, tuple("abcde")).lack == "earlier versions a, b, c and 2 more"
    assert VersionsCompared(9).lack == ""
