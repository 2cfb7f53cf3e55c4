"""Copies that no verify has seen are compared by the cut-over itself, if they changed lately."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from domain.errors import AccessDeniedError
from domain.keys import Location
from domain.lifecycle.gates import Gate
from domain.objects import ListedObject
from domain.protocol.record import Claim, State
from handlers.operations.cutover import Terms, look_for_cutover
from tests.worlds.gates import LIMITS, Place
from tests.worlds.handlers import BUCKET

MINUTE = 60.0


@pytest.fixture
def here() -> Place:
    """Two copies that were verified; tests add what was not."""
    return Place()


def unverified(place: Place) -> Gate:
    """The gate, after a look that writes nothing."""
    records = list(place.manifest.scan_records())
    operation, lookout = place.operation(), place.lookout()
    look = look_for_cutover(operation, lookout, objects=place.objects(), limits=LIMITS, seen=lambda: None)
    assert list(place.manifest.scan_records()) == records, "nothing is marked"
    (found,) = (one for one in Terms(LIMITS, frozenset(), "").gates(look.seen) if one.name == "unverified")
    return found


def test_a_young_copy_is_compared(here: Place) -> None:
    """A bucket in use always has one; the gate says how many, and the cut-over goes on."""
    here.move("c")
    gate = unverified(here)
    assert gate.open
    assert gate.says.endswith("; 1 that changed lately were compared by this command")
    assert here.cut() == {}


def test_of_verified_copies_nothing_is_said(here: Place) -> None:
    """They are not compared."""
    here.store.fail_next(AccessDeniedError("not asked for"), call="look_at_object")
    assert unverified(here).says == "0 copies are not verified since they changed"


@pytest.mark.parametrize(("age", "is_open"), [(15 * MINUTE, True), (15 * MINUTE + 1, False)])
def test_an_older_copy_needs_a_verify(here: Place, age: float, is_open: bool) -> None:
    """A command that compared everything would take as long as verify."""
    here.move("c")
    here.clock.advance(age)
    assert unverified(here).open == is_open


def test_no_copy_is_compared_if_the_operator_says_so(here: Place) -> None:
    """Not even one that changes at this moment."""
    here.move("c", changed_at=here.clock.now() + 1)
    assert set(here.cut(limits=replace(LIMITS, compare_younger=0.0))) == {"unverified"}


def test_a_young_copy_that_differs_holds(here: Place) -> None:
    """Bytes, metadata or a target that another writer has: as for verify."""
    here.move("c")
    here.store.put(Location(BUCKET, "new/c"), b"c", metadata={"by": "another"})
    gate = unverified(here)
    assert not gate.open
    assert gate.says == f"1 copies are not verified since they changed, such as s3://{BUCKET}/old/c"


def test_a_young_copy_of_a_source_that_has_just_changed_is_on_its_way(here: Place) -> None:
    """Its event waits: the gates of queues and lag count it. After the permitted lag it holds."""
    here.move("c")
    here.store.put(Location(BUCKET, "old/c"), b"newer")
    assert unverified(here).open
    here.clock.advance(LIMITS.most_lag + 1)
    assert not unverified(here).open


def test_an_overwrite_does_not_excuse_a_copy_that_was_replaced(here: Place) -> None:
    """A source that is absent has no date that would."""
    here.move("c")
    here.store.remove(Location(BUCKET, "old/c"))
    assert not unverified(here).open


def test_only_the_present_record_counts(here: Place) -> None:
    """A worker copies the overwritten source, or parks it, after the census has read the record."""
    here.move("c")
    here.move("d")
    for name in ("c", "d"):
        here.store.put(Location(BUCKET, f"old/{name}"), b"newer")
    here.clock.advance(2 * LIMITS.most_lag)

    def works() -> None:
        here.store.put(Location(BUCKET, "new/c"), b"newer")
        etags = [here.etag(Location(BUCKET, key)) for key in ("old/c", "new/c")]
        here.change("c", source_etag=etags[0], target_etag=etags[1])
        here.change("d", state=State.PARKED)

    objects = list(here.objects())

    def listed_late() -> Iterator[tuple[str, ListedObject]]:
        works()
        yield from objects

    operation = here.operation()
    look = look_for_cutover(operation, here.lookout(), objects=listed_late(), limits=LIMITS, seen=lambda: None)
    census = look.seen.census
    assert (census.compared, census.parked, census.unverified, census.records) == (1, 1, 0, 4)


def test_an_attempt_that_runs_is_not_compared(here: Place) -> None:
    """It is unfinished, which another gate says."""
    here.move("c")
    here.change("c", claim=Claim("t", here.clock.now() + 60))
    assert set(here.cut()) == {"unfinished"}


def test_each_of_many_is_counted(here: Place) -> None:
    """Some hundreds, which are compared in several turns; the one that differs among them, too."""
    for number in range(330):
        here.move(f"n{number}")
    here.store.remove(Location(BUCKET, "new/n7"))
    gate = unverified(here)
    assert not gate.open
    assert gate.says.startswith("1 copies are not verified")
    assert "329 that changed lately" in gate.says


def test_a_failed_look_is_an_error(here: Place) -> None:
    """Nothing is cut over on it."""
    here.move("c")
    here.store.fail_next(AccessDeniedError("denied"), call="look_at_object")
    with pytest.raises(AccessDeniedError):
        here.cut()


def test_a_young_copy_without_the_annotations_of_its_source_holds(here: Place) -> None:
    """Verify reports it too: after the cut-over a program that reads them at the new key does not find them."""
    here.move("c")
    here.store.annotate(Location(BUCKET, "old/c"), "note", b"text")
    assert not unverified(here).open
    here.store.annotate(Location(BUCKET, "new/c"), "note", b"text")
    assert unverified(here).open
