"""An owner deletes while rules are deployed that do not move his key: nothing is forgotten by that."""

from dataclasses import replace

import pytest

from domain.keys import Location
from domain.protocol.attempt import RULES_SECONDS
from domain.protocol.intents import Action, Intent
from domain.protocol.record import Claim, Mode, Record, State
from domain.queues import DeadLetter, Message
from domain.steering.control import Control
from handlers.config.rules_file import read_rules
from handlers.engine.batch import handle_messages, messages_of
from handlers.operations.dead_letters import OVERTAKEN, read_letter
from tests.worlds.handlers import BUCKET, HANDLER_RULES, Bench, bench, created_entry, direct, sqs_event

SOURCE, TARGET = Location(BUCKET, "old/a"), Location(BUCKET, "new/a")
UNMAPPED = HANDLER_RULES.replace("old/", "elder/")
KEPT = HANDLER_RULES.replace("kept/", "old/")
FAILING = UNMAPPED.replace("unmapped: report", "unmapped: fail")
others = pytest.mark.parametrize("rules", [UNMAPPED, KEPT, FAILING])


def removal(sequencer: str = "0055AED6DCD90291E5") -> str:
    """The owner's delete."""
    entry = created_entry(SOURCE.key, b"", sequencer)
    entry["eventName"] = "ObjectRemoved:Delete"
    entry["s3"]["object"] = {"key": SOURCE.key, "sequencer": sequencer}
    return direct(entry)


def under(made: Bench, rules: str) -> Bench:
    """The same world under other rules."""
    return replace(made, dependencies=replace(made.dependencies, rules=read_rules(rules)))


def one_by_one(made: Bench, *bodies: str) -> list[tuple[bool, int]]:
    """Whether each message is done, and after how many seconds it is due again."""
    handled = handle_messages(messages_of(sqs_event(*bodies)), made.dependencies, seconds_left=lambda: 300.0)
    return [(one.done, one.delay) for one in handled]


def copied() -> Bench:
    """A copy under the rules that made it."""
    made = bench()
    made.world.put(SOURCE.key, b"one")
    one_by_one(made, direct(created_entry(SOURCE.key, b"one")))
    assert TARGET in made.world.objects
    return made


@others
def test_a_delete_waits_for_the_rules_that_made_the_copy(rules: str) -> None:
    """With them back it is mirrored; acknowledged, the copy would stay for good."""
    made = copied()
    made.world.remove(SOURCE.key)
    assert one_by_one(under(made, rules), removal()) == [(False, RULES_SECONDS)]
    assert TARGET in made.world.objects
    assert one_by_one(made, removal()) == [(True, 0)]
    assert TARGET not in made.world.objects


@others
def test_a_delete_waits_while_an_attempt_has_not_said_what_it_did(rules: str) -> None:
    """A worker died over the copy: the record tells of none, and the copy is there."""
    made = copied()
    record_id, record = next(iter(made.world.records.items()))
    intent = Intent(Action.COPY, record.source_etag or "", target_etag=record.target_etag or "")
    claim = Claim("dead", made.world.clock.now() + 60)
    made.world.records[record_id] = Record(SOURCE, TARGET, State.NEW, revision=2, claim=claim, intent=intent)
    made.world.remove(SOURCE.key)
    assert one_by_one(under(made, rules), removal()) == [(False, RULES_SECONDS)]


@pytest.mark.parametrize("rules", [UNMAPPED, KEPT])
def test_a_delete_of_what_was_never_copied_is_done(rules: str) -> None:
    """There is nothing that could go along."""
    assert one_by_one(under(bench(), rules), removal()) == [(True, 0)]


@pytest.mark.parametrize("rules", [UNMAPPED, KEPT])
def test_a_delete_that_is_incorporated_is_done(rules: str) -> None:
    """A duplicate, or one that is older than the copy, asks for nothing."""
    made = copied()
    assert one_by_one(under(made, rules), removal("0055AED6DCD90271E5")) == [(True, 0)]
    made.world.remove(SOURCE.key)
    one_by_one(made, removal())
    assert made.world.records[SOURCE.record_id].state is State.TOMBSTONE
    assert one_by_one(under(made, rules), removal("0055AED6DCD902A1E5")) == [(True, 0)]


@pytest.mark.parametrize("rules", [UNMAPPED, KEPT])
def test_a_delete_after_the_rollback_of_its_key_is_done(rules: str) -> None:
    """Forward events count no more."""
    made = copied()
    record = made.world.records[SOURCE.record_id]
    made.world.records[SOURCE.record_id] = replace(record, mode=Mode.ROLLED_BACK, state=State.ROLLED_BACK)
    assert one_by_one(under(made, rules), removal()) == [(True, 0)]


@others
def test_a_created_event_costs_no_look_at_the_record(rules: str) -> None:
    """Its source is there, and tells of itself when the rules are back."""
    made = copied()
    made.world.manifest.read_record = None  # type: ignore[method-assign, assignment]  # whoever calls it fails
    handled = one_by_one(under(made, rules), direct(created_entry(SOURCE.key, b"one", "0055AED6DCD90291E5")))
    assert handled == [(rules is not FAILING, 0)]


@others
def test_a_dead_letter_of_such_a_delete_is_not_overtaken(rules: str) -> None:
    """A replay under the rules of today would delete it."""
    made = copied()
    dead = DeadLetter(Message("m1", "r1", removal()))
    letter = read_letter(dead, "events", under(made, rules).dependencies)
    assert not letter.is_overtaken
    assert letter.cause == ("keep" if rules is KEPT else "unmapped")
    assert [one.settled for one in letter.seen] == [False]


def test_a_dead_letter_that_asks_for_nothing_is_overtaken() -> None:
    """Of a key that no rules ever moved."""
    letter = read_letter(DeadLetter(Message("m1", "r1", removal())), "events", under(bench(), UNMAPPED).dependencies)
    assert letter.cause == OVERTAKEN


def test_a_paused_migration_reads_no_record() -> None:
    """A pause costs a message nothing but its wait."""
    made = copied()
    made.panel.control = Control(paused=True, reason="lunch")
    made.world.manifest.read_record = None  # type: ignore[method-assign, assignment]
    assert one_by_one(under(made, UNMAPPED), removal())[0][0] is False
