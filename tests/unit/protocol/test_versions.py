"""``versions: all``: the target gets the whole history of its source, in order, once, whatever interrupts it."""

from contextlib import suppress

import pytest

from domain.errors import TransientError, UnavailableError
from domain.protocol.attempt import Verdict
from domain.protocol.causes import Cause
from domain.protocol.record import Origin, State
from tests.fakes.faults import Moment, ScriptedFaults
from tests.worlds.history import DELETED, HistoryWorld
from tests.worlds.migration import BARE_ROW, SOURCE, TARGET, created, listed, removed


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


def test_another_writers_object_between_two_versions_ends_it() -> None:
    """The next step has the condition of the one before."""
    world = HistoryWorld(b"a", b"b", b"c")

    def write_between(call: str) -> None:
        if call == "copy_object" and world.history(TARGET) == [b"a"]:
            world.store.put(TARGET, b"theirs")

    world.watched.before = write_between
    assert world.migrate(created(b"c", 3)).state is State.CONFLICT
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
