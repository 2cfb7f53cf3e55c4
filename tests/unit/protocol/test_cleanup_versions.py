"""A verified version that goes for good: what may go wrong leaves a way back."""

from dataclasses import replace
from hashlib import md5
from typing import Literal

import pytest

from domain.errors import ThrottledError, UnavailableError
from domain.keys import Location
from domain.objects import Lock
from domain.protocol.causes import Cause, told
from domain.protocol.claims import left_over
from domain.protocol.cleanup import clean_source
from domain.protocol.cleanup_versions import forget_version
from domain.protocol.intents import Action, Intent
from domain.protocol.ports import TopMarker
from domain.protocol.record import Claim, Mode, State
from domain.protocol.rollback import roll_back_object
from tests.fakes.clock import FakeClock
from tests.worlds.migration import POLICY, SOURCE, TARGET, MigrationWorld, created, holding, listed, unanswered
from tests.worlds.presence import present

COPY_ETAG = md5(b"bytes", usedforsecurity=False).hexdigest()


def cleaned() -> MigrationWorld:
    """A source with an older version under the one that was copied and cleaned."""
    world = holding(b"older", versioned=True)
    world.store.put(SOURCE, b"bytes", metadata={"a": "b"})
    world.migrate(listed(b"bytes"))
    clean_source(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY, need_proof=False)
    assert world.record.state is State.CLEANED
    return world


def test_an_upload_that_an_attempt_left_is_dropped_with_its_parts() -> None:
    """Its record names it no longer afterwards."""
    world = cleaned()
    world.leave_upload()
    assert forget(world) == "CLEANED"
    assert (world.store.uploads, world.record.upload) == ({}, None)


def forget(world: MigrationWorld) -> str:
    """One try."""
    return forgotten(world)[1]


def forgotten(world: MigrationWorld) -> tuple[str, str]:
    """What becomes of the message, and why."""
    attempt = world.attempt()
    outcome = forget_version(SOURCE.record_id, attempt=attempt, ports=world.ports, versions=world.store, policy=POLICY)
    return outcome.verdict.value, outcome.reason


