"""The rules name another KMS key for the copies: copied, compared, repaired, cleaned up and rolled back with it."""

from dataclasses import replace
from typing import Any

import pytest

from domain.kms_keys import NO_KEYS, KeyMap, account_of, is_same_key, region_of
from domain.lifecycle.verification import Difference, Finding, judge
from domain.objects import Encryption, ObjectState
from domain.protocol.attempt import Outcome
from domain.protocol.causes import Cause
from domain.protocol.cleanup import clean_source, preview_source
from domain.protocol.record import Origin, State
from domain.protocol.rollback import roll_back_object
from handlers.operations.verify import sides_of
from tests.worlds.migration import BARE_ROW, LARGE, POLICY, SOURCE, TARGET, MigrationWorld, created
from tests.worlds.presence import present

OLD_ID = "11111111-2222-4333-8444-555555555555"
OLD = f"arn:aws:kms:us-east-1:111111111111:key/{OLD_ID}"
NEW = "arn:aws:kms:us-east-1:222222222222:key/99999999-2222-4333-8444-555555555555"
OTHER = "arn:aws:kms:us-east-1:111111111111:key/66666666-2222-4333-8444-555555555555"
MAPPED = replace(POLICY, kms_keys=KeyMap({OLD: NEW}))
DSSE = Encryption("aws:kms:dsse", OLD)


def holding_key(key: str = OLD, body: bytes = b"bytes", **more: Any) -> MigrationWorld:
    """An object under that key."""
    world = MigrationWorld(**more)
    world.store.put(SOURCE, body, encryption=Encryption("aws:kms", key, bucket_key=True), tags={"t": "1"})
    return world


def copy_of(world: MigrationWorld) -> ObjectState:
    """The target as HEAD shows it."""
    return present(world.store.look_at_object(TARGET))


def verified(world: MigrationWorld, keys: KeyMap = MAPPED.kms_keys) -> Finding:
    """One verification, which marks the record as ``verify`` does."""
    now = world.clock.now()
    found = judge(world.record, sides_of(world.record, world.ports), now=now, keys=keys)
    world.edit(seen=found.seen, verified_at=now if found.verified else None)
    return found


def clean(world: MigrationWorld) -> Outcome:
    """One cleanup."""
    return clean_source(world.record.record_id, attempt=world.attempt(), ports=world.ports, policy=MAPPED)


@pytest.mark.parametrize("body", [b"bytes", LARGE])
@pytest.mark.parametrize("old", [OLD, OLD_ID])
def test_a_copy_gets_the_key_that_the_rules_name(old: str, body: bytes) -> None:
    """In one request and in parts, by ARN and by id; algorithm and bucket key stay."""
    world = holding_key(body=body)
    world.migrate(BARE_ROW, policy=replace(POLICY, kms_keys=KeyMap({old: NEW})))
    assert copy_of(world).encryption == Encryption("aws:kms", NEW, bucket_key=True)


@pytest.mark.parametrize("body", [b"bytes", LARGE])
def test_an_event_of_such_an_object_has_the_same_copy(body: bytes) -> None:
    """A copy in parts reads the source once more, for its tags."""
    world = holding_key(body=body)
    seen = present(world.store.look_at_object(SOURCE))
    world.migrate(created(body, etag=seen.etag), policy=MAPPED)
    assert (copy_of(world).encryption.kms_key_id, world.record.state) == (NEW, State.COPIED)


def test_the_algorithm_stays() -> None:
    """An object with two layers of encryption has a copy with two."""
    world = MigrationWorld()
    world.store.put(SOURCE, b"bytes", encryption=DSSE)
    world.migrate(BARE_ROW, policy=MAPPED)
    assert copy_of(world).encryption == Encryption("aws:kms:dsse", NEW)


@pytest.mark.parametrize("encryption", [Encryption("aws:kms", OTHER), Encryption("AES256")])
def test_a_source_that_the_map_does_not_name_keeps_its_encryption(encryption: Encryption) -> None:
    """Another key, or none."""
    world = MigrationWorld()
    world.store.put(SOURCE, b"bytes", encryption=encryption)
    world.migrate(BARE_ROW, policy=MAPPED)
    assert copy_of(world).encryption == encryption
    assert "encryption" not in verified(world).differences


