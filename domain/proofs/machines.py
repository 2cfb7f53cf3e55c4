"""Machines: the automata of several templates, step by step, as a search walks them.

A machine is a series of steps, one for each piece. A step may read the source key, write the text that the machines
share, or both: a template read as it stands does both, a rule seen as a transducer reads ``from`` and writes ``to``.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

from domain.proofs.inclusion import Inclusion, State, inclusion_within
from domain.rules.automata.dfa import Dfa, compile_expression, literal
from domain.rules.template_filters import Filter
from domain.rules.templates import Template


class Move(NamedTuple):
    """One character: written from ``low`` to ``high``, read ``shift`` lower, on behalf of step ``step``."""

    low: int
    high: int
    shift: int
    step: int
    reads: bool
    writes: bool
    state: State


@dataclass(frozen=True, slots=True)
class Step:
    """One piece: what it may hold, its name (``None`` for a literal), and what it does with each character."""

    dfa: Dfa
    name: str | None = None
    reads: bool = True
    writes: bool = True
    filter: Filter | None = None

    def written(self, low: int, high: int) -> Iterable[tuple[int, int, int]]:
        """The written range for the read range, with the difference."""
        return ((low, high, 0),) if self.filter is None else self.filter.written(low, high)


def move_plainness(move: Move) -> int:
    """Alphanumeric ones first: people see the first text that leads into a state."""
    return 0 if move.low <= 97 <= move.high else 1 if move.low <= 48 <= move.high else 2


class Walkable(Protocol):
    """A machine that a search can walk."""

    @property
    def start(self) -> State:
        """Where it begins."""

    @property
    def names(self) -> tuple[str | None, ...]:
        """The name of each step."""

    def moves(self, state: State) -> Sequence[Move]:
        """Every next character."""

    def is_accepting(self, state: State) -> bool:
        """Whether it may end here."""

    def covers(self, state: State, other: State) -> bool:
        """Whether what it may read and write from ``other`` is also possible from ``state``; ``False`` if unsure."""

    def shelves(self, state: State) -> Sequence[Hashable]:
        """Its group, and other groups in which a state that covers it may be: only those are compared."""

    def copied(self, state: State) -> "tuple[Machine, State] | None":
        """The machine and state that read exactly what it writes from here on; ``None`` where that may differ."""

    def bars(self, state: State, machine: "Machine", other: State) -> bool:
        """Whether every text that ``machine`` still accepts from ``other`` is a key that is excluded here."""


def literal_step(text: str, *, reads: bool = True, writes: bool = True) -> Step:
    """A step that is exactly ``text``."""
    return Step(_literal_dfa(text), None, reads, writes)


@lru_cache(maxsize=1_024)
def _literal_dfa(text: str) -> Dfa:
    return compile_expression(literal(text))


def template_steps(template: Template, prefix: str) -> list[Step]:
    """The template as it stands; a repeated name may take another text each time, so more is accepted than matches."""
    steps = [literal_step(prefix)]
    for piece in template.pieces:
        if isinstance(piece, str):
            steps.append(literal_step(piece))
        else:
            steps.append(Step(piece.kind.dfa, piece.name, filter=piece.filter))
    return steps


class Machine:
    """The steps one after the other; a state is a step's number and the state of its automaton."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._moves: dict[State, list[Move]] = {}
        self._accepting: dict[State, bool] = {}
        self._covers = [inclusion_within(step.dfa) for step in steps]
        self._fits: dict[int, tuple[Dfa, Inclusion]] = {}
        changed = [at for at, step in enumerate(steps) if not (step.reads and step.writes and step.filter is None)]
        self._copied_from = changed[-1] + 1 if changed else 0
        self.start: State = (0, 0)
        self.names = tuple(step.name for step in steps)

    def moves(self, state: State) -> Sequence[Move]:
        """Every next character, also of later steps where the steps before them may end."""
        found = self._moves.get(state)
        if found is None:
            found = self._moves[state] = sorted(self._find_moves(state), key=move_plainness)
        return found

    def is_accepting(self, state: State) -> bool:
        """Whether this and every later step may end here."""
        found = self._accepting.get(state)
        if found is None:
            at, inner = _parts(state)
            rest = all(0 in step.dfa.accepting for step in self._steps[at + 1 :])
            found = self._accepting[state] = rest and inner in self._steps[at].dfa.accepting
        return found

    def covers(self, state: State, other: State) -> bool:
        """Whether both are in one step, and its automaton accepts from ``state`` all that it does from ``other``."""
        (at, inner), (other_at, other_inner) = _parts(state), _parts(other)
        return at == other_at and (inner == other_inner or self._covers[at].holds(other_inner, inner))

    def shelves(self, state: State) -> Sequence[Hashable]:
        """The step."""
        return (_parts(state)[0],)

    def copied(self, state: State) -> "tuple[Machine, State] | None":
        """Itself where this and all later steps write what they read."""
        return (self, state) if _parts(state)[0] >= self._copied_from else None

    def bars(self, state: State, machine: "Machine", other: State) -> bool:
        """It excludes nothing."""
        del state, machine, other
        return False

    def has_all(self, state: State, machine: "Machine", other: State) -> bool:
        """Whether what ``machine`` may read from ``other`` is accepted from ``state``; ``False`` if unsure."""
        if machine is self and self.covers(state, other):
            return True
        ending = self.ending(state)
        return ending is not None and machine.fits(other, *ending)

    def ending(self, state: State) -> tuple[Dfa, int] | None:
        """In the last step, the automaton that decides about the rest, and its state."""
        at, inner = _parts(state)
        return (self._steps[at].dfa, inner) if at == len(self._steps) - 1 else None

    def fits(self, state: State, dfa: Dfa, inner: int) -> bool:
        """Whether all that may be read from ``state`` is accepted by the automaton from its state ``inner``."""
        found = self._fits.get(id(dfa))
        if found is None:
            # The automaton is kept with its number, so that the number belongs to no other automaton.
            found = self._fits[id(dfa)] = (dfa, Inclusion(self._read, self.is_accepting, dfa))
        return found[1].holds(state, inner)

    def _read(self, state: State) -> Iterator[tuple[int, int, State]]:
        for move in self.moves(state):
            yield (move.low - move.shift, move.high - move.shift, move.state) if move.reads else (-1, -1, move.state)

    def _find_moves(self, state: State) -> Iterator[Move]:
        at, inner = _parts(state)
        while at < len(self._steps):
            step = self._steps[at]
            for low, high, following in step.dfa.edges[inner]:
                for written_low, written_high, shift in step.written(low, high):
                    yield Move(written_low, written_high, shift, at, step.reads, step.writes, (at, following))
            if inner not in step.dfa.accepting:
                return
            at, inner = at + 1, 0


def _parts(state: State) -> tuple[int, int]:
    if not isinstance(state, tuple):
        raise TypeError(state)
    at, inner = state
    return at, inner
