"""A crash at any call of any scenario is survived, and any change that is sent twice."""

import pytest

from tests.simulation.scenarios import SCENARIOS
from tests.simulation.whole.acts import ACTS, PLAYS
from tests.simulation.whole.sweep import sweep


@pytest.mark.parametrize("number", range(4))
def test_a_crash_at_any_call_converges(number: int) -> None:
    """Before and after each port call of a quarter of the scenarios, in one order; ``make simulate`` tries more."""
    swept = sweep([name for name in PLAYS if name in SCENARIOS][number::4], orders=1)
    assert swept.crashes > 300
    assert swept.doubled > 50
    assert not swept.broken, swept.broken[0]


@pytest.mark.parametrize("number", range(4))
def test_operators_may_die_at_any_call(number: int) -> None:
    """Verification, the rewriting of references and its undo, replays, pauses, cleanup and rollback by command."""
    swept = sweep([play.name for play in ACTS][number::4], orders=1)
    assert swept.crashes > 300
    assert swept.doubled > 50
    assert not swept.broken, swept.broken[0]
