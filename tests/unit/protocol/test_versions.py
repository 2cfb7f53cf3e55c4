"""``versions: all``: the target gets the whole history of its source, in order, once, whatever interrupts it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from unittest.mock import Mock

import pytest

from domain.errors import TransientError, UnavailableError
from domain.keys import Location
from domain.protocol.attempt import Verdict
from domain.protocol.causes import Cause
from domain.protocol.intents import Action, Intent
from domain.protocol.ports import StoredVersion
from domain.protocol.record import Origin, Record, State
from domain.protocol.seen_parts import SeenParts
from tests.fakes.faults import Moment, ScriptedFaults
from tests.worlds.history import DELETED, HistoryWorld
from tests.worlds.migration import BARE_ROW, LARGE, POLICY, SHORT, SOURCE, TARGET, created, listed, removed


def test_every_version_is_carried_in_order() -> None:
    """Two older versions, a delete between them, and the current one, with the metadata of each."""
    world = HistoryWorld(b"a", b"b", DELETED, b"c")
    outcome = world.migrate(created(b"c", 4))
    assert (outcome.verdict, outcome.state) == (Verdict.DONE, State.COPIED)
    assert world.history(TARGET) == [b"a", b"b", DELETED, b"c"]
    kept = world.store.buckets.bucket("line").versions[TARGET.key]
    assert [one.state.metadata["body"] for one in kept if one.state is not None] == ["a", "b", "c"]
    record = world.record
    source = world.store.look_at_object(SOURCE)
    assert source is not None
    assert (record.source_version, record.origin, record.is_unfinished) == (source.version_id, Origin.CREATED, False)


def test_a_later_event_carries_what_came_between() -> None:
    """Events may be lost or late: the versions that no attempt saw are not left out."""
    world = HistoryWorld(b"a")
    world.settle()
    world.write(b"b", DELETED, b"c", b"d")
    world.migrate(created(b"d", 5))
    assert world.history(TARGET) == [b"a", b"b", DELETED, b"c", b"d"]


def test_equal_bytes_are_versions_of_their_own() -> None:
    """The same object put twice, and put again later, is as often at the target."""
    world = HistoryWorld(b"a", b"a", b"b", b"a", b"a")
    world.settle()
    assert world.history(TARGET) == [b"a", b"a", b"b", b"a", b"a"]
    world.write(b"a")
    world.settle()
    assert world.history(TARGET)[-2:] == [b"a", b"a"]
    assert len(world.history(TARGET)) == 6


def test_a_deleted_key_keeps_its_history_and_ends_under_a_marker() -> None:
    """A row of a key whose producer has deleted it: what lies under the marker goes along."""
    world = HistoryWorld(b"a", b"b", DELETED)
    outcome = world.settle()
    assert world.history(TARGET) == [b"a", b"b", DELETED]
    assert outcome.state is State.TOMBSTONE
    world.settle()
    world.settle(removed(9))
    assert world.history(TARGET) == [b"a", b"b", DELETED]


def test_markers_that_hide_nothing_are_left_out() -> None:
    """One at the begin, and the second of two in a row."""
    world = HistoryWorld(DELETED, b"a", DELETED, DELETED, b"b")
    world.settle()
    assert world.history(TARGET) == [b"a", DELETED, b"b"]


def test_another_writers_object_is_not_overwritten_by_history() -> None:
    """It is a conflict before the first version."""
    world = HistoryWorld(b"a", b"b")
    world.store.put(TARGET, b"theirs")
    assert world.migrate(created(b"b", 2)).state is State.CONFLICT
    assert world.history(TARGET) == [b"theirs"]


@pytest.mark.parametrize("bodies", [(b"a", b"b", b"c"), (b"a", b"b", b"c", b"d")])
def test_another_writers_object_between_two_versions_ends_it(bodies: tuple[bytes, ...]) -> None:
    """The next step has the condition of the one before; the versions after a refused one wait for the next look."""
    world = HistoryWorld(*bodies)

    def write_between(call: str) -> None:
        if call == "copy_object" and world.history(TARGET) == [b"a"]:
            world.store.put(TARGET, b"theirs")

    world.watched.before = write_between
    assert world.migrate(created(bodies[-1], len(bodies))).state is State.CONFLICT
    assert world.history(TARGET) == [b"a", b"theirs"]


def test_what_an_operator_gives_up_is_replaced_and_not_hidden() -> None:
    """A delete between two versions was no delete of another writer's object."""
    world = HistoryWorld(b"a")
    world.settle()
    world.write(DELETED, b"b")
    theirs = world.store.put(TARGET, b"theirs")
    assert world.migrate(created(b"b", 3)).state is State.CONFLICT
    world.edit(replaceable_etag=theirs.etag)
    world.settle()
    assert world.history(TARGET) == [b"a", b"theirs", b"b"]


