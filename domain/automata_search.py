"""Walks the automata of several templates over one text: finds a text that they share, or proves that there is none.

A machine is a series of steps, one for each piece. A step may read the source key, write the text that the machines
share, or both: a template read as it stands does both, a rule seen as a transducer reads ``from`` and writes ``to``.
"""

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import NamedTuple, Protocol, TypeAlias

from domain.automata import Dfa, compile_expression, literal
from domain.automata_characters import readable
from domain.templates import Captures, Filter, Template

State: TypeAlias = Hashable


class BudgetSpentError(Exception):
    """The search met more states than it may; nothing is known."""


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
        """What is written for the read range, with how much higher it is."""
        return ((low, high, 0),) if self.filter is None else self.filter.written(low, high)


def _plainness(move: Move) -> int:
    """Letters first, then digits: the first way found into a state is the one that people read."""
    return 0 if move.low <= 97 <= move.high else 1 if move.low <= 48 <= move.high else 2


class Walkable(Protocol):
    """What the search walks."""

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


def literal_step(text: str, *, reads: bool = True, writes: bool = True) -> Step:
    """A step that is exactly ``text``."""
    return Step(compile_expression(literal(text)), None, reads, writes)


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
        self.start: State = (0, 0)
        self.names = tuple(step.name for step in steps)

    def moves(self, state: State) -> Sequence[Move]:
        """Every next character, also of later steps where the steps before them may end."""
        found = self._moves.get(state)
        if found is None:
            found = self._moves[state] = sorted(self._find_moves(state), key=_plainness)
        return found

    def is_accepting(self, state: State) -> bool:
        """Whether this and every later step may end here."""
        found = self._accepting.get(state)
        if found is None:
            at, inner = _parts(state)
            rest = all(0 in step.dfa.accepting for step in self._steps[at + 1 :])
            found = self._accepting[state] = rest and inner in self._steps[at].dfa.accepting
        return found

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


class Excluding:
    """``base`` without the keys that one of ``others`` accepts; those must describe their keys exactly."""

    def __init__(self, base: Walkable, others: Sequence[Machine]) -> None:
        self._base = base
        self._others = others
        self._splits: dict[frozenset[tuple[int, State]], list[tuple[int, int, frozenset[tuple[int, State]]]]] = {}
        self._moves: dict[State, list[Move]] = {}
        self.start: State = (base.start, frozenset((at, other.start) for at, other in enumerate(others)))
        self.names = base.names

    def moves(self, state: State) -> Sequence[Move]:
        """Every next character of the base, split where the others go different ways."""
        found = self._moves.get(state)
        if found is None:
            found = self._moves[state] = sorted(self._find_moves(state), key=_plainness)
        return found

    def is_accepting(self, state: State) -> bool:
        """Whether the base may end here and no other does."""
        inner, followed = _pair(state)
        return self._base.is_accepting(inner) and not any(
            self._others[at].is_accepting(other) for at, other in followed
        )

    def _find_moves(self, state: State) -> Iterator[Move]:
        inner, followed = _pair(state)
        for move in self._base.moves(inner):
            if not move.reads:
                yield move._replace(state=(move.state, followed))
                continue
            for low, high, after in self._split(followed):
                first, last = max(low + move.shift, move.low), min(high + move.shift, move.high)
                if first <= last:
                    yield move._replace(low=first, high=last, state=(move.state, after))

    def _split(self, followed: frozenset[tuple[int, State]]) -> list[tuple[int, int, frozenset[tuple[int, State]]]]:
        if followed not in self._splits:
            steps = [(at, move) for at, state in followed for move in self._others[at].moves(state)]
            cuts = sorted({0, 0x110000} | {cut for _, move in steps for cut in (move.low, move.high + 1)})
            self._splits[followed] = [
                (low, above - 1, frozenset((at, move.state) for at, move in steps if move.low <= low <= move.high))
                for low, above in pairwise(cuts)
            ]
        return self._splits[followed]


