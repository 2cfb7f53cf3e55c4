"""One key's way back, and the purge of its copy: each answer, what its record says, and what stays where it is."""

from hashlib import md5
from typing import Any

import pytest

from domain.errors import ThrottledError
from domain.protocol.attempt import Outcome, Verdict
from domain.protocol.causes import Cause
from domain.protocol.intents import Action, Intent
from domain.protocol.ports import Refused
from domain.protocol.record import Claim, Mode, Origin, Record, State
from domain.protocol.rollback import PURGE, ROLL_BACK
from tests.fakes.object_store import InMemoryObjectStore as InMemory
from tests.worlds.migration import SOURCE, TARGET, MigrationWorld, holding, listed
from tests.worlds.rollback import clean, migrated, purge, roll_back

ANOTHER = Cause.BUSY
CHANGED = Cause.COPY_CHANGED
UNFINISHED = Cause.ROLLBACK_UNFINISHED
ETAG = md5(b"bytes", usedforsecurity=False).hexdigest()


def test_a_key_that_was_never_migrated_gets_a_fence() -> None:
    """With its time, and no event counts after it; a second rollback finds it."""
    world = holding()
    assert roll_back(world) == Outcome(Verdict.DONE, State.ROLLED_BACK, Cause.NOTHING_MIGRATED)
    assert world.record == Record(
        SOURCE, TARGET, State.ROLLED_BACK, mode=Mode.ROLLED_BACK, changed_at=world.clock.now()
    )
    world.migrate(listed(b"bytes"))
    assert world.store.body(TARGET) is None
    assert roll_back(world).cause is Cause.ALREADY_ROLLED_BACK


def test_a_fence_that_somebody_else_was_quicker_to_write_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their record decides, on the next try."""
    world = migrated(cleaned=False)
    monkeypatch.setattr(world.manifest, "read_record", lambda _: None)
    assert roll_back(world) == Outcome(Verdict.RETURN, None, ANOTHER)


def test_a_claim_holds_until_after_its_last_second() -> None:
    """Of an attempt, of a rollback, and of a purge."""
    world = migrated(cleaned=True)
    world.edit(claim=Claim("other", world.clock.now()))
    assert roll_back(world) == Outcome(Verdict.RETURN, State.CLEANED, ANOTHER)
    world.edit(claim=Claim("other", world.clock.now() - 0.001))
    assert roll_back(world).state is State.ROLLED_BACK
    world.edit(claim=Claim("other", world.clock.now()), intent=PURGE)
    assert purge(world) == Outcome(Verdict.RETURN, State.ROLLED_BACK, Cause.PURGE_IN_DOUBT)
    world.edit(claim=Claim("other", world.clock.now() - 0.001), intent=ROLL_BACK)
    assert purge(world) == Outcome(Verdict.RETURN, State.ROLLED_BACK, UNFINISHED)
    world.edit(intent=PURGE)
    assert purge(world).state is State.PURGED


def test_a_purge_tells_a_rollback_that_runs_from_another_purge() -> None:
    """The operator waits for the one, and looks after the other."""
    world = migrated(cleaned=True)
    roll_back(world)
    world.edit(claim=Claim("other", world.clock.now()), intent=ROLL_BACK)
    assert purge(world).cause is Cause.ROLLBACK_UNFINISHED
    world.edit(intent=PURGE)
    assert purge(world).cause is Cause.PURGE_IN_DOUBT


@pytest.mark.parametrize("cause", [None, Cause.TARGET_IN_DOUBT])
def test_a_copy_that_is_gone_is_purged(cause: Cause | None) -> None:
    """Another writer deleted it: nothing is left that could be in doubt."""
    world = migrated(cleaned=True)
    roll_back(world)
    world.edit(cause=cause)
    world.store.remove(TARGET)
    assert purge(world).state is State.PURGED


@pytest.mark.parametrize("is_newer", [True, False])
def test_what_came_up_under_the_marker_is_told_by_its_date(monkeypatch: pytest.MonkeyPatch, *, is_newer: bool) -> None:
    """A lifecycle rule took the hidden version as the marker went; the producer put another one, or did not."""
    world = holding(b"older", versioned=True)
    world.clock.advance(100.0)
    world.store.put(SOURCE, b"bytes")
    world.migrate(listed(b"bytes"))
    assert clean(world).state is State.CLEANED
    version, remove = world.record.source_version or "", InMemory.remove_delete_marker

    def remove_delete_marker(store: InMemory, *arguments: Any, **more: Any) -> None:
        world.store.destroy(SOURCE, version)
        remove(store, *arguments, **more)
        if is_newer:
            world.clock.advance(100.0)
            world.store.put(SOURCE, b"newer")

    monkeypatch.setattr(InMemory, "remove_delete_marker", remove_delete_marker)
    roll_back(world)
    ended = (State.ROLLED_BACK, None) if is_newer else (State.ROLLBACK_CONFLICT, Cause.OLDER_SOURCE)
    assert (world.record.state, world.record.cause) == ended


def test_an_older_version_under_an_unknown_marker_is_not_its_producers_delete() -> None:
    """A lifecycle rule took the version that was copied, so the copy goes back."""
    world = holding(b"older", versioned=True)
    world.clock.advance(100.0)
    world.store.put(SOURCE, b"bytes")
    world.migrate(listed(b"bytes"))
    assert clean(world).state is State.CLEANED
    world.store.destroy(SOURCE, world.record.source_version or "")
    world.edit(marker_version=None)
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"bytes"


def test_without_versions_no_older_source_can_come_up() -> None:
    """A producer's object of the same second as the copy does not hold the copy."""
    world = migrated(cleaned=True)
    roll_back(world)
    world.store.put(SOURCE, b"other")
    assert purge(world).state is State.PURGED


