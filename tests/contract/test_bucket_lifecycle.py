"""Lifecycle rules of the fake, held to the S3 User Guide: no server here runs a rule when a test asks for it."""

import pytest

from domain.keys import Location
from domain.objects import Lock
from tests.fakes.bucket_lifecycle import LifecycleRule
from tests.fakes.buckets import NULL, Notification, Version, Versioning
from tests.fakes.object_store import InMemoryObjectStore

KEY = Location("bucket", "old/key")
EXPIRES = LifecycleRule(expires_current=True)
CLEARS = LifecycleRule(expires_noncurrent=True)
UNMARKS = LifecycleRule(removes_expired_markers=True)


@pytest.fixture
def store() -> InMemoryObjectStore:
    """A bucket whose versioning was never on."""
    store = InMemoryObjectStore()
    store.create_bucket("bucket")
    return store


@pytest.fixture
def versioned() -> InMemoryObjectStore:
    """A bucket with versioning."""
    store = InMemoryObjectStore()
    store.create_bucket("bucket", versioned=True)
    return store


def history(store: InMemoryObjectStore) -> list[Version]:
    """All versions and markers of the key, oldest first."""
    return store.buckets.bucket("bucket").versions.get("old/key", [])


def told(store: InMemoryObjectStore, rule: LifecycleRule) -> list[tuple[str, str | None]]:
    """The events of one run, and the versions that they name."""
    return [(one.name, one.version_id) for one in store.run_lifecycle("bucket", rule)]


def test_an_unversioned_object_expires_for_good(store: InMemoryObjectStore) -> None:
    """Expiration in an unversioned bucket deletes, and the event is LifecycleExpiration:Delete without a version."""
    store.put(KEY, b"a")
    assert told(store, EXPIRES) == [("LifecycleExpiration:Delete", None)]
    assert history(store) == []


def test_the_event_of_an_expiry_is_as_old_as_its_object(store: InMemoryObjectStore) -> None:
    """The sequencer of an expiry is the one of the object's creation, below what happened since."""
    store.put(KEY, b"a")
    (created,) = history(store)
    store.put(Location("bucket", "other"), b"b")
    (event,) = store.run_lifecycle("bucket", LifecycleRule(prefix="old/", expires_current=True))
    assert event == Notification("LifecycleExpiration:Delete", KEY, None, created.written)


def test_an_expiry_in_a_versioned_bucket_is_a_marker(versioned: InMemoryObjectStore) -> None:
    """Expiration with versioning puts a marker with an id of its own over the version, which stays."""
    seen = versioned.put(KEY, b"a")
    ((name, marker_id),) = told(versioned, EXPIRES)
    assert name == "LifecycleExpiration:DeleteMarkerCreated"
    assert [one.version_id for one in history(versioned)] == [seen.version_id, marker_id]
    assert told(versioned, EXPIRES) == []


def test_an_expiry_while_suspended_destroys_version_null(versioned: InMemoryObjectStore) -> None:
    """Expiration while suspended puts a marker null in the place of version null; older versions stay."""
    older = versioned.put(KEY, b"a")
    versioned.set_versioning("bucket", Versioning.SUSPENDED)
    versioned.put(KEY, b"b")
    assert told(versioned, EXPIRES) == [("LifecycleExpiration:DeleteMarkerCreated", NULL)]
    assert [one.version_id for one in history(versioned)] == [older.version_id, NULL]
    assert history(versioned)[-1].state is None


def test_noncurrent_versions_expire_under_a_marker_too(versioned: InMemoryObjectStore) -> None:
    """NoncurrentVersionExpiration removes for good what is not current, and says which version; the marker stays."""
    first, second = versioned.put(KEY, b"a"), versioned.put(KEY, b"b")
    versioned.remove(KEY)
    name = "LifecycleExpiration:Delete"
    assert told(versioned, CLEARS) == [(name, first.version_id), (name, second.version_id)]
    assert [one.state for one in history(versioned)] == [None]


def test_newer_noncurrent_versions_can_stay(versioned: InMemoryObjectStore) -> None:
    """NewerNoncurrentVersions keeps that many of them."""
    for body in (b"a", b"b", b"c"):
        versioned.put(KEY, body)
    versioned.run_lifecycle("bucket", LifecycleRule(expires_noncurrent=True, newer_noncurrent_versions=1))
    assert [one.body for one in history(versioned)] == [b"b", b"c"]


def test_a_locked_version_does_not_expire(versioned: InMemoryObjectStore) -> None:
    """Object Lock outlasts NoncurrentVersionExpiration."""
    versioned.buckets.enable_locks("bucket")
    versioned.put(KEY, b"a", lock=Lock(legal_hold=True))
    versioned.put(KEY, b"b")
    assert told(versioned, CLEARS) == []


def test_an_expired_marker_is_one_with_nothing_under_it(versioned: InMemoryObjectStore) -> None:
    """ExpiredObjectDeleteMarker removes a marker only once no version is left under it."""
    versioned.put(KEY, b"a")
    marker_id = versioned.remove(KEY)
    assert told(versioned, UNMARKS) == []
    versioned.run_lifecycle("bucket", CLEARS)
    assert told(versioned, UNMARKS) == [("LifecycleExpiration:Delete", marker_id)]
    assert history(versioned) == []


def test_a_transition_changes_the_class_and_nothing_else(versioned: InMemoryObjectStore) -> None:
    """A transition keeps etag, version and date, and no ObjectCreated tells of it."""
    seen = versioned.put(KEY, b"a")
    assert told(versioned, LifecycleRule(transition_to="GLACIER")) == [("LifecycleTransition", seen.version_id)]
    moved = versioned.look_at_object(KEY)
    assert moved is not None
    assert (moved.etag, moved.version_id, moved.last_modified) == (seen.etag, seen.version_id, seen.last_modified)
    assert moved.storage_class == "GLACIER"


def test_a_delete_for_good_is_told_with_its_version(versioned: InMemoryObjectStore) -> None:
    """An owner's delete by version id is ObjectRemoved:Delete with that id, of a version and of a marker."""
    seen = versioned.put(KEY, b"a")
    marker_id = versioned.remove(KEY) or ""
    gone = [versioned.destroy(KEY, seen.version_id or ""), versioned.destroy(KEY, marker_id)]
    assert [one and (one.name, one.version_id) for one in gone] == [
        ("ObjectRemoved:Delete", seen.version_id),
        ("ObjectRemoved:Delete", marker_id),
    ]
    assert versioned.destroy(KEY, marker_id) is None


def test_versioning_is_never_off_again(versioned: InMemoryObjectStore) -> None:
    """PutBucketVersioning knows Enabled and Suspended only."""
    with pytest.raises(ValueError, match="suspended"):
        versioned.set_versioning("bucket", Versioning.OFF)
