"""What real buckets, roles and producers do between two steps: each fact here once lost bytes or brought them back."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from adapters.inventory.rows import rules_out_lock_and_key
from domain.errors import AccessDeniedError, KeyshiftError, ThrottledError, UnavailableError
from domain.keys import Location
from domain.lifecycle.verification import REPAIRABLE, Difference, Sides, judge
from domain.objects import Encryption, Lock, ObjectState
from domain.protocol.attempt import Outcome, Verdict
from domain.protocol.causes import Cause
from domain.protocol.cleanup import clean_source
from domain.protocol.cleanup_versions import forget_version
from domain.protocol.conflicts import Conflict, take_source, why_not_taken
from domain.protocol.held_record import ClaimLostError
from domain.protocol.intents import Action, Intent
from domain.protocol.notices import Notice, NoticeKind
from domain.protocol.parts import MIB
from domain.protocol.record import Origin, State
from domain.protocol.rollback import purge_copy, roll_back_object
from tests.fakes.buckets import Versioning
from tests.worlds.migration import POLICY, SOURCE, TARGET, MigrationWorld, created, holding, listed, removed, unanswered
from tests.worlds.presence import present

LARGE = bytes(6 * MIB + 1)
DELETE_SOURCE = Intent(Action.DELETE_SOURCE)


def clean(world: MigrationWorld) -> Outcome:
    """Cleanup's delete of the source."""
    world.clock.advance(1_000)
    return clean_source(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY, need_proof=False)


def forget(world: MigrationWorld) -> Outcome:
    """Cleanup of the version too."""
    world.clock.advance(1_000)
    return forget_version(
        SOURCE.record_id, attempt=world.attempt(), ports=world.ports, versions=world.store, policy=POLICY
    )


def roll_back(world: MigrationWorld) -> Outcome:
    """Rollback of the one key."""
    world.clock.advance(1_000)
    return roll_back_object(SOURCE, TARGET, attempt=world.attempt(), ports=world.ports, policy=POLICY)


def purge(world: MigrationWorld) -> Outcome:
    """The delete of the copy after it."""
    world.clock.advance(1_000)
    return purge_copy(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY)


def migrated(*bodies: bytes, versioned: bool = False) -> MigrationWorld:
    """A source that was written as often as there are bodies, and its copy."""
    world = MigrationWorld(versioned=versioned)
    for body in bodies:
        world.store.put(SOURCE, body)
        world.clock.advance(100)
    assert world.migrate(created(bodies[-1], len(bodies))).state is State.COPIED
    world.clock.advance(100)
    return world


def suspended(*bodies: bytes, before: tuple[bytes, ...] = ()) -> MigrationWorld:
    """A source written while versioning is suspended, ``before`` while it was on, and its copy."""
    world = MigrationWorld(versioned=True)
    for body in before:
        world.store.put(SOURCE, body)
        world.clock.advance(100)
    world.store.buckets.set_versioning("line", Versioning.SUSPENDED)
    for body in bodies:
        world.store.put(SOURCE, body)
        world.clock.advance(100)
    assert world.migrate(created(bodies[-1], 9)).state is State.COPIED
    world.clock.advance(100)
    return world


# N: a cleanup that never sent its delete
@pytest.mark.parametrize("call", ["look_at_object", "delete_object"])
@pytest.mark.parametrize("error", [ThrottledError("slow down"), AccessDeniedError("no permission")])
def test_a_delete_that_was_not_done_leaves_no_doubt(call: str, error: KeyshiftError) -> None:
    """The owner's later delete is followed, as if no cleanup had ever run."""
    world = migrated(b"bytes")
    world.store.fail_next(error, call=call)
    with pytest.raises(type(error)):
        clean(world)
    assert world.record.maybe == frozenset()
    world.store.remove(SOURCE)
    assert world.migrate(removed(5)).state is State.TOMBSTONE
    assert world.store.body(TARGET) is None


@pytest.mark.parametrize("versioned", [False, True])
def test_a_rollback_does_not_bring_back_what_no_cleanup_deleted(*, versioned: bool) -> None:
    """A role lacked a permission for one run; then the owner deleted the key."""
    world = migrated(b"bytes", versioned=versioned)
    world.store.fail_next(AccessDeniedError("no permission"), call="delete_object")
    with pytest.raises(AccessDeniedError):
        clean(world)
    world.store.remove(SOURCE)
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) is None


