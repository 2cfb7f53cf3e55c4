"""Versions, delete markers and version ``null``: the fake and the S3 adapter on servers agree with the User Guide."""

import pytest

from domain.errors import AccessDeniedError
from domain.keys import Location
from domain.objects import Encryption, Lock
from domain.protocol.ports import Deleted, SourceObject, Written
from tests.fakes.buckets import NULL, Versioning
from tests.worlds.objects import FAR, ObjectWorld, Pair, new_pair
from tests.worlds.presence import present

RETAINED = Lock("GOVERNANCE", "2099-01-01T00:00:00+00:00")
HELD = Lock(legal_hold=True)
MOTO_SUSPENDED = "moto 5.2.5 treats suspended versioning as never switched on"
MOTO_NULL = "moto 5.2.5 never says version null"
MOTO_LOCKS = "moto 5.2.5 lets a copy inherit the lock"
SEAWEEDFS_LOCKS = "SeaweedFS wants a checksum of a locked copy, for which CopyObject has no header"
SEAWEEDFS_NULL = "SeaweedFS does not show the version under a marker null that is taken away"
KEY = Encryption("aws:kms", "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-4333-8444-555555555555")


def version_of(world: ObjectWorld, location: Location) -> str | None:
    """The current version's id as HEAD shows it."""
    seen = present(world.store.look_at_object(location))
    return seen.version_id


def suspended(world: ObjectWorld, *, older: bytes | None, newer: bytes = b"newer") -> Pair:
    """A bucket whose versioning was on for ``older`` and is suspended, with ``newer`` as version ``null``."""
    bucket = world.bucket(versioned=True)
    pair = Pair(world, Location(bucket, "old/key"), Location(bucket, "new/key"))
    if older is not None:
        world.put(pair.source, older)
    world.set_versioning(bucket, Versioning.SUSPENDED)
    world.put(pair.source, newer)
    return pair


def test_an_unversioned_bucket_tells_no_version(world: ObjectWorld) -> None:
    """Where versioning was never on, HEAD, copies and deletes name no version."""
    pair = new_pair(world)
    answer = world.store.copy_object(pair.origin(), pair.goal(), seen=None)
    assert isinstance(answer, Written)
    assert (version_of(world, pair.source), answer.version_id, answer.source_version_id) == (None, None, None)


@pytest.mark.disagrees("moto", MOTO_NULL)
def test_what_was_written_before_versioning_is_version_null(world: ObjectWorld) -> None:
    """Once versioning is on, an older object is version null, and stays so under newer ones."""
    pair = new_pair(world, b"before")
    world.set_versioning(pair.source.bucket, Versioning.ENABLED)
    assert version_of(world, pair.source) == NULL
    before = pair.seen().etag
    world.put(pair.source, b"after")
    assert version_of(world, pair.source) not in (None, NULL)
    older = present(world.store.look_at_object(pair.source, version_id=NULL))
    assert older.etag == before


def test_a_copy_of_version_null_names_null_or_nothing_as_what_it_read(world: ObjectWorld) -> None:
    """AWS does not say whether x-amz-copy-source-version-id names version null: both answers mean the same."""
    pair = new_pair(world, b"before")
    world.set_versioning(pair.source.bucket, Versioning.ENABLED)
    answer = world.store.copy_object(pair.origin(), pair.goal(), seen=None)
    assert isinstance(answer, Written)
    assert answer.source_version_id in (None, NULL)
    assert answer.version_id == version_of(world, pair.target) != NULL


def test_a_copy_can_ask_for_version_null(world: ObjectWorld) -> None:
    """Version null is read by its id under a newer version."""
    pair = new_pair(world, b"before")
    world.set_versioning(pair.source.bucket, Versioning.ENABLED)
    world.put(pair.source, b"after")
    answer = world.store.copy_object(SourceObject(pair.source, "", NULL), pair.goal(), seen=None)
    assert isinstance(answer, Written)
    assert world.body(pair.target) == b"before"


