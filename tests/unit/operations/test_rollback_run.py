"""A rollback and a purge as runs: killed at any call and joined again, nothing is missed and no result comes twice."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from domain.errors import AccessDeniedError
from domain.keys import Location
from domain.lifecycle.stages import Stage
from domain.protocol.causes import Cause
from domain.protocol.record import Claim, Mode, State
from domain.runs.run import RunState
from domain.runs.works import Work
from handlers.operations.operator import Shut, UndoneReference
from handlers.operations.removals import Hold, Removed
from handlers.operations.rollback_plan import CONFLICTS, COPIES_KEPT, DONE, FENCES, RESTORES
from handlers.operations.runs import cancel_run
from tests.fakes.runs import InMemoryRunBook
from tests.worlds.gates import Place
from tests.worlds.handlers import BUCKET
from tests.worlds.rolled_back import SEGMENTS, Rolled, purge_all, roll_back_all, rollback_plan
from tests.worlds.runs import InlineExecutor

HERE, CLEANED, THEIRS = 5, 5, 2
MOST_KILLS = 8
MOST_CALLS = 40
"""A process is killed at one of the first calls of a fake, so that several are killed in one run."""


class KilledError(Exception):
    """The process ends here."""


class Undo:
    """Five references, each put back once; one cannot be."""

    def __init__(self, whole: Callable[[], bool]) -> None:
        self.left = [f"table t id={number}" for number in range(5)]
        self.was_early = False
        self._whole = whole

    def undo_references(self) -> Iterator[UndoneReference]:
        """See ReferenceUndo."""
        self.was_early = self.was_early or not self._whole()
        for place in list(self.left):
            if place.endswith("=4"):
                yield UndoneReference(place, "its object is not back")
                continue
            self.left.remove(place)
            yield UndoneReference(place)

    def rewritten_references(self) -> int:
        """See ReferenceUndo."""
        return len(self.left)


class Scene:
    """Sources that are there, sources that were cleaned, and copies that another writer has overwritten."""

    def __init__(self, *, undo: bool = False) -> None:
        self.place = Place()
        self.book = InMemoryRunBook()
        self.undo = Undo(self.all_back)
        for number in range(HERE):
            self.place.move(f"here-{number}")
        for number in range(CLEANED + THEIRS):
            name = f"cleaned-{number}" if number < CLEANED else f"theirs-{number}"
            self.place.move(name)
            record = self.place.record(name)
            self.place.change(name, state=State.CLEANED, cleaned_etag=record.source_etag)
            self.place.store.delete_object(record.source, if_match=record.source_etag or "", send_before=float("inf"))
            if number >= CLEANED:
                self.place.store.put(record.target, b"another writer's")
        self.place.clock.advance(3600)
        dependencies = replace(self.place.dependencies, objects_at_once=lambda _: InlineExecutor())
        whole = replace(self.place.operation(), dependencies=dependencies)
        self.operation = replace(whole, undo=self.undo) if undo else whole
        self.names = {record.source.key.removeprefix("old/") for record in self.place.manifest.scan_records()}

    def all_back(self) -> bool:
        """Whether each source is there that can be."""
        return all(name.startswith("theirs") or self.is_there(f"old/{name}") for name in self.names)

    def is_there(self, key: str) -> bool:
        """Whether an object is at the key; no fault strikes here."""
        return self.place.store.body(Location(BUCKET, key)) is not None

    def roll_back(self) -> Rolled:
        """A process begins the rollback, or joins it."""
        rolled = roll_back_all(self.operation, self.place.manifest, book=self.book)
        assert isinstance(rolled, Rolled), rolled
        return rolled

    def purge(self) -> Any:
        """A process begins the purge, or joins it."""
        return purge_all(self.operation, self.place.manifest, book=self.book)

    def killed_again_and_again(self, seed: int, process: Callable[[], Any]) -> Any:
        """What the last process says, after several of them were killed before or after a call of any port."""
        random = Random(seed)
        for _ in range(MOST_KILLS):
            struck = random.choice([self.book, self.place.manifest, self.place.store])
            struck.fail_nth(random.randrange(MOST_CALLS), KilledError(), when=random.choice(["before", "after"]))
            try:
                process()
            except KilledError:
                continue
            finally:
                struck.forget_faults()
            break
        return process()

    def assert_back(self, rolled: Rolled) -> None:
        """Every source is back, and what cannot be restored is told once."""
        assert self.all_back()
        assert sorted(place for place, _ in rolled.differences if "theirs" in place) == [
            f"s3://{BUCKET}/old/theirs-{CLEANED + number}" for number in range(THEIRS)
        ]
        assert len(set(rolled.differences)) == len(rolled.differences)
        assert rolled.done.states == {"ROLLBACK_CONFLICT": THEIRS, "ROLLED_BACK": len(self.names) - THEIRS}
        assert {record.mode for record in self.place.manifest.records.values()} == {Mode.ROLLED_BACK}
        assert self.place.stages.read_stage().stage is Stage.ROLLED_BACK
        run = self.book.runs[Work.ROLLBACK]
        assert run.state is RunState.ENDED


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pages in each slice."""
    monkeypatch.setattr("handlers.operations.segments.RECORDS_AT_ONCE", 3)
    monkeypatch.setattr("handlers.operations.rollback_run.RECORDS_AT_ONCE", 2)


