"""The undo of rewritten references, and what a rewriting does at its limits."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

import domain.references.item_rewriting
from domain.keys import Location
from domain.protocol.intents import Action, Intent
from domain.protocol.record import Claim, Mode, State
from domain.references.item_rewriting import chunks_of, judge_item, not_ready, rewrite_item
from domain.references.items import MAX_ITEM_BYTES, Switch, item_size
from domain.references.ports import ItemChange, JournalEntry
from domain.references.reports import ReferenceOutcome, Wait, Waiting
from domain.references.undo import not_back, undo_entry
from domain.rules.references import Item
from tests.worlds.items import LONGER, NEW, OLD, new_world, rewrite
from tests.worlds.referring import ReferringWorld

SOURCE = Location("line-1", "old//a")


def rewritten(**more: Any) -> tuple[ReferringWorld, JournalEntry]:
    """A job whose reference is switched, and the journal's entry about it."""
    world = new_world("old//a")
    world.put_job(uri={"S": OLD}, **more)
    rewrite(world)
    (entry,) = world.tables.journal.values()
    return world, entry


def told(world: ReferringWorld) -> list[tuple[ReferenceOutcome, str, Location]]:
    """What an undo of everything says."""
    return [(one.outcome, one.why, one.reference.source) for one in world.references.undo_references()]


def test_what_is_put_back_leaves_the_journal_at_its_next_revision() -> None:
    """With the time of the undo, so that the audit can tell the two apart; what is left is still there."""
    world = new_world("old//a", "old//b")
    world.put_job(uri={"S": OLD}, bare={"S": "old//b"})
    rewrite(world)
    (before,) = world.tables.journal.values()
    world.clock.advance(7.0)
    list(world.references.undo_references(frozenset({SOURCE.record_id})))
    (after,) = world.tables.journal.values()
    left = tuple(one for one in before.switches if one.record_id != SOURCE.record_id)
    assert after == replace(before, switches=left, revision=2, written_at=world.clock.now())


def test_an_entry_of_which_nothing_is_wanted_is_not_touched() -> None:
    """Neither read nor written."""
    world, entry = rewritten()
    world.tables.calls.clear()
    assert undo_entry(entry, world.jobs, ports=world.references.ports, only=frozenset()) == []
    assert world.tables.calls == []


def test_of_two_undos_the_slower_one_says_nothing() -> None:
    """The other one tells what became of the references."""
    world, entry = rewritten()

    def quicker(_: ItemChange) -> None:
        world.tables.journal[entry.entry_id] = replace(entry, revision=9)

    world.tables.between = quicker
    assert undo_entry(entry, world.jobs, ports=world.references.ports) == []
    assert world.job()["uri"] == {"S": NEW}


def test_an_item_that_never_rests_is_left_to_another_undo() -> None:
    """It is said of each reference that it could not be put back."""
    world = new_world("old//a")
    world.put_job(steps={"L": [{"M": {"uri": {"S": OLD}}}, {"M": {"uri": {"S": "s3://line-1/mine"}}}]})
    rewrite(world)

    def turn_round(_: ItemChange) -> None:
        item = deepcopy(world.job())
        item["steps"]["L"].reverse()
        world.tables.put_item("jobs", item)

    world.tables.between = turn_round
    (report,) = world.references.undo_references()
    assert (report.outcome, report.why) == (ReferenceOutcome.LOST, "the item keeps changing; run again")
    assert (report.reference.source, report.new_uri) == (Location("", OLD), NEW)


@pytest.mark.parametrize("too_many", [0, 1])
def test_an_item_without_room_for_the_old_uri_keeps_the_new_one(too_many: int) -> None:
    """DynamoDB's limit counts to the last byte, and the remedy is told."""
    world, _ = rewritten(padding={"S": ""})
    item = world.job()
    room = MAX_ITEM_BYTES - item_size(item) - (len(OLD) - len(NEW)) + too_many
    world.tables.put_item("jobs", item | {"padding": {"S": "x" * room}})
    why = f"the item would have more than {MAX_ITEM_BYTES} bytes; make it smaller, then run again"
    assert told(world) == [
        (ReferenceOutcome.LOST, why, SOURCE) if too_many else (ReferenceOutcome.RESTORED, "", SOURCE)
    ]
    assert world.job()["uri"] == {"S": NEW if too_many else OLD}


