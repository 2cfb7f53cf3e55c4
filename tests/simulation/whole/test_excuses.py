"""The judge itself: what it finds, and for each excuse the case that it excuses beside one that it does not."""

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.objects import Encryption, Lock
from domain.protocol.record import Mode, Record, State
from tests.fakes.bucket_lifecycle import LifecycleRule
from tests.fakes.buckets import Versioning
from tests.simulation.whole import excuses
from tests.simulation.whole.claims import Claims
from tests.simulation.whole.history import Writer
from tests.simulation.whole.losses import losses
from tests.worlds.judged import JUDGED_SOURCE, JUDGED_TARGET, JudgedWorld


def copied(*, versioned: bool = False, versioned_target: bool = False) -> JudgedWorld:
    """The owner has put, keyshift has copied."""
    world = JudgedWorld(versioned=versioned, versioned_target=versioned_target)
    world.owner_puts(b"a")
    world.copy()
    return world


def test_a_key_that_is_copied_and_cleaned_is_right() -> None:
    """Nothing is broken, at rest neither, and no excuse is needed."""
    world = copied()
    world.clean()
    assert not world.broken(at_rest=True)
    assert not world.used()


@pytest.mark.parametrize("versioned_target", [False, True])
def test_an_adopted_object_is_foreign_to_a_delete(versioned_target: bool) -> None:
    """A producer wrote both keys: a mirrored delete of what he put at the target breaks I2b."""
    world = JudgedWorld(versioned_target=versioned_target)
    world.owner_puts(b"a")
    world.stranger_puts(b"a")
    world.owner_deletes()
    world.delete(JUDGED_TARGET)
    assert world.broken() == ["I2b"]


def test_equal_bytes_over_the_copy_are_told_apart_by_versions_and_dates() -> None:
    """Only without versions, and while the attempt goes on or its clock may be wrong, nobody can tell."""
    for versioned_target, seconds, wanted in ((False, 5, []), (False, 1_000, ["I2b"]), (True, 5, ["I2b"])):
        world = copied(versioned_target=versioned_target)
        world.clock.advance(seconds)
        world.stranger_puts(b"a", "other")
        world.owner_puts(b"b")
        world.copy()
        assert world.broken() == wanted
        assert world.used() == (set() if wanted else {excuses.SAME_BYTES_AGAIN})


def test_equal_bytes_over_what_was_adopted_are_told_apart_in_the_same_way() -> None:
    """A worker adopts what a stranger put; the next equal object may come at once, or long after."""
    for seconds, wanted in ((5, []), (1_000, ["I2b"])):
        world = JudgedWorld()
        world.owner_puts(b"a")
        world.stranger_puts(b"a")
        world.clock.advance(500)
        world.truth.doubts.asks("worker", world.key)
        world.look("worker")
        world.truth.doubts.answered("worker", "write_record")
        world.truth.doubts.asks("worker", None)
        world.clock.advance(seconds)
        world.stranger_puts(b"a", "other")
        world.owner_puts(b"b")
        world.copy()
        assert world.broken() == wanted
        assert world.used() == (set() if wanted else {excuses.SAME_BYTES_AGAIN})


def test_a_rewriting_of_an_adopted_manifest_does_not_make_it_keyshifts() -> None:
    """What a stranger put stays his when only its references are switched, and outlives its source."""
    for is_adopted, wanted in ((True, []), (False, ["I7"])):
        world = JudgedWorld()
        world.owner_puts(b"a")
        if is_adopted:
            world.stranger_puts(b"a")
        else:
            world.copy()
        before = world.there(JUDGED_TARGET)
        world.store.put(JUDGED_TARGET, b"a", metadata={"put": "m"})
        world.truth.rewritten(world.key, world.there(JUDGED_TARGET), before)
        world.owner_deletes()
        assert world.broken(at_rest=True) == wanted


