"""What status says of runs that have not ended."""

from dataclasses import replace

import pytest

from domain.runs.run import Run, RunState, ended
from domain.runs.slices import MOST_FAILURES, Slice, SliceClaim, claimed, failed, moved
from domain.runs.works import Work
from handlers.cli.status_view import said_run
from handlers.operations.runs_under_way import RunsWatch, RunUnderWay
from tests.fakes.clock import FakeClock
from tests.fakes.runs import InMemoryRunBook


class Scene:
    """A rollback of four slices, begun two minutes ago, whose first slice a process has."""

    def __init__(self, *, slices: int = 4) -> None:
        self.clock = FakeClock()
        self.book = InMemoryRunBook()
        self.watch = RunsWatch(self.book, self.clock.now)
        self.run = Run(Work.ROLLBACK.value, "r", slices, by="ana", begun_at=self.clock.now())
        assert self.book.write_run(self.run, before=None)
        self.clock.advance(120)
        self.first = self.written(claimed(Slice(0), SliceClaim("t", self.clock.now() + 600)), Slice(0))

    def written(self, after: Slice, before: Slice) -> Slice:
        """A process changes a slice."""
        assert self.book.write_slice(self.run, after, before=before)
        return after

    def seen(self) -> RunUnderWay:
        """The one run."""
        (run,) = self.watch.look()
        return run


def test_a_run_is_seen_until_it_has_ended() -> None:
    """Who began it and when, its slices and objects, the mean rate and the time that is left."""
    scene = Scene()
    scene.first = scene.written(moved(scene.first, None, counts={"objects": 600}, parts=0), scene.first)
    seen = scene.seen()
    assert (seen.work, seen.by, seen.begun_at) == ("rollback --yes", "ana", scene.run.begun_at)
    assert (seen.slices, seen.slices_done, seen.claimed, seen.lost, seen.objects) == (4, 1, 0, 0, 600)
    assert seen.objects_per_second == pytest.approx(5.0)
    assert seen.seconds_left == pytest.approx(360.0)
    assert seen.as_json()["slices_done"] == 1
    over = ended(scene.run, RunState.CANCELLED, by="bea", now=1.0)
    assert scene.book.write_run(over, before=scene.run)
    assert scene.watch.look() == []


def test_the_rate_is_that_of_the_last_minute() -> None:
    """Objects that are checked count in it, and not as further objects."""
    scene = Scene()
    assert (scene.seen().objects_per_second, scene.seen().seconds_left) == (0.0, None)
    for counts, rate in (({"objects": 300}, 10.0), ({"checked": 60}, 2.0), ({}, 0.0)):
        for _ in range(4):
            scene.clock.advance(30)
            share = dict(counts)
            scene.first = scene.written(moved(scene.first, "on", counts=share, parts=0), scene.first)
            seen = scene.seen()
        assert seen.objects_per_second == pytest.approx(rate)
    assert seen.objects == 1200


def test_the_slices_of_a_large_run_are_read_less_often() -> None:
    """A look reads each of a thousand slices: every two seconds that would cost more than the run."""
    scene = Scene(slices=1000)
    for _ in range(20):
        scene.seen()
        scene.clock.advance(2)
    assert scene.book.calls.count("read_slices") == 2
    assert scene.book.calls.count("read_runs") == 20


def test_a_run_without_a_process_says_how_it_is_resumed() -> None:
    """Its claims have lapsed; no time is foretold then."""
    scene = Scene()
    assert "no process works" not in said_run(scene.seen())
    scene.clock.advance(601)
    said = said_run(scene.seen())
    assert said.endswith("no process works on it: keyshift rollback --yes --join resumes it")
    assert "left" not in said
    assert "by ana: 0 of 4 slices, 0 objects" in said


def test_a_run_with_a_lost_slice_says_how_it_is_tried_again() -> None:
    """It failed as often as no process tries it again."""
    scene = Scene()
    lost = replace(failed(scene.first, "no answer"), failures=MOST_FAILURES)
    scene.written(lost, scene.first)
    assert "1 slices failed too often: keyshift rollback --yes --join tries them again" in said_run(scene.seen())


def test_a_scan_of_references_counts_items() -> None:
    """It works on no objects."""
    scene = Scene()
    scan = Run(Work.REFERENCES.value, "s", 1, by="bea", begun_at=scene.clock.now() - 10)
    assert scene.book.write_run(scan, before=None)
    held = claimed(Slice(0), SliceClaim("u", scene.clock.now() + 600))
    assert scene.book.write_slice(scan, held, before=Slice(0))
    assert scene.book.write_slice(scan, moved(held, "on", counts={"items": 70}, parts=0), before=held)
    seen, _ = scene.watch.look()
    assert (seen.objects, seen.objects_per_second) == (70, 7.0)
    assert "0 of 1 slices, 70 items, 7.0/s" in said_run(seen)


def test_runs_stand_in_the_order_of_their_works() -> None:
    """A verification beside a rollback."""
    scene = Scene()
    verification = Run(Work.VERIFY.value, "v", 2, by="bea", begun_at=scene.clock.now())
    assert scene.book.write_run(verification, before=None)
    assert [one.work for one in scene.watch.look()] == ["verify", "rollback --yes"]