def test_without_its_record_nothing_is_put_back() -> None:
    """Nobody knows then where the object is."""
    world, _ = rewritten()
    del world.manifest.records[SOURCE.record_id]
    assert told(world) == [(ReferenceOutcome.LOST, "the manifest has no record of the object", Location("", OLD))]


def test_an_attempt_at_the_object_must_end_first() -> None:
    """It could be the cleanup of the very object."""
    world, _ = rewritten()
    known = world.record("old//a")
    world.manifest.records[SOURCE.record_id] = replace(known, claim=Claim("t", 0.0))
    assert told(world) == [(ReferenceOutcome.LOST, "an attempt at the object is under way; run again", SOURCE)]


def test_a_cleaned_object_counts_as_back_once_its_rollback_has_put_it_there() -> None:
    """The mode says that it is a rollback, and the look that the object is there."""
    world, _ = rewritten()
    cleaned = replace(world.record("old//a"), state=State.CLEANED)
    assert not_back(cleaned, world.store) == "the old object is cleaned up; roll the migration back first"
    rolled_back = replace(cleaned, mode=Mode.ROLLED_BACK)
    assert not_back(rolled_back, world.store) is None
    # Else a purge that was killed would shut out every later one: it puts the references back first.
    killed = replace(rolled_back, claim=Claim("t", 9e9), intent=Intent(Action.PURGE))
    assert not_back(killed, world.store) is None
    assert not_back(replace(killed, intent=Intent(Action.ROLL_BACK)), world.store) is not None


# Rewriting
def test_a_rewriting_writes_unless_it_is_told_not_to() -> None:
    """And an item without a reference that can be switched costs no request."""
    world = new_world("old//a")
    world.put("old//b")
    item = world.put_job(uri={"S": OLD})
    ports = world.references.ports
    (report,) = judge_item(item, world.jobs, rules=world.rules, ports=ports)
    assert (report.outcome, report.new_uri, world.job()) == (ReferenceOutcome.READY, NEW, item)
    rewrite_item(item, world.jobs, rules=world.rules, ports=ports, new_id="e")
    assert world.job()["uri"] == {"S": NEW}
    waiting = world.put_job(uri={"S": "s3://line-1/old//b"})
    world.tables.calls.clear()
    (report,) = rewrite_item(waiting, world.jobs, rules=world.rules, ports=ports, new_id="e")
    assert (report.outcome, report.why) == (ReferenceOutcome.WAITING, "the object is not migrated yet")
    assert world.tables.calls == []


def many(world: ReferringWorld, number: int) -> None:
    """A job with references to so many migrated objects."""
    for one in range(number):
        world.put(f"old//{one}")
        world.migrate(f"old//{one}")
    steps = [{"M": {"uri": {"S": f"s3://line-1/old//{one}"}}} for one in range(number)]
    world.put_job(steps={"L": steps}, padding={"S": ""})


def turned_round(steps: list[Item]) -> list[Item]:
    """What an application may do to all of them."""
    return steps[::-1]


def first_one_noted(steps: list[Item]) -> list[Item]:
    """What it may do to one that the first write is about, and the second is not."""
    return [{"M": {**steps[0]["M"], "note": {"S": "mine"}}}, *steps[1:]]


@pytest.mark.parametrize("disturb", [turned_round, first_one_noted])
def test_a_write_that_is_refused_leaves_none_of_the_others_behind(disturb: Callable[[list[Item]], list[Item]]) -> None:
    """The item is looked at again, and all of it is switched and told; what the application wrote stays."""
    world = ReferringWorld()
    many(world, 120)
    disturbed = disturb(world.job()["steps"]["L"])

    def once(_: ItemChange) -> None:
        world.tables.between = lambda _: None
        world.put_job(steps={"L": disturbed})

    world.tables.between = once
    reports = rewrite(world)
    assert [one.outcome for one in reports] == [ReferenceOutcome.REWRITTEN] * 120
    switched = [one["M"] | {"uri": {"S": one["M"]["uri"]["S"].replace("old//", "new/")}} for one in disturbed]
    assert [one["M"] for one in world.job()["steps"]["L"]] == switched