def test_a_copy_in_doubt_may_be_a_strangers_object() -> None:
    """A worker died over the key: equal bytes at the target count as its copy, other bytes never do."""
    for body, wanted in ((b"a", []), (b"x", ["I2b"])):
        world = JudgedWorld()
        world.owner_puts(b"a")
        world.truth.doubts.asks("worker", world.key)
        world.truth.doubts.answered("worker", "claim_record")
        world.truth.doubts.died("worker", "copy_object", JUDGED_TARGET)
        world.stranger_puts(body, "other")
        world.owner_puts(b"b")
        world.copy()
        assert world.broken() == wanted
        assert world.used() == (set() if wanted else {excuses.COPY_IN_DOUBT})


@pytest.mark.parametrize(("seconds", "expected"), [(1.0, []), (100.0, ["I2b"])])
def test_a_copy_in_doubt_is_no_excuse_for_what_was_there_long_before(seconds: float, expected: list[str]) -> None:
    """S3's dates tell what a producer put before the claim, but for the margin of the clocks."""
    world = JudgedWorld()
    world.owner_puts(b"a")
    world.stranger_puts(b"a", "other")
    world.clock.advance(seconds)
    world.truth.doubts.asks("worker", world.key)
    world.truth.doubts.answered("worker", "claim_record")
    world.truth.doubts.died("worker", "copy_object", JUDGED_TARGET)
    world.truth.look_for_doubts(JUDGED_TARGET)
    world.owner_deletes()
    world.delete(JUDGED_TARGET)
    assert world.broken() == expected


def test_a_claim_that_is_taken_over_leaves_its_copy_in_doubt() -> None:
    """A worker that is stopped has not died, and may have copied."""
    world = JudgedWorld()
    world.owner_puts(b"a")
    world.truth.doubts.asks("worker", world.key)
    world.truth.doubts.answered("worker", "claim_record")
    world.clock.advance(100.0)
    world.stranger_puts(b"a", "other")
    world.truth.doubts.asks("another", world.key)
    world.truth.doubts.claimed("another", world.key)
    world.truth.look_for_doubts(JUDGED_TARGET)
    world.owner_deletes()
    world.delete(JUDGED_TARGET)
    assert world.broken() == []
    assert world.used() == {excuses.COPY_IN_DOUBT}


def test_a_worker_that_is_stopped_over_a_copy_leaves_the_same_doubt() -> None:
    """Its claim ends meanwhile; a request that is answered at once leaves none."""
    for seconds, wanted in ((100, []), (1, ["I2b"])):
        world = JudgedWorld()
        world.owner_puts(b"a")
        world.truth.doubts.asks("worker", world.key)
        world.stranger_puts(b"a", "other")
        world.clock.advance(seconds)
        world.truth.doubts.refused("worker", "copy_object")
        world.clock.advance(100)
        world.owner_puts(b"b")
        world.truth.doubts.asks("worker", None)
        world.copy()
        assert world.broken() == wanted
        assert world.used() == (set() if wanted else {excuses.COPY_IN_DOUBT})


def test_a_refused_copy_never_excuses_a_delete() -> None:
    """Over equal bytes that were there when S3 refused the copy a newer word may go, a delete may not take them."""
    for deletes in (False, True):
        world = JudgedWorld()
        world.owner_puts(b"a")
        world.stranger_puts(b"a", "other")
        world.truth.refused(JUDGED_TARGET, was_done=False)
        if deletes:
            world.owner_deletes()
            world.delete(JUDGED_TARGET)
        else:
            world.owner_puts(b"b")
            world.copy()
        assert world.broken() == (["I2b"] if deletes else [])


def test_the_owners_delete_is_followed() -> None:
    """A copy that outlives its source is I7, unless cleanup's own delete was in doubt, or S3 never told."""
    world = copied()
    world.owner_deletes()
    assert world.broken(at_rest=True) == ["I7"]
    world = copied()
    world.cleanup_dies()
    world.owner_deletes()
    assert not world.broken(at_rest=True)
    assert world.used() == {excuses.DELETE_IN_DOUBT}
    world = copied()
    world.key.lost_deletes = True
    world.owner_deletes()
    assert not world.broken(at_rest=True)
    assert world.used() == {excuses.NOT_TOLD}


@pytest.mark.parametrize(("content", "expected"), [(b"a", []), (b"b", ["I7"])])
def test_the_same_bytes_put_again_are_in_the_same_doubt(content: bytes, expected: list[str]) -> None:
    """Cleanup's delete names an etag, so it may have hidden them; other bytes it cannot have hidden."""
    world = copied(versioned=True)
    world.cleanup_dies()
    world.owner_puts(content, "again")
    world.owner_deletes()
    assert world.broken(at_rest=True) == expected