@pytest.mark.parametrize("make", [suspended, partial(migrated, versioned=True), migrated])
def test_a_cleanup_that_dies_over_a_look_leaves_no_doubt(make: Callable[..., MigrationWorld]) -> None:
    """The producer had deleted the key, the event was late, and the cleanup died: the delete stays (seed 13002508)."""
    world = make(b"bytes")
    world.store.remove(SOURCE)
    world.store.fail_nth(1, UnavailableError("no answer"), call="look_at_object")
    world.manifest.fail_nth(1, UnavailableError("the process was killed"), call="write_record")
    with pytest.raises(UnavailableError):
        clean(world)
    world.manifest.forget_faults()
    assert not world.record.is_unfinished
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) is None


def test_a_source_that_is_kept_costs_no_write() -> None:
    """Nothing is claimed for a delete that is not sent."""
    world = migrated(b"bytes")
    world.store.put(SOURCE, b"newer")
    before = world.record
    assert clean(world).cause is Cause.SOURCE_CHANGED
    assert world.record == before


def test_a_record_that_changed_between_the_looks_and_the_claim_keeps_its_source() -> None:
    """A worker copied a newer source meanwhile: what cleanup saw at the target is not there any more."""
    world = migrated(b"bytes")
    look = world.store.look_at_object

    def look_and_be_late(location: Location, **options: Any) -> ObjectState | None:
        seen = look(location, **options)
        if location == SOURCE:
            world.edit(revision=world.record.revision + 1)
        return seen

    world.store.look_at_object = look_and_be_late  # type: ignore[method-assign]
    assert clean(world).verdict is Verdict.RETURN
    assert world.store.body(SOURCE) == b"bytes"


@pytest.mark.parametrize("place", [SOURCE, TARGET])
def test_what_cleanup_saw_is_not_written_over_a_record_that_changed_meanwhile(place: Location) -> None:
    """The source is gone, or the target is another one: neither is said of a record that a worker has changed since."""
    world = migrated(b"bytes")
    world.store.remove(place)
    look = world.store.look_at_object

    def look_and_be_late(location: Location, **options: Any) -> ObjectState | None:
        seen = look(location, **options)
        if location == place:
            world.edit(revision=world.record.revision + 1)
        return seen

    world.store.look_at_object = look_and_be_late  # type: ignore[method-assign]
    with pytest.raises(ClaimLostError):
        clean(world)
    assert (world.record.state, world.record.cause) == (State.COPIED, None)


def test_a_source_in_sight_settles_an_earlier_delete() -> None:
    """A delete without an answer leaves a doubt, which ends when a later pass finds the source in place."""
    world = migrated(b"bytes")
    with unanswered(world, "delete_object", when="before"):
        clean(world)
    world.store.put(SOURCE, b"bytes", metadata={"new": "words"})
    assert clean(world).reason == "the source has changed since it was copied"
    assert world.record.maybe == frozenset()


def test_a_delete_without_an_answer_stays_in_doubt() -> None:
    """It may have been done, so the event of it must not take the only copy along."""
    world = migrated(b"bytes")
    with unanswered(world, "delete_object"):
        clean(world)
    world.clock.advance(1_000)
    assert world.migrate(removed(5)).state is State.CLEANED
    assert world.store.body(TARGET) == b"bytes"


def test_a_source_that_was_seen_settles_a_cleanup_though_the_target_could_not_be_read() -> None:
    """Cleanup's delete had no answer; a worker sees the source and is refused at the target."""
    world = migrated(b"bytes", versioned=True)
    with unanswered(world, "delete_object", when="before"):
        clean(world)
    world.clock.advance(1_000)
    world.store.fail_nth(1, ThrottledError("slow down"), call="look_at_object")
    with pytest.raises(ThrottledError):
        world.migrate(Notice(NoticeKind.LISTED, SOURCE))
    assert world.record.maybe == frozenset()
    world.store.remove(SOURCE)
    assert world.migrate(removed(2)).state is State.TOMBSTONE


