"""What a notice or an answer does not tell is looked for; nothing is overwritten, deleted or recorded on trust."""

from dataclasses import replace
from hashlib import md5

import pytest

from domain.errors import AccessDeniedError, KeyshiftError, LeaseExpiredError, ThrottledError
from domain.objects import ObjectState
from domain.protocol.attempt import BUSY_SECONDS, MigrationPolicy, Outcome, Verdict
from domain.protocol.causes import Cause
from domain.protocol.claims import left_over
from domain.protocol.cleanup import clean_source
from domain.protocol.notices import Notice
from domain.protocol.ports import ClaimAnswer, Refused
from domain.protocol.record import Origin, State
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.object_store import InMemoryObjectStore as InMemory
from tests.worlds.migration import (
    BARE_ROW,
    LARGE,
    NOW,
    POLICY,
    PROMISED,
    SHORT,
    SOURCE,
    TARGET,
    MigrationWorld,
    calls,
    created,
    holding,
    holding_large,
    listed,
    lose_claim_answers,
    mirrored,
    removed,
    strangers,
    unanswered,
)
from tests.worlds.presence import present

BOTH = ["look_at_object", "look_at_object"]
EMPTY = md5(b"", usedforsecurity=False).hexdigest()


def test_a_new_object_costs_one_claim_one_copy_and_one_commit() -> None:
    """The floor that protocol.md names."""
    world = holding()
    assert calls(world, listed(b"bytes")) == ["copy_object"]
    assert world.manifest.calls == ["claim_record", "write_record"]


def test_a_row_without_an_etag_costs_one_look_at_each_key() -> None:
    """No look more than the decision needs."""
    assert calls(holding(), BARE_ROW) == [*BOTH, "copy_object"]


def test_a_newer_event_is_looked_at_once_at_each_key_and_replaces_the_copy_at_once() -> None:
    """On the condition of the copy that the record knows, so that S3 does not refuse it."""
    world = holding()
    world.migrate(created(b"bytes", 1))
    world.store.put(SOURCE, b"newer")
    assert calls(world, created(b"newer", 2)) == ["look_at_object", "look_at_object", "copy_object"]
    assert world.store.body(TARGET) == b"newer"


def test_a_row_that_is_older_than_its_object_is_not_believed() -> None:
    """S3 refuses to read other bytes than the row names; the record then says what was really copied."""
    world = holding(b"other bytes")
    world.migrate(listed(b"bytes"))
    assert world.store.body(TARGET) == b"other bytes"
    known = world.record
    assert (known.source_etag, known.size) == (md5(b"other bytes", usedforsecurity=False).hexdigest(), 11)


def test_an_event_of_overwritten_bytes_copies_nothing_again() -> None:
    """A row was quicker: what is there stays, and so does the proof of it."""
    world = holding(b"newer")
    world.migrate(listed(b"newer"))
    world.edit(verified_at=NOW)
    assert calls(world, created(b"bytes", 1)) == [*BOTH, *BOTH, "list_annotations"]
    assert (world.record.state, world.record.verified_at) == (State.COPIED, NOW)


def test_an_event_without_an_order_is_looked_at_also_where_none_is_known() -> None:
    """Nothing says which of two is the later one."""
    world = holding()
    world.migrate(listed(b"bytes"))
    world.store.put(SOURCE, b"newer")
    assert calls(world, created(b"newer", sequencer=None), policy=PROMISED)[:2] == BOTH


def test_the_etag_of_a_delete_marker_makes_nothing_ours() -> None:
    """S3's event names that of no bytes (tests/events/direct_delete_marker.json); a stranger's empty object stays."""
    world = MigrationWorld(versioned=True)
    world.store.put(TARGET, b"")
    assert calls(world, replace(removed(1), etag=EMPTY)) == BOTH
    assert (world.record.state, world.store.body(TARGET)) == (State.CONFLICT, b"")
    assert [now.intent for _, now in world.manifest.changes] == [None] * len(world.manifest.changes)


@pytest.mark.parametrize("notice", [listed(b"bytes"), created(b"bytes", 1), BARE_ROW])
def test_equal_bytes_of_a_stranger_are_not_ours(notice: Notice) -> None:
    """A refused copy has written nothing: what is there is somebody else's, metadata and all, and stays."""
    world = holding()
    world.store.put(TARGET, b"bytes", metadata=strangers())
    assert world.migrate(notice).state is State.CONFLICT
    seen = present(world.store.look_at_object(TARGET))
    assert (seen.metadata, world.record.maybe) == (strangers(), frozenset())