def test_a_look_whose_answer_is_on_its_way_is_a_look() -> None:
    """An owner deletes after S3 read the key for cleanup, and before cleanup has the answer."""
    world = copied(versioned=True)
    world.truth.doubts.asks("cleanup", world.key)
    world.truth.doubts.shows("cleanup", JUDGED_SOURCE, world.there(JUDGED_SOURCE))
    world.owner_deletes()
    assert not world.broken(at_rest=True)
    assert world.used() == {excuses.DELETE_IN_DOUBT}


def test_a_cleanup_that_knows_it_did_nothing_leaves_no_doubt() -> None:
    """A throttled delete is not in doubt; nor is one that died, once another process has seen the source."""
    world = copied()
    world.truth.doubts.asks("cleanup", world.key)
    world.look("cleanup")
    world.truth.doubts.answered("cleanup", "write_record")
    world.truth.doubts.refused("cleanup", "delete_object")
    world.truth.doubts.answered("cleanup", "write_record")
    world.owner_deletes()
    assert world.broken(at_rest=True) == ["I7"]
    world = copied()
    world.cleanup_dies()
    world.clock.advance(100)
    world.truth.doubts.asks("worker", world.key)
    world.look("worker")
    world.truth.doubts.answered("worker", "write_record")
    world.owner_deletes()
    assert world.broken(at_rest=True) == ["I7"]


def test_a_delete_in_doubt_is_about_one_version() -> None:
    """What the owner put since then, where versions are kept, only he can have deleted."""
    world = copied(versioned=True)
    world.cleanup_dies()
    world.owner_puts(b"b")
    world.owner_deletes()
    world.copy_back()
    assert world.broken() == ["I6"]


def test_an_owners_delete_after_cleanup_shows_by_its_marker() -> None:
    """With versions rollback must not restore it; without, his delete leaves no trace, or a rule takes its marker."""
    for versioned, is_expired, wanted in ((True, False, ["I6"]), (False, False, []), (True, True, [])):
        world = copied(versioned=versioned)
        world.clean()
        world.owner_deletes()
        if is_expired:
            marker = world.store.buckets.top(JUDGED_SOURCE)
            assert marker is not None
            world.owner_erases(marker.version_id or "", by=Writer.RULE)
        world.copy_back()
        assert world.broken() == wanted


def test_a_put_and_a_delete_after_cleanup_show_by_their_versions() -> None:
    """Without versions nobody can tell that the owner put and deleted again, with them he is to be followed."""
    for versioned, wanted in ((True, ["I7"]), (False, [])):
        world = copied(versioned=versioned)
        world.clean()
        world.owner_puts(b"b")
        world.owner_deletes()
        assert world.broken(at_rest=True) == wanted
        assert world.used() == (set() if wanted else {excuses.PUT_AFTER_CLEANUP})


def test_a_put_after_cleanup_that_is_removed_by_its_id_shows_unless_its_id_is_null() -> None:
    """Where versioning is suspended it replaces keyshift's marker, and its removal leaves nothing."""
    for is_suspended, wanted in ((True, {excuses.PUT_AFTER_CLEANUP}), (False, set())):
        world = JudgedWorld(versioned=True)
        if is_suspended:
            world.store.set_versioning(JUDGED_SOURCE.bucket, Versioning.SUSPENDED)
        world.owner_puts(b"a")
        world.copy()
        world.clean()
        world.owner_puts(b"b")
        world.owner_erases(world.there(JUDGED_SOURCE).version_id or "")
        assert world.broken(at_rest=True) == []
        assert world.used() == wanted


def test_a_put_and_a_delete_after_cleanup_are_told_apart_by_a_copy_that_was_written_down() -> None:
    """What a worker copied in between, and could write down, ends the cleanup; a copy that it could not, does not."""
    for is_written, wanted in ((True, ["I7"]), (False, [])):
        world = copied()
        world.clean()
        world.owner_puts(b"b")
        world.truth.doubts.asks("worker", world.key)
        world.copy()
        world.look("worker")
        if not is_written:
            world.truth.doubts.refused("worker", "abort_upload")
        world.truth.doubts.answered("worker", "write_record")
        world.truth.doubts.asks("worker", None)
        world.owner_deletes()
        assert world.broken(at_rest=True) == wanted
        assert world.used() == (set() if wanted else {excuses.PUT_AFTER_CLEANUP})