# D1: producers who write both keys, or move by themselves
@pytest.mark.parametrize("adopted", [False, True])
def test_a_delete_takes_along_only_what_keyshift_made(*, adopted: bool) -> None:
    """A producer copied the object to its new key himself and then deletes the old one, unless the rules say so."""
    world = MigrationWorld()
    for location in (SOURCE, TARGET):
        world.store.put(location, b"bytes")
    assert world.migrate(created(b"bytes")).state is State.COPIED
    assert world.record.origin is Origin.ADOPTED
    world.store.remove(SOURCE)
    policy = replace(POLICY, mirror_adopted=adopted)
    assert world.migrate(removed(2), policy=policy).state is (State.TOMBSTONE if adopted else State.GONE)
    assert world.store.body(TARGET) == (None if adopted else b"bytes")


@pytest.mark.parametrize("versioned", [False, True])
def test_a_producer_who_moves_over_our_copy_keeps_his_object(*, versioned: bool) -> None:
    """``aws s3 mv`` copies over our copy and deletes the source; the bytes, and so the etag, are the same."""
    world = migrated(b"bytes", versioned=versioned)
    world.store.put(TARGET, b"bytes")
    world.store.remove(SOURCE)
    assert world.migrate(removed(2)).state is State.CONFLICT
    assert world.store.body(TARGET) == b"bytes"


def test_a_producer_who_writes_both_keys_over_our_copy_takes_it_over() -> None:
    """His later delete of the old key leaves his new one."""
    world = migrated(b"bytes")
    for location in (SOURCE, TARGET):
        world.store.put(location, b"newer")
    assert world.migrate(created(b"newer", 2)).state is State.COPIED
    assert world.record.origin is Origin.ADOPTED
    world.store.remove(SOURCE)
    assert world.migrate(removed(3)).state is State.GONE
    assert world.store.body(TARGET) == b"newer"


def test_an_adopted_target_whose_source_is_gone_is_not_a_difference() -> None:
    """It is another writer's object, not a copy that was left behind."""
    world = MigrationWorld()
    for location in (SOURCE, TARGET):
        world.store.put(location, b"bytes")
    world.migrate(created(b"bytes"))
    world.store.remove(SOURCE)
    world.migrate(removed(2))
    sides = Sides(None, world.store.look_at_object(TARGET, with_tags=True))
    assert judge(world.record, sides, now=world.clock.now()).differences == ()


@pytest.mark.parametrize("body", [b"bytes", LARGE])
def test_what_lay_there_before_a_worker_died_is_adopted(body: bytes) -> None:
    """A producer wrote both keys; a worker claims the key and dies before it can look at what he put."""
    world = MigrationWorld()
    world.store.put(TARGET, body)
    world.clock.advance(100)
    world.store.put(SOURCE, body)
    world.store.fail_next(KeyshiftError("the worker is killed"), call="look_at_object")
    with pytest.raises(KeyshiftError, match="killed"):
        world.migrate(created(body))
    assert [one.action for one in (world.record.intent,) if one is not None] == [Action.COPY]
    world.clock.advance(1_000)
    assert world.migrate(created(body)).state is State.COPIED
    assert world.record.origin is Origin.ADOPTED
    world.store.remove(SOURCE)
    assert world.migrate(removed(2)).state is State.GONE
    assert world.store.body(TARGET) == body


def test_a_refused_upload_of_which_nobody_could_ask_is_not_the_object_there() -> None:
    """A producer wrote both keys; S3 refuses the completion, and a permission to list its parts is missing."""
    world = MigrationWorld()
    world.store.put(TARGET, LARGE)
    world.clock.advance(100)
    world.store.put(SOURCE, LARGE)
    world.store.fail_next(AccessDeniedError("no"), call="list_parts")
    assert world.migrate(created(LARGE)).state is State.PARKED
    assert [one.is_refused for one in world.record.maybe] == [True]
    world.clock.advance(100)
    assert world.migrate(created(LARGE)).state is State.COPIED
    assert (world.record.origin, world.store.uploads) == (Origin.ADOPTED, {})


