"""What keeps a source or a version where it is, one reason at a time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import md5
from typing import Any

import pytest

from domain.keys import Location
from domain.objects import ContentHeaders, Encryption, Lock
from domain.protocol.causes import Cause
from domain.protocol.cleanup import DELETE_SOURCE, clean_source, preview_source
from domain.protocol.intents import Action, Intent
from domain.protocol.ports import Deleted, Refused
from domain.protocol.record import Claim, Mode, Record, State
from domain.protocol.rollback import roll_back_object
from tests.worlds.migration import POLICY, SOURCE, TARGET, MigrationWorld, listed, unanswered

COPY_ETAG = md5(b"bytes", usedforsecurity=False).hexdigest()


def copied(*, versioned: bool = False, locks: bool = False) -> MigrationWorld:
    """A verified copy, its source still there."""
    world = MigrationWorld(versioned=versioned, locks=locks)
    world.store.put(SOURCE, b"bytes", metadata={"a": "b"})
    world.migrate(listed(b"bytes"))
    world.edit(verified_at=world.clock.now())
    return world


def preview(world: MigrationWorld, record: Record | None = None) -> Cause | None:
    """What the operator is shown before ``--yes``."""
    return preview_source(record or world.record, ports=world.ports, policy=POLICY, now=world.clock.now())


def clean(world: MigrationWorld) -> Cause | State | None:
    """What cleanup says."""
    attempt = world.attempt()
    ended = clean_source(SOURCE.record_id, attempt=attempt, ports=world.ports, policy=POLICY, need_proof=True)
    return ended.cause or ended.state


def test_a_verified_source_goes_and_the_preview_said_so() -> None:
    """With nothing against it."""
    world = copied()
    assert preview(world) is None
    assert clean(world) is State.CLEANED
    assert world.store.body(SOURCE) is None


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"state": State.CONFLICT}, Cause.NOT_COPIED),
        ({"mode": Mode.ROLLED_BACK}, Cause.NOT_FORWARD),
        ({"maybe": frozenset({Intent(Action.COPY, COPY_ETAG)})}, Cause.UNSETTLED),
        ({"claim": Claim("t", 9e9)}, Cause.ATTEMPT_RUNS),
        ({"verified_at": None}, Cause.NOT_VERIFIED),
        ({"rewritten_etag": COPY_ETAG}, Cause.ONLY_ORIGINAL),
        ({"target_etag": "another"}, Cause.TARGET_CHANGED),
    ],
)
def test_the_preview_names_what_the_record_has_against_it(changes: dict[str, object], cause: Cause) -> None:
    """Each alone is enough."""
    world = copied()
    assert preview(world, replace(world.record, **changes)) is cause  # type: ignore[arg-type]
    assert preview(world, replace(world.record, maybe=frozenset())) is None


def test_the_preview_says_of_a_cleanup_that_died_what_cleanup_does() -> None:
    """It goes on with it once its claim has run out, and not before."""
    world = copied()
    dead = replace(world.record, claim=Claim("dead", 0.0), intent=DELETE_SOURCE)
    assert preview(world, dead) is None
    assert preview(world, replace(dead, claim=Claim("alive", 9e9))) is Cause.ATTEMPT_RUNS
    world.edit(claim=Claim("dead", 0.0), intent=DELETE_SOURCE)
    assert clean(world) is State.CLEANED


def _overwrite(world: MigrationWorld) -> None:
    world.store.put(SOURCE, b"other", metadata={"a": "b"})


def _describe_otherwise(world: MigrationWorld) -> None:
    world.store.put(SOURCE, b"bytes", metadata={"a": "c"})


def _head_otherwise(world: MigrationWorld) -> None:
    world.store.put(SOURCE, b"bytes", metadata={"a": "b"}, headers=ContentHeaders(content_type="text/csv"))


def _tag_otherwise(world: MigrationWorld) -> None:
    world.store.put(SOURCE, b"bytes", metadata={"a": "b"}, tags={"t": "1"})


@pytest.mark.parametrize("change", [_overwrite, _describe_otherwise, _head_otherwise, _tag_otherwise])
def test_a_source_that_changed_in_any_way_stays(change: Callable[[MigrationWorld], None]) -> None:
    """Bytes, metadata, headers or tags, told without versions."""
    world = copied()
    change(world)
    assert preview(world) is Cause.SOURCE_CHANGED
    assert clean(world) is Cause.SOURCE_CHANGED
    assert world.store.body(SOURCE) is not None
    assert not world.record.is_unfinished


def test_the_same_bytes_put_again_are_another_version() -> None:
    """Only the version id tells."""
    world = copied(versioned=True)
    world.store.put(SOURCE, b"bytes", metadata={"a": "b"})
    assert clean(world) is Cause.SOURCE_CHANGED


@pytest.mark.parametrize(
    ("change", "what"),
    [({"storage_class": "STANDARD_IA"}, "storage class"), ({"encryption": Encryption("aws:kms", "key")}, "KMS key")],
)
def test_a_source_stays_while_its_copy_lacks_what_it_has(change: dict[str, object], what: str) -> None:
    """A lifecycle rule or UpdateObjectEncryption came after the verification; an archived class cannot be copied."""
    world = copied()
    world.change(SOURCE, **change)
    assert preview(world) is Cause.COPY_LACKS
    attempt = world.attempt()
    ended = clean_source(SOURCE.record_id, attempt=attempt, ports=world.ports, policy=POLICY, need_proof=True)
    assert (ended.cause, ended.detail) == (Cause.COPY_LACKS, what)
    assert world.store.body(SOURCE) is not None
    assert not world.record.is_unfinished
    world.change(SOURCE, storage_class="GLACIER", encryption=Encryption("AES256"))
    assert clean(world) is State.CLEANED


@pytest.mark.parametrize(("over_for", "said"), [(0.9, Cause.LOCKED), (1.0, State.CLEANED)])
def test_a_retention_counts_until_it_is_over_by_the_latest_clock(over_for: float, said: Cause | State) -> None:
    """This machine's clock may be ahead of S3's by the margin of a second."""
    world = copied(locks=True)
    until = datetime.fromtimestamp(int(world.clock.now()), UTC)
    world.change(SOURCE, lock=Lock("GOVERNANCE", until.isoformat()))
    world.clock.advance(until.timestamp() + over_for - world.clock.now())
    assert clean(world) is said


@pytest.mark.parametrize(("deadline", "goes"), [(0.0, False), (-0.001, True)])
def test_a_claim_ends_after_its_last_second(deadline: float, *, goes: bool) -> None:
    """A dead attempt's delete is gone on with, a living one's is not."""
    world = copied()
    world.edit(claim=Claim("other", world.clock.now() + deadline), intent=DELETE_SOURCE)
    clean(world)
    assert (world.store.body(SOURCE) is None) is goes


def test_a_dead_copy_is_reconciled_before_its_source_may_go() -> None:
    """What it wrote is not known yet; only a dead cleanup is cleanup's to go on with."""
    world = copied()
    world.edit(claim=Claim("dead", world.clock.now() - 1.0), intent=Intent(Action.COPY, COPY_ETAG))
    assert clean(world) is Cause.ATTEMPT_RUNS
    assert world.store.body(SOURCE) == b"bytes"


