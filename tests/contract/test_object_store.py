"""ObjectStore: the fake and the S3 adapter keep one contract, on servers that we did not write as well."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from domain.errors import LeaseExpiredError, MissingResourceError, RefusedRequestError
from domain.keys import Location
from domain.protocol.ports import Deleted, MustBeAbsent, Refused, SourceObject, TargetObject, Written
from tests.servers import new_name
from tests.worlds.objects import EVERYTHING, FAR, ObjectWorld, new_pair
from tests.worlds.presence import present

ABSENT_ETAG = "0" * 32
MOTO = "moto 5.2.5 ignores conditions on copies (emulators.md)"
NOT_ENFORCED = "it keeps bucket policies about conditions, and does not enforce them"
SEAWEEDFS_412 = "SeaweedFS says 412 where AWS says 404"


def test_look_shows_everything_that_the_owner_said(world: ObjectWorld) -> None:
    """HEAD and the tags together show all that the owner wrote."""
    pair = new_pair(world, b"bytes", **EVERYTHING)
    seen = pair.seen()
    assert seen.metadata == EVERYTHING["metadata"]
    assert seen.tags == EVERYTHING["tags"]
    assert seen.headers == EVERYTHING["headers"]
    assert (seen.size, seen.storage_class) == (5, "STANDARD")


def test_look_without_tags_leaves_them_unknown(world: ObjectWorld) -> None:
    """Tags that nobody asked for are unknown, not empty."""
    pair = new_pair(world)
    state = present(world.store.look_at_object(pair.source))
    assert state.tags is None


def test_look_at_an_absent_key_is_none(world: ObjectWorld) -> None:
    """A key that is certainly absent is None."""
    pair = new_pair(world)
    assert world.store.look_at_object(pair.target, with_tags=True) is None


def test_look_in_an_absent_bucket_is_no_absence(world: ObjectWorld) -> None:
    """A missing bucket must not look like a deleted object."""
    with pytest.raises(MissingResourceError):
        world.store.look_at_object(Location(new_name("none"), "key"))


def test_copy_carries_bytes_metadata_headers_and_tags(world: ObjectWorld) -> None:
    """A copy is the same object by all that an owner can see."""
    pair = new_pair(world, b"bytes", **EVERYTHING)
    answer = world.store.copy_object(pair.origin(), pair.goal(), seen=pair.seen())
    assert isinstance(answer, Written)
    copy = present(world.store.look_at_object(pair.target, with_tags=True))
    seen = pair.seen()
    assert (copy.metadata, copy.headers, copy.tags) == (seen.metadata, seen.headers, seen.tags)
    assert world.body(pair.target) == b"bytes"
    assert copy.etag == answer.etag


def test_copy_has_the_storage_class_that_is_passed(world: ObjectWorld) -> None:
    """A copy is STANDARD unless its class is passed."""
    pair = new_pair(world, storage_class="STANDARD_IA")
    world.store.copy_object(pair.origin(), pair.goal(storage_class="STANDARD_IA"), seen=None)
    copy = present(world.store.look_at_object(pair.target))
    assert copy.storage_class == "STANDARD_IA"


@pytest.mark.disagrees("moto", MOTO)
def test_copy_of_a_changed_source_is_refused(world: ObjectWorld) -> None:
    """Source If-Match: other bytes than those of the etag are never copied."""
    pair = new_pair(world)
    origin = pair.origin()
    world.put(pair.source, b"newer")
    assert world.store.copy_object(origin, pair.goal(), seen=None) is Refused.PRECONDITION
    assert world.body(pair.target) is None


@pytest.mark.disagrees("moto", MOTO)
def test_copy_over_somebody_elses_object_is_refused(world: ObjectWorld) -> None:
    """Target If-None-Match: what is there already is not overwritten."""
    pair = new_pair(world)
    world.put(pair.target, b"foreign")
    assert world.store.copy_object(pair.origin(), pair.goal(), seen=None) is Refused.PRECONDITION
    assert world.body(pair.target) == b"foreign"


def test_copy_replaces_the_target_that_it_knows(world: ObjectWorld) -> None:
    """Target If-Match with the etag that is there: replaced."""
    pair = new_pair(world)
    first = world.store.copy_object(pair.origin(), pair.goal(), seen=None)
    world.put(pair.source, b"newer")
    assert isinstance(first, Written)
    second = world.store.copy_object(pair.origin(), pair.goal(first.etag), seen=None)
    assert isinstance(second, Written)
    assert world.body(pair.target) == b"newer"


@pytest.mark.disagrees("moto", MOTO)
def test_copy_over_a_changed_target_is_refused(world: ObjectWorld) -> None:
    """Target If-Match with another etag: refused, nothing written."""
    pair = new_pair(world)
    world.put(pair.target, b"foreign")
    assert world.store.copy_object(pair.origin(), pair.goal(ABSENT_ETAG), seen=None) is Refused.PRECONDITION
    assert world.body(pair.target) == b"foreign"


@pytest.mark.disagrees("moto", MOTO)
def test_copy_over_a_vanished_target_is_refused(world: ObjectWorld) -> None:
    """Target If-Match on an absent target (404 or 412 by server): a precondition, not an absent source."""
    pair = new_pair(world)
    assert world.store.copy_object(pair.origin(), pair.goal(ABSENT_ETAG), seen=None) is Refused.PRECONDITION
    assert world.body(pair.target) is None


def test_copy_of_an_absent_source_says_so(world: ObjectWorld) -> None:
    """An absent source with an absent target is SOURCE_ABSENT."""
    pair = new_pair(world)
    origin = pair.origin()
    world.remove(pair.source)
    assert world.store.copy_object(origin, pair.goal(), seen=None) is Refused.SOURCE_ABSENT


def test_copy_past_the_lease_is_not_sent(world: ObjectWorld) -> None:
    """Past its second a copy is not sent."""
    pair = new_pair(world)
    late = replace(pair.goal(), send_before=0.0)
    with pytest.raises(LeaseExpiredError):
        world.store.copy_object(pair.origin(), late, seen=None)
    assert world.body(pair.target) is None


def test_copy_onto_itself_is_refused(world: ObjectWorld) -> None:
    """A rule that maps a key to itself must not reach S3."""
    pair = new_pair(world)
    with pytest.raises(RefusedRequestError):
        world.store.copy_object(pair.origin(), TargetObject(pair.source, MustBeAbsent(), FAR), seen=None)


@pytest.mark.disagrees("moto", NOT_ENFORCED)
@pytest.mark.disagrees("seaweedfs", NOT_ENFORCED)
@pytest.mark.parametrize("if_match", [None, ABSENT_ETAG])
def test_copy_into_a_bucket_that_enforces_conditions_is_not_offered(world: ObjectWorld, if_match: str | None) -> None:
    """By AWS's page (aws-facts.md §2.1) it is a 501, whatever the condition; nothing is written."""
    pair = new_pair(world)
    world.enforce_conditions(pair.source.bucket)
    assert world.store.copy_object(pair.origin(), pair.goal(if_match), seen=pair.seen()) is Refused.NOT_OFFERED
    assert world.body(pair.target) is None