def test_a_doubt_about_the_target_does_not_hide_another_cause() -> None:
    """Without one it stays: the purge must know of it."""
    world = migrated(cleaned=True)
    world.edit(cause=Cause.TARGET_IN_DOUBT)
    world.store.put(TARGET, b"another writer's")
    assert roll_back(world).cause is Cause.NOTHING_TO_RESTORE
    world = migrated(cleaned=False)
    world.edit(cause=Cause.TARGET_IN_DOUBT)
    roll_back(world)
    assert (world.record.state, world.record.cause) == (State.ROLLED_BACK, Cause.TARGET_IN_DOUBT)


def test_a_source_that_its_producer_wrote_again_does_not_need_the_copy() -> None:
    """It was put after the copy, so it is not an older version that came up."""
    world = migrated(cleaned=True, versioned=True)
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.record.marker_version is not None
    world.clock.advance(100.0)
    world.store.put(SOURCE, b"newer")
    assert purge(world).state is State.PURGED
    assert world.store.body(TARGET) is None


def test_an_older_version_that_came_up_needs_the_copy_unless_it_was_copied() -> None:
    """Only a copy's etag tells that the source's bytes are at the target."""
    world = migrated(cleaned=True, versioned=True)
    roll_back(world)
    etag = world.record.source_etag or ""
    world.edit(source_etag="other", maybe=frozenset({Intent(Action.DELETE_TARGET, etag)}))
    assert purge(world).cause is Cause.OLDER_SOURCE
    world = migrated(cleaned=True, versioned=True)
    roll_back(world)
    world.edit(source_etag="other", maybe=frozenset({Intent(Action.COPY, etag)}))
    assert purge(world).state is State.PURGED


@pytest.mark.parametrize("state", [State.ROLLED_BACK, State.ROLLBACK_CONFLICT, State.PURGED])
def test_what_ended_is_not_done_again(state: State) -> None:
    """Nothing is looked at."""
    world = migrated(cleaned=True)
    world.edit(mode=Mode.ROLLED_BACK, state=state)
    assert roll_back(world) == Outcome(Verdict.DONE, state, Cause.ALREADY_ROLLED_BACK)
    assert world.store.calls == []


def test_a_rollback_that_died_is_gone_on_with() -> None:
    """Its record says ROLLED_BACK by mode only, or still carries a dead claim."""
    world = migrated(cleaned=True)
    world.edit(mode=Mode.ROLLED_BACK)
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"bytes"
    world.store.remove(SOURCE)
    world.edit(claim=Claim("dead", 0.0), intent=ROLL_BACK)
    roll_back(world)
    assert world.record.claim is None


def test_a_source_that_is_there_is_left_alone() -> None:
    """Whoever wrote it."""
    world = migrated(cleaned=True)
    world.store.put(SOURCE, b"newer")
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"newer"
    assert "copy_object" not in world.store.calls


def test_an_owners_delete_stays_a_delete() -> None:
    """Nothing that we had not cleaned comes back."""
    world = migrated(cleaned=False)
    world.store.remove(SOURCE)
    world.edit(source_version=None)
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) is None