def test_verify_accepts_the_mapped_key_and_no_other() -> None:
    """It notes the source's key, and names both keys where the copy has a wrong one."""
    world = holding_key()
    world.migrate(BARE_ROW, policy=MAPPED)
    found = verified(world)
    assert Difference.ENCRYPTION not in found.differences
    assert found.seen is not None
    assert (found.seen.source_key, found.seen.lost) == (OLD, ())
    world.change(TARGET, encryption=Encryption("aws:kms", OLD))
    wrong = verified(world)
    assert Difference.ENCRYPTION in wrong.differences
    assert wrong.detail == f"encryption aws:kms under {NEW} is wanted, the copy has {OLD}"
    assert wrong.seen is not None
    assert wrong.seen.source_key == ""
    unmapped = verified(world, NO_KEYS)
    assert Difference.ENCRYPTION not in unmapped.differences


def test_a_copy_under_the_wrong_key_is_repaired_and_its_source_is_kept_until_then() -> None:
    """The rules named the key only after the copy was made: ``--requeue`` enqueues a bare row."""
    world = holding_key()
    world.migrate(BARE_ROW)
    assert copy_of(world).encryption.kms_key_id == OLD
    world.edit(verified_at=world.clock.now())
    ended = clean(world)
    assert (ended.cause, ended.detail) == (Cause.COPY_LACKS, "KMS key")
    previewed = preview_source(world.record, ports=world.ports, policy=MAPPED, now=world.clock.now())
    assert previewed is Cause.COPY_LACKS
    world.migrate(BARE_ROW, policy=MAPPED)
    assert copy_of(world).encryption.kms_key_id == NEW
    verified(world)
    world.edit(verified_at=world.clock.now())
    assert clean(world).state is State.CLEANED


def test_a_copy_under_the_right_key_is_not_made_again() -> None:
    """A row that comes twice settles, and so does an equal object that another writer put there."""
    world = holding_key()
    world.migrate(BARE_ROW, policy=MAPPED)
    world.store.calls.clear()
    world.migrate(BARE_ROW, policy=MAPPED)
    assert "copy_object" not in world.store.calls
    assert world.record.origin is Origin.CREATED


@pytest.mark.parametrize(("is_seen", "key"), [(True, OLD), (False, OLD)])
def test_a_source_that_is_copied_back_has_its_own_key(key: str, *, is_seen: bool) -> None:
    """By what the verification noted, else by the only old key of the copy's key."""
    world = holding_key()
    world.migrate(BARE_ROW, policy=MAPPED)
    verified(world)
    world.edit(verified_at=world.clock.now())
    assert clean(world).state is State.CLEANED
    if not is_seen:
        world.edit(seen=None)
    attempt = world.attempt()
    roll_back_object(SOURCE, TARGET, attempt=attempt, ports=world.ports, policy=MAPPED)
    restored = present(world.store.look_at_object(SOURCE))
    assert restored.encryption == Encryption("aws:kms", key, bucket_key=True)


def test_two_old_keys_of_one_new_key_are_told_apart_by_what_was_seen() -> None:
    """Without that the copy's key stays: to guess would be worse."""
    keys = KeyMap({OLD: NEW, OTHER: NEW})
    under_new = ObjectState("e", 1, encryption=Encryption("aws:kms", NEW))
    assert keys.as_original(under_new, OTHER).encryption.kms_key_id == OTHER
    assert keys.as_original(under_new, None) == under_new
    assert keys.as_original(under_new, "") == under_new
    plain = replace(under_new, encryption=Encryption("AES256"))
    assert keys.as_original(plain, OLD) == plain


def test_an_id_names_the_key_of_an_arn_and_two_arns_are_compared_whole() -> None:
    """Keys of several regions share their id."""
    elsewhere = OLD.replace("us-east-1", "eu-west-1")
    assert is_same_key(OLD_ID, OLD)
    assert is_same_key(OLD, OLD_ID)
    assert not is_same_key(OLD, elsewhere)
    assert KeyMap({OLD: NEW}).copy_key(elsewhere) is None
    assert (region_of(OLD), account_of(OLD), region_of(OLD_ID), account_of(OLD_ID)) == ("us-east-1", "1" * 12, "", "")