def test_an_adopted_object_is_left_as_it_is() -> None:
    """An equal object of another writer has its own history; the record says adopted, and verify names the rest."""
    world = HistoryWorld(b"a", b"b")
    world.store.put(TARGET, b"b", metadata={"body": "b"})
    world.migrate(created(b"b", 2))
    assert (world.record.state, world.record.origin) == (State.COPIED, Origin.ADOPTED)
    assert world.history(TARGET) == [b"b"]


def test_cleanups_own_marker_is_no_part_of_the_history() -> None:
    """The producer writes again after the cleanup."""
    world = HistoryWorld(b"a")
    world.settle()
    marker = world.store.remove(SOURCE)
    world.edit(state=State.CLEANED, marker_version=marker)
    world.settle()
    assert world.history(TARGET) == [b"a"]
    world.write(b"b")
    world.settle()
    assert world.history(TARGET) == [b"a", b"b"]
    world = HistoryWorld(b"a")
    world.settle()
    world.store.remove(SOURCE)
    world.edit(state=State.CLEANED)  # the marker's id was never answered
    world.write(b"b")
    world.settle()
    assert world.history(TARGET) == [b"a", b"b"]


def test_what_a_producer_puts_and_deletes_after_a_cleanup_is_carried_in_its_order() -> None:
    """Both before keyshift sees either: the version goes before the delete that is mirrored."""
    world = HistoryWorld(b"a")
    world.settle()
    marker = world.store.remove(SOURCE)
    world.edit(state=State.CLEANED, marker_version=marker)
    world.write(b"b", DELETED)
    world.settle(removed(4))
    assert world.history(TARGET) == [b"a", b"b", DELETED]
    world.write(b"c")
    world.settle()
    assert world.history(TARGET) == [b"a", b"b", DELETED, b"c"]


def test_the_same_put_again_after_a_cleanup_of_versions_is_a_version_of_its_own() -> None:
    """The record has forgotten the id of the version that is gone; its date tells."""
    world = HistoryWorld(b"a")
    world.settle()
    version = world.record.source_version
    marker = world.store.remove(SOURCE)
    world.store.destroy(SOURCE, str(version))
    world.edit(state=State.CLEANED, marker_version=marker, source_version=None)
    world.write(b"a")
    world.settle()
    assert world.history(TARGET) == [b"a", b"a"]
    world.settle()
    assert world.history(TARGET) == [b"a", b"a"]


def test_an_archived_version_parks_the_object_and_is_named() -> None:
    """Lifecycle rules archive noncurrent versions; what comes after one must wait for it."""
    world = HistoryWorld(b"a", b"b", b"c")
    second = world.store.buckets.bucket("line").versions[SOURCE.key][1]
    world.store.buckets.change(SOURCE, second, storage_class="GLACIER")
    outcome = world.migrate(created(b"c", 3))
    assert (outcome.state, outcome.cause) == (State.PARKED, Cause.ARCHIVED)
    assert world.record.cause_detail == second.version_id
    assert world.history(TARGET) == [b"a"]
    second = world.store.buckets.bucket("line").versions[SOURCE.key][1]
    world.store.buckets.change(SOURCE, second, restored=True)
    world.settle()
    assert world.history(TARGET) == [b"a", b"b", b"c"]


def test_a_version_that_a_lifecycle_rule_expires_meanwhile_is_left_out() -> None:
    """It is no part of the source's history any more."""
    world = HistoryWorld(b"a", b"b", b"c")
    gone = world.store.buckets.bucket("line").versions[SOURCE.key][1]

    def expire(call: str) -> None:
        if call == "copy_object" and gone.version_id is not None:
            world.store.destroy(SOURCE, gone.version_id)

    world.watched.before = expire
    world.settle()
    assert world.history(TARGET) == [b"a", b"c"]


def test_a_carried_version_that_was_deleted_since_does_not_begin_the_history_anew() -> None:
    """Noncurrent versions expire: what is dated after the copied one is what is left to carry."""
    world = HistoryWorld(b"a", b"b")
    world.settle()
    world.write(b"c", b"d")
    first, second = world.store.buckets.bucket("line").versions[SOURCE.key][:2]
    for gone in (first, second):
        assert gone.version_id is not None
        world.store.destroy(SOURCE, gone.version_id)
    world.settle()
    assert world.history(TARGET) == [b"a", b"b", b"c", b"d"]