@pytest.mark.parametrize("error", [ThrottledError("slow down"), LeaseExpiredError("late")])
@pytest.mark.parametrize(("body", "policy"), [(b"bytes", PROMISED), (LARGE, SHORT)])
def test_what_came_after_a_copy_that_was_never_made_is_not_ours_either(
    body: bytes, policy: MigrationPolicy, error: KeyshiftError
) -> None:
    """Throttled or too late, then a stranger writes the same bytes and the owner deletes his: the first stays."""
    world = holding(body)
    for call in ("copy_object", "create_upload"):
        world.store.fail_next(error, call=call)
    with pytest.raises(type(error)):
        world.migrate(created(body, 1), policy=policy)
    world.store.forget_faults()
    world.store.put(TARGET, body, metadata=strangers())
    world.store.remove(SOURCE)
    assert world.migrate(removed(2)).state is State.CONFLICT
    assert world.store.body(TARGET) == body


@pytest.mark.parametrize("attempts", [1, 2])
@pytest.mark.parametrize("knows", [{"checksums": {}, "full_checksums": False}, {}])
def test_parts_that_wait_for_the_next_attempt_make_nothing_ours(
    monkeypatch: pytest.MonkeyPatch, knows: dict[str, object], attempts: int
) -> None:
    """Begun or gone on with, neither by etag nor by checksum: only its completion is an object."""
    real = InMemory.look_at_object

    def look_at_object(self: InMemory, *arguments: object, **named: object) -> ObjectState | None:
        seen = real(self, *arguments, **named)  # type: ignore[arg-type]
        return seen and replace(seen, **({"checksums": {"CRC32": str(seen.size)}, "full_checksums": True} | knows))  # type: ignore[arg-type]

    monkeypatch.setattr(InMemory, "look_at_object", look_at_object)
    world = holding(LARGE)
    policy = replace(SHORT, request_seconds=1_000.0)
    for _ in range(attempts):
        assert world.migrate(listed(LARGE), policy=policy).verdict is Verdict.CONTINUE
    assert world.record.upload is not None
    assert world.record.upload.version_id == ""
    assert world.record.maybe == frozenset()
    world.store.put(TARGET, LARGE, metadata=strangers())
    assert world.migrate(listed(LARGE), policy=policy).state is State.CONFLICT
    seen = present(world.store.look_at_object(TARGET))
    assert seen.metadata == strangers()


def test_a_copy_that_was_made_and_refused_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A middle box that sends a request twice: what is there is the object, so nothing is written again."""
    world, real = holding(), InMemory.copy_object

    def copy_object(self: InMemory, *arguments: object, **named: object) -> object:
        real(self, *arguments, **named)  # type: ignore[arg-type]
        return Refused.PRECONDITION

    monkeypatch.setattr(InMemory, "copy_object", copy_object)
    assert calls(world, listed(b"bytes")) == ["copy_object", *BOTH]
    assert (world.record.state, world.store.body(TARGET)) == (State.COPIED, b"bytes")


def test_a_refused_claim_without_a_record_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why it was refused cannot be told; nothing is copied without a claim."""
    world = holding()
    monkeypatch.setattr(InMemoryManifest, "claim_record", lambda *_: ClaimAnswer(granted=False, before=None))
    assert world.migrate(listed(b"bytes")) == Outcome(Verdict.RETURN, None, Cause.BUSY, retry_after=BUSY_SECONDS)
    assert world.store.body(TARGET) is None


def test_a_lost_answer_about_a_row_costs_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing had been there, whether an event or a listing told of the object."""
    lose_claim_answers(monkeypatch)
    assert calls(holding(), listed(b"bytes")) == ["copy_object"]


def test_a_lost_answer_hides_no_earlier_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What that one may have written is looked at first."""
    world = holding()
    with unanswered(world, "copy_object", when="before"):
        world.migrate(listed(b"bytes"))
    world.edit(claim=None, intent=None, maybe=left_over(world.record))
    lose_claim_answers(monkeypatch)
    assert calls(world, listed(b"bytes"))[:2] == BOTH
    assert world.record.state is State.COPIED


def test_deletes_that_are_not_mirrored_keep_the_copy() -> None:
    """By the operator's word; the record says that the source is gone."""
    world = mirrored()
    assert world.migrate(removed(2), policy=replace(PROMISED, mirror_deletes=False)).state is State.GONE
    assert world.store.body(TARGET) == b"bytes"


def test_a_mirrored_delete_forgets_the_copys_version() -> None:
    """The record names no version at a key that it has emptied."""
    world = holding(versioned=True)
    world.migrate(created(b"bytes", 1), policy=PROMISED)
    assert world.record.target_version is not None
    world.store.remove(SOURCE)
    assert world.migrate(removed(2)).state is State.TOMBSTONE
    assert world.record.target_version is None


