"""Object Lock, KMS keys and classes of objects that are there: the fake and the S3 adapters agree with AWS."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.errors import AccessDeniedError, ArchivedError, RefusedRequestError
from domain.keys import Location
from domain.objects import Encryption, Lock
from domain.protocol.ports import MustBeAbsent, SourceObject, TargetObject, Written
from tests.fakes.bucket_properties import change_key, restore
from tests.fakes.buckets import Versioning
from tests.fakes.object_store import InMemoryObjectStore
from tests.worlds.objects import FAR, ObjectWorld, Pair
from tests.worlds.presence import present

HELD = Lock(legal_hold=True)
SOONER, LATER = (Lock("GOVERNANCE", f"20{year}-01-01T00:00:00+00:00") for year in (98, 99))
MOTO_SHORTENS = "moto 5.2.5 lets everybody shorten a retention"
MOTO_LOCKED_COPY = "moto 5.2.5 wants a checksum of a locked copy, for which CopyObject has no header"
MOTO_LOCKED_UPLOAD = "moto 5.2.5 begins a locked upload in a bucket without Object Lock"
SEAWEEDFS_LOCKED_COPY = "SeaweedFS copies into a bucket without Object Lock and forgets the lock"
SEAWEEDFS_LOCKED_UPLOAD = "SeaweedFS begins an upload with a legal hold in a bucket without Object Lock"
SEAWEEDFS_LOCKS = "SeaweedFS wants a checksum of a locked copy, for which CopyObject has no header"
SUSPENDS = "it suspends the versioning of a bucket with Object Lock"
UPDATED = "arn:aws:kms:us-east-1:000000000000:key/22222222-2222-4333-8444-555555555555"


def locked_pair(world: ObjectWorld, lock: Lock | None = None, *, target: str | None = None) -> Pair:
    """An object in a bucket with Object Lock, and a target in the same bucket or another one."""
    bucket = world.bucket(locks=True)
    pair = Pair(world, Location(bucket, "old/key"), Location(target or bucket, "new/key"))
    world.put(pair.source, b"bytes", lock=lock)
    return pair


def lock_of(world: ObjectWorld, location: Location) -> Lock:
    """What HEAD shows."""
    seen = present(world.store.look_at_object(location))
    return seen.lock


@pytest.mark.disagrees("seaweedfs", SEAWEEDFS_LOCKED_COPY)
def test_a_lock_cannot_be_copied_into_a_bucket_without_object_lock(world: ObjectWorld) -> None:
    """S3 refuses the request: the bucket is missing its Object Lock configuration."""
    pair = locked_pair(world, HELD, target=world.bucket(versioned=True))
    with pytest.raises(RefusedRequestError):
        world.store.copy_object(pair.origin(), pair.goal(), seen=pair.seen())
    assert world.body(pair.target) is None


@pytest.mark.disagrees("moto", MOTO_LOCKED_UPLOAD)
@pytest.mark.disagrees("seaweedfs", SEAWEEDFS_LOCKED_UPLOAD)
def test_an_upload_with_a_lock_cannot_begin_in_a_bucket_without_object_lock(world: ObjectWorld) -> None:
    """CreateMultipartUpload is refused in the same way."""
    pair = locked_pair(world, HELD, target=world.bucket(versioned=True))
    with pytest.raises(RefusedRequestError):
        world.multipart.create_upload(pair.goal(), seen=pair.seen())


@pytest.mark.disagrees("moto", MOTO_LOCKED_COPY)
def test_object_lock_can_be_enabled_later(world: ObjectWorld) -> None:
    """In a bucket that keeps versions, and in no other one; what is there is not locked by that."""
    target = world.bucket(versioned=True)
    pair = locked_pair(world, HELD, target=target)
    world.put(pair.target, b"before")
    world.enable_locks(target)
    there = present(world.store.look_at_object(pair.target))
    assert there.lock == Lock()
    assert isinstance(world.store.copy_object(pair.origin(), pair.goal(there.etag), seen=pair.seen()), Written)
    assert lock_of(world, pair.target) == HELD


def test_a_bucket_without_versions_gets_no_object_lock(world: ObjectWorld) -> None:
    """PutObjectLockConfiguration wants versioning to be enabled."""
    with pytest.raises(Exception, match="InvalidBucketState"):
        world.enable_locks(world.bucket())


@pytest.mark.disagrees("moto", f"moto 5.2.5: {SUSPENDS}")
@pytest.mark.disagrees("standin", f"the stand-in's emulator: {SUSPENDS}")
def test_a_bucket_with_object_lock_keeps_its_versioning(world: ObjectWorld) -> None:
    """It cannot be suspended."""
    bucket = world.bucket(locks=True)
    with pytest.raises(Exception, match="InvalidBucketState"):
        world.set_versioning(bucket, Versioning.SUSPENDED)


def test_a_hold_and_a_retention_put_later_make_no_other_version(world: ObjectWorld) -> None:
    """HEAD shows them; etag, version and date stay, so no condition of a request can tell."""
    pair = locked_pair(world)
    before = pair.seen()
    world.hold(pair.source, on=True)
    world.retain(pair.source, SOONER)
    after = pair.seen()
    assert after.lock == replace(SOONER, legal_hold=True)
    same = ("etag", "version_id", "last_modified", "metadata", "tags")
    assert [getattr(after, name) for name in same] == [getattr(before, name) for name in same]
    world.hold(pair.source, on=False)
    assert lock_of(world, pair.source) == SOONER


@pytest.mark.disagrees("moto", MOTO_SHORTENS)
def test_a_retention_is_lengthened_and_not_shortened(world: ObjectWorld) -> None:
    """Without the permission to bypass governance S3 denies it."""
    pair = locked_pair(world, SOONER)
    world.retain(pair.source, LATER)
    with pytest.raises(AccessDeniedError):
        world.retain(pair.source, SOONER)
    assert lock_of(world, pair.source) == LATER


@pytest.mark.disagrees("moto", MOTO_LOCKED_COPY)
@pytest.mark.disagrees("seaweedfs", SEAWEEDFS_LOCKS)
def test_a_retention_that_is_over_does_not_go_along(world: ObjectWorld) -> None:
    """S3 takes no date of the past; the legal hold beside it goes along."""
    until = datetime.fromtimestamp(int(world.now()) + 3, UTC).isoformat()
    pair = locked_pair(world, Lock("GOVERNANCE", until, legal_hold=True))
    world.wait(3)
    assert isinstance(world.store.copy_object(pair.origin(), pair.goal(), seen=pair.seen()), Written)
    assert lock_of(world, pair.target) == HELD


# No server here knows these: the fake is held to S3's API reference.
@pytest.fixture
def store() -> InMemoryObjectStore:
    """A bucket with Object Lock."""
    store = InMemoryObjectStore()
    store.create_bucket("bucket", locks=True)
    return store


KEY = Location("bucket", "old/key")


def test_a_changed_kms_key_changes_nothing_else(store: InMemoryObjectStore) -> None:
    """UpdateObjectEncryption keeps version, etag, date and checksums (API reference)."""
    before = store.put(KEY, b"bytes")
    version = present(store.buckets.current(KEY))
    change_key(store.buckets, KEY, version, UPDATED)
    after = store.look_at_object(KEY, with_tags=True)
    assert after == replace(before, encryption=Encryption("aws:kms", UPDATED))


def test_the_kms_key_of_a_locked_version_cannot_be_changed(store: InMemoryObjectStore) -> None:
    """UpdateObjectEncryption is denied while Object Lock protects the object (API reference)."""
    store.put(KEY, b"bytes", lock=HELD)
    version = present(store.buckets.current(KEY))
    with pytest.raises(AccessDeniedError):
        change_key(store.buckets, KEY, version, UPDATED)


def test_an_archived_object_is_copied_once_it_is_restored(store: InMemoryObjectStore) -> None:
    """HEAD still names the archive's class, which its copy has too and must be restored in its turn."""
    seen = store.put(KEY, b"bytes", storage_class="GLACIER")
    origin, goal = (
        SourceObject(KEY, seen.etag),
        TargetObject(Location("bucket", "new/key"), MustBeAbsent(), FAR, "GLACIER"),
    )
    with pytest.raises(ArchivedError):
        store.copy_object(origin, goal, seen=seen)
    version = present(store.buckets.current(KEY))
    assert restore(store.buckets, KEY, version)
    assert isinstance(store.copy_object(origin, goal, seen=seen), Written)
    copy = present(store.look_at_object(goal.location))
    assert (copy.storage_class, copy.is_archived) == ("GLACIER", True)
