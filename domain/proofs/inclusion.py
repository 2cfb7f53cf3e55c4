"""Whether one state accepts all that another one accepts, so that a search need not follow both."""

from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache
from typing import TypeAlias

from domain.rules.automata.dfa import Dfa

State: TypeAlias = Hashable
MAX_PAIRS = 20_000
"""Pairs that one question may meet; beyond that the answer is no, which only makes a search longer."""


class Inclusion:
    """Whether every text accepted from a state is also accepted from a state of ``dfa``; each pair is decided once.

    ``edges`` gives what is read from a state as low, high and the next state; a negative low stands for nothing read.
    """

    def __init__(
        self,
        edges: Callable[[State], Iterable[tuple[int, int, State]]],
        is_accepting: Callable[[State], bool],
        dfa: Dfa,
    ) -> None:
        self._edges = edges
        self._is_accepting = is_accepting
        self._dfa = dfa
        self._known: dict[tuple[State, int], bool] = {}

    def holds(self, state: State, other: int) -> bool:
        """Whether all that ``state`` accepts is accepted from ``other``."""
        known = self._known.get((state, other))
        return self._decide((state, other)) if known is None else known

    def _decide(self, asked: tuple[State, int]) -> bool:
        before: dict[tuple[State, int], tuple[State, int] | None] = {asked: None}
        todo = [asked]
        while todo:
            pair = todo.pop()
            following = self._following(pair)
            if following is None or len(before) > MAX_PAIRS:
                self._refute(pair, before)
                self._known[asked] = False
                return False
            for after in following:
                known = self._known.get(after)
                if known is False:
                    self._refute(pair, before)
                    return False
                if known is None and after not in before:
                    before[after] = pair
                    todo.append(after)
        self._known.update(dict.fromkeys(before, True))
        return True

    def _refute(self, pair: tuple[State, int], before: dict[tuple[State, int], tuple[State, int] | None]) -> None:
        here: tuple[State, int] | None = pair
        while here is not None:
            self._known[here] = False
            here = before[here]

    def _following(self, pair: tuple[State, int]) -> list[tuple[State, int]] | None:
        """The pairs that must hold as well; ``None`` where this one does not."""
        state, other = pair
        if self._is_accepting(state) and other not in self._dfa.accepting:
            return None
        found: list[tuple[State, int]] = []
        for low, high, after in self._edges(state):
            if low < 0:
                found.append((after, other))
                continue
            start = low
            for first, last, to in self._dfa.edges[other]:
                if last < start:
                    continue
                if first > start:
                    break
                found.append((after, to))
                start = last + 1
                if start > high:
                    break
            if start <= high:
                return None
        return found


@lru_cache(maxsize=512)
def inclusion_within(dfa: Dfa) -> Inclusion:
    """Between two states of the same automaton."""
    return Inclusion(lambda state: dfa.edges[number_of(state)], lambda state: state in dfa.accepting, dfa)


def number_of(state: State) -> int:
    """The state of one automaton as the number that it is."""
    if not isinstance(state, int):
        raise TypeError(state)
    return state
