"""Which requests a migration costs, and what its record says afterwards: facts that whole runs leave open."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import md5

import pytest

from domain.errors import AccessDeniedError
from domain.keys import Location, Sequencer
from domain.protocol.attempt import MigrationPolicy, Verdict
from domain.protocol.causes import Cause, told
from domain.protocol.intents import Action, Intent
from domain.protocol.migration import begin_attempt
from domain.protocol.notices import Destination, Notice, NoticeKind
from domain.protocol.parts import MIB
from domain.protocol.ports import Refused
from domain.protocol.record import Claim, Mode, Origin, State
from tests.fakes.object_store import InMemoryObjectStore
from tests.worlds.migration import (
    NOW,
    POLICY,
    PROMISED,
    SOURCE,
    TARGET,
    MigrationWorld,
    calls,
    created,
    holding,
    listed,
    lose_claim_answers,
    mirrored,
    removed,
)
from tests.worlds.presence import present

ETAG = md5(b"bytes", usedforsecurity=False).hexdigest()


def test_a_listed_object_costs_one_request() -> None:
    """The row says all that the copy's conditions need."""
    assert calls(holding(), listed(b"bytes")) == ["copy_object"]


def test_an_event_is_looked_at_unless_the_class_was_promised() -> None:
    """An event does not name the storage class."""
    assert calls(holding(), created(b"bytes")) == ["look_at_object", "copy_object"]
    assert calls(holding(), created(b"bytes"), policy=PROMISED) == ["copy_object"]


def test_the_class_that_was_promised_is_written() -> None:
    """And the row's own class before it."""
    world = holding()
    world.migrate(created(b"bytes"), policy=replace(POLICY, promised_storage_class="STANDARD_IA", promised_plain=True))
    seen = present(world.store.look_at_object(TARGET))
    assert seen.storage_class == "STANDARD_IA"
    world = holding()
    world.migrate(replace(listed(b"bytes"), storage_class="GLACIER_IR"), policy=PROMISED)
    seen = present(world.store.look_at_object(TARGET))
    assert seen.storage_class == "GLACIER_IR"


@pytest.mark.parametrize(
    ("change", "policy"),
    [
        ({"size": None}, POLICY),
        ({"size": 6 * MIB + 1}, POLICY),
        ({"etag": f"{ETAG}-2"}, POLICY),
        ({"etag": ""}, POLICY),
        ({}, replace(POLICY, encrypts_targets=lambda: True)),
    ],
)
def test_what_one_request_may_not_do_is_looked_at_first(change: dict[str, object], policy: MigrationPolicy) -> None:
    """An unknown or large size, an etag that is no digest, and targets whose etags are none."""
    notice = replace(listed(b"bytes"), **change)  # type: ignore[arg-type]
    assert calls(holding(), notice, policy=policy)[0] == "look_at_object"


def test_the_largest_object_of_one_request_is_copied_in_one() -> None:
    """The limit itself is allowed."""
    body = bytes(6 * MIB)
    assert calls(holding(body), listed(body)) == ["copy_object"]


def test_a_newer_event_replaces_the_copy_after_one_look_at_it() -> None:
    """On the condition of the copy that the record knows; origin stays."""
    world = holding()
    world.migrate(created(b"bytes", 1), policy=PROMISED)
    world.store.put(SOURCE, b"newer")
    assert calls(world, created(b"newer", 2), policy=PROMISED) == ["look_at_object", "copy_object"]
    assert world.store.body(TARGET) == b"newer"
    assert world.record.origin is Origin.CREATED
    assert world.record.sequencer == Sequencer(f"{2:018x}")


def _no_order(notice: Notice) -> Notice:
    return replace(notice, sequencer=None)


def _another_length(notice: Notice) -> Notice:
    return replace(notice, sequencer=Sequencer("0" * 20 + "2"))


def _a_row(notice: Notice) -> Notice:
    return replace(notice, kind=NoticeKind.LISTED)