def test_a_rule_that_takes_what_was_put_after_cleanup_leaves_no_trace_of_it() -> None:
    """Unless keyshift had copied it before: then the owner's delete is to be followed."""
    for is_copied, wanted in ((False, []), (True, ["I7"])):
        world = copied(versioned=True)
        world.clean()
        world.owner_puts(b"b")
        put = world.there(JUDGED_SOURCE)
        if is_copied:
            world.truth.doubts.asks("worker", world.key)
            world.copy()
            world.look("worker")
            world.truth.doubts.answered("worker", "write_record")
            world.truth.doubts.asks("worker", None)
        world.owner_deletes()
        world.owner_erases(put.version_id or "", by=Writer.RULE)
        assert world.broken(at_rest=True) == wanted
        assert world.used() == (set() if wanted else {excuses.MARKER_EXPIRED})


def test_an_equal_older_version_need_not_be_restored() -> None:
    """A cleanup under suspended versioning destroys what was put last; the stranger's object stays at the target."""
    for is_gone, wanted in ((True, []), (False, ["I6"])):
        world = JudgedWorld(versioned=True)
        world.owner_puts(b"a")
        world.owner_puts(b"b")
        world.owner_puts(b"a")
        world.copy()
        newest = world.there(JUDGED_SOURCE)
        world.clean()
        if is_gone:
            world.store.destroy(JUDGED_SOURCE, newest.version_id or "")
        world.stranger_puts(b"x")
        assert world.broken(rolled_back=True) == wanted


def test_a_copy_that_was_under_way_may_be_of_what_its_owner_then_erased() -> None:
    """A copy in parts cannot be conditional on its source; an older put never takes the place of a newer one (I2)."""
    world = copied(versioned=True)
    world.clean()
    world.owner_puts(b"b")
    erased = world.there(JUDGED_SOURCE)
    world.owner_erases(erased.version_id or "")
    before = world.there(JUDGED_TARGET)
    world.store.put(JUDGED_TARGET, b"b", metadata={"put": "m"})
    world.truth.written(JUDGED_TARGET, erased, before, by="worker")
    assert not world.broken()
    assert world.used() == {excuses.ERASED}


def test_what_a_cleanup_of_versions_removed_does_not_come_back() -> None:
    """An owner removes for good what he put again; the mirrored delete loses nothing that was still anywhere else."""
    for is_forgotten, wanted in ((True, []), (False, ["I1"])):
        world = copied(versioned=True)
        first = world.there(JUDGED_SOURCE)
        world.clean()
        world.store.destroy(JUDGED_SOURCE, first.version_id or "")
        if is_forgotten:
            world.truth.forgotten(JUDGED_SOURCE, first, by="cleanup")
        world.owner_puts(b"a")
        world.copy()
        world.owner_erases(world.there(JUDGED_SOURCE).version_id or "")
        world.delete(JUDGED_TARGET)
        assert world.broken() == wanted
        assert world.used() == (set() if wanted else {excuses.ERASED})


def test_what_a_rule_took_from_under_our_marker_does_not_come_up() -> None:
    """An owner puts the key again and removes that for good; the version below was keyshift's to keep (14002695)."""
    for is_cleaned, wanted in ((True, []), (False, ["I7"])):
        world = copied(versioned=True)
        first = world.there(JUDGED_SOURCE)
        if is_cleaned:
            world.clean()
            marker = world.store.buckets.top(JUDGED_SOURCE)
            assert marker is not None
            world.owner_erases(first.version_id or "", by=Writer.RULE)
            world.owner_erases(marker.version_id or "", by=Writer.RULE)
        world.owner_puts(b"b")
        world.copy()
        world.owner_erases(world.there(JUDGED_SOURCE).version_id or "")
        if is_cleaned:
            world.delete(JUDGED_TARGET)
        assert world.broken(at_rest=True) == wanted
        assert world.used() == (set() if wanted else {excuses.ERASED})