def test_another_writer_who_is_quicker_than_our_newer_copy_takes_it_over() -> None:
    """He puts the owner's newer bytes over our older copy in the second in which ours is on its way, and is refused."""
    world = migrated(b"older")
    for location in (SOURCE, TARGET):
        world.store.put(location, b"newer")
    assert world.migrate(created(b"newer", 2)).state is State.COPIED
    assert world.record.origin is Origin.ADOPTED


def test_our_copy_over_an_adopted_object_is_ours_though_nobody_could_say_so() -> None:
    """The commit after the copy is throttled: the next attempt knows it by its date, and a delete is followed."""
    world = MigrationWorld()
    for location in (TARGET, SOURCE):
        world.store.put(location, b"bytes")
    world.clock.advance(100)
    assert world.migrate(created(b"bytes")).state is State.COPIED
    world.clock.advance(100)
    world.store.put(SOURCE, b"bytes")
    world.manifest.fail_next(ThrottledError("slow down"), call="write_record")
    with pytest.raises(ThrottledError):
        world.migrate(created(b"bytes", 2))
    assert world.migrate(created(b"bytes", 2)).state is State.COPIED
    assert world.record.origin is Origin.CREATED
    world.store.remove(SOURCE)
    assert world.migrate(removed(3)).state is State.TOMBSTONE


def test_the_source_stays_when_another_writer_put_the_copy_again() -> None:
    """The bytes are the same and the object is his: cleanup asks for a person, verify adopts it."""
    world = migrated(b"bytes")
    world.store.put(TARGET, b"bytes")
    source, target = (world.store.look_at_object(one, with_tags=True) for one in (SOURCE, TARGET))
    sides = Sides(source, target)
    (difference,) = judge(world.record, sides, now=world.clock.now()).differences
    assert difference is Difference.TARGET_CHANGED
    assert difference in REPAIRABLE
    assert world.migrate(Notice(NoticeKind.LISTED, SOURCE)).state is State.COPIED
    world.store.put(TARGET, b"bytes")
    world.clock.advance(1_000)
    world.store.put(TARGET, b"bytes")
    assert clean(world).state is State.CONFLICT
    assert world.store.body(SOURCE) == b"bytes"


# D2: another writer's object of the same bytes
@pytest.mark.parametrize("versioned", [False, True])
def test_the_same_bytes_put_again_by_another_writer_are_not_overwritten(*, versioned: bool) -> None:
    """The version tells where versions are kept, the date of the object where they are not."""
    world = migrated(b"bytes", versioned=versioned)
    world.store.put(TARGET, b"bytes", metadata={"by": "another writer"})
    world.store.put(SOURCE, b"newer")
    assert world.migrate(created(b"newer", 2)).state is State.CONFLICT
    seen = present(world.store.look_at_object(TARGET))
    assert seen.metadata == {"by": "another writer"}


@pytest.mark.parametrize("versioned", [False, True])
def test_the_same_bytes_put_again_by_another_writer_are_not_purged(*, versioned: bool) -> None:
    """The purge deletes only keyshift's own copy."""
    world = migrated(b"bytes", versioned=versioned)
    world.store.put(TARGET, b"bytes", metadata={"by": "another writer"})
    roll_back(world)
    purge(world)
    assert world.store.body(TARGET) == b"bytes"


# S: versioning suspended
@pytest.mark.parametrize("before", [(), (b"older",), (b"older", b"newest")])
def test_a_suspended_bucket_gets_its_newest_bytes_back(before: tuple[bytes, ...]) -> None:
    """There the delete destroys the version ``null``: whatever lies below its marker is older."""
    world = suspended(b"newest", before=before)
    assert clean(world).state is State.CLEANED
    assert world.migrate(removed(10)).state is State.CLEANED
    assert world.store.body(TARGET) == b"newest"
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"newest"
    assert purge(world).state is State.PURGED
    assert world.store.body(SOURCE) == b"newest"


def test_what_an_owner_wrote_before_versioning_was_suspended_is_hidden_and_comes_back() -> None:
    """A version with an id of its own survives the delete, also while versioning is suspended."""
    world = migrated(b"bytes", versioned=True)
    world.store.buckets.set_versioning("line", Versioning.SUSPENDED)
    assert clean(world).state is State.CLEANED
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"bytes"