@pytest.mark.parametrize("too_many", [0, 1])
def test_an_item_that_has_room_for_some_is_told_reference_by_reference(too_many: int) -> None:
    """Each once: the first write was made, the second would have been too large by a byte."""
    world = ReferringWorld(rules=LONGER.replace("[uri]", '["steps[*].uri"]'))
    many(world, 120)
    item = world.job()
    grows = 120 * (len("new/much/longer/than/it/was/before/") - len("old//"))
    room = MAX_ITEM_BYTES - item_size(item) - grows + too_many
    world.tables.put_item("jobs", item | {"padding": {"S": "x" * room}})
    reports = rewrite(world)
    assert len({one.reference.path for one in reports}) == len(reports) == 120
    done = [one for one in reports if one.outcome is ReferenceOutcome.REWRITTEN]
    assert len(done) == (98 if too_many else 120)
    assert {one.why for one in reports if one not in done} == (
        {f"the item would have more than {MAX_ITEM_BYTES} bytes; make it smaller, then run again"}
        if too_many
        else set()
    )


def test_an_item_that_changes_too_fast_says_so() -> None:
    """Of every reference that could have been switched."""
    world = new_world("old//a")
    world.put_job(uri={"S": OLD}, n={"N": "0"}, steps={"L": []})

    def turn(_: ItemChange) -> None:
        item = world.job()
        world.tables.put_item("jobs", item | {"uri": {"S": OLD if item["uri"]["S"] != OLD else OLD + "b"}})

    world.put("old//ab")
    world.migrate("old//ab")
    world.tables.between = turn
    (report,) = rewrite(world)
    assert report.outcome is ReferenceOutcome.WAITING
    assert report.why == "the item changed faster than it could be rewritten; run again"


REGIONAL = """
version: 1
migration: line
source: {bucket: line-1}
target: {bucket: line-2REGION}
rules: [{name: move, from: "old//{rest...}", to: "new/{rest...}"}]
references: [{table: jobs, key: id, attributes: [uri]}]
"""


@pytest.mark.parametrize(("region", "written"), [(", region: eu-central-1", "eu-central-1"), ("", None)])
def test_a_host_follows_into_the_new_buckets_region(region: str, written: str | None) -> None:
    """Where the rules file says which; else the reference stays, with the remedy."""
    world = ReferringWorld(rules=REGIONAL.replace("REGION", region))
    world.store.create_bucket("line-2")
    world.put("old//a")
    world.migrate("old//a")
    world.put_job(uri={"S": "https://line-1.s3.us-east-1.amazonaws.com/old//a"})
    (report,) = rewrite(world)
    if written is None:
        assert (report.outcome, "say target.region" in report.why) == (ReferenceOutcome.HOLDS, True)
    else:
        assert world.job()["uri"] == {"S": f"https://line-2.s3.{written}.amazonaws.com/new/a"}


def test_a_copy_that_somebody_took_away_is_not_referred_to() -> None:
    """The manifest says it is there, the look that it is not."""
    world = new_world("old//a")
    known = world.record("old//a")
    assert not_ready(known, world.store) is None
    world.store.remove(known.target)
    waiting = not_ready(known, world.store)
    assert waiting == Waiting(Wait.OBJECT_REPLACED, "s3://line-1/new/a")
    assert waiting.told() == "s3://line-1/new/a no longer holds what was copied there"


@pytest.mark.parametrize(
    ("room", "chunks"),
    [(0, [[0], [1], [2], [3]]), (1, [[0], [1], [2], [3]]), (2, [[0, 1], [2, 3]]), (3, [[0, 1, 2], [3]])],
)
@pytest.mark.parametrize("less", [0, 1])
def test_one_write_takes_what_its_journal_entry_has_room_for(
    monkeypatch: pytest.MonkeyPatch, room: int, chunks: list[list[int]], less: int
) -> None:
    """Both URIs twice, as the entry and its audit event hold them, and 200 bytes around them; one at least."""
    switch = Switch(("uri",), None, "b" * 30, "a" * 20, "r")
    monkeypatch.setattr(domain.references.item_rewriting, "MAX_JOURNAL_BYTES", room * (2 * 50 + 200) - less)
    expected = chunks if not less else {2: [[0], [1], [2], [3]], 3: [[0, 1], [2, 3]]}.get(room, chunks)
    assert list(chunks_of([switch] * 4)) == expected