def test_a_conflict_names_no_source_as_copied() -> None:
    """Nothing of it was."""
    world = holding(versioned=True)
    world.store.put(TARGET, b"a stranger's")
    assert world.migrate(listed(b"bytes")).state is State.CONFLICT
    known = world.record
    assert (known.source_etag, known.source_version, known.size) == (None, None, None)


def emptied() -> MigrationWorld:
    """A cleaned source in a versioned bucket."""
    world = holding(versioned=True)
    world.migrate(created(b"bytes", 1), policy=PROMISED)
    clean_source(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY, need_proof=False)
    assert world.record.state is State.CLEANED
    return world


def test_the_event_of_our_own_cleanup_copies_nothing() -> None:
    """What our marker hides is what was copied."""
    world = emptied()
    assert calls(world, removed(2)) == [*BOTH, "find_top_marker"]
    assert (world.record.state, world.record.is_unfinished) == (State.CLEANED, False)


def test_a_large_version_that_our_marker_hides_is_looked_at_once_and_keeps_its_tags() -> None:
    """Its look brings the tags that a copy in parts must be given."""
    world = holding(LARGE, versioned=True)
    world.migrate(listed(LARGE))
    world.clock.advance(10)
    world.store.put(SOURCE, LARGE, tags={"t": "1"})
    world.edit(state=State.CLEANED, marker_version=world.store.remove(SOURCE))
    asked = calls(world, removed(2))
    assert asked[:5] == [*BOTH, "find_top_marker", "look_at_object", "create_upload"]
    seen = present(world.store.look_at_object(TARGET, with_tags=True))
    assert (world.record.state, world.store.body(TARGET), seen.tags) == (State.CLEANED, LARGE, {"t": "1"})


def test_an_upload_whose_source_was_deleted_meanwhile_is_dropped() -> None:
    """Its parts would be billed for ever, and the record names it no more."""
    world = holding_large()
    assert world.migrate(listed(LARGE), policy=replace(SHORT, request_seconds=400.0)).verdict is Verdict.CONTINUE
    assert len(world.store.uploads) == 1
    world.store.remove(SOURCE)
    assert world.migrate(removed(2)).state is State.TOMBSTONE
    assert world.store.uploads == {}
    assert world.record.upload is None


@pytest.mark.parametrize("is_parked", [False, True])
def test_a_copy_without_an_answer_that_an_attempt_saw_is_recorded_although_the_attempt_gives_back(
    *, is_parked: bool
) -> None:
    """Else a target that another writer empties afterwards looks as if the copy had never been made."""
    world = holding()
    with unanswered(world, "copy_object"):
        world.migrate(created(b"bytes", 1), policy=PROMISED)
    copy = present(world.store.look_at_object(TARGET))
    world.clock.advance(120)
    world.store.put(SOURCE, b"newer")
    if is_parked:
        world.store.fail_next(AccessDeniedError("kms:Decrypt"), call="copy_object")
        world.migrate(created(b"newer", 2), policy=PROMISED)
    else:
        world.store.fail_next(ThrottledError("slow down"), call="copy_object")
        with pytest.raises(ThrottledError):
            world.migrate(created(b"newer", 2), policy=PROMISED)
    assert (world.record.state, world.record.target_etag) == (State.PARKED if is_parked else State.NEW, copy.etag)
    world.store.remove(TARGET)
    world.migrate(created(b"newer", 2), policy=PROMISED)
    assert (world.record.state, world.record.cause) == (State.CONFLICT, Cause.COPY_DELETED)
    assert world.store.look_at_object(TARGET) is None


def test_a_copy_without_an_answer_stays_keyshifts_where_its_source_is_gone_for_a_while() -> None:
    """A lifecycle rule hid the source and its producer put it again: a later delete takes the copy along."""
    world = holding()
    with unanswered(world, "copy_object"):
        world.migrate(created(b"bytes", 1), policy=PROMISED)
    world.clock.advance(120)
    world.store.remove(SOURCE)
    world.migrate(BARE_ROW)
    assert (world.record.state, world.record.origin) == (State.GONE, Origin.CREATED)
    world.store.put(SOURCE, b"bytes")
    world.migrate(created(b"bytes", 2))
    assert (world.record.state, world.record.origin) == (State.COPIED, Origin.CREATED)
    world.store.remove(SOURCE)
    world.migrate(removed(3))
    assert world.record.state is State.TOMBSTONE
    assert world.store.look_at_object(TARGET) is None