def test_a_rollback_puts_sources_back_before_references() -> None:
    """Every object once; references after all of them; the check last."""
    scene = Scene(undo=True)
    rolled = scene.roll_back()
    scene.assert_back(rolled)
    assert not scene.undo.was_early
    assert (rolled.done.references, scene.undo.left) == (4, ["table t id=4"])
    assert ("table t id=4", "its object is not back") in rolled.differences
    assert rolled.done.is_over, "a reference does not keep the stage back, but a purge"
    assert not rolled.clean


@pytest.mark.parametrize("seed", range(60))
def test_a_rollback_that_is_killed_again_and_again_ends_as_if_it_had_not_been(seed: int) -> None:
    """The seed is in the test's name."""
    scene = Scene(undo=True)
    rolled = scene.killed_again_and_again(seed, scene.roll_back)
    scene.assert_back(rolled)
    assert not scene.undo.was_early
    assert scene.undo.left == ["table t id=4"]


@pytest.mark.parametrize("seed", range(40))
def test_a_purge_that_is_killed_again_and_again_deletes_every_copy_once(seed: int) -> None:
    """And none of another writer; the seed is in the test's name."""
    scene = Scene()
    scene.roll_back()
    scene.place.clock.advance(3600)
    told = scene.killed_again_and_again(seed, scene.purge)
    assert not isinstance(told, Shut)
    assert len({one.source for one in told}) == len(told)
    in_doubt = {one.reason for one in told if one.verdict is Removed.HELD and "theirs" not in one.source}
    assert in_doubt <= {Cause.PURGE_IN_DOUBT, Hold.QUIET_TIME}, (
        "what a killed process still holds waits for another run"
    )
    if in_doubt:
        scene.place.clock.advance(3600)
        assert not isinstance(scene.purge(), Shut)
    gone = [name for name in sorted(scene.names) if not scene.is_there(f"new/{name}")]
    assert gone == sorted(name for name in scene.names if not name.startswith("theirs"))
    states = [record.state for record in scene.place.manifest.records.values()]
    assert (states.count(State.PURGED), states.count(State.ROLLBACK_CONFLICT)) == (len(gone), THEIRS)
    assert scene.all_back()


def test_what_an_attempt_still_holds_is_rolled_back_when_its_claim_has_ended() -> None:
    """The others are restored first: nobody waits for one stalled worker."""
    scene = Scene()
    until = scene.place.clock.now() + 300
    scene.place.change("here-0", claim=Claim("other", until))
    restored_at: list[float] = []
    sleep = scene.place.clock.advance

    def noting(seconds: float) -> None:
        if scene.is_there("old/cleaned-0"):
            restored_at.append(scene.place.clock.now())
        sleep(seconds)

    dependencies = replace(scene.operation.dependencies, sleep=noting)
    scene.operation = replace(scene.operation, dependencies=dependencies)
    scene.assert_back(scene.roll_back())
    assert restored_at[0] < until - 290
    assert until <= scene.place.clock.now() <= until + 10


