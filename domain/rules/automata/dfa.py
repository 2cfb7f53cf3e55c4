"""Finite automata over ranges of code points: what a placeholder may match, exactly, with no backtracking."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import islice, pairwise
from typing import TypeAlias

from domain.rules.automata.characters import Ranges, of_characters, plainness, readable

MAX_STATES = 4_096
"""A larger automaton is refused: its expression is a mistake or an attack."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of ``ranges``."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Series:
    """One item after the other."""

    items: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Any one of the items."""

    items: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """``item`` at least ``least`` and at most ``most`` times (``None``: no limit)."""

    item: "Expression"
    least: int
    most: int | None


Expression: TypeAlias = Chars | Series | Choice | Repeat


class TooManyStatesError(ValueError):
    """The expression needs more than MAX_STATES states."""


def literal(text: str) -> Series:
    """Exactly ``text``."""
    return Series(tuple(Chars(of_characters(character)) for character in text))


@dataclass(slots=True)
class _Builder:
    """Thompson's construction; a state is its index."""

    moves: list[list[tuple[Ranges, int]]] = field(default_factory=list)
    empty: list[list[int]] = field(default_factory=list)

    def new_state(self) -> int:
        if len(self.moves) > 8 * MAX_STATES:
            raise TooManyStatesError
        self.moves.append([])
        self.empty.append([])
        return len(self.moves) - 1

    def add(self, expression: Expression, start: int) -> int:
        """Add the expression from ``start`` on; the state in which it ends."""
        match expression:
            case Chars(ranges):
                end = self.new_state()
                self.moves[start].append((ranges, end))
                return end
            case Series(items):
                for item in items:
                    start = self.add(item, start)
                return start
            case Choice(items):
                end = self.new_state()
                for item in items:
                    first = self.new_state()
                    self.empty[start].append(first)
                    self.empty[self.add(item, first)].append(end)
                return end
            case Repeat():
                return self._repeat(expression, start)

    def _repeat(self, repeat: Repeat, start: int) -> int:
        for _ in range(repeat.least):
            start = self.add(repeat.item, start)
        end = self.new_state()
        self.empty[start].append(end)
        if repeat.most is None:
            first = self.new_state()
            self.empty[start].append(first)
            last = self.add(repeat.item, first)
            self.empty[last].extend((first, end))
        else:
            for _ in range(repeat.most - repeat.least):
                first = self.new_state()
                self.empty[start].append(first)
                start = self.add(repeat.item, first)
                self.empty[start].append(end)
        return end

    def closure(self, states: Iterable[int]) -> frozenset[int]:
        found, todo = set(states), list(states)
        while todo:
            for state in self.empty[todo.pop()]:
                if state not in found:
                    found.add(state)
                    todo.append(state)
        return frozenset(found)


Edges: TypeAlias = tuple[tuple[int, int, int], ...]
"""Ascending and disjoint: low, high, next state."""