@pytest.mark.disagrees("moto", MOTO_NULL)
def test_a_write_while_suspended_is_version_null_and_keeps_older_versions(world: ObjectWorld) -> None:
    """What is written while versioning is suspended is version null; a version of before stays."""
    pair = suspended(world, older=b"older")
    assert version_of(world, pair.source) == NULL
    assert world.body(pair.source) == b"newer"
    world.destroy(pair.source, NULL)
    assert world.body(pair.source) == b"older"


def test_a_write_while_suspended_replaces_version_null(world: ObjectWorld) -> None:
    """There is one version null of a key: a second write takes the place of the first."""
    pair = suspended(world, older=None, newer=b"first")
    world.put(pair.source, b"second")
    assert world.body(pair.source) == b"second"
    world.destroy(pair.source, NULL)
    assert world.body(pair.source) is None


@pytest.mark.disagrees("moto", MOTO_NULL)
def test_a_copy_into_a_suspended_bucket_answers_no_version(world: ObjectWorld) -> None:
    """CopyObject into a suspended bucket answers no version id, although HEAD names null afterwards."""
    pair = suspended(world, older=None)
    answer = world.store.copy_object(pair.origin(), pair.goal(), seen=None)
    assert isinstance(answer, Written)
    assert answer.version_id is None
    assert version_of(world, pair.target) == NULL


@pytest.mark.disagrees("moto", MOTO_SUSPENDED)
def test_a_delete_while_suspended_destroys_version_null(world: ObjectWorld) -> None:
    """DELETE while suspended puts a marker null in the place of version null: the bytes are gone for good."""
    pair = suspended(world, older=b"older")
    answer = world.store.delete_object(pair.source, if_match=pair.seen().etag, send_before=FAR)
    assert answer == Deleted(NULL)
    assert world.body(pair.source) is None
    assert world.store.look_at_object(pair.source, version_id=NULL) is None


@pytest.mark.disagrees("moto", MOTO_SUSPENDED)
@pytest.mark.disagrees("seaweedfs", SEAWEEDFS_NULL)
def test_without_the_marker_null_a_version_of_before_the_suspension_comes_back(world: ObjectWorld) -> None:
    """Under a marker null there are only older versions: the marker taken away shows the newest of them."""
    pair = suspended(world, older=b"older")
    world.store.delete_object(pair.source, if_match=pair.seen().etag, send_before=FAR)
    world.store.remove_delete_marker(pair.source, marker_id=NULL, send_before=FAR)
    assert world.body(pair.source) == b"older"


@pytest.mark.disagrees("moto", MOTO_SUSPENDED)
def test_a_delete_while_suspended_keeps_a_version_that_has_an_id(world: ObjectWorld) -> None:
    """Only version null is destroyed: a current version of before the suspension stays under the marker null."""
    bucket = world.bucket(versioned=True)
    source = Location(bucket, "old/key")
    world.put(source, b"kept")
    kept = version_of(world, source)
    world.set_versioning(bucket, Versioning.SUSPENDED)
    seen = present(world.store.look_at_object(source))
    assert world.store.delete_object(source, if_match=seen.etag, send_before=FAR) == Deleted(NULL)
    assert world.body(source) is None
    assert world.store.look_at_object(source, version_id=kept) is not None


def test_versioning_that_is_on_again_keeps_version_null(world: ObjectWorld) -> None:
    """Versioning switched on again keeps what was written meanwhile, as version null."""
    pair = suspended(world, older=None, newer=b"meanwhile")
    world.set_versioning(pair.source.bucket, Versioning.ENABLED)
    world.put(pair.source, b"again")
    newest = version_of(world, pair.source)
    assert newest not in (None, NULL)
    world.destroy(pair.source, newest or "")
    assert world.body(pair.source) == b"meanwhile"


def test_an_owner_can_destroy_the_version_under_a_marker(world: ObjectWorld) -> None:
    """A version deleted by its id is gone for good, and the marker over it stays."""
    pair = new_pair(world, versioned=True)
    version_id = version_of(world, pair.source) or ""
    marker = world.store.delete_object(pair.source, if_match=pair.seen().etag, send_before=FAR)
    assert isinstance(marker, Deleted)
    world.destroy(pair.source, version_id)
    assert world.body(pair.source) is None
    assert world.store.look_at_object(pair.source, version_id=version_id) is None
    world.store.remove_delete_marker(pair.source, marker_id=marker.marker_id or "", send_before=FAR)
    assert world.body(pair.source) is None


