"""A verified version that goes for good: what may go wrong leaves a way back."""

from dataclasses import replace
from hashlib import md5
from typing import Literal

import pytest

from domain.cleanup import ONLY_ORIGINAL, clean_source
from domain.cleanup_versions import forget_version
from domain.errors import UnavailableError
from domain.keys import Location
from domain.objects import Lock
from domain.record import Claim, Mode, State
from domain.rollback import roll_back_object
from tests.unit.test_migration import POLICY, SOURCE, TARGET, World, created, listed

COPY_ETAG = md5(b"bytes", usedforsecurity=False).hexdigest()


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
    return forgotten(world)[1]


def forgotten(world: World) -> tuple[str, str]:
    """What becomes of the message, and why."""
    attempt = world.attempt()
    outcome = forget_version(SOURCE.record_id, attempt=attempt, ports=world.ports, versions=world.store, policy=POLICY)
    return outcome.verdict.value, outcome.reason


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


def lock_verified(world: World) -> None:
    """Somebody holds the version that was copied."""
    versions = world.store.buckets.bucket("line").versions
    hold = Lock(legal_hold=True)
    versions["old//k"] = [
        replace(one, state=replace(one.state, lock=hold)) if one.state and one.body == b"bytes" else one
        for one in versions["old//k"]
    ]


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
    lock_verified(world)
    outcome = clean_source(
        SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY, need_proof=False
    )
    assert outcome.reason == "object lock holds it"
    assert world.store.body(SOURCE) == b"bytes"


def version_is_there(world: World) -> bool:
    """Whether the verified version can still be read."""
    kept = world.store.buckets.bucket("line").versions["old//k"]
    return any(one.state is not None and one.body == b"bytes" for one in kept)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mode": Mode.ROLLED_BACK}, ("done", "its source is not cleaned")),
        ({"state": State.CONFLICT}, ("done", "its source is not cleaned")),
        ({"rewritten_etag": COPY_ETAG}, ("done", ONLY_ORIGINAL)),
        ({"claim": Claim("other", 9e9)}, ("return", "another worker has it")),
    ],
)
def test_a_version_stays_by_its_record(changes: dict[str, object], said: tuple[str, str]) -> None:
    """Each alone is enough."""
    world = cleaned()
    world.edit(**changes)
    assert forgotten(world) == said
    assert version_is_there(world)


def test_no_record_is_no_cleaned_source() -> None:
    """A key that nobody migrated."""
    world = World(versioned=True)
    assert forgotten(world) == ("done", "its source is not cleaned")


def test_a_version_under_object_lock_stays_and_the_record_is_free() -> None:
    """The lock is the verified version's own, whatever hides it."""
    world = cleaned()
    lock_verified(world)
    assert forgotten(world) == ("done", "object lock holds it")
    assert version_is_there(world)
    assert not world.record.is_unfinished
    assert world.record.source_version is not None


def test_a_version_stays_when_its_copy_is_gone() -> None:
    """Nothing at the target is no copy either."""
    world = cleaned()
    world.store.remove(TARGET)
    assert forgotten(world) == ("done", "the target is no longer what was copied")
    assert version_is_there(world)
    assert world.record.maybe == frozenset()


def test_another_key_is_untouched() -> None:
    """A version that was already begun is the one that goes."""
    world = cleaned()
    world.store.put(Location("line", "old//other"), b"bytes")
    assert forgotten(world) == ("done", "CLEANED")
    assert world.store.body(Location("line", "old//other")) == b"bytes"
    assert not version_is_there(world)
