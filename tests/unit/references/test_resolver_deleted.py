"""A name of the new layout whose object its new owner deleted: the old bytes are not what it means."""

import pytest

from domain.lifecycle.stages import Stage, StageEntry
from domain.references.resolver import ResolveFault
from tests.worlds.referring import ReferringWorld

OLD, NEW = "s3://line-1/old//a", "s3://line-1/new/a"


def deleted() -> ReferringWorld:
    """The object is copied, and its new owner deleted the copy, of which no event tells."""
    world = ReferringWorld()
    world.put("old//a")
    world.store.remove(world.migrate("old//a").target)
    return world


@pytest.mark.parametrize("stage", [Stage.LIVE, Stage.CUT_OVER, Stage.CLEANING])
def test_a_deleted_new_name_is_not_answered_with_the_old_bytes(stage: Stage) -> None:
    """Its record still says COPIED; the answer names what happened, the old name still has its object."""
    world = deleted()
    world.stages.entry = StageEntry(stage)
    answer = world.resolver.resolve(NEW)
    assert (answer.fault, answer.location) == (ResolveFault.VANISHED, None)
    assert "another writer deleted the object" in answer.reason
    assert world.resolver.resolve(OLD).location == OLD


def test_in_a_rollback_the_old_bytes_are_the_answer_again() -> None:
    """The old layout is the one that counts then, for both names."""
    world = deleted()
    world.roll_back("old//a")
    assert world.resolver.resolve(NEW).location == OLD


def test_one_legacy_key_whose_copy_was_deleted_speaks_for_the_others_of_the_name() -> None:
    """Two legacy keys may have the new name: what is at the other one is not what its owner deleted, either."""
    rules = """
version: 1
migration: line
source: {bucket: line-1}
target: {bucket: line-1}
rules:
  - {name: move, from: ["old//{rest...}", "older//{rest...}"], to: "new/{rest...}"}
keep: ["new/{rest...}"]
references: [{table: jobs, key: id, attributes: [uri]}]
"""
    world = ReferringWorld(rules=rules)
    world.put("old//a")
    world.put("older//a")
    world.store.remove(world.migrate("old//a").target)
    assert world.resolver.resolve(NEW).fault is ResolveFault.VANISHED
