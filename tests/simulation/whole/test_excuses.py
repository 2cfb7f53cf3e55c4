"""The judge itself: what it finds, and for each excuse the case that it excuses beside one that it does not."""

import pytest

from tests.fakes.bucket_lifecycle import LifecycleRule
from tests.fakes.buckets import Versioning
from tests.simulation.whole import excuses
from tests.simulation.whole.history import Writer
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
    world.truth.doubts.answered("cleanup", "write_record")
    world.truth.doubts.shows("cleanup", JUDGED_SOURCE, world.there(JUDGED_SOURCE))
    world.owner_deletes()
    assert not world.broken(at_rest=True)
    assert world.used() == {excuses.DELETE_IN_DOUBT}


def test_a_cleanup_that_knows_it_did_nothing_leaves_no_doubt() -> None:
    """A throttled delete is not in doubt; nor is one that died, once another process has seen the source."""
    world = copied()
    world.truth.doubts.asks("cleanup", world.key)
    world.truth.doubts.answered("cleanup", "write_record")
    world.look("cleanup")
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
