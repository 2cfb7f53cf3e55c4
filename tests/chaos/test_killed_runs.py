"""The short form of ``python -m tests.chaos --kills 100``: a few workers killed, every byte compared."""

import pytest

from tests.chaos.killed_runs import run_killed
from tests.chaos.reaper import Extent

pytestmark = pytest.mark.slow("lets real workers do four runs, kills them, and waits until their requests are over")


def test_runs_whose_workers_are_killed_miss_nothing_and_do_nothing_twice() -> None:
    """Verify, cleanup, rollback and purge by killed workers: S3 holds what it must, and the summaries say it."""
    tally = run_killed(Extent(kills=1, objects=24, workers=2, seed=7), lambda _: None)
    assert tally.wrong == []
    assert tally.kills >= 1
    assert tally.read > 4 * 24
    assert tally.runs >= 4
