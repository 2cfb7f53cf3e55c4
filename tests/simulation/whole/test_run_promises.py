"""The judge of runs can say no: each promise with the case that breaks it, and the case that does not."""

from typing import Any

import pytest

from tests.simulation.whole.run_promises import CLEANUP, ENDING, PURGE, ROLLBACK, VERIFY, RunPromises
from tests.worlds.judged import JUDGED_SOURCE, JUDGED_TARGET, JudgedWorld

FUNCTION, CLEANER = "looking by looking-0", "cleanup by removing-0"


class Followed:
    """One key that was copied, and a run that an operator begins then."""

    def __init__(self, work: str) -> None:
        self.world = JudgedWorld()
        self.world.owner_puts(b"a")
        self.world.copy()
        self.promises = RunPromises(self.world.truth, self.world.clock.monotonic)
        self.promises.asked(JUDGED_SOURCE, by=FUNCTION)
        self.world.clock.advance(1)
        self.promises.began(work, "r")
        self.world.clock.advance(1)

    def broken(self, **counts: int) -> list[str]:
        """What a command breaks that says so at the end of the run."""
        self.promises.stopped(self.promises._runs["r"].work, "r")
        self.promises.ended("r", {name.replace("_", "."): count for name, count in counts.items()})
        return self.world.broken()


def test_a_verification_that_skips_an_object_is_found_out() -> None:
    """A function must have asked S3 for the object since the run began, whatever the figures say."""
    followed = Followed(VERIFY)
    assert followed.broken(objects=1) == ["R1"]
    for by, wanted in (("worker-0", ["R1"]), (FUNCTION, [])):
        followed = Followed(VERIFY)
        followed.promises.asked(JUDGED_SOURCE, by=by)
        assert followed.broken(objects=1) == wanted


@pytest.mark.parametrize(
    ("work", "counts", "wanted"),
    [
        (VERIFY, {"objects": 2}, ["R2"]),
        (VERIFY, {"objects": 0}, ["R1"]),
        (ROLLBACK, {"checked": 1}, []),
        (ROLLBACK, {"checked": 2}, ["R2"]),
        (ROLLBACK, {"checked": 0}, ["R1"]),
        (PURGE, {"verdict_purged": 1}, []),
        (PURGE, {"verdict_purged": 2}, ["R2"]),
        (CLEANUP, {"verdict_cleaned": 1}, ["R2"]),
        (CLEANUP, {}, []),
    ],
)
def test_figures_count_each_object_once(work: str, counts: dict[str, int], wanted: list[str]) -> None:
    """At least what was copied before the run, at most what there is, and no source that nothing has deleted."""
    followed = Followed(work)
    followed.promises.asked(JUDGED_SOURCE, by=FUNCTION)
    assert followed.broken(**counts) == wanted


def test_a_key_that_has_no_record_may_be_counted_beside_its_record() -> None:
    """The list of keys finds it before its record is made, and a function finds the record then."""
    followed = Followed(VERIFY)
    followed.promises.asked(JUDGED_SOURCE, by=FUNCTION)
    told: dict[str, Any] = {"objects": 2, "difference.not-migrated": 1}
    followed.promises.ended("r", told)
    assert not followed.world.broken()


def test_what_a_cleanup_says_was_deleted() -> None:
    """Over all runs: the second one may not count the same source again; two commands may follow one run."""
    followed = Followed(CLEANUP)
    followed.promises.removed(JUDGED_SOURCE, by=CLEANER)
    assert not followed.broken(verdict_cleaned=1)
    assert not followed.broken(verdict_cleaned=1)
    assert followed.broken(verdict_cleaned=2) == ["R2"]
    followed.promises.began(CLEANUP, "r")
    assert followed.broken(verdict_cleaned=1) == ["R2", "R2"]


def test_functions_change_nothing_without_a_run() -> None:
    """Not before one begins, not long after it was stopped, and nothing of another work."""
    followed = Followed(CLEANUP)
    followed.promises.removed(JUDGED_SOURCE, by=CLEANER)
    followed.promises.stopped(CLEANUP, "r")
    followed.world.clock.advance(ENDING - 1)
    followed.promises.removed(JUDGED_SOURCE, by=CLEANER)
    followed.promises.removed(JUDGED_TARGET, by="worker-1")
    assert not followed.world.broken()
    followed.promises.removed(JUDGED_TARGET, by="purge by removing-0")
    followed.world.clock.advance(2)
    followed.promises.removed(JUDGED_SOURCE, by=CLEANER)
    assert followed.world.broken() == ["R3", "R3"]


def test_what_a_run_left_is_found_out() -> None:
    """A pass without slices has removed it."""
    followed = Followed(CLEANUP)
    followed.promises.left(CLEANUP, JUDGED_SOURCE.uri)
    assert followed.world.broken() == ["R1"]
