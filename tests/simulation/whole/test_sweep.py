"""A crash at any call of any scenario is survived, and any change that is sent twice."""

from collections.abc import Callable

import pytest

from domain.protocol.held_record import HeldRecord
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.whole.acts import ACTS, PLAYS
from tests.simulation.whole.sweep import sweep

pytestmark = pytest.mark.slow("plays one migration again for each call at which it may be stopped")

AT_MOST = 40
"""Calls of a play that have faults here; ``python -m tests.simulation.whole --sweep`` leaves none out."""


@pytest.mark.parametrize("number", range(4))
def test_a_crash_at_any_call_converges(number: int) -> None:
    """Before and after each port call of a quarter of the scenarios, in one order; ``make simulate`` tries more."""
    swept = sweep([name for name in PLAYS if name in SCENARIOS][number::4], orders=1)
    assert swept.crashes > 300
    assert swept.doubled > 50
    assert swept.pairs > 50
    assert not swept.broken, swept.broken[0]


@pytest.mark.parametrize("number", range(4))
def test_operators_may_die_at_any_call(number: int) -> None:
    """Verification, references and their undo, replays, pauses, cleanup and rollback by command, runs, and a start."""
    swept = sweep([play.name for play in ACTS][number::4], orders=1, at_most=AT_MOST)
    assert swept.crashes > 300
    assert swept.doubled > 20
    assert swept.pairs > 10
    assert not swept.broken, swept.broken[0]


def _asks_only(self: HeldRecord, may_be_done: Callable[[], bool]) -> bool:
    return may_be_done()


@pytest.mark.parametrize(("name", "broken"), [("S20", "I1"), ("A17", "I3")])
def test_a_refusal_that_nobody_could_look_after_is_found_out(
    monkeypatch: pytest.MonkeyPatch, name: str, broken: str
) -> None:
    """A cleanup's delete (S20), or a rewriting (A17), refused and forgotten because the look after it failed."""
    monkeypatch.setattr(HeldRecord, "ask_if_done", _asks_only)
    assert any(broken in text for text in sweep([name], orders=1).broken)