@dataclass(frozen=True, slots=True)
class Dfa:
    """A deterministic automaton; it starts in state 0 and from every state some accepting state can be reached."""

    edges: tuple[Edges, ...]
    accepting: frozenset[int]

    def step(self, state: int, code: int) -> int | None:
        """The state after one more code point."""
        edges = self.edges[state]
        at = bisect_right(edges, (code, 0x110000, 0)) - 1
        return edges[at][2] if at >= 0 and edges[at][1] >= code else None

    def ends(self, text: str, start: int) -> Iterator[int]:
        """Where a match from ``start`` may end, ascending."""
        state: int | None = 0
        if 0 in self.accepting:
            yield start
        for position in range(start, len(text)):
            state = self.step(state or 0, ord(text[position]))
            if state is None:
                return
            if state in self.accepting:
                yield position + 1

    def accepts(self, text: str) -> bool:
        """Whether the whole of ``text`` matches."""
        return len(text) in self.ends(text, 0)

    @property
    def is_finite(self) -> bool:
        """Whether it accepts only finitely many texts: no state can reach itself again."""
        degree = [0] * len(self.edges)
        for edges in self.edges:
            for _, _, state in edges:
                degree[state] += 1
        todo, seen = [state for state, count in enumerate(degree) if not count], 0
        while todo:
            seen += 1
            for _, _, state in self.edges[todo.pop()]:
                degree[state] -= 1
                if not degree[state]:
                    todo.append(state)
        return seen == len(self.edges)

    def texts(self, at_most: int) -> list[str]:
        """The first ``at_most`` accepted texts, short and readable ones first."""
        missing = self._missing()
        found: list[str] = []
        # Best first by the final length of a text, so that a useless loop is not followed.
        todo = [(missing[0], 0, tuple[int, ...](), "", 0)] if missing else []
        while todo and len(found) < at_most:
            _, before, plain, text, state = heappop(todo)
            if state < 0:
                found.append(text)
                continue
            if state in self.accepting:
                heappush(todo, (len(text), before - 1, plain, text, -1))
            for low, high, following in self.edges[state]:
                if following in missing:
                    for code in islice(readable(low, high), at_most):
                        size = len(text) + 1
                        said = (*plain, plainness(code))
                        heappush(todo, (size + missing[following], -size, said, text + chr(code), following))
        return found

    def _missing(self) -> dict[int, int]:
        """How many characters each state is away from an accepting one."""
        found = dict.fromkeys(self.accepting, 0)
        todo = deque(self.accepting)
        before: dict[int, set[int]] = {}
        for state, edges in enumerate(self.edges):
            for _, _, following in edges:
                before.setdefault(following, set()).add(state)
        while todo:
            state = todo.popleft()
            for earlier in before.get(state, ()):
                if earlier not in found:
                    found[earlier] = found[state] + 1
                    todo.append(earlier)
        return found


def compile_expression(expression: Expression) -> Dfa:
    """The automaton of an expression, with dead ends removed.

    Raises TooManyStatesError.
    """
    builder = _Builder()
    start = builder.new_state()
    end = builder.add(expression, start)
    first = builder.closure([start])
    numbers, todo, edges = {first: 0}, deque([first]), list[Edges]()
    while todo:
        states = todo.popleft()
        here: list[tuple[int, int, int]] = []
        for ranges, target in _split([move for state in states for move in builder.moves[state]]):
            reached = builder.closure(target)
            if reached not in numbers:
                if len(numbers) >= MAX_STATES:
                    raise TooManyStatesError
                numbers[reached] = len(numbers)
                todo.append(reached)
            here.append((*ranges, numbers[reached]))
        edges.append(tuple(sorted(here)))
    return _trimmed(edges, frozenset(number for states, number in numbers.items() if end in states))


def _split(moves: list[tuple[Ranges, int]]) -> Iterator[tuple[tuple[int, int], frozenset[int]]]:
    """The moves as disjoint ranges, each with every state it leads to."""
    cuts = sorted({cut for ranges, _ in moves for low, high in ranges for cut in (low, high + 1)})
    for low, above in pairwise(cuts):
        targets = frozenset(state for ranges, state in moves if any(a <= low <= b for a, b in ranges))
        if targets:
            yield (low, above - 1), targets


def _trimmed(edges: list[Edges], accepting: frozenset[int]) -> Dfa:
    """Only the states from which the end can be reached; state 0 stays."""
    live, grew = set(accepting), True
    while grew:
        more = {state for state, here in enumerate(edges) if state not in live and any(e[2] in live for e in here)}
        live |= more
        grew = bool(more)
    kept = sorted(live | {0})
    numbers = {state: number for number, state in enumerate(kept)}
    trimmed = tuple(tuple((a, b, numbers[to]) for a, b, to in edges[state] if to in live) for state in kept)
    return Dfa(trimmed, frozenset(numbers[state] for state in accepting))