def _pair(state: State) -> tuple[State, frozenset[tuple[int, State]]]:
    if not isinstance(state, tuple):
        raise TypeError(state)
    inner, followed = state
    return inner, followed


@dataclass(frozen=True, slots=True)
class Found:
    """A shared ``text``, and what each machine's names took of what it read."""

    text: str
    captures: tuple[Captures, ...]


class _Node(NamedTuple):
    states: tuple[State, ...]
    differs: bool
    before: "_Node | None"
    taken: tuple[tuple[Move, int] | None, ...]


def search(
    machines: Sequence[Walkable], *, differ: bool = False, budget: int = 100_000, visits: int = 1
) -> Iterator[Found]:
    """Texts that all machines can write, shorter first; none at all proves that there is none.

    With ``differ`` (two equal machines) only texts that they write in two different ways. Each state is met at most
    ``visits`` times, with another character each time. Raises BudgetSpentError after ``budget`` states.
    """
    nodes = deque([_Node(tuple(machine.start for machine in machines), differs=False, before=None, taken=())])
    met = {(nodes[0].states, False): 1}
    while nodes:
        node = nodes.popleft()
        budget -= 1
        if budget < 0:
            raise BudgetSpentError
        if (node.differs or not differ) and all(
            machine.is_accepting(state) for machine, state in zip(machines, node.states, strict=True)
        ):
            yield _found(machines, node)
        for moves, low, high in _joint_moves(machines, node.states):
            states = tuple(
                state if move is None else move.state for move, state in zip(moves, node.states, strict=True)
            )
            differs = node.differs or (differ and _differ(moves))
            count = met.get((states, differs), 0)
            if count < visits:
                met[states, differs] = count + 1
                codes = list(islice(readable(low, high), count + 1))
                code = codes[count % len(codes)]
                taken = tuple(None if move is None else (move, code) for move in moves)
                nodes.append(_Node(states, differs, node, taken))


def _differ(moves: Sequence[Move | None]) -> bool:
    one, other = moves
    return one is not None and other is not None and (one.state, one.shift) != (other.state, other.shift)


def _joint_moves(
    machines: Sequence[Walkable], states: tuple[State, ...]
) -> Iterator[tuple[tuple[Move | None, ...], int, int]]:
    """Silent moves of one machine, and moves of all that write the same character."""
    together: list[tuple[tuple[Move | None, ...], int, int]] = [((), 0, 0x10FFFF)]
    for at, (machine, state) in enumerate(zip(machines, states, strict=True)):
        writing: list[Move] = []
        for move in machine.moves(state):
            if move.writes:
                writing.append(move)
            else:
                alone: list[Move | None] = [None] * len(machines)
                alone[at] = move
                yield tuple(alone), move.low, move.high
        together = [
            ((*moves, move), max(low, move.low), min(high, move.high))
            for moves, low, high in together
            for move in writing
            if move.low <= high and move.high >= low
        ]
    yield from together


def _found(machines: Sequence[Walkable], node: _Node) -> Found:
    text: list[str] = []
    read: list[dict[int, list[str]]] = [{} for _ in machines]
    here: _Node | None = node
    while here is not None and here.taken:
        written = next((code for taken in here.taken if taken for move, code in (taken,) if move.writes), None)
        if written is not None:
            text.append(chr(written))
        for pieces, taken in zip(read, here.taken, strict=True):
            if taken is not None:
                move, code = taken
                pieces.setdefault(move.step, []).append(chr(code - move.shift))
        here = here.before
    captures = []
    for machine, pieces in zip(machines, read, strict=True):
        names: dict[str, str] = {}
        for step, name in enumerate(machine.names):
            if name is not None:
                names.setdefault(name, "".join(reversed(pieces.get(step, []))))
        captures.append(names)
    return Found("".join(reversed(text)), tuple(captures))