@pytest.mark.disagrees("moto", MOTO)
def test_one_of_many_racing_copies_wins(world: ObjectWorld) -> None:
    """Of copies that race for an absent target exactly one is written."""
    pair = new_pair(world)
    origin, goal = pair.origin(), pair.goal()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: world.store.copy_object(origin, goal, seen=None), range(8)))
    assert sum(isinstance(answer, Written) for answer in answers) == 1


def test_copy_of_a_version_reads_that_version(world: ObjectWorld) -> None:
    """A pinned version is copied although a newer one is current."""
    pair = new_pair(world, b"first", versioned=True)
    pinned = SourceObject(pair.source, "", pair.seen().version_id)
    world.put(pair.source, b"second")
    answer = world.store.copy_object(pinned, pair.goal(), seen=None)
    assert isinstance(answer, Written)
    assert answer.version_id is not None
    assert world.body(pair.target) == b"first"


@pytest.mark.disagrees("seaweedfs", "SeaweedFS does not say which version it read")
def test_copy_says_which_version_it_read(world: ObjectWorld) -> None:
    """A copy of the current version of a versioned source tells its id."""
    pair = new_pair(world, versioned=True)
    answer = world.store.copy_object(pair.origin(), pair.goal(), seen=None)
    assert isinstance(answer, Written)
    assert answer.source_version_id == pair.seen().version_id


