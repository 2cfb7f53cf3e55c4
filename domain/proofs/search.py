"""Runs several machines over one text: finds a text that they share, or proves that there is none."""

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import NamedTuple

from domain.proofs.inclusion import State
from domain.proofs.machines import Move, Walkable
from domain.rules.automata.characters import readable
from domain.rules.templates import Captures


class BudgetSpentError(Exception):
    """The search met more states than it may; nothing is known."""


@dataclass(frozen=True, slots=True)
class FoundText:
    """A shared ``text``, and what each machine's names took of the text that it read."""

    text: str
    captures: tuple[Captures, ...]


class _Node(NamedTuple):
    states: tuple[State, ...]
    differs: bool
    before: "_Node | None"
    taken: tuple[tuple[Move, int] | None, ...]


def search(
    machines: Sequence[Walkable], *, differ: bool = False, budget: int = 100_000, visits: int = 1
) -> Iterator[FoundText]:
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


def find_shared(machines: Sequence[Walkable], *, budget: int) -> FoundText | None:
    """A short text that all machines can write; ``None`` proves that there is none.

    A state is left out where a known one accepts everything that it accepts, so that counting kinds stay small.
    Raises BudgetSpentError after ``budget`` states.
    """
    nodes = deque([_Node(tuple(machine.start for machine in machines), differs=False, before=None, taken=())])
    shelves: dict[tuple[Hashable, ...], list[tuple[State, ...]]] = {}
    met = {nodes[0].states}
    while nodes:
        node = nodes.popleft()
        budget -= 1
        if budget < 0:
            raise BudgetSpentError
        if all(machine.is_accepting(state) for machine, state in zip(machines, node.states, strict=True)):
            return _found(machines, node)
        for moves, low, high in _joint_moves(machines, node.states):
            states = tuple(
                state if move is None else move.state for move, state in zip(moves, node.states, strict=True)
            )
            if states in met:
                continue
            met.add(states)
            if _is_barred(machines, states):
                continue
            places = product(*(machine.shelves(state) for machine, state in zip(machines, states, strict=True)))
            own = next(places)
            here = shelves.setdefault(own, [])
            if any(_cover(machines, other, states) for place in (own, *places) for other in shelves.get(place, ())):
                continue
            here.append(states)
            code = next(readable(low, high))
            taken = tuple(None if move is None else (move, code) for move in moves)
            nodes.append(_Node(states, differs=False, before=node, taken=taken))
    return None


def _is_barred(machines: Sequence[Walkable], states: tuple[State, ...]) -> bool:
    """Whether every text that they still share is a key which one of them excludes."""
    for machine, state in zip(machines, states, strict=True):
        copied = machine.copied(state)
        if copied is not None and any(
            other.bars(there, *copied) for other, there in zip(machines, states, strict=True)
        ):
            return True
    return False


def _cover(machines: Sequence[Walkable], states: tuple[State, ...], others: tuple[State, ...]) -> bool:
    return all(
        state == other or machine.covers(state, other)
        for machine, state, other in zip(machines, states, others, strict=True)
    )


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


def _found(machines: Sequence[Walkable], node: _Node) -> FoundText:
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
    return FoundText("".join(reversed(text)), tuple(captures))