def test_what_a_cleanup_of_versions_removed_does_not_come_up() -> None:
    """An owner erases what he put after it, and a rule has taken the marker: nothing is below."""
    for is_forgotten, wanted in ((True, set()), (False, {"I1", "I7"})):
        world = copied(versioned=True)
        first = world.there(JUDGED_SOURCE)
        world.clean()
        marker = world.store.buckets.top(JUDGED_SOURCE)
        assert marker is not None
        world.store.destroy(JUDGED_SOURCE, first.version_id or "")
        if is_forgotten:
            world.truth.forgotten(JUDGED_SOURCE, first, by="cleanup")
        world.owner_puts(b"b")
        world.copy()
        world.owner_erases(marker.version_id or "", by=Writer.RULE)
        world.owner_erases(world.there(JUDGED_SOURCE).version_id or "")
        world.delete(JUDGED_TARGET)
        assert not world.broken()
        assert set(world.broken(at_rest=True)) == wanted


def test_cleanup_must_see_the_copy() -> None:
    """A target that was taken over before cleanup's look is I5, after it that is the stranger's decision."""
    world = copied()
    world.stranger_puts(b"x")
    world.clean()
    assert world.broken() == ["I5"]
    world = copied()
    world.truth.doubts.asks("cleanup", world.key)
    world.look("cleanup")
    world.stranger_puts(b"x")
    world.clean(looks=False)
    assert not world.broken()
    assert world.used() == {excuses.TAKEN_OVER}


def test_other_metadata_at_the_last_moment_is_lost_without_versions() -> None:
    """The same bytes put again after cleanup's look at the source; put before it, cleanup had to see them."""
    for looks_again, wanted in ((False, []), (True, ["I5"])):
        world = copied()
        world.truth.doubts.asks("cleanup", world.key)
        world.look("cleanup")
        world.owner_puts(b"a", "other")
        world.clean(looks=looks_again)
        assert world.broken() == wanted
        assert world.used() == (set() if wanted else {excuses.PUT_AGAIN})


def test_what_a_rule_took_from_under_our_marker_is_to_be_restored() -> None:
    """The version was noncurrent by keyshift's marker alone: a rollback that leaves the source absent breaks I6."""
    world = copied(versioned=True)
    world.clean()
    gone = world.store.buckets.bucket(JUDGED_SOURCE.bucket).versions[JUDGED_SOURCE.key][0]
    world.store.run_lifecycle(JUDGED_SOURCE.bucket, LifecycleRule(expires_noncurrent=True))
    world.truth.owner_erased(world.key, gone, by=Writer.RULE)
    assert world.broken(rolled_back=True) == ["I6"]
    world.truth.broken.clear()
    world.copy_back()
    assert not world.broken(rolled_back=True)


def test_what_its_owner_erased_may_come_back() -> None:
    """Keyshift cannot tell him from a rule; an older version must not replace the copy all the same (I2)."""
    world = JudgedWorld(versioned=True)
    world.owner_puts(b"a")
    world.owner_puts(b"b")
    world.copy()
    newest = world.there(JUDGED_SOURCE)
    world.clean()
    world.owner_erases(newest.version_id or "")
    assert not world.broken(rolled_back=True)
    assert world.used() == {excuses.ERASED}
    older = world.store.buckets.bucket(JUDGED_SOURCE.bucket).versions[JUDGED_SOURCE.key][0]
    assert older.state is not None
    before = world.there(JUDGED_TARGET)
    world.store.buckets.put(JUDGED_TARGET, older.body, older.state)
    world.truth.written(JUDGED_TARGET, older, before, by="worker")
    assert "I2" in world.broken()


def test_a_suspended_bucket_loses_what_cleanup_deletes() -> None:
    """Its object is version null, which the delete destroys: the target must hold it."""
    world = JudgedWorld(versioned=True)
    world.store.set_versioning(JUDGED_SOURCE.bucket, Versioning.SUSPENDED)
    world.owner_puts(b"a")
    world.clean()
    assert world.broken() == ["I5"]


