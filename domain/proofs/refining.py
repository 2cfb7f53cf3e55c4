"""The quick way to an answer: leave out only those rules that a candidate shows to be in the way.

All earlier rules at once make the automata large. So a question is asked without any of them first; a text that is
found and turns out to belong to another rule names the one to leave out, and the question is asked again.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from domain.proofs.machines import Machine, Walkable
from domain.proofs.search import BudgetSpentError, Found, find_shared
from domain.proofs.subject import Allowance, Answer, Evidence, Open, settle

REFINED_BUDGET = 6_000
"""States that one quick search may meet."""
ROUNDS = 12
"""Rules that are left out one after the other before the slower ways are tried."""

Side: TypeAlias = Callable[[Sequence[Machine]], Walkable]
"""Makes one of the machines, without the keys of those that are given."""


@dataclass(frozen=True, slots=True)
class Blame:
    """Why a text is no evidence: on the side of this number its key belongs to the machine."""

    side: int
    machine: Machine


def refine(
    sides: Sequence[Side],
    confirm: Callable[[Found], Evidence | None],
    blame: Callable[[Found], Iterable[Blame]],
    allowance: Allowance,
) -> Answer:
    """Evidence, the proof that there is none, or UNDECIDED where leaving rules out one by one does not decide.

    Each machine accepts at least what the rules accept, so that a search without any text is a proof.
    """
    excluded: list[list[Machine]] = [[] for _ in sides]
    budget = allowance.budget(REFINED_BUDGET)
    with suppress(BudgetSpentError):
        for _ in range(ROUNDS):
            machines = [side(others) for side, others in zip(sides, excluded, strict=True)]
            found = find_shared(machines, budget=budget)
            if found is None:
                return Open.IMPOSSIBLE
            evidence = confirm(found)
            if evidence is not None:
                return evidence
            known = sum(map(len, excluded))
            for one in blame(found):
                if all(one.machine is not other for other in excluded[one.side]):
                    excluded[one.side].append(one.machine)
            if sum(map(len, excluded)) == known:
                break
    allowance.left -= budget
    return Open.UNDECIDED


def refine_or_settle(
    sides: Sequence[Side],
    stages: Sequence[Callable[[], Sequence[Walkable] | None]],
    confirm: Callable[[Found], Evidence | None],
    blame: Callable[[Found], Iterable[Blame]] = lambda _: (),
    *,
    allowance: Allowance,
) -> Answer:
    """The quick way, and the slow one where that does not decide."""
    answer = refine(sides, confirm, blame, allowance)
    return settle(stages, confirm, allowance=allowance) if answer is Open.UNDECIDED else answer
