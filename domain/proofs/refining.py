"""The quick way to an answer: exclude only those rules that a candidate shows to interfere.

Excluding all earlier rules makes the automata large. So the first search excludes none of them. If the text that is
found belongs to another rule, that rule is excluded, and the search is repeated.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from domain.proofs.machines import Machine, Walkable
from domain.proofs.search import BudgetSpentError, FoundText, find_shared
from domain.proofs.subject import Allowance, Answer, Evidence, Open, settle

REFINED_BUDGET = 6_000
"""States that one quick search may meet."""
ROUNDS = 12
"""Rules that are excluded one after the other before the slower ways are tried."""

Side: TypeAlias = Callable[[Sequence[Machine]], Walkable]
"""Makes one of the machines, without the keys of the given ones."""


@dataclass(frozen=True, slots=True)
class Blame:
    """Why a text is not evidence: on the side of this number its key belongs to the machine."""

    side: int
    machine: Machine


def refine(
    sides: Sequence[Side],
    confirm: Callable[[FoundText], Evidence | None],
    blame: Callable[[FoundText], Iterable[Blame]],
    allowance: Allowance,
) -> Answer:
    """Evidence, the proof that there is none, or UNDECIDED where excluding rules one by one does not decide.

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
    confirm: Callable[[FoundText], Evidence | None],
    blame: Callable[[FoundText], Iterable[Blame]] = lambda _: (),
    *,
    allowance: Allowance,
) -> Answer:
    """The quick way, and the slow one where that does not decide."""
    answer = refine(sides, confirm, blame, allowance)
    return settle(stages, confirm, allowance=allowance) if answer is Open.UNDECIDED else answer