def test_a_copy_sent_twice_may_end_in_a_conflict() -> None:
    """S3 refused the second sending: the target may stay as the first one left it."""
    world = copied()
    world.truth.refused(JUDGED_TARGET, was_done=True)
    world.owner_puts(b"b")
    assert not world.broken(at_rest=True)
    assert world.used() == {excuses.SENT_TWICE}


def test_a_newer_word_is_never_replaced_by_an_older_one() -> None:
    """I2, also after the owner's delete was mirrored."""
    world = copied()
    old = world.there(JUDGED_SOURCE)
    world.owner_puts(b"b")
    world.copy()
    before = world.there(JUDGED_TARGET)
    assert old.state is not None
    world.store.buckets.put(JUDGED_TARGET, old.body, old.state)
    world.truth.written(JUDGED_TARGET, old, before, by="worker")
    assert world.broken()[0] == "I2"
    world = copied()
    old = world.there(JUDGED_SOURCE)
    assert old.state is not None
    world.owner_deletes()
    world.delete(JUDGED_TARGET)
    world.store.buckets.put(JUDGED_TARGET, old.body, old.state)
    world.truth.written(JUDGED_TARGET, old, None, by="worker")
    assert world.broken() == ["I2"]


def test_a_decision_is_not_undone_by_a_delete_of_what_nobody_could_write_down() -> None:
    """An operator fills an emptied target and has no answer; a stranger deletes that copy, too, before it is known."""
    for is_written, wanted in ((False, []), (True, ["I2c"])):
        world = JudgedWorld()
        world.owner_puts(b"a")
        world.copies_and_writes()
        world.stranger_deletes()
        world.truth.gives_up(world.key, "")
        if is_written:
            world.copies_and_writes()
        else:
            world.copy()
        world.stranger_deletes()
        world.copy()
        assert world.broken() == wanted


KEY, HELD = Encryption("aws:kms", "one"), Lock(legal_hold=True)


@pytest.mark.parametrize("change", [{"encryption": KEY}, {"lock": HELD}])
def test_a_source_that_is_bound_is_cleaned_only_if_it_was_bound_after_the_look(change: dict[str, Any]) -> None:
    """A KMS key that the copy lacks, or a lock: S3 has no condition for either, so only what cleanup saw counts."""
    for is_seen, wanted in ((True, ["I5"]), (False, [])):
        world = JudgedWorld(locks=True)
        world.owner_puts(b"a")
        world.copy()
        if is_seen:
            world.owner_changes(**change)
            world.clean()
        else:
            world.truth.doubts.asks("cleanup", world.key)
            world.look("cleanup")
            world.owner_changes(**change)
            world.clean(looks=False)
        assert world.broken() == wanted
        assert world.used() == (set() if wanted else {excuses.BOUND_NOW})


def test_a_class_that_changed_keeps_no_source() -> None:
    """It binds nobody, and no bytes depend on it."""
    world = copied()
    world.owner_changes(storage_class="STANDARD_IA")
    world.clean()
    assert world.broken(at_rest=True) == []


@pytest.mark.parametrize(("is_lock_hidden", "wanted"), [(True, []), (False, ["I5"])])
def test_a_lock_that_s3_does_not_show_is_not_seen(wanted: list[str], *, is_lock_hidden: bool) -> None:
    """A role without the permission to see it is shown the object as one without a lock."""
    world = JudgedWorld(locks=True)
    world.owner_puts(b"a")
    world.owner_changes(lock=HELD)
    world.copy()
    world.clean(is_lock_hidden=is_lock_hidden)
    assert world.broken() == wanted
    assert world.used() == (set() if wanted else {excuses.LOCK_HIDDEN})


