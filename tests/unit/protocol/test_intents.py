"""Intents: what they recognise, what rules them out, and which date they keep."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.errors import AccessDeniedError
from domain.objects import Lock, ObjectState
from domain.protocol.attempt import Lease, Verdict
from domain.protocol.copying import UPLOAD
from domain.protocol.held_record import HeldRecord, take_claim
from domain.protocol.intents import Action, Intent, with_doubtful
from domain.protocol.known_target import earlier_copy, is_ruled_out
from domain.protocol.migration import migrate_object
from domain.protocol.notices import Destination
from domain.protocol.record import State
from domain.protocol.rollback import PURGE, ROLL_BACK
from domain.protocol.seen_parts import SeenParts
from tests.worlds.migration import (
    BARE_ROW,
    LARGE,
    POLICY,
    SHORT,
    SOURCE,
    TARGET,
    MigrationWorld,
    calls,
    created,
    holding_large,
    listed,
)
from tests.worlds.presence import present
from tests.worlds.rollback import migrated

COPY = Intent(Action.COPY, "e", "v", "e", "CRC32=AAAAAA==", 100)
DELETE, DELETE_VERSION = Intent(Action.DELETE_SOURCE, "e"), Intent(Action.DELETE_SOURCE, "e", "v")
UNRECOGNISABLE = Intent(Action.COPY)


def test_only_a_permanent_delete_is_a_task() -> None:
    """A copy of a version can be left, a delete of one cannot."""
    assert DELETE_VERSION.is_task
    assert not DELETE.is_task
    assert not COPY.is_task


def test_an_etag_recognises_whatever_the_checksum_date_and_refusal_say() -> None:
    """Without one the checksum counts; another source is never the same."""
    other = replace(COPY, checksum="", not_before=200, is_refused=True)
    assert COPY.identifies(other)
    assert other.identifies(COPY)
    assert not COPY.identifies(replace(other, version_id="w"))
    by_checksum = replace(COPY, target_etag="")
    assert by_checksum.identifies(replace(by_checksum, not_before=200, is_refused=True))
    assert not by_checksum.identifies(replace(by_checksum, checksum="CRC32=BBBBBB=="))


def test_the_same_copy_is_listed_once() -> None:
    """With its earliest date, which rules out the least; as unconfirmed only where it is not known otherwise."""
    later, refused = replace(COPY, not_before=200), replace(COPY, not_before=50, is_refused=True)
    assert with_doubtful(frozenset({COPY, later}), frozenset({refused})) == {COPY}
    assert with_doubtful(frozenset(), frozenset({refused})) == {refused}


def there() -> ObjectState:
    """An object that no intent here recognises."""
    return present(migrated(cleaned=True).store.look_at_object(TARGET))


@pytest.mark.parametrize(
    ("intent", "without_source", "with_source"),
    [(DELETE, False, True), (DELETE_VERSION, False, False), (PURGE, False, False), (ROLL_BACK, False, False)],
)
def test_a_source_that_is_there_rules_out_its_delete_alone(
    intent: Intent, *, without_source: bool, with_source: bool
) -> None:
    """A permanent delete may still come, and the source says nothing of what happens to the target."""
    assert is_ruled_out(intent, None, there()) is without_source
    assert is_ruled_out(intent, there(), there()) is with_source


def test_a_copy_that_the_record_knows_is_not_told_again() -> None:
    """What an earlier attempt sent counts only where no copy was recorded."""
    world = migrated(cleaned=False)
    target = present(world.store.look_at_object(TARGET))
    unknown = replace(
        world.record, state=State.PARKED, target_etag=None, maybe=frozenset({Intent(Action.COPY, "e", "", target.etag)})
    )
    assert earlier_copy(target, unknown)["target_etag"] == target.etag
    assert earlier_copy(target, replace(unknown, target_etag="other")) == {}
    assert earlier_copy(None, unknown) == {}


def held_of(world: MigrationWorld, intent: Intent) -> HeldRecord:
    """The record under a claim with this intent."""
    held = take_claim(world.record, intent, lease=Lease.begin(world.attempt(), POLICY, world.clock), ports=world.ports)
    assert held is not None
    return held


def test_a_look_at_both_keys_forgets_only_what_it_rules_out() -> None:
    """A copy that nothing can recognise may still have been made."""
    world = migrated(cleaned=False)
    recognisable = Intent(Action.COPY, "other", "", "other")
    world.edit(maybe=frozenset({recognisable, UNRECOGNISABLE}))
    held = held_of(world, DELETE)
    held.note_sight(world.store.look_at_object(SOURCE), world.store.look_at_object(TARGET))
    held.release()
    assert UNRECOGNISABLE in world.record.maybe
    assert recognisable not in world.record.maybe


def test_a_forgotten_intent_is_not_in_the_record() -> None:
    """Its request was never sent, so no later attempt need settle it."""
    world = migrated(cleaned=False)
    held_of(world, DELETE).forget_intent()
    assert (world.record.claim, world.record.intent, world.record.maybe) == (None, None, frozenset())


def test_an_intent_that_is_declared_already_is_not_written_again() -> None:
    """Each write costs a write unit and a change in the audit."""
    world = migrated(cleaned=False)
    held = held_of(world, DELETE)
    written = len(world.manifest.changes)
    held.declare_intent(DELETE)
    assert len(world.manifest.changes) == written
    held.lengthen_claim(60.0)
    held.lengthen_claim(60.0)
    assert len(world.manifest.changes) == written + 1


def test_an_earlier_date_is_declared() -> None:
    """A later one would rule out what the attempt before has written."""
    world = migrated(cleaned=False)
    held = held_of(world, COPY)
    held.declare_intent(replace(COPY, not_before=COPY.not_before - 1))
    assert world.record.intent == replace(COPY, not_before=COPY.not_before - 1)
    held.declare_intent(COPY)
    assert world.record.intent == replace(COPY, not_before=COPY.not_before - 1)


def test_a_source_that_is_there_rules_out_no_copy() -> None:
    """The target could not be looked at, so the copy of an earlier attempt may be there."""
    world = migrated(cleaned=False)
    sent = Intent(Action.COPY, "other", "", "other")
    world.edit(maybe=frozenset({sent, DELETE}))
    world.store.fail_nth(1, AccessDeniedError("s3:GetObject is missing"), call="look_at_object")
    world.migrate(BARE_ROW)
    assert world.record.state is State.PARKED
    assert world.record.maybe == {sent}


def test_a_retention_that_has_ended_is_not_lost() -> None:
    """S3 takes no date in the past, so a copy without it is whole, and is not made again."""
    world = MigrationWorld(locks=True)
    until = datetime.fromtimestamp(world.clock.now() + 100, UTC).isoformat()
    world.store.put(SOURCE, b"bytes", lock=Lock(mode="GOVERNANCE", retain_until=until))
    world.clock.advance(1_000)
    assert world.migrate(listed(b"bytes")).state is State.COPIED
    assert "copy_object" not in calls(world, BARE_ROW)


def test_another_copy_has_not_been_looked_at() -> None:
    """What verify saw and proved was of the copy before."""
    world = migrated(cleaned=False)
    world.edit(verified_at=1.0, seen=SeenParts(tags=1))
    world.store.put(SOURCE, b"other")
    assert world.migrate(created(b"other", 2)).state is State.COPIED
    assert (world.record.verified_at, world.record.seen) == (None, None)


def test_an_upload_is_resumed_at_any_later_time_and_keeps_its_date() -> None:
    """S3 dates an object in parts by its upload's beginning: a later date would rule keyshift's own copy out."""
    world = holding_large()
    outcome = migrate_object(
        listed(LARGE),
        destination=Destination(TARGET, "r"),
        attempt=replace(world.attempt(), limit=2.0),
        ports=world.ports,
        policy=SHORT,
    )
    assert outcome.verdict is Verdict.CONTINUE
    upload = present(world.record.upload)
    world.clock.advance(1_000)
    world.store.calls.clear()
    assert world.migrate(listed(LARGE), policy=SHORT).state is State.COPIED
    assert "create_upload" not in world.store.calls
    declared = [now.intent for _, now in world.manifest.changes if now.intent not in (None, UPLOAD)]
    assert declared[-1] is not None
    assert (declared[-1].action, declared[-1].not_before) == (Action.COPY, upload.not_before)