def test_an_owner_can_destroy_a_marker(world: ObjectWorld) -> None:
    """A delete marker deleted by its id shows the version under it again."""
    pair = new_pair(world, versioned=True)
    marker = world.store.delete_object(pair.source, if_match=pair.seen().etag, send_before=FAR)
    assert isinstance(marker, Deleted)
    world.destroy(pair.source, marker.marker_id or "")
    assert world.body(pair.source) == b"bytes"


@pytest.mark.disagrees("moto", MOTO_LOCKS)
@pytest.mark.disagrees("seaweedfs", SEAWEEDFS_LOCKS)
@pytest.mark.parametrize("lock", [RETAINED, HELD], ids=["retention", "legal-hold"])
def test_a_copy_is_locked_only_where_it_is_said(world: ObjectWorld, lock: Lock) -> None:
    """Retention and legal hold do not go along with a copy, unless what HEAD showed is passed."""
    bucket = world.bucket(locks=True)
    pair = Pair(world, Location(bucket, "old/key"), Location(bucket, "new/key"))
    world.put(pair.source, b"bytes", lock=lock)
    assert pair.seen().lock == lock
    world.store.copy_object(pair.origin(), pair.goal(), seen=None)
    bare = present(world.store.look_at_object(pair.target))
    assert bare.lock == Lock()
    world.store.copy_object(pair.origin(), pair.goal(bare.etag), seen=pair.seen())
    told = present(world.store.look_at_object(pair.target))
    assert told.lock == lock


@pytest.mark.parametrize("lock", [RETAINED, HELD], ids=["retention", "legal-hold"])
def test_a_locked_version_is_not_deleted_for_good(world: ObjectWorld, lock: Lock) -> None:
    """A delete by version id is denied while Object Lock protects it; a delete without one hides it all the same."""
    pair = Pair(world, Location(world.bucket(locks=True), "old/key"), Location("none", "new/key"))
    world.put(pair.source, b"bytes", lock=lock)
    seen = pair.seen()
    with pytest.raises(AccessDeniedError):
        world.store.remove_version(pair.source, version_id=seen.version_id or "", send_before=FAR)  # type: ignore[attr-defined]
    assert isinstance(world.store.delete_object(pair.source, if_match=seen.etag, send_before=FAR), Deleted)
    assert world.store.look_at_object(pair.source, version_id=seen.version_id) is not None


@pytest.mark.disagrees("seaweedfs", "SeaweedFS knows no KMS key that was not set up")
def test_a_copy_has_the_owners_key_only_where_it_is_said(world: ObjectWorld) -> None:
    """A KMS key does not go along with a copy, unless what HEAD showed is passed."""
    pair = new_pair(world, encryption=KEY)
    assert (pair.seen().encryption.algorithm, pair.seen().encryption.kms_key_id) == ("aws:kms", KEY.kms_key_id)
    world.store.copy_object(pair.origin(), pair.goal(), seen=None)
    bare = present(world.store.look_at_object(pair.target))
    assert bare.encryption.kms_key_id is None
    world.store.copy_object(pair.origin(), pair.goal(bare.etag), seen=pair.seen())
    told = present(world.store.look_at_object(pair.target))
    assert told.encryption.kms_key_id == KEY.kms_key_id


@pytest.mark.parametrize("tags", [{}, {"a": "1"}], ids=["no tags", "tags"])
def test_tags_of_a_version_under_a_marker_can_be_read(world: ObjectWorld, tags: dict[str, str]) -> None:
    """By its id, as its other properties can; also once the key has other versions and markers."""
    pair = new_pair(world, versioned=True)
    world.put(pair.source, b"tagged", tags=tags)
    version_id = version_of(world, pair.source)
    world.put(pair.source, b"later", tags={"b": "2"})
    for _ in range(2):
        seen = present(world.store.look_at_object(pair.source, version_id=version_id, with_tags=True))
        assert (seen.version_id, seen.size, seen.tags) == (version_id, 6, tags)
        world.remove(pair.source)