def test_a_long_history_is_handed_on() -> None:
    """An attempt whose time is over says how many versions are left; the next one goes on after the last."""
    world = HistoryWorld(*(str(number).encode() for number in range(9)))
    world.watched.after = lambda call: world.clock.advance(18 if call == "copy_object" else 0)
    outcome = world.migrate(created(b"8", 9))
    assert (outcome.verdict, outcome.cause, outcome.detail) == (Verdict.CONTINUE, Cause.VERSIONS_LEFT, "4")
    assert world.record.claim is None
    world.settle()
    assert world.history(TARGET) == world.history(SOURCE)


def test_a_row_of_the_same_bytes_does_not_end_an_unfinished_history() -> None:
    """The record names the first version then, whose etag is the row's: only what is left tells that it goes on."""
    world = HistoryWorld(b"a", b"b", b"a")
    world.watched.after = lambda call: world.clock.advance(58 if call == "copy_object" else 0)
    row = listed(b"a")
    assert world.migrate(row).verdict is Verdict.CONTINUE
    assert world.history(TARGET) == [b"a"]
    world.watched.after = lambda _: None
    world.migrate(row)
    assert world.history(TARGET) == [b"a", b"b", b"a"]


@pytest.mark.parametrize("place", ["store", "manifest"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("bodies", [(b"a", b"a", DELETED, b"a", b"b"), (b"a", b"b", DELETED)])
def test_an_answer_that_is_lost_at_any_call_changes_nothing(
    bodies: tuple[bytes | None, ...], when: Moment, place: str
) -> None:
    """Each call of the store and of the manifest fails once, before and after its effect."""
    for at in range(60):
        world = HistoryWorld(*bodies)
        port: ScriptedFaults = world.store if place == "store" else world.manifest
        port.fail_nth(at, UnavailableError("no answer"), when=when)
        with suppress(TransientError):
            world.migrate(BARE_ROW)
        if len(port.calls) <= at:
            break
        world.settle()
        assert world.history(TARGET) == list(bodies), at
        assert not world.record.is_unfinished
    assert at > 6


def test_an_attempt_with_little_time_carries_a_version_all_the_same() -> None:
    """Otherwise it would be handed on again and again: each attempt at a small object may be that short."""
    world = HistoryWorld(b"a", b"b", b"c")
    for carried in ([b"a"], [b"a", b"b", b"c"]):
        world.migrate(BARE_ROW, limit=1.0)
        assert world.history(TARGET) == carried


def test_a_version_in_parts_is_handed_on_in_its_middle() -> None:
    """The attempt ends there; the next one finishes the same upload, and then the versions after it."""
    world = HistoryWorld(b"a")
    world.clock.advance(1)
    world.store.put(SOURCE, LARGE, metadata={"body": "large"}, tags={"t": "1"})
    world.write(b"c")
    world.watched.after = lambda call: world.clock.advance(58 if call == "copy_parts" else 0)
    outcome = world.migrate(BARE_ROW, policy=SHORT)
    assert (outcome.verdict, outcome.cause, outcome.detail) == (Verdict.CONTINUE, Cause.VERSIONS_LEFT, "1")
    assert world.history(TARGET) == [b"a"]
    assert world.record.upload is not None
    world.watched.after = lambda _: None
    world.settle()
    assert world.history(TARGET) == [b"a", LARGE, b"c"]
    (large,) = [one for one in world.store.buckets.bucket("line").versions[TARGET.key] if one.body == LARGE]
    assert large.state is not None
    assert large.state.tags == {"t": "1"}
    assert not world.store.uploads


def test_a_delete_between_two_versions_leaves_nothing_of_the_copy_before_it() -> None:
    """Neither what was seen of it, nor an upload for it; the copy after it is keyshift's own and not verified."""
    world = HistoryWorld(b"a")
    world.settle()
    world.edit(origin=Origin.ADOPTED, verified_at=5.0, seen=SeenParts(metadata=1))
    world.leave_upload()
    world.write(DELETED, b"b", b"c")
    told: list[Record] = []
    world.watched.before = lambda call: told.append(world.record) if call == "copy_object" else None
    assert world.migrate(created(b"c", 4), policy=replace(POLICY, mirror_adopted=True)).state is State.COPIED
    assert world.history(TARGET) == [b"a", DELETED, b"b", b"c"]
    hidden, carried = told
    assert hidden.state is State.TOMBSTONE
    assert (hidden.source_etag, hidden.target_etag, hidden.origin, hidden.verified_at) == (None, None, None, None)
    assert (carried.origin, carried.verified_at, carried.seen) == (Origin.CREATED, None, None)
    assert not world.store.uploads


def test_a_version_carried_after_an_adopted_one_is_keyshifts_and_not_verified() -> None:
    """What a verification saw was the copy before it."""
    world = HistoryWorld(b"a")
    world.settle()
    world.edit(origin=Origin.ADOPTED, verified_at=5.0, seen=SeenParts(metadata=1))
    world.write(b"b", b"c")
    told: list[Record] = []
    world.watched.before = lambda call: told.append(world.record) if call == "copy_object" else None
    world.migrate(created(b"c", 3))
    assert [(one.origin, one.verified_at, one.seen) for one in told[1:]] == [(Origin.CREATED, None, None)]


def test_a_delete_of_a_version_that_was_deleted_for_good_meanwhile_hides_nothing() -> None:
    """The marker after it has nothing to hide; the attempt goes on with the version after it."""
    world = HistoryWorld(b"a", DELETED, b"b", b"c")
    gone = world.store.buckets.bucket("line").versions[SOURCE.key][0].version_id

    looks: list[str] = []

    def expire(call: str) -> None:
        looks.append(call)
        if len(looks) > 2 and call == "look_at_object" and gone is not None:
            world.store.destroy(SOURCE, gone)

    world.watched.before = expire
    world.migrate(created(b"c", 4))
    assert world.history(TARGET) == [b"b", b"c"]
    assert looks.count("list_versions") == 2


def test_a_copy_that_is_recorded_is_not_recorded_again() -> None:
    """Each step has its own writes: the claim, one before and one after the copy of each version, and the last."""
    world = HistoryWorld(b"a")
    world.settle()
    world.write(b"b", b"c")
    world.manifest.calls.clear()
    world.migrate(created(b"c", 3))
    assert world.manifest.calls == ["claim_record", *["write_record"] * 4]


def test_a_copy_that_was_refused_and_may_exist_is_not_recorded_as_keyshifts() -> None:
    """It may be another writer's, of the same bytes; a later version may replace it, and the record says only that."""
    world = HistoryWorld(b"a", b"b", b"c")
    theirs = world.store.put(TARGET, b"a", metadata={"body": "a"})
    first = str(world.store.buckets.bucket("line").versions[SOURCE.key][0].version_id)
    refused = Intent(Action.COPY, theirs.etag, first, target_etag=theirs.etag, is_refused=True)
    world.manifest.records[SOURCE.record_id] = Record(SOURCE, TARGET, rule="r", maybe=frozenset({refused}))
    told: list[Record] = []
    world.watched.before = lambda call: told.append(world.record) if call == "copy_object" else None
    world.migrate(created(b"c", 3))
    assert (told[0].state, told[0].target_etag) == (State.NEW, None)
    assert world.history(TARGET) == [b"a", b"b", b"c"]


def test_the_same_bytes_put_again_during_the_copy_are_a_version_of_their_own() -> None:
    """The copy reads the version that was seen; the other one goes after it."""
    world = HistoryWorld(b"a")

    def put_again(call: str) -> None:
        if call == "copy_object" and world.history(SOURCE) == [b"a"]:
            world.write(b"a")

    world.watched.before = put_again
    world.migrate(created(b"a", 1))
    world.settle()
    assert world.history(TARGET) == world.history(SOURCE) == [b"a", b"a"]


def test_versions_are_listed_from_the_carried_one_unless_something_is_unsettled() -> None:
    """A long history is not read again for each event; after an attempt without an end it is."""
    world = HistoryWorld(b"a", b"b")
    asked: list[str | None] = []
    list_versions = world.store.list_versions

    def listing(location: Location, *, since: str | None = None) -> Sequence[StoredVersion]:
        asked.append(since)
        return list_versions(location, since=since)

    world.ports = replace(world.ports, history=Mock(list_versions=listing))
    world.settle()
    carried = world.record.source_version
    world.write(b"c", b"d", b"e")
    world.watched.after = lambda call: world.clock.advance(58 if call == "copy_object" else 0)
    asked.clear()
    assert world.migrate(BARE_ROW).verdict is Verdict.CONTINUE
    assert world.record.maybe
    world.migrate(BARE_ROW)
    assert asked[:2] == [carried, None]