@pytest.mark.parametrize("change", [_no_order, _another_length, _a_row])
def test_what_cannot_be_ordered_is_looked_at(change: Callable[[Notice], Notice]) -> None:
    """Both keys, before anything is written."""
    world = holding()
    world.migrate(created(b"bytes", 1), policy=PROMISED)
    world.store.put(SOURCE, b"newer")
    asked = calls(world, change(created(b"newer", 2)), policy=PROMISED)
    assert asked[:2] == ["look_at_object", "look_at_object"]
    assert world.store.body(TARGET) == b"newer"


@pytest.mark.parametrize(
    "changes",
    [
        {"state": State.CONFLICT},
        {"state": State.PARKED},
        {"maybe": frozenset({Intent(Action.COPY, ETAG)})},
    ],
)
def test_an_unsettled_record_is_looked_at(changes: dict[str, object]) -> None:
    """What may be at the target is seen first."""
    world = holding()
    world.migrate(created(b"bytes", 1), policy=PROMISED)
    world.edit(**changes)
    world.store.put(SOURCE, b"newer")
    assert calls(world, created(b"newer", 2), policy=PROMISED)[:2] == ["look_at_object", "look_at_object"]


def test_an_event_of_what_is_gone_meanwhile_copies_nothing() -> None:
    """The look says so, and the record."""
    world = MigrationWorld()
    assert "copy_object" not in calls(world, created(b"bytes"))
    world = holding(b"other")
    world.migrate(created(b"bytes"))
    assert world.store.body(TARGET) == b"other"
    assert world.record.source_etag == md5(b"other", usedforsecurity=False).hexdigest()


def test_another_workers_claim_returns_the_message_with_the_state() -> None:
    """Also for an object that is only to be parked."""
    world = holding()
    world.migrate(listed(b"bytes"))
    world.edit(claim=Claim("other", world.clock.now() + 1.0))
    outcome = world.migrate(listed(b"bytes"))
    assert (outcome.verdict, outcome.state, outcome.retry_after) == (Verdict.RETURN, State.COPIED, 5)
    parked = begin_attempt(
        listed(b"bytes"),
        destination=Destination(TARGET, "r"),
        attempt=world.attempt(),
        ports=world.ports,
        policy=POLICY,
    ).park(Cause.RULES)
    assert (parked.verdict, parked.state) == (Verdict.RETURN, State.COPIED)


def test_a_park_announces_no_copy() -> None:
    """A worker that dies between claim and park leaves nothing that may have been written."""
    world = holding()
    begin_attempt(
        listed(b"bytes"),
        destination=Destination(TARGET, "r"),
        attempt=world.attempt(),
        ports=world.ports,
        policy=POLICY,
    ).park(Cause.RULES)
    assert len(world.manifest.changes) > 1
    assert {now.intent for _, now in world.manifest.changes} == {None}


def test_rolled_back_is_done_with_its_state() -> None:
    """No message of a rolled-back object waits."""
    world = holding()
    world.migrate(listed(b"bytes"))
    world.edit(mode=Mode.ROLLED_BACK)
    outcome = world.migrate(listed(b"bytes"))
    assert (outcome.verdict, outcome.state) == (Verdict.DONE, State.COPIED)


def test_another_target_parks_what_was_begun_and_moves_what_was_not() -> None:
    """The message names the target that holds the copy; an empty record takes the new one with its rule and digest."""
    world, other = holding(), Location("line", "newer/k")
    world.migrate(listed(b"bytes"))
    world.store.put(SOURCE, b"newer")
    outcome = world.migrate(listed(b"newer"), target=other)
    assert (outcome.verdict, outcome.state) == (Verdict.DONE, State.PARKED)
    assert outcome.reason == told(Cause.OTHER_TARGET, f"the rules say {other.uri}, it was begun for {TARGET.uri}")
    world = holding()
    policy = replace(POLICY, rules_digest="first")
    begin_attempt(
        listed(b"bytes"),
        destination=Destination(TARGET, "old"),
        attempt=world.attempt(),
        ports=world.ports,
        policy=policy,
    ).park(Cause.RULES)
    world.migrate(listed(b"bytes"), target=other, policy=replace(POLICY, rules_digest="second"))
    assert (world.record.target, world.record.rule, world.record.rules_digest) == (other, "r", "second")
    assert world.store.body(other) == b"bytes"


