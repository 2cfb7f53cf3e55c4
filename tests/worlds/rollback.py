"""One migrated key, its cleanup, its rollback, and the purge of its copy."""

from dataclasses import replace
from typing import Any

from domain.protocol.attempt import Outcome
from domain.protocol.cleanup import clean_source
from domain.protocol.record import State
from domain.protocol.rollback import purge_copy, roll_back_object
from tests.worlds.migration import POLICY, SOURCE, TARGET, MigrationWorld, listed


def migrated(*, cleaned: bool, versioned: bool = False, body: bytes = b"bytes") -> MigrationWorld:
    """A copy whose source is still there, or was cleaned."""
    world = MigrationWorld(versioned=versioned)
    world.store.put(SOURCE, body, metadata={"a": "b"}, tags={"t": "1"})
    world.migrate(listed(body))
    if cleaned:
        assert clean(world).state is State.CLEANED
    world.store.calls.clear()
    return world


def clean(world: MigrationWorld) -> Outcome:
    """One try, of a record that need not be verified."""
    return clean_source(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY, need_proof=False)


def roll_back(world: MigrationWorld, **policy: Any) -> Outcome:
    """One try."""
    attempt = replace(world.attempt(), limit=policy.pop("limit", 60.0))
    return roll_back_object(SOURCE, TARGET, attempt=attempt, ports=world.ports, policy=replace(POLICY, **policy))


def purge(world: MigrationWorld) -> Outcome:
    """One try."""
    return purge_copy(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY)