def test_a_retention_that_is_over_binds_nobody() -> None:
    """From its last second on."""
    world = JudgedWorld(locks=True)
    world.owner_puts(b"a")
    world.owner_changes(lock=Lock("COMPLIANCE", datetime.fromtimestamp(world.clock.now() + 10, UTC).isoformat()))
    world.store.put(JUDGED_TARGET, b"a", metadata={"put": "m"})
    source, target = world.there(JUDGED_SOURCE), world.there(JUDGED_TARGET)
    now = world.clock.now()
    assert losses(source, target, now=now) == {"object lock"}
    assert losses(source, source, now=now) == losses(source, target, now=now + 10) == frozenset()


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"storage_class": "GLACIER_IR"}, "storage class"),
        ({"encryption": KEY}, "KMS key"),
        ({"lock": HELD}, "object lock"),
    ],
)
def test_a_source_that_comes_back_has_what_its_copy_had(change: dict[str, Any], lost: str) -> None:
    """Rollback copies what it saw at the target."""
    world = JudgedWorld(locks=True)
    world.store.put(JUDGED_TARGET, b"a", metadata={"put": "m"}, **change)
    world.truth.foreign_put(world.key, world.there(JUDGED_TARGET))
    world.owner_puts(b"a")
    world.owner_deletes()
    world.truth.doubts.asks("rollback", world.key)
    world.look("rollback")
    read = world.there(JUDGED_TARGET)
    world.store.put(JUDGED_SOURCE, b"a", metadata={"put": "m"})
    world.truth.written(JUDGED_SOURCE, read, None, by="rollback")
    assert [text for _, text in world.truth.broken if lost in text] != []


def test_a_copy_that_nothing_can_recognise_may_count_as_another_writers() -> None:
    """The rules file promises that there is no KMS key: the copy outlives its source, or is not replaced."""
    for has_broken_promise, wanted in ((True, []), (False, ["I7"])):
        for is_deleted in (True, False):
            world = copied()
            world.key.has_broken_promise = has_broken_promise
            if is_deleted:
                world.owner_deletes()
            else:
                world.owner_puts(b"b")
            assert world.broken(at_rest=True) == wanted
            assert world.used() == (set() if wanted else {excuses.PROMISE_BROKEN})


@pytest.mark.parametrize(
    ("changes", "named", "is_archived", "wanted"),
    [
        ({}, set(), False, ["I3"]),
        ({}, {"storage class"}, False, ["I7"]),
        ({}, {"storage class"}, True, []),
        ({"has_broken_promise": True}, {"storage class"}, False, []),
        ({"doubled": True}, {"storage class"}, False, []),
    ],
)
def test_a_copy_lacks_nothing_at_rest_that_can_be_copied_again(
    changes: dict[str, Any], named: set[str], wanted: list[str], *, is_archived: bool
) -> None:
    """Verification names whatever it lacks, and a worker copies it again, unless its source is archived."""
    world = copied()
    world.owner_changes(storage_class="GLACIER" if is_archived else "STANDARD_IA")
    for name, value in changes.items():
        setattr(world.key, name, value)
    record = Record(JUDGED_SOURCE, JUDGED_TARGET, State.COPIED)
    Claims(world.truth, world.store).check_carried(world.key, record, frozenset(named))
    assert world.broken() == wanted
    assert world.used() == ({excuses.PROMISE_BROKEN} if "has_broken_promise" in changes else set())


@pytest.mark.parametrize("is_erased", [True, False])
def test_a_record_may_say_cleaned_although_its_owner_deleted_the_key_after_he_removed_keyshifts_marker(
    *, is_erased: bool
) -> None:
    """A lifecycle rule may have removed it as well; without that, the record must say that its owner deleted it."""
    world = copied(versioned=True)
    target = world.there(JUDGED_TARGET).state
    assert target is not None
    if is_erased:
        world.clean()
        (marker,) = [
            one
            for one in world.store.buckets.bucket(JUDGED_SOURCE.bucket).versions[JUDGED_SOURCE.key]
            if one.state is None
        ]
        world.owner_erases(marker.version_id or "")
    world.owner_deletes()
    record = Record(JUDGED_SOURCE, JUDGED_TARGET, State.CLEANED, target_etag=target.etag)
    Claims(world.truth, world.store).check_at_rest(world.key, record, rolled_back=False)
    assert world.broken() == ([] if is_erased else ["I3"])
    assert world.used() == ({excuses.ERASED} if is_erased else set())


