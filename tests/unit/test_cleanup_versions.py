"""A verified version that goes for good: what may go wrong leaves a way back."""

from dataclasses import replace
from typing import Literal

import pytest

from domain.cleanup import clean_source
from domain.cleanup_versions import forget_version
from domain.errors import UnavailableError
from domain.objects import Lock
from domain.record import State
from domain.rollback import roll_back_object
from tests.unit.test_migration import POLICY, SOURCE, TARGET, World, created, listed


def cleaned() -> World:
    """A source with an older version under the one that was copied and cleaned."""
    world = World(versioned=True)
    world.store.put(SOURCE, b"older")
    world.store.put(SOURCE, b"bytes", metadata={"a": "b"})
    world.migrate(listed(b"bytes"))
    clean_source(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY, need_proof=False)
    assert world.record.state is State.CLEANED
    return world


def forget(world: World) -> str:
    """One try."""
    return forget_version(
        SOURCE.record_id, attempt=world.attempt(), ports=world.ports, versions=world.store, policy=POLICY
    ).reason


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
    seen = world.store.look_at_object(SOURCE)
    assert seen is not None
    assert seen.metadata == {"a": "b"}


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


def test_a_version_stays_when_somebody_wrote_or_deleted_above_it() -> None:
    """Our marker is no longer what hides it."""
    world = cleaned()
    world.store.put(SOURCE, b"new")
    world.store.remove(SOURCE)
    assert forget(world) == "our delete marker no longer hides the verified version"
    assert world.record.maybe == frozenset()


def test_a_locked_source_is_not_even_hidden() -> None:
    """Object lock says that it is to stay, and cleanup obeys."""
    world = World(versioned=True)
    world.store.put(SOURCE, b"bytes")
    world.migrate(listed(b"bytes"))
    version = world.store.buckets.current(SOURCE)
    assert version is not None
    assert version.state is not None
    locked = replace(version, state=replace(version.state, lock=Lock(legal_hold=True)))
    world.store.buckets.bucket("line").versions["old//k"] = [locked]
    outcome = clean_source(
        SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY, need_proof=False
    )
    assert outcome.reason == "object lock holds it"
    assert world.store.body(SOURCE) == b"bytes"
