"""Progress where standard error is not a terminal: a line every few seconds."""

import pytest

from handlers.cli.progress import LINE_SECONDS, progress
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock that the progress looks at."""
    clock = FakeClock()
    monkeypatch.setattr("handlers.cli.progress.time.monotonic", clock.monotonic)
    return clock


def test_a_line_says_how_many_how_fast_and_how_long_still(clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> None:
    """Steps in between are counted, and said with the next line."""
    with progress("verify", 1_000) as step:
        step()
        clock.advance(LINE_SECONDS - 1)
        step(99)
        clock.advance(1)
        step(0)
    assert capsys.readouterr().err == "verify: 100 of about 1,000, 20/s, 45s left\n"


def test_what_was_done_before_counts_but_not_in_the_rate(clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> None:
    """A command that joins a run does not claim the others' speed; an unknown or wrong total says no time."""
    for total, left in ((1_000, " of about 1,000, 10/s, 45s left"), (None, ", 10/s"), (300, " of about 300, 10/s")):
        with progress("verify", total, done=500) as step:
            clock.advance(LINE_SECONDS)
            step(50)
        assert capsys.readouterr().err == f"verify: 550{left}\n"


def test_no_step_is_no_speed(clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> None:
    """And says no time that is left."""
    with progress("verify", 10) as step:
        clock.advance(LINE_SECONDS)
        step(0)
    assert capsys.readouterr().err == "verify: 0 of about 10, 0/s\n"
