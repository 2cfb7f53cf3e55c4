"""Other rules are deployed for a while and put back: nothing is forgotten, deleted or brought back by that."""

from collections.abc import Callable

import pytest

from domain.keys import Location
from domain.protocol.attempt import RULES_SECONDS, Outcome, Verdict
from domain.protocol.causes import Cause
from domain.protocol.claims import ClaimRequest
from domain.protocol.cleanup import clean_source
from domain.protocol.intents import Action, Intent
from domain.protocol.migration import begin_attempt
from domain.protocol.notices import Destination, Notice, NoticeKind
from domain.protocol.record import Claim, State
from tests.worlds.migration import POLICY, SOURCE, TARGET, MigrationWorld, created, holding, listed, removed

ELSEWHERE = Location("line", "elsewhere/k")
NOWHERE = Location("line", "")
ROW = Notice(NoticeKind.LISTED, SOURCE)
Met = Callable[[MigrationWorld, Notice], Outcome]


def mapped_elsewhere(world: MigrationWorld, notice: Notice) -> Outcome:
    """The rules of the day have another target."""
    return world.migrate(notice, target=ELSEWHERE)


def impossible(world: MigrationWorld, notice: Notice) -> Outcome:
    """The rules of the day make a key of it that S3 cannot hold."""
    return begin_attempt(
        notice,
        destination=Destination(NOWHERE, "r"),
        attempt=world.attempt(),
        ports=world.ports,
        policy=POLICY,
    ).park(Cause.IMPOSSIBLE_KEY, "too long")


both = pytest.mark.parametrize("other_rules", [mapped_elsewhere, impossible])


@both
def test_a_conflict_stays_one(other_rules: Met) -> None:
    """Parked it would be forgotten that somebody deleted the copy, and the old rules would bring it back."""
    world = holding()
    world.migrate(listed(b"bytes"))
    world.store.remove(TARGET)
    world.store.put(SOURCE, b"newer")
    assert world.migrate(created(b"newer", 5)).state is State.CONFLICT
    met = other_rules(world, ROW)
    assert (met.state, world.record.state, world.record.claim) == (State.CONFLICT, State.CONFLICT, None)
    assert world.migrate(ROW).state is State.CONFLICT
    assert world.store.look_at_object(TARGET) is None


@both
def test_a_cleaned_source_stays_known_as_ours(other_rules: Met) -> None:
    """A late event of our own cleanup's delete, after the old rules are back, must not delete the only copy."""
    world = holding()
    world.migrate(created(b"bytes", 1))
    world.edit(verified_at=1.0)
    clean_source(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    assert other_rules(world, ROW).state is State.PARKED
    assert world.migrate(removed(4)).state is State.CLEANED
    assert world.store.body(TARGET) == b"bytes"


@both
def test_an_owners_delete_is_given_back_until_the_rules_can_be_asked(other_rules: Met) -> None:
    """Nothing at the source could tell of it later; then it is mirrored as ever."""
    world = holding()
    world.migrate(created(b"bytes", 1))
    world.store.remove(SOURCE)
    met = other_rules(world, removed(2))
    assert (met.verdict, met.state, met.retry_after) == (Verdict.RETURN, State.PARKED, RULES_SECONDS)
    assert world.store.body(TARGET) == b"bytes"
    assert world.migrate(removed(2)).state is State.TOMBSTONE
    assert world.store.look_at_object(TARGET) is None


@both
def test_what_is_there_is_parked_and_its_message_is_done(other_rules: Met) -> None:
    """The source itself will tell; its copy is left alone, and the record says which rules are in the way."""
    world = holding()
    world.migrate(created(b"bytes", 1))
    world.store.put(SOURCE, b"newer")
    met = other_rules(world, created(b"newer", 2))
    assert (met.verdict, met.state) == (Verdict.DONE, State.PARKED)
    assert met.reason == world.record.why
    assert world.store.body(TARGET) == b"bytes"
    assert world.migrate(ROW).state is State.COPIED
    assert world.store.body(TARGET) == b"newer"


def test_a_delete_of_what_was_never_copied_is_done() -> None:
    """There is nothing that it could be mirrored to."""
    world = MigrationWorld()
    assert impossible(world, removed(1)).verdict is Verdict.DONE
    assert impossible(world, removed(2)).verdict is Verdict.DONE
    assert world.record.holds_nothing


def test_an_attempt_that_died_before_it_learned_of_the_old_rules_is_no_dead_end() -> None:
    """Under an impossible key nothing can have been written, whatever the dead attempt had meant to do."""
    world = holding()
    impossible(world, listed(b"bytes"))
    claim, intent = Claim("dead", world.clock.now() + 60.0), Intent(Action.COPY, "e")
    assert world.manifest.claim_record(ClaimRequest(ROW, TARGET, claim, intent, world.clock.now())).granted
    world.clock.advance(1_000.0)
    assert world.migrate(ROW).state is State.COPIED
    assert (world.record.target, world.store.body(TARGET)) == (TARGET, b"bytes")
