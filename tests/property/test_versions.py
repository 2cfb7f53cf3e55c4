"""Random histories, carried in between, interrupted anywhere: the target's versions are the source's, in order."""

from contextlib import suppress
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import TransientError, UnavailableError
from tests.fakes.faults import Moment
from tests.worlds.history import DELETED, HistoryWorld, with_effect
from tests.worlds.migration import BARE_ROW, SOURCE, TARGET


@dataclass(frozen=True)
class Interrupted:
    """An attempt in which one call has no answer."""

    nth: int
    when: Moment
    is_manifest: bool


WRITES = st.sampled_from([b"a", b"b", b"c", DELETED])
ATTEMPTS = st.builds(Interrupted, st.integers(0, 14), st.sampled_from(["before", "after"]), st.booleans())


@given(st.lists(st.one_of(WRITES, WRITES, ATTEMPTS), min_size=1, max_size=14))
@settings(max_examples=400, deadline=None)
def test_the_target_has_the_sources_history(steps: list[bytes | Interrupted | None]) -> None:
    """Whatever the producer writes or deletes, and wherever attempts end."""
    world = HistoryWorld()
    for step in steps:
        if isinstance(step, Interrupted):
            interrupt(world, step)
        else:
            world.write(step)
    world.settle()
    assert with_effect(world.history(TARGET)) == with_effect(world.history(SOURCE))
    assert world.history(TARGET) == with_effect(world.history(TARGET))
    assert not world.record.is_unfinished


@given(st.lists(st.one_of(WRITES, WRITES, st.integers(0, 5), ATTEMPTS), min_size=2, max_size=14))
@settings(max_examples=300, deadline=None)
def test_expired_versions_take_nothing_else_along(steps: list[bytes | int | Interrupted | None]) -> None:
    """A lifecycle rule deletes noncurrent versions: what is left of the source is at the target, in order."""
    world = HistoryWorld()
    for step in steps:
        if isinstance(step, Interrupted):
            interrupt(world, step)
        elif isinstance(step, int):
            expire(world, step)
        else:
            world.write(step)
    world.settle()
    left = iter(world.history(TARGET))
    assert all(body in left for body in world.history(SOURCE) if body is not DELETED)
    there = world.store.body(TARGET)
    assert there == world.store.body(SOURCE)


def interrupt(world: HistoryWorld, step: Interrupted) -> None:
    """One attempt; the next one comes when its claim has ended."""
    world.clock.advance(3600)
    port = world.manifest if step.is_manifest else world.store
    port.fail_nth(step.nth, UnavailableError("no answer"), when=step.when)
    with suppress(TransientError):
        world.migrate(BARE_ROW)
    port.forget_faults()


def expire(world: HistoryWorld, at: int) -> None:
    """NoncurrentVersionExpiration of one version, if there are so many."""
    kept = world.store.buckets.bucket(SOURCE.bucket).versions.get(SOURCE.key, [])[:-1]
    if at < len(kept) and kept[at].version_id is not None:
        world.store.destroy(SOURCE, str(kept[at].version_id))