def test_cleanup_of_versions_in_a_suspended_bucket_has_nothing_left_to_delete() -> None:
    """The version that was copied went with the delete; the marker must not be taken for it."""
    world = suspended(b"newest", before=(b"older",))
    clean(world)
    assert (forget(world).state, world.record.source_version) == (State.CLEANED, None)
    assert world.store.body(SOURCE) is None
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"newest"


# A: what our marker hid was removed for good
def _by_lifecycle(world: MigrationWorld) -> None:
    world.store.buckets.remove_version(SOURCE, world.record.source_version or "")


def _by_lifecycle_and_its_marker(world: MigrationWorld) -> None:
    _by_lifecycle(world)
    world.store.buckets.remove_version(SOURCE, world.record.marker_version or "")


@pytest.mark.parametrize("gone", [_by_lifecycle, _by_lifecycle_and_its_marker])
def test_a_source_whose_version_is_gone_is_copied_back(gone: Callable[[MigrationWorld], None]) -> None:
    """A lifecycle rule removes noncurrent versions, and then the marker that hides nothing any more."""
    world = migrated(b"bytes", versioned=True)
    clean(world)
    gone(world)
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"bytes"
    assert purge(world).state is State.PURGED
    assert world.store.body(SOURCE) == b"bytes"


@pytest.mark.parametrize("older", [b"older", b"newest"])
def test_an_older_version_that_came_up_is_neither_copied_nor_taken_for_the_source(older: bytes) -> None:
    """The owner removed the version under our marker for good; S3 tells of it with a delete event."""
    world = migrated(older, b"between", b"newest", versioned=True)
    clean(world)
    _by_lifecycle(world)
    assert world.migrate(removed(5)).state is State.CLEANED
    assert world.store.body(TARGET) == b"newest"
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"newest"


def _an_older_version_came_up() -> MigrationWorld:
    world = migrated(b"older", b"newest", versioned=True)
    clean(world)
    _by_lifecycle_and_its_marker(world)
    assert world.migrate(removed(5)).cause is Cause.OLDER_VERSION_CAME_UP
    return world


def test_what_is_put_after_an_older_version_came_up_takes_the_place_of_the_copy() -> None:
    """The conflict does not make the copy another writer's, however often the older version is looked at."""
    world = _an_older_version_came_up()
    world.clock.advance(100)
    assert world.migrate(listed(b"older")).cause is Cause.OLDER_VERSION_CAME_UP
    world.store.put(SOURCE, b"new")
    assert world.migrate(created(b"new", 6)).state is State.COPIED
    assert world.store.body(TARGET) == b"new"


def test_an_operator_may_take_the_older_version_that_came_up() -> None:
    """The copy is keyshift's own: its etag need not be named."""
    world = _an_older_version_came_up()
    seen = Conflict(world.record, world.store.look_at_object(SOURCE), world.store.look_at_object(TARGET))
    assert why_not_taken(seen, replacing=None) is None
    assert world.manifest.write_record(take_source(seen, by="ops", why="wanted", now=1.0), before=world.record)
    assert world.migrate(listed(b"older")).state is State.COPIED
    assert world.store.body(TARGET) == b"older"


def test_a_purge_keeps_the_copy_while_the_source_is_an_older_version() -> None:
    """An owner removed the version that the rollback had uncovered; the copy is the only one of the newest bytes."""
    world = migrated(b"older", b"newest", versioned=True)
    clean(world)
    roll_back(world)
    _by_lifecycle(world)
    assert world.store.body(SOURCE) == b"older"
    assert purge(world).state is State.ROLLBACK_CONFLICT
    assert world.store.body(TARGET) == b"newest"


@pytest.mark.parametrize("older", [(), (b"older",)])
def test_a_lifecycle_rule_that_is_quicker_than_the_rollback_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, older: tuple[bytes, ...]
) -> None:
    """The version goes between the look at the marker and its delete: what comes up is not taken for the source."""
    world = migrated(*older, b"newest", versioned=True)
    clean(world)
    real = world.store.remove_delete_marker

    def remove_delete_marker(*arguments: object, **named: object) -> None:
        _by_lifecycle(world)
        real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(world.store, "remove_delete_marker", remove_delete_marker)
    assert roll_back(world).state is (State.ROLLBACK_CONFLICT if older else State.ROLLED_BACK)
    assert world.store.body(SOURCE if not older else TARGET) == b"newest"