def test_delete_of_the_known_object(world: ObjectWorld) -> None:
    """Delete If-Match with the current etag deletes; an unversioned bucket has no marker."""
    pair = new_pair(world)
    assert world.store.delete_object(pair.source, if_match=pair.seen().etag, send_before=FAR) == Deleted(None)
    assert world.body(pair.source) is None


def test_delete_of_a_changed_object_is_refused(world: ObjectWorld) -> None:
    """Delete If-Match with another etag deletes nothing."""
    pair = new_pair(world)
    assert world.store.delete_object(pair.source, if_match=ABSENT_ETAG, send_before=FAR) is Refused.PRECONDITION
    assert world.body(pair.source) == b"bytes"


@pytest.mark.disagrees("seaweedfs", SEAWEEDFS_412)
def test_delete_of_an_absent_object_says_so(world: ObjectWorld) -> None:
    """Where there is nothing to delete, the answer says that."""
    pair = new_pair(world)
    assert world.store.delete_object(pair.target, if_match=ABSENT_ETAG, send_before=FAR) is Refused.SOURCE_ABSENT


def test_delete_past_the_lease_is_not_sent(world: ObjectWorld) -> None:
    """Past its second a delete is not sent."""
    pair = new_pair(world)
    with pytest.raises(LeaseExpiredError):
        world.store.delete_object(pair.source, if_match=pair.seen().etag, send_before=0.0)
    assert world.body(pair.source) == b"bytes"


def test_a_delete_marker_hides_a_version_and_can_be_taken_away(world: ObjectWorld) -> None:
    """In a versioned bucket a delete hides: the version is found, and comes back without the marker."""
    pair = new_pair(world, versioned=True)
    seen = pair.seen()
    assert world.store.find_top_marker(pair.source) is None
    answer = world.store.delete_object(pair.source, if_match=seen.etag, send_before=FAR)
    assert isinstance(answer, Deleted)
    top = present(world.store.find_top_marker(pair.source))
    assert top.hidden is not None
    assert (top.hidden.version_id, top.hidden.etag, top.marker_id) == (seen.version_id, seen.etag, answer.marker_id)
    assert top.hidden.last_modified == seen.last_modified
    assert world.store.look_at_object(pair.source) is None
    assert world.store.look_at_object(pair.source, version_id=top.marker_id) is None
    for _ in range(2):
        world.store.remove_delete_marker(pair.source, marker_id=top.marker_id, send_before=FAR)
    assert world.body(pair.source) == b"bytes"


def test_hidden_version_is_not_a_longer_keys(world: ObjectWorld) -> None:
    """Another key that begins with this one is not taken for it."""
    pair = new_pair(world, versioned=True)
    longer = Location(pair.source.bucket, pair.source.key + "/longer")
    world.put(longer, b"other")
    world.remove(longer)
    assert world.store.find_top_marker(pair.source) is None
    assert world.store.find_top_marker(Location(pair.source.bucket, "old")) is None


@pytest.mark.disagrees("moto", "moto 5.2.5 puts no delete marker where no object ever was")
def test_a_marker_over_nothing_hides_nothing(world: ObjectWorld) -> None:
    """A delete marker on a key that never had a version is told, and does not hide a longer key's version."""
    pair = new_pair(world, versioned=True)
    shorter = Location(pair.source.bucket, "old")
    world.remove(shorter)
    top = present(world.store.find_top_marker(shorter))
    assert top.marker_id
    assert top.hidden is None
