"""Rollback against what the owner did, and after attempts that died: nothing of the owner's is brought back or lost."""

from domain.protocol.attempt import Verdict
from domain.protocol.intents import Action
from domain.protocol.record import Mode, State
from tests.worlds.migration import LARGE, SOURCE, TARGET, holding, listed, unanswered
from tests.worlds.rollback import migrated, purge, roll_back


def test_an_owners_delete_marker_stays() -> None:
    """We never cleaned the key, so the marker on it is not ours to take away."""
    world = migrated(cleaned=False, versioned=True)
    world.store.remove(SOURCE)
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) is None


def test_a_conflict_whose_owner_deleted_a_version_is_not_restored() -> None:
    """A conflict that our cleanup left says so; without that a kept version under a marker is the owner's delete."""
    world = migrated(cleaned=False, versioned=True)
    world.store.remove(SOURCE)
    world.edit(state=State.CONFLICT)
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) is None


def test_a_source_that_was_written_again_costs_one_look() -> None:
    """The owner's word stands above our marker, so nobody asks what the marker hides."""
    world = migrated(cleaned=True, versioned=True)
    world.store.put(SOURCE, b"newer")
    world.store.calls.clear()
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.calls == ["look_at_object"]
    assert world.store.body(SOURCE) == b"newer"


def test_only_a_fenced_record_is_rolled_back_already() -> None:
    """Whatever its state says: without the fence late events would still count."""
    world = migrated(cleaned=False)
    world.edit(state=State.ROLLED_BACK)
    assert roll_back(world).reason != "already rolled back"
    assert world.record.mode is Mode.ROLLED_BACK


def test_a_large_copy_comes_back_after_one_look_at_each_key() -> None:
    """The look at the copy brings the tags that a copy in parts must be given."""
    world = migrated(cleaned=True, body=LARGE)
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.calls[:3] == ["look_at_object", "look_at_object", "create_upload"]
    assert world.store.body(SOURCE) == LARGE


def test_a_rollback_whose_answer_was_lost_leaves_nothing_unsettled() -> None:
    """The source is back; what was declared was the rollback and nothing else."""
    world = migrated(cleaned=True)
    with unanswered(world, "copy_object"):
        roll_back(world)
    world.clock.advance(100.0)
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"bytes"
    assert not world.record.is_unfinished


def test_the_purge_knows_a_copy_that_nobody_recorded() -> None:
    """A dead attempt had made it; rollback keeps what it declared, else the copy would stay for ever."""
    world = holding()
    with unanswered(world, "copy_object"):
        world.migrate(listed(b"bytes"))
    world.clock.advance(100.0)
    assert roll_back(world).state is State.ROLLED_BACK
    assert {one.action for one in world.record.maybe} == {Action.COPY}
    assert purge(world).verdict is Verdict.DONE
    assert (world.store.body(TARGET), world.store.body(SOURCE)) == (None, b"bytes")