def test_the_version_goes_and_rollback_copies_back_from_the_target() -> None:
    """Not from the older version that lies under the marker, and no late event takes that one for the newest."""
    world = cleaned()
    assert forget(world) == "CLEANED"
    assert world.record.source_version is None
    assert forget(world) == "no version is left to delete"
    world.migrate(created(b"older", 9))
    assert world.store.body(TARGET) == b"bytes"
    roll_back_object(SOURCE, TARGET, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    assert world.store.body(SOURCE) == b"bytes"
    seen = present(world.store.look_at_object(SOURCE))
    assert seen.metadata == {"a": "b"}


def lock_verified(world: MigrationWorld) -> None:
    """Somebody holds the version that was copied."""
    versions = world.store.buckets.bucket("line").versions
    hold = Lock(legal_hold=True)
    versions["old//k"] = [
        replace(one, state=replace(one.state, lock=hold)) if one.state and one.body == b"bytes" else one
        for one in versions["old//k"]
    ]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_is_gone_on_with(when: Literal["before", "after"]) -> None:
    """The claim runs out, then the same version is deleted again; nothing older is touched."""
    world = cleaned()
    world.store.fail_next(UnavailableError("no answer"), when=when, call="remove_version")
    with pytest.raises(UnavailableError):
        forget(world)
    world.clock.advance(100.0)
    assert forget(world) == "CLEANED"
    kept = [one for one in world.store.buckets.bucket("line").versions["old//k"] if one.state is not None]
    assert [one.body for one in kept] == [b"older"]
    roll_back_object(SOURCE, TARGET, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    assert world.store.body(SOURCE) == b"bytes"


def test_a_version_stays_while_its_copy_is_not_what_was_verified() -> None:
    """It may be the only one."""
    world = cleaned()
    world.store.put(TARGET, b"a stranger's")
    assert forget(world) == "the target is no longer what was copied"
    assert world.record.source_version is not None


def test_a_version_stays_when_its_producer_deleted_the_key_again() -> None:
    """The producer's marker lies over keyshift's, and without the version nothing shows what it deleted."""
    world = cleaned()
    world.store.remove(SOURCE)
    assert forget(world) == "keyshift's delete marker no longer hides the verified version"
    assert world.record.source_version is not None


def test_a_version_stays_when_somebody_wrote_or_deleted_above_it() -> None:
    """Our marker is no longer what hides it."""
    world = cleaned()
    world.store.put(SOURCE, b"new")
    world.store.remove(SOURCE)
    assert forget(world) == "keyshift's delete marker no longer hides the verified version"
    assert world.record.maybe == frozenset()


def test_a_locked_source_is_not_even_hidden() -> None:
    """Object lock says that it is to stay, and cleanup obeys."""
    world = holding(versioned=True)
    world.migrate(listed(b"bytes"))
    lock_verified(world)
    outcome = clean_source(
        SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY, need_proof=False
    )
    assert outcome.reason == "object lock holds it"
    assert world.store.body(SOURCE) == b"bytes"


def test_a_version_that_is_locked_while_its_delete_is_gone_on_with_stays() -> None:
    """S3 would deny the delete again and again; the record names the version, so that a rollback uncovers it."""
    world = cleaned()
    verified = world.record.source_version
    with unanswered(world, "remove_version", when="before"):
        forget(world)
    lock_verified(world)
    world.clock.advance(100.0)
    assert forget(world) == "object lock holds it"
    assert (world.record.source_version, world.record.maybe) == (verified, frozenset())
    roll_back_object(SOURCE, TARGET, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    seen = present(world.store.look_at_object(SOURCE))
    assert (seen.version_id, seen.lock) == (verified, Lock(legal_hold=True))


def version_is_there(world: MigrationWorld) -> bool:
    """Whether the verified version can still be read."""
    kept = world.store.buckets.bucket("line").versions["old//k"]
    return any(one.state is not None and one.body == b"bytes" for one in kept)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mode": Mode.ROLLED_BACK}, ("done", "its source is not cleaned")),
        ({"state": State.CONFLICT}, ("done", "its source is not cleaned")),
        ({"rewritten_etag": COPY_ETAG}, ("done", told(Cause.ONLY_ORIGINAL))),
        ({"claim": Claim("other", 9e9)}, ("return", "another worker has it")),
        ({"claim": Claim("other", FakeClock().now())}, ("return", "another worker has it")),
    ],
)
def test_a_version_stays_by_its_record(changes: dict[str, object], said: tuple[str, str]) -> None:
    """Each alone is enough."""
    world = cleaned()
    world.edit(**changes)
    assert forgotten(world) == said
    assert version_is_there(world)


def test_no_record_is_no_cleaned_source() -> None:
    """A key that nobody migrated."""
    world = MigrationWorld(versioned=True)
    assert forgotten(world) == ("done", "its source is not cleaned")


def test_a_version_under_object_lock_stays_and_the_record_is_free() -> None:
    """The lock is the verified version's own, whatever hides it."""
    world = cleaned()
    lock_verified(world)
    assert forgotten(world) == ("done", "object lock holds it")
    assert version_is_there(world)
    assert not world.record.is_unfinished
    assert world.record.source_version is not None


def test_a_version_stays_when_its_copy_is_gone() -> None:
    """Nothing at the target is no copy either."""
    world = cleaned()
    world.store.remove(TARGET)
    assert forgotten(world) == ("done", "the target is no longer what was copied")
    assert version_is_there(world)
    assert world.record.maybe == frozenset()


def test_another_key_is_untouched() -> None:
    """A version that was already begun is the one that goes."""
    world = cleaned()
    world.store.put(Location("line", "old//other"), b"bytes")
    assert forgotten(world) == ("done", "CLEANED")
    assert world.store.body(Location("line", "old//other")) == b"bytes"
    assert not version_is_there(world)


def test_what_is_to_go_is_named_before_it_goes() -> None:
    """Bytes and version: whoever reads the history knows what the delete was about."""
    world = cleaned()
    version = present(world.record.source_version)
    forget(world)
    declared = [now.intent for _, now in world.manifest.changes if now.intent is not None]
    assert declared[-1] == Intent(Action.DELETE_SOURCE, COPY_ETAG, version)


def test_somebody_quicker_keeps_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record changed since it was read."""
    world = cleaned()
    monkeypatch.setattr(world.manifest, "write_record", lambda *_, **__: False)
    assert forgotten(world) == ("return", "another worker has it")
    assert version_is_there(world)


def test_being_slowed_down_frees_the_record_and_names_nothing_as_begun() -> None:
    """A look that failed deleted nothing: what the copy's loss then shows settles it."""
    world = cleaned()
    world.store.fail_next(ThrottledError("slow down"))
    with pytest.raises(ThrottledError):
        forget(world)
    assert world.record.claim is None
    world.store.remove(TARGET)
    assert forget(world) == "the target is no longer what was copied"
    assert not world.record.is_unfinished


def test_a_copy_that_was_begun_is_no_delete_that_was_begun() -> None:
    """The owner wrote again and nobody copied it yet: the version that its copy's attempt named must stay."""
    world = cleaned()
    forget(world)
    written = world.store.put(SOURCE, b"newer")
    with unanswered(world, "copy_object", when="before"):
        world.migrate(created(b"newer", 9, version_id=written.version_id))
    world.edit(claim=None, intent=None, maybe=left_over(world.record))
    assert world.record.state is State.CLEANED
    assert {one.version_id for one in world.record.maybe} == {written.version_id}
    assert forgotten(world) == ("done", "no version is left to delete")
    assert world.store.body(SOURCE) == b"newer"


def test_a_hidden_source_without_a_version_is_not_what_was_begun() -> None:
    """The version that goes is then the record's own."""
    world = cleaned()
    world.edit(maybe=frozenset({Intent(Action.DELETE_SOURCE)}))
    assert forgotten(world) == ("done", "CLEANED")
    assert not version_is_there(world)


def test_a_version_stays_when_its_marker_was_taken_away() -> None:
    """Somebody made it current again."""
    world = cleaned()
    world.store.buckets.remove_version(SOURCE, world.record.marker_version or "")
    assert world.store.body(SOURCE) == b"bytes"
    assert forgotten(world) == ("done", "keyshift's delete marker no longer hides the verified version")
    assert world.store.body(SOURCE) == b"bytes"


def test_a_version_that_went_by_itself_is_as_good_as_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lifecycle rule was quicker, between two looks."""
    world = cleaned()
    real = world.store.find_top_marker

    def find_top_marker(location: Location) -> TopMarker | None:
        found = real(location)
        world.store.buckets.remove_version(SOURCE, world.record.source_version or "")
        return found

    monkeypatch.setattr(world.store, "find_top_marker", find_top_marker)
    assert forgotten(world) == ("done", "CLEANED")
    assert world.record.source_version is None


def test_a_delete_that_was_begun_stays_known_when_the_copy_is_lost_meanwhile() -> None:
    """Its request may have taken effect: the record is free and says so."""
    world = cleaned()
    version = world.record.source_version or ""
    with unanswered(world, "remove_version", when="before"):
        forget(world)
    world.clock.advance(100.0)
    world.store.put(TARGET, b"a stranger's")
    assert forgotten(world) == ("done", "the target is no longer what was copied")
    assert version_is_there(world)
    assert world.record.claim is None
    assert world.record.maybe == {Intent(Action.DELETE_SOURCE, COPY_ETAG, version)}


def test_a_copy_whose_answer_was_lost_stays_ours_after_a_version_was_kept() -> None:
    """Forgotten, the owner's next bytes would meet our own copy as a stranger's object."""
    world = cleaned()
    world.store.put(SOURCE, b"newer")
    with unanswered(world, "copy_object"):
        world.migrate(created(b"newer", 8))
    world.clock.advance(100.0)
    assert forgotten(world) == ("done", "the target is no longer what was copied")
    assert {one.action for one in world.record.maybe} == {Action.COPY}
    world.store.put(SOURCE, b"newest")
    assert world.migrate(created(b"newest", 9)).state is State.COPIED
    assert world.store.body(TARGET) == b"newest"