@pytest.mark.parametrize(("adopted", "wanted"), [("m", []), ("other", ["I2b"])])
def test_equal_bytes_over_what_was_adopted_pass_a_condition_on_the_etag(adopted: str, wanted: list[str]) -> None:
    """Keyshift looked, and a stranger put the same bytes before its copy; what it never adopted is not overwritten."""
    world = JudgedWorld(versioned_target=True)
    world.owner_puts(b"a")
    world.stranger_puts(b"a", adopted)
    world.owner_puts(b"a", "later")
    world.truth.doubts.asks("worker", world.key)
    world.look("worker")
    world.stranger_puts(b"a", "x")
    world.copy()
    assert world.broken() == wanted
    assert world.used() == (set() if wanted else {excuses.SAME_BYTES_AGAIN})


@pytest.mark.parametrize("is_erased", [True, False])
def test_what_keyshifts_marker_hides_may_go_by_a_rule_after_its_owner_removed_what_he_had_put_above_it(
    *, is_erased: bool
) -> None:
    """Without his removal a rule that takes the only bytes breaks I1: keyshift's marker made them noncurrent."""
    world = copied(versioned=True)
    first = world.there(JUDGED_SOURCE)
    world.clean()
    if is_erased:
        world.owner_puts(b"b")
        world.copy()
        world.owner_erases(world.there(JUDGED_SOURCE).version_id or "")
    world.delete(JUDGED_TARGET)
    world.truth.broken.clear()
    world.owner_erases(first.version_id or "", by=Writer.RULE)
    assert world.broken() == ([] if is_erased else ["I1"])
    assert (excuses.ERASED in world.used()) is is_erased


def test_an_older_version_may_come_up_where_its_owner_removes_what_replaced_keyshifts_marker() -> None:
    """Under suspended versioning both have the id null; keyshift leaves the decision to an operator."""
    for is_erased, wanted in ((True, []), (False, ["I7"])):
        world = copied(versioned=True)
        world.store.set_versioning(JUDGED_SOURCE.bucket, Versioning.SUSPENDED)
        world.owner_puts(b"a", "again")
        world.copy()
        if is_erased:
            world.clean()
            world.owner_puts(b"b")
        world.owner_erases(world.there(JUDGED_SOURCE).version_id or "")
        assert world.broken(at_rest=True) == wanted
        assert (excuses.ERASED in world.used()) is is_erased


def test_only_what_equals_the_source_beside_it_is_adopted() -> None:
    """Another writer's object that equals what the source once was is his own: without it, the source is copied."""
    for is_equal, wanted in ((False, []), (True, ["I2c"])):
        world = JudgedWorld()
        world.owner_puts(b"a")
        if not is_equal:
            world.owner_puts(b"b")
        world.stranger_puts(b"a")
        world.truth.doubts.asks("worker", world.key)
        world.look("worker")
        world.truth.doubts.answered("worker", "write_record")
        world.truth.doubts.asks("worker", None)
        world.stranger_deletes()
        world.copy()
        assert world.broken() == wanted


def test_a_purge_leaves_only_a_copy_that_nothing_can_recognise() -> None:
    """The rules file promises that there is no KMS key, and there is one."""
    for has_broken_promise, wanted in ((True, []), (False, ["I6"])):
        world = copied()
        world.key.has_broken_promise = has_broken_promise
        record = Record(JUDGED_SOURCE, JUDGED_TARGET, State.PURGED, mode=Mode.ROLLED_BACK)
        Claims(world.truth, world.store).check_at_rest(world.key, record, rolled_back=True)
        assert world.broken() == wanted
        assert world.used() == (set() if wanted else {excuses.PROMISE_BROKEN})


def test_a_rewriting_of_what_may_be_keyshifts_copy_may_be_keyshifts() -> None:
    """Its delete, with the owner's delete, is excused as the delete of the object before it would be."""
    for is_doubted, wanted in ((True, []), (False, ["I2b"])):
        world = JudgedWorld()
        world.owner_puts(b"a")
        world.stranger_puts(b"a")
        before = world.there(JUDGED_TARGET)
        if is_doubted:
            world.key.indistinct[before.written] = excuses.COPY_IN_DOUBT
        world.store.put(JUDGED_TARGET, b"rewritten", metadata={"put": "m"})
        world.truth.rewritten(world.key, world.there(JUDGED_TARGET), before)
        world.owner_deletes()
        world.delete(JUDGED_TARGET)
        assert world.broken() == wanted