def test_a_mirrored_delete_forgets_the_copy_and_its_source() -> None:
    """Both keys are looked at first; nothing of the object is known afterwards."""
    world = mirrored()
    assert calls(world, removed(2)) == ["look_at_object", "look_at_object", "delete_object"]
    assert world.store.body(TARGET) is None
    known = world.record
    assert (known.state, known.source_etag, known.source_version) == (State.TOMBSTONE, None, None)
    assert (known.target_etag, known.target_version, known.origin, known.is_unfinished) == (None, None, None, False)


def test_a_delete_whose_copy_is_gone_too_is_a_tombstone(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 says absent at the last moment."""
    world = mirrored()
    monkeypatch.setattr(InMemoryObjectStore, "delete_object", lambda *_, **__: Refused.SOURCE_ABSENT)
    assert world.migrate(removed(2)).state is State.TOMBSTONE
    assert world.record.target_etag is None


def test_keys_that_keep_changing_are_left_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record is free meanwhile."""
    world = mirrored()
    monkeypatch.setattr(InMemoryObjectStore, "delete_object", lambda *_, **__: Refused.PRECONDITION)
    outcome = world.migrate(removed(2))
    assert (outcome.verdict, outcome.reason, outcome.retry_after) == (Verdict.RETURN, "both keys keep changing", 2)
    assert world.record.claim is None


@pytest.mark.parametrize("times", [1, 2])
def test_a_claim_whose_answer_was_lost_is_ours(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The same attempt asks again and goes on as if nothing had been there, or from what was there."""
    world = holding()
    for _ in range(times - 1):
        world.migrate(created(b"bytes", 1), policy=PROMISED)
        world.store.put(SOURCE, b"newer")
    lose_claim_answers(monkeypatch)
    body = world.store.body(SOURCE) or b""
    looks = ["look_at_object"] * (times - 1)
    assert calls(world, created(body, times), policy=PROMISED) == [*looks, "copy_object"]
    assert world.store.body(TARGET) == body
    assert not world.record.is_unfinished


def test_a_conflict_that_cannot_be_looked_at_stays_a_conflict() -> None:
    """Parked it would forget what it is; the claim is given back."""
    world = holding()
    world.store.put(TARGET, b"a stranger's")
    assert world.migrate(listed(b"bytes")).state is State.CONFLICT
    world.store.fail_next(AccessDeniedError("no"))
    assert world.migrate(listed(b"bytes")).verdict is Verdict.RETURN
    assert (world.record.state, world.record.claim) == (State.CONFLICT, None)


def test_an_object_that_is_there_already_is_adopted_and_stays_verified() -> None:
    """Another look that finds the same says nothing new; one that finds another target does."""
    world = holding()
    world.store.put(TARGET, b"bytes")
    assert world.migrate(listed(b"bytes")).state is State.COPIED
    known = world.record
    assert (known.origin, known.source_etag, known.target_etag, known.size) == (Origin.ADOPTED, ETAG, ETAG, 5)
    world.edit(verified_at=NOW)
    world.migrate(Notice(NoticeKind.LISTED, SOURCE))
    assert world.record.verified_at == NOW
    world.store.put(SOURCE, b"newer")
    world.migrate(listed(b"newer"))
    copied = world.record
    assert (copied.verified_at, copied.origin) == (None, Origin.CREATED)


def test_versions_are_recorded_as_s3_gave_them() -> None:
    """Of what was read and of what was written."""
    world = holding(versioned=True)
    world.migrate(listed(b"bytes"))
    source, target = world.store.look_at_object(SOURCE), world.store.look_at_object(TARGET)
    assert source is not None
    assert target is not None
    assert (world.record.source_version, world.record.target_version) == (source.version_id, target.version_id)
    assert (world.record.size, world.record.origin) == (5, Origin.CREATED)
    world.store.remove(SOURCE)
    world.migrate(Notice(NoticeKind.LISTED, SOURCE))
    assert world.record.state is State.GONE
    assert world.record.target_etag == ETAG