def test_the_preview_knows_what_cleanup_goes_on_with() -> None:
    """Its own delete that never said what it did, and a rewritten copy whose original a version keeps."""
    world = copied()
    assert preview(world, replace(world.record, maybe=frozenset({DELETE_SOURCE}))) is None
    world = copied(versioned=True)
    world.edit(rewritten_etag=world.record.target_etag)
    assert preview(world) is None
    assert clean(world) is State.CLEANED


def test_a_source_written_between_look_and_delete_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 refuses the delete; the record is free and says nothing of one."""
    world = copied()
    monkeypatch.setattr(world.store, "delete_object", lambda *_, **__: Refused.PRECONDITION)
    assert clean(world) is Cause.SOURCE_CHANGED_NOW
    assert not world.record.is_unfinished
    assert world.store.body(SOURCE) == b"bytes"


def test_a_source_that_an_unanswered_delete_hid_comes_back_though_its_copy_is_gone() -> None:
    """The conflict remembers that the source went by our hand, not by its owner's."""
    world = copied(versioned=True)
    with unanswered(world, "delete_object"):
        clean(world)
    world.clock.advance(100.0)
    world.store.remove(TARGET)
    assert clean(world) is Cause.TARGET_CHANGED
    assert world.record.state is State.CONFLICT
    roll_back_object(SOURCE, TARGET, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    assert world.store.body(SOURCE) == b"bytes"


def test_a_rollback_that_did_not_end_holds_the_source() -> None:
    """Its record may still say COPIED."""
    world = copied()
    world.edit(mode=Mode.ROLLED_BACK)
    assert clean(world) is Cause.NOT_FORWARD
    assert world.store.body(SOURCE) == b"bytes"


def test_a_source_that_changed_ends_an_earlier_cleanup() -> None:
    """Its delete had no effect, so no claim, intent or doubt is left of it."""
    world = copied()
    world.edit(claim=Claim("dead", 0.0), intent=DELETE_SOURCE)
    world.store.put(SOURCE, b"other")
    assert clean(world) is Cause.SOURCE_CHANGED
    assert (world.record.claim, world.record.intent, world.record.maybe) == (None, None, frozenset())


def test_the_marker_of_an_earlier_cleanup_is_not_this_ones() -> None:
    """Rollback would take the marker of an unanswered cleanup for the producer's delete."""
    world = copied(versioned=True)
    world.edit(marker_version="earlier")
    with unanswered(world, "delete_object"):
        clean(world)
    world.clock.advance(100.0)
    roll_back_object(SOURCE, TARGET, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    assert world.store.body(SOURCE) == b"bytes"


@pytest.mark.parametrize(("gone", "state"), [(TARGET, State.CONFLICT), (SOURCE, State.GONE)])
def test_what_a_cleanup_finds_names_no_earlier_marker(gone: Location, state: State) -> None:
    """Its producer took that marker off when the key was written again."""
    world = copied(versioned=True)
    world.edit(marker_version="earlier")
    world.store.remove(gone)
    clean(world)
    assert (world.record.state, world.record.marker_version) == (state, None)


def test_an_absent_source_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its producer deleted it between the look and the delete; S3 says that the key is absent."""
    world = copied()
    delete = world.store.delete_object

    def delete_object(*arguments: Any, **more: Any) -> Deleted | Refused:
        world.store.remove(SOURCE)
        return delete(*arguments, **more)

    monkeypatch.setattr(world.store, "delete_object", delete_object)
    assert clean(world) is State.CLEANED
    assert world.store.calls[-1] == "delete_object"


def test_an_upload_that_an_attempt_left_holds_the_source() -> None:
    """A newer copy is under way: the next attempt ends it, or aborts it with its parts."""
    world = copied()
    world.leave_upload()
    assert clean(world) is Cause.UNSETTLED
    assert world.store.body(SOURCE) == b"bytes"
    assert world.record.upload is not None