# M: what its owner deleted after our cleanup
def test_an_owners_delete_after_a_cleanup_of_versions_stands() -> None:
    """His marker lies on ours, though nothing is left below."""
    world = migrated(b"bytes", versioned=True)
    clean(world)
    forget(world)
    world.store.put(SOURCE, b"again")
    world.store.remove(SOURCE)
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) is None


def _lose_the_answer_of_cleanup(world: MigrationWorld) -> None:
    with unanswered(world, "delete_object"):
        clean(world)
    world.clock.advance(1_000)


def test_an_owners_delete_after_a_cleanup_without_an_answer_stands() -> None:
    """The marker's id is unknown, but below it lies what the owner wrote after our copy."""
    world = migrated(b"bytes", versioned=True)
    _lose_the_answer_of_cleanup(world)
    world.store.put(SOURCE, b"later")
    world.store.remove(SOURCE)
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) is None


def test_a_cleanup_that_is_gone_on_with_learns_its_marker() -> None:
    """From then on another marker on top is the owner's delete."""
    world = migrated(b"bytes", versioned=True)
    _lose_the_answer_of_cleanup(world)
    assert clean(world).state is State.CLEANED
    assert world.record.marker_version is not None
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"bytes"


def test_an_event_of_our_own_delete_without_an_answer_teaches_its_marker() -> None:
    """The marker of an owner who deletes the emptied key after that is his, and a rollback leaves it."""
    world = migrated(b"bytes", versioned=True)
    _lose_the_answer_of_cleanup(world)
    assert world.migrate(removed(2)).state is State.CLEANED
    ours = present(world.record.marker_version)
    world.store.remove(SOURCE)
    assert world.migrate(removed(3)).state is State.CLEANED
    assert world.record.marker_version == ours
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) is None


def test_a_cleanup_that_finds_an_owners_delete_on_top_is_not_its_own() -> None:
    """His delete is followed like any other."""
    world = migrated(b"bytes", versioned=True)
    _lose_the_answer_of_cleanup(world)
    world.store.put(SOURCE, b"later")
    world.store.remove(SOURCE)
    assert clean(world).state is State.GONE
    assert world.migrate(removed(9)).state is State.TOMBSTONE
    assert world.store.body(TARGET) is None


def test_a_mirrored_delete_without_an_answer_after_a_cleanup_is_not_another_writers() -> None:
    """A producer wrote and deleted the key after the cleanup: the next object is copied, without a conflict."""
    world = migrated(b"bytes", versioned=True)
    clean(world)
    world.store.put(SOURCE, b"later")
    world.store.remove(SOURCE)
    with unanswered(world, "delete_object"):
        world.migrate(removed(3))
    world.clock.advance(1_000)
    assert world.store.body(TARGET) is None
    assert world.migrate(removed(3)).state is State.TOMBSTONE
    world.store.put(SOURCE, b"newest")
    assert world.migrate(created(b"newest", 4)).state is State.COPIED
    assert world.store.body(TARGET) == b"newest"


def test_an_adopted_object_that_is_put_again_seconds_later_is_another_writers() -> None:
    """S3's date of what was read tells, without the margin of the clocks that a copy of keyshift's needs."""
    world = holding()
    world.store.put(TARGET, b"bytes")
    assert world.migrate(listed(b"bytes")).state is State.COPIED
    assert world.record.origin is Origin.ADOPTED
    world.clock.advance(2)
    world.store.put(TARGET, b"bytes", metadata={"theirs": "yes"})
    world.store.put(SOURCE, b"newer")
    assert world.migrate(created(b"newer", 2)).state is State.CONFLICT
    assert world.store.body(TARGET) == b"bytes"


# K: what a copy must be told of
HELD = Lock(legal_hold=True)
KEY = Encryption("aws:kms", "the owner's key")