def test_without_versions_the_copy_goes_back_with_everything() -> None:
    """Metadata and tags as they were; what was written is not looked at again."""
    world = migrated(cleaned=True)
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.calls[-1] == "copy_object"
    seen = world.store.look_at_object(SOURCE, with_tags=True)
    assert seen is not None
    assert (world.store.body(SOURCE), seen.metadata, seen.tags) == (b"bytes", {"a": "b"}, {"t": "1"})
    assert not world.record.is_unfinished


@pytest.mark.parametrize("ours", [True, False])
def test_only_our_own_marker_is_taken_away(*, ours: bool) -> None:
    """Another one is the owner's delete."""
    world = migrated(cleaned=True, versioned=True)
    if not ours:
        world.edit(marker_version="somebody's")
    assert roll_back(world).state is State.ROLLED_BACK
    assert (world.store.body(SOURCE) == b"bytes") is ours
    assert ("remove_delete_marker" in world.store.calls) is ours
    assert "copy_object" not in world.store.calls


def test_a_marker_that_is_gone_needs_nothing() -> None:
    """Somebody deleted every version."""
    world = migrated(cleaned=True, versioned=True)
    del world.store.buckets.bucket("line").versions["old//k"]
    assert roll_back(world).state is State.ROLLED_BACK
    assert "remove_delete_marker" not in world.store.calls


@pytest.mark.parametrize("there", [True, False])
def test_a_strangers_object_is_nothing_to_restore_from(*, there: bool) -> None:
    """And its absence neither; the record says why."""
    world = migrated(cleaned=True)
    if there:
        world.store.put(TARGET, b"a stranger's")
    else:
        world.store.remove(TARGET)
    assert roll_back(world).state is State.ROLLBACK_CONFLICT
    assert world.record.cause == Cause.NOTHING_TO_RESTORE
    assert world.store.body(SOURCE) is None


def test_a_copy_back_that_was_refused_leaves_nothing_unsettled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 409 says that another writer was at the key. The next rollback ends, and its record is finished."""
    world = migrated(cleaned=True)
    with monkeypatch.context() as patch:
        patch.setattr(InMemory, "copy_object", lambda *_, **__: Refused.CONCURRENT)
        assert roll_back(world).cause is Cause.CONCURRENT_WRITER
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"bytes"
    assert not world.record.is_unfinished


@pytest.mark.parametrize("cleaned", [True, False])
def test_a_conflict_without_a_source_is_restored_only_after_a_cleanup(*, cleaned: bool) -> None:
    """Without one, its owner deleted it; a copy of his own at the new key may look like keyshift's."""
    world = migrated(cleaned=True)
    world.edit(state=State.CONFLICT, cleaned_etag=world.record.source_etag if cleaned else None)
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == (b"bytes" if cleaned else None)
    assert purge(world).state is (State.PURGED if cleaned else State.ROLLBACK_CONFLICT)
    assert world.store.body(TARGET) == (None if cleaned else b"bytes")


@pytest.mark.parametrize(
    ("refused", "written", "verdict", "state", "cause"),
    [
        (Refused.CONCURRENT, False, Verdict.RETURN, State.CLEANED, None),
        (Refused.PRECONDITION, True, Verdict.DONE, State.ROLLED_BACK, None),
        (
            Refused.PRECONDITION,
            False,
            Verdict.DONE,
            State.ROLLBACK_CONFLICT,
            Cause.COPY_CHANGED,
        ),
        (
            Refused.SOURCE_ABSENT,
            False,
            Verdict.DONE,
            State.ROLLBACK_CONFLICT,
            Cause.COPY_CHANGED,
        ),
        (Refused.SOURCE_ABSENT, True, Verdict.DONE, State.ROLLED_BACK, None),
    ],
)
def test_a_refused_copy_says_what_it_found(  # what is refused, and what follows
    monkeypatch: pytest.MonkeyPatch,
    refused: Refused,
    *,
    written: bool,
    verdict: Verdict,
    state: State,
    cause: Cause | None,
) -> None:
    """The owner wrote the source meanwhile, somebody is writing, or our copy is another one."""
    world = migrated(cleaned=True)

    def copy_object(*_: object, **__: object) -> Refused:
        if written:
            world.store.put(SOURCE, b"the owner's")
        return refused

    monkeypatch.setattr(world.store, "copy_object", copy_object)
    outcome = roll_back(world)
    assert (outcome.verdict, outcome.state, world.record.cause) == (verdict, state, cause)
    assert world.record.claim is None
    assert outcome.cause is Cause.CONCURRENT_WRITER or verdict is Verdict.DONE


