"""The texts that one machine accepts and others do not."""

from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

from domain.proofs.inclusion import State
from domain.proofs.machines import Machine, Move, move_plainness

Followed: TypeAlias = frozenset[tuple[int, State]]
"""The states of the excluded machines, each with the machine's number."""


class Excluding:
    """``base`` without the keys that one of ``others`` accepts; those must describe their keys exactly.

    Two rules keep the followed states few and do not change the answer. A state is left out when another one accepts
    everything that it accepts. The walk ends where an excluded machine accepts everything that the base may still read.
    """

    def __init__(self, base: Machine, others: Sequence[Machine]) -> None:
        self._base = base
        self._others = others
        self._splits: dict[Followed, list[tuple[int, int, Followed]]] = {}
        self._reduced: dict[Followed, Followed] = {}
        self._moves: dict[State, list[Move]] = {}
        self.start: State = (base.start, self._reduce(frozenset((at, one.start) for at, one in enumerate(others))))
        self.names = base.names

    def moves(self, state: State) -> Sequence[Move]:
        """Every next character of the base, split where the others go different ways."""
        found = self._moves.get(state)
        if found is None:
            found = self._moves[state] = sorted(self._find_moves(state), key=move_plainness)
        return found

    def is_accepting(self, state: State) -> bool:
        """Whether the base may end here and none of the others does."""
        inner, followed = _pair(state)
        return self._base.is_accepting(inner) and not any(
            self._others[at].is_accepting(other) for at, other in followed
        )

    def covers(self, state: State, other: State) -> bool:
        """Whether the base may do as much from ``state``, and what is followed there is followed from ``other`` too."""
        (inner, followed), (other_inner, other_followed) = _pair(state), _pair(other)
        return followed <= other_followed and self._base.covers(inner, other_inner)

    def shelves(self, state: State) -> Sequence[Hashable]:
        """The base's step with the states of the others, then with one of the others left out."""
        inner, followed = _pair(state)
        fewer = (followed, *(followed - {one} for one in followed))
        return [(at, some) for at in self._base.shelves(inner) for some in fewer]

    def copied(self, state: State) -> tuple[Machine, State] | None:
        """The base, if it writes what it reads."""
        return self._base.copied(_pair(state)[0])

    def bars(self, state: State, machine: Machine, other: State) -> bool:
        """Whether the base copies, so that the text is a key, and one of the others takes each such key."""
        inner, followed = _pair(state)
        return self._base.copied(inner) is not None and any(
            self._others[at].has_all(one, machine, other) for at, one in followed
        )

    def _find_moves(self, state: State) -> Iterator[Move]:
        inner, followed = _pair(state)
        for move in self._base.moves(inner):
            if not move.reads:
                yield move._replace(state=(move.state, followed))
                continue
            for low, high, after in self._split(followed):
                first, last = max(low + move.shift, move.low), min(high + move.shift, move.high)
                if first <= last and not self._is_lost(move.state, after):
                    yield move._replace(low=first, high=last, state=(move.state, after))

    def _is_lost(self, inner: State, followed: Followed) -> bool:
        """Whether one of the others takes every key to which the base may still get."""
        return any(self._others[at].has_all(state, self._base, inner) for at, state in followed)

    def _split(self, followed: Followed) -> list[tuple[int, int, Followed]]:
        if followed not in self._splits:
            steps = [(at, move) for at, state in followed for move in self._others[at].moves(state)]
            cuts = sorted({0, 0x110000} | {cut for _, move in steps for cut in (move.low, move.high + 1)})
            found = [
                (low, above - 1, frozenset((at, move.state) for at, move in steps if move.low <= low <= move.high))
                for low, above in pairwise(cuts)
            ]
            self._splits[followed] = [(low, high, self._reduce(after)) for low, high, after in found]
        return self._splits[followed]

    def _reduce(self, followed: Followed) -> Followed:
        if len(followed) < 2:  # a single state has no other one to compare
            return followed
        if followed not in self._reduced:
            kept = sorted(followed, key=str)
            for one in list(kept):
                if any(self._has_all(other, one) for other in kept if other != one):
                    kept.remove(one)
            self._reduced[followed] = frozenset(kept)
        return self._reduced[followed]

    def _has_all(self, one: tuple[int, State], other: tuple[int, State]) -> bool:
        """Whether ``one`` accepts all that ``other`` does."""
        (at, state), (other_at, other_state) = one, other
        return self._others[at].has_all(state, self._others[other_at], other_state)


def _pair(state: State) -> tuple[State, Followed]:
    if not isinstance(state, tuple):
        raise TypeError(state)
    inner, followed = state
    return inner, followed
