"""What keeps a source or a version where it is, one reason at a time."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import md5

import pytest

from domain.cleanup import DELETE_SOURCE, ONLY_ORIGINAL, clean_source, preview_source
from domain.cleanup_versions import forget_version
from domain.keys import Location
from domain.objects import ContentHeaders, Lock
from domain.record import Action, Claim, Intent, Mode, Record, State
from tests.fakes.buckets import Version
from tests.unit.test_cleanup_versions import cleaned
from tests.unit.test_migration import POLICY, SOURCE, TARGET, World, listed

COPY_ETAG = md5(b"bytes", usedforsecurity=False).hexdigest()
CHANGED = "the source has changed since it was copied"


def copied(*, versioned: bool = False) -> World:
    """A verified copy, its source still there."""
    world = World(versioned=versioned)
    world.store.put(SOURCE, b"bytes", metadata={"a": "b"})
    world.migrate(listed(b"bytes"))
    edit(world, verified_at=world.clock.now())
    return world


def edit(world: World, **changes: object) -> None:
    """The record as something else left it."""
    before = world.record
    after = replace(before, revision=before.revision + 1, **changes)  # type: ignore[arg-type]
    assert world.manifest.write_record(after, before=before)


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
    edit(world, claim=Claim("other", world.clock.now() + deadline), intent=DELETE_SOURCE)
    clean(world)
    assert (world.store.body(SOURCE) is None) is goes


def forget(world: World) -> tuple[str, str]:
    """How a try to delete the version ends."""
    attempt = world.attempt()
    outcome = forget_version(SOURCE.record_id, attempt=attempt, ports=world.ports, versions=world.store, policy=POLICY)
    return outcome.verdict.value, outcome.reason


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
    edit(world, **changes)
    assert forget(world) == said
    assert version_is_there(world)


def test_no_record_is_no_cleaned_source() -> None:
    """A key that nobody migrated."""
    world = World(versioned=True)
    assert forget(world) == ("done", "its source is not cleaned")


def _locked(version: Version) -> Version:
    assert version.state is not None
    return replace(version, state=replace(version.state, lock=Lock(legal_hold=True)))


def test_a_version_under_object_lock_stays_and_the_record_is_free() -> None:
    """The lock is the verified version's own, whatever hides it."""
    world = cleaned()
    versions = world.store.buckets.bucket("line").versions
    versions["old//k"] = [_locked(one) if one.body == b"bytes" else one for one in versions["old//k"]]
    assert forget(world) == ("done", "object lock holds it")
    assert version_is_there(world)
    assert not world.record.is_unfinished
    assert world.record.source_version is not None


def test_a_version_stays_when_its_copy_is_gone() -> None:
    """Nothing at the target is no copy either."""
    world = cleaned()
    world.store.remove(TARGET)
    assert forget(world) == ("done", "the target is no longer what was copied")
    assert version_is_there(world)
    assert world.record.maybe == frozenset()


def test_another_key_is_untouched() -> None:
    """A version that was already begun is the one that goes."""
    world = cleaned()
    world.store.put(Location("line", "old//other"), b"bytes")
    assert forget(world) == ("done", "CLEANED")
    assert world.store.body(Location("line", "old//other")) == b"bytes"
    assert not version_is_there(world)