@pytest.mark.parametrize(("lock", "encryption"), [(HELD, Encryption()), (Lock(), KEY)])
def test_a_row_that_does_not_rule_out_lock_and_key_is_looked_at(lock: Lock, encryption: Encryption) -> None:
    """A listing names the class alone, and a copy inherits neither."""
    world = MigrationWorld(locks=True)
    world.store.put(SOURCE, b"bytes", lock=lock, encryption=encryption)
    source = present(world.store.look_at_object(SOURCE))
    row = replace(listed(b"bytes"), etag=source.etag, is_plain=False)
    assert world.migrate(row).state is State.COPIED
    seen = present(world.store.look_at_object(TARGET))
    assert (seen.lock, seen.encryption) == (source.lock, source.encryption)


@pytest.mark.parametrize("change", ["storage_class", "lock"])
def test_a_copy_that_lacks_what_the_source_has_is_made_again(change: str) -> None:
    """A row that was older than a transition or a hold: verification finds it, and another look repairs it."""
    world = MigrationWorld(locks=True)
    world.store.put(SOURCE, b"bytes")
    world.migrate(listed(b"bytes"))
    world.change(SOURCE, **({"storage_class": "STANDARD_IA"} if change == "storage_class" else {"lock": HELD}))
    source, target = (world.store.look_at_object(place, with_tags=True) for place in (SOURCE, TARGET))
    found = judge(world.record, Sides(source, target), now=world.clock.now()).differences
    assert found
    assert REPAIRABLE.issuperset(found)
    assert world.migrate(Notice(NoticeKind.LISTED, SOURCE)).state is State.COPIED
    source, target = (world.store.look_at_object(place, with_tags=True) for place in (SOURCE, TARGET))
    assert judge(world.record, Sides(source, target), now=world.clock.now()).differences == ()


def test_a_source_that_was_archived_since_leaves_its_copy_as_it_is() -> None:
    """Its class cannot be copied, and the copy is not parked over it."""
    world = migrated(b"bytes")
    world.change(SOURCE, storage_class="GLACIER")
    assert world.migrate(Notice(NoticeKind.LISTED, SOURCE)).state is State.COPIED


def test_a_target_that_is_locked_longer_carries_the_lock() -> None:
    """The target bucket's default retention is not a loss."""
    until, later = "2030-01-01T00:00:00+00:00", "2031-01-01T00:00:00+00:00"
    now = 1_790_000_000.0
    assert Lock().is_kept_by(Lock("GOVERNANCE", until), now)
    assert Lock("GOVERNANCE", until).is_kept_by(Lock("COMPLIANCE", later), now)
    assert not Lock("COMPLIANCE", until).is_kept_by(Lock("GOVERNANCE", later), now)
    assert not Lock("GOVERNANCE", later).is_kept_by(Lock("GOVERNANCE", until), now)
    assert not Lock(legal_hold=True).is_kept_by(Lock("COMPLIANCE", later), now)
    assert Lock("COMPLIANCE", "2020-01-01T00:00:00+00:00").is_kept_by(Lock(), now)


# G and E: what nothing can recognise
def test_copies_in_parts_that_break_off_leave_no_growing_record() -> None:
    """A large object is overwritten faster than it is copied."""
    world = MigrationWorld()
    for order in range(1, 13):
        world.store.put(SOURCE, LARGE[:-1] + bytes([order]))
        with unanswered(world, "copy_parts", when="before"):
            world.migrate(created(LARGE[:-1] + bytes([order]), order))
        world.clock.advance(1_000)
    assert len(world.record.maybe) <= 2


def test_a_conflict_over_a_copy_that_nothing_can_recognise_says_so() -> None:
    """An encrypted target, and a source without a checksum: it may be another writer's or keyshift's own."""
    world = holding()
    encrypted = replace(POLICY, encrypts_targets=lambda: True)
    real = world.store.look_at_object
    world.store.look_at_object = lambda *a, **n: (  # type: ignore[method-assign]
        (seen := real(*a, **n)) and replace(seen, checksums={}, full_checksums=False)
    )
    with unanswered(world, "complete_upload"):
        world.migrate(created(b"bytes"), policy=encrypted)
    world.clock.advance(1_000)
    world.store.put(SOURCE, b"newer")
    assert world.migrate(created(b"newer", 2), policy=encrypted).state is State.CONFLICT
    assert world.record.cause == Cause.TARGET_IN_DOUBT


