"""What keeps a source or a version where it is, one reason at a time."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import md5

import pytest

from domain.cleanup import DELETE_SOURCE, ONLY_ORIGINAL, clean_source, preview_source
from domain.objects import ContentHeaders
from domain.record import Action, Claim, Intent, Mode, Record, State
from tests.unit.test_migration import POLICY, SOURCE, World, listed

COPY_ETAG = md5(b"bytes", usedforsecurity=False).hexdigest()
CHANGED = "the source has changed since it was copied"


def copied(*, versioned: bool = False) -> World:
    """A verified copy, its source still there."""
    world = World(versioned=versioned)
    world.store.put(SOURCE, b"bytes", metadata={"a": "b"})
    world.migrate(listed(b"bytes"))
    world.edit(verified_at=world.clock.now())
    return world


def preview(world: World, record: Record | None = None) -> str | None:
    """What the operator is shown before ``--yes``."""
    return preview_source(record or world.record, ports=world.ports, now=world.clock.now())


def clean(world: World) -> str:
    """What cleanup says."""
    attempt = world.attempt()
    return clean_source(SOURCE.record_id, attempt=attempt, ports=world.ports, policy=POLICY, need_proof=True).reason


def test_a_verified_source_goes_and_the_preview_said_so() -> None:
    """With nothing against it."""
    world = copied()
    assert preview(world) is None
    assert clean(world) == "CLEANED"
    assert world.store.body(SOURCE) is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"state": State.CONFLICT}, "its record is CONFLICT"),
        ({"mode": Mode.ROLLED_BACK}, "its record is COPIED"),
        ({"maybe": frozenset({Intent(Action.COPY, COPY_ETAG)})}, "an attempt runs, or ended without saying"),
        ({"claim": Claim("t", 9e9)}, "an attempt runs, or ended without saying what it did"),
        ({"verified_at": None}, "it is not verified"),
        ({"rewritten_etag": COPY_ETAG}, ONLY_ORIGINAL),
        ({"target_etag": "another"}, "the target is no longer what was copied"),
    ],
)
def test_the_preview_names_what_the_record_has_against_it(changes: dict[str, object], why: str) -> None:
    """Each alone is enough."""
    world = copied()
    said = preview(world, replace(world.record, **changes))  # type: ignore[arg-type]
    assert said is not None
    assert said.startswith(why)
    assert preview(world, replace(world.record, maybe=frozenset())) is None


def _overwrite(world: World) -> None:
    world.store.put(SOURCE, b"other", metadata={"a": "b"})


def _describe_otherwise(world: World) -> None:
    world.store.put(SOURCE, b"bytes", metadata={"a": "c"})


def _head_otherwise(world: World) -> None:
    world.store.put(SOURCE, b"bytes", metadata={"a": "b"}, headers=ContentHeaders(content_type="text/csv"))


@pytest.mark.parametrize("change", [_overwrite, _describe_otherwise, _head_otherwise])
def test_a_source_that_changed_in_any_way_stays(change: Callable[[World], None]) -> None:
    """Bytes, metadata or headers, told without versions."""
    world = copied()
    change(world)
    assert preview(world) == CHANGED
    assert clean(world) == CHANGED
    assert world.store.body(SOURCE) is not None
    assert not world.record.is_unfinished


def test_the_same_bytes_put_again_are_another_version() -> None:
    """Only the version id tells."""
    world = copied(versioned=True)
    world.store.put(SOURCE, b"bytes", metadata={"a": "b"})
    assert clean(world) == CHANGED


@pytest.mark.parametrize(("deadline", "goes"), [(0.0, False), (-0.001, True)])
def test_a_claim_ends_after_its_last_second(deadline: float, *, goes: bool) -> None:
    """A dead attempt's delete is gone on with, a living one's is not."""
    world = copied()
    world.edit(claim=Claim("other", world.clock.now() + deadline), intent=DELETE_SOURCE)
    clean(world)
    assert (world.store.body(SOURCE) is None) is goes