def test_a_rollback_that_waits_for_an_attempt_can_be_cancelled() -> None:
    """What was restored stays so; the stage says that it is not over, and another run goes on."""
    scene = Scene()
    scene.place.change("here-0", claim=Claim("other", scene.place.clock.now() + 300))
    sleep = scene.place.clock.advance

    def cancelling(seconds: float) -> None:
        cancel_run(scene.book, Work.ROLLBACK, by="bea", now=scene.place.clock.now())
        sleep(seconds)

    begun = scene.place.clock.now()
    dependencies = replace(scene.operation.dependencies, sleep=cancelling)
    calm, scene.operation = scene.operation, replace(scene.operation, dependencies=dependencies)
    scene.roll_back()
    assert scene.place.clock.now() - begun < 60
    assert scene.book.runs[Work.ROLLBACK].state is RunState.CANCELLED
    assert scene.place.stages.read_stage().stage is Stage.ROLLING_BACK
    assert scene.is_there("old/cleaned-0")
    scene.operation = calm
    scene.assert_back(scene.roll_back())


def test_an_object_that_cannot_be_rolled_back_is_told_and_keeps_the_stage_back() -> None:
    """Its reason comes once, and the check says that it is open; the other objects are restored."""
    scene = Scene()
    look, denied = scene.place.store.look_at_object, Location(BUCKET, "old/cleaned-1")

    def denying(location: Location, **more: Any) -> Any:
        if location == denied:
            raise AccessDeniedError("HeadObject: AccessDenied")
        return look(location, **more)

    scene.place.store.look_at_object = denying  # type: ignore[method-assign]  # a bucket policy
    rolled = scene.roll_back()
    told = [why for place, why in rolled.differences if place == denied.uri]
    assert told[0] == "access-denied: HeadObject: AccessDenied"
    assert told[1].startswith("it is not rolled back")
    assert (len(told), rolled.done.open, rolled.done.is_over) == (2, 1, False)
    assert scene.place.stages.read_stage().stage is Stage.ROLLING_BACK
    assert scene.is_there("old/cleaned-0")
    scene.place.store.look_at_object = look  # type: ignore[method-assign]  # the policy is gone
    scene.place.clock.advance(3600)
    scene.assert_back(scene.roll_back())


def test_a_dry_run_counts_what_would_happen() -> None:
    """Nothing is written; what is rolled back already is counted as that."""
    scene = Scene()
    before = dict(scene.place.manifest.records)
    scene.place.change("here-1", state=State.CONFLICT)
    plan = rollback_plan(scene.operation, scene.place.manifest)
    here = HERE + 2
    assert {name: plan.get(name, 0) for name in (RESTORES, FENCES, CONFLICTS, DONE, COPIES_KEPT)} == {
        RESTORES: CLEANED + THEIRS,
        FENCES: here - 1,
        CONFLICTS: 1,
        DONE: 0,
        COPIES_KEPT: len(scene.names),
    }
    assert {one.mode for one in scene.place.manifest.records.values()} == {Mode.FORWARD}
    assert len(before) == len(scene.place.manifest.records)
    scene.roll_back()
    assert rollback_plan(scene.operation, scene.place.manifest)[DONE] == len(scene.names)


def test_a_purge_waits_for_references_when_it_begins() -> None:
    """A place that still names a copy would dangle; a process that joins does not look again."""
    scene = Scene(undo=True)
    scene.roll_back()
    scene.place.clock.advance(3600)
    shut = scene.purge()
    assert isinstance(shut, Shut)
    assert "1 references still name copies, such as table t id=4" in shut.why
    scene.undo.left.clear()
    assert {one.verdict for one in scene.purge()} == {Removed.PURGED, Removed.HELD}
    assert len(scene.book.read_slices(scene.book.runs[Work.ROLLBACK])) == SEGMENTS * 3 + 1