def test_a_copy_without_an_answer_is_made_again_if_it_lacks_the_sources_class_by_now() -> None:
    """A lifecycle rule changed the class of the source before the next attempt found the copy."""
    world = holding()
    with unanswered(world, "copy_object"):
        world.migrate(listed(b"bytes"))
    world.clock.advance(1_000)
    source = present(world.store.buckets.current(SOURCE))
    world.store.buckets.change(SOURCE, source, storage_class="STANDARD_IA")
    assert world.migrate(replace(listed(b"bytes"), storage_class="STANDARD_IA")).state is State.COPIED
    target = present(world.store.look_at_object(TARGET))
    assert target.storage_class == "STANDARD_IA"


# V: version ids
def test_versioning_that_was_switched_on_after_the_copy_changes_nothing() -> None:
    """S3 names what was there before ``null`` from then on."""
    world = migrated(b"bytes")
    world.store.buckets.set_versioning("line", Versioning.ENABLED)
    source, target = (world.store.look_at_object(place, with_tags=True) for place in (SOURCE, TARGET))
    assert source is not None
    assert source.version_id == "null"
    assert judge(world.record, Sides(source, target), now=world.clock.now()).verified
    assert clean(world).state is State.CLEANED
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"bytes"


def test_a_server_that_does_not_tell_the_version_it_read_shuts_no_gate() -> None:
    """SeaweedFS copies without naming the source's version; cleanup learns it before it deletes."""
    world = migrated(b"bytes", versioned=True)
    world.edit(source_version=None)
    source, target = (world.store.look_at_object(place, with_tags=True) for place in (SOURCE, TARGET))
    assert judge(world.record, Sides(source, target), now=world.clock.now()).verified
    assert clean(world).state is State.CLEANED
    assert world.record.source_version is not None
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"bytes"


def test_a_version_put_again_with_other_metadata_is_still_another_one() -> None:
    """Where both ids are known they decide."""
    world = migrated(b"bytes", versioned=True)
    world.store.put(SOURCE, b"bytes", metadata={"new": "words"})
    assert clean(world).reason == "the source has changed since it was copied"


# B1: a purge whose answer was lost
def test_a_purge_without_an_answer_is_neither_done_nor_a_rollback_that_must_finish() -> None:
    """Its claim stands until its request cannot take effect any more, and then it is purged."""
    world = migrated(b"bytes")
    roll_back(world)
    with unanswered(world, "delete_object", when="before"):
        purge(world)
    again = purge_copy(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    assert (again.verdict, "another purge" in again.reason) == (Verdict.RETURN, True)
    assert purge(world).state is State.PURGED
    assert world.store.body(TARGET) is None


@pytest.mark.parametrize(
    ("row", "plain"),
    [
        ({"encryption_status": "SSE-S3"}, True),
        ({"encryption_status": "NOT-SSE"}, True),
        ({"encryption_status": "SSE-KMS"}, False),
        ({"encryption_status": "DSSE-KMS"}, False),
        ({"encryption_status": ""}, False),
        ({"encryption_status": "SSE-S3", "object_lock_mode": "GOVERNANCE"}, False),
        ({"encryption_status": "SSE-S3", "object_lock_legal_hold_status": "On"}, False),
        ({"encryption_status": "SSE-S3", "object_lock_legal_hold_status": "Off"}, True),
        ({"encryption_status": "SSE-S3", "object_lock_retain_until_date": "2030-01-01"}, False),
    ],
)
def test_an_inventory_rules_out_lock_and_key_only_by_its_columns(row: dict[str, str], *, plain: bool) -> None:
    """Each column must be there and say so; an inventory without them rules nothing out."""
    columns = dict.fromkeys(("object_lock_mode", "object_lock_retain_until_date", "object_lock_legal_hold_status"), "")
    assert rules_out_lock_and_key(columns | row) is plain
    assert not rules_out_lock_and_key(row)