def test_a_large_copy_comes_back_over_several_attempts() -> None:
    """Each gives its claim back; no upload is left at the end."""
    world = migrated(cleaned=True, body=bytes(11 * 1024 * 1024))
    outcome = roll_back(world, parts_at_once=1, limit=2.0)
    assert (outcome.verdict, outcome.reason) == (Verdict.CONTINUE, "parts are left to copy: 2")
    assert world.record.claim is None
    world.store.put(SOURCE, b"the owner's")
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"the owner's"
    assert world.store.uploads == {}
    assert world.record.upload is None


def test_being_slowed_down_gives_the_claim_back() -> None:
    """In a rollback and in a purge."""
    world = migrated(cleaned=True)
    for action in (roll_back, purge):
        world.store.fail_next(ThrottledError("slow down"))
        with pytest.raises(ThrottledError):
            action(world)
        assert world.record.claim is None
        action(world)


@pytest.mark.parametrize("mode", [None, Mode.FORWARD])
def test_what_is_not_rolled_back_is_not_purged(mode: Mode | None) -> None:
    """Also where there is no record at all."""
    world = MigrationWorld() if mode is None else migrated(cleaned=False)
    if mode is not None:
        world.edit(state=State.ROLLED_BACK)
    outcome = purge(world)
    assert (outcome.verdict, outcome.reason) == (Verdict.DONE, "it is not rolled back")
    assert outcome.state is (None if mode is None else State.ROLLED_BACK)


@pytest.mark.parametrize(
    ("changes", "verdict", "reason"),
    [
        ({"state": State.COPIED}, Verdict.RETURN, UNFINISHED),
        ({"state": State.PURGED}, Verdict.DONE, Cause.PURGED),
        ({"state": State.ROLLBACK_CONFLICT, "cause": Cause.OLDER_SOURCE}, Verdict.DONE, Cause.OLDER_SOURCE),
        ({"origin": Origin.ADOPTED}, Verdict.DONE, Cause.COPY_ADOPTED),
    ],
)
def test_a_copy_stays_by_its_record(changes: dict[str, Any], verdict: Verdict, reason: Cause) -> None:
    """Each alone is enough."""
    world = migrated(cleaned=False)
    roll_back(world)
    world.edit(**changes)
    assert purge(world) == Outcome(verdict, world.record.state, reason)
    assert world.store.body(TARGET) == b"bytes"


def test_a_copy_stays_while_its_source_is_absent() -> None:
    """It may be the only one; the record says so."""
    world = migrated(cleaned=False)
    roll_back(world)
    world.store.remove(SOURCE)
    assert purge(world).state is State.ROLLBACK_CONFLICT
    assert world.record.cause == Cause.SOURCE_ABSENT
    assert world.store.body(TARGET) == b"bytes"


def test_a_purge_that_meets_a_writer_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was done; the record is free."""
    world = migrated(cleaned=False)
    roll_back(world)
    with monkeypatch.context() as patch:
        patch.setattr(InMemory, "delete_object", lambda *_, **__: Refused.CONCURRENT)
        assert purge(world) == Outcome(Verdict.RETURN, State.ROLLED_BACK, Cause.CONCURRENT_WRITER)
    assert not world.record.is_unfinished
    assert purge(world).state is State.PURGED
    assert world.store.body(TARGET) is None


@pytest.mark.parametrize("action", [roll_back, purge])
def test_somebody_quicker_keeps_the_record(monkeypatch: pytest.MonkeyPatch, action: Any) -> None:
    """The message comes again."""
    world = migrated(cleaned=False)
    if action is purge:
        roll_back(world)
    monkeypatch.setattr(world.manifest, "write_record", lambda *_, **__: False)
    outcome = action(world)
    assert (outcome.verdict, outcome.state, outcome.cause) == (Verdict.RETURN, world.record.state, ANOTHER)


def test_a_purge_leaves_what_no_request_can_be_told_from() -> None:
    """A copy that the target encrypts has another etag: whether it is keyshift's, a person must say."""
    world = migrated(cleaned=False)
    world.edit(state=State.NEW, target_etag=None, maybe=frozenset({Intent(Action.COPY)}))
    assert roll_back(world).state is State.ROLLED_BACK
    assert purge(world).state is State.ROLLBACK_CONFLICT
    assert world.record.cause is Cause.TARGET_IN_DOUBT
    assert world.store.body(TARGET) == b"bytes"
