"""How long a source key may be when its target is longer."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from domain.keys import MAX_KEY_BYTES
from domain.proofs.subject import Subject
from domain.rules.automata.characters import readable
from domain.rules.automata.dfa import Dfa, Edges
from domain.rules.branches import Branch
from domain.rules.compiled import MapOutcome
from domain.rules.template_filters import Effort

WIDTHS = ((0, 0x7F), (0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, 0x10FFFF))
"""The code points that take one byte in UTF-8, two, three and four."""
GROWTH_EFFORT = 500_000
"""Characters that may be read to confirm one long key, which is only a note."""


class Growth(NamedTuple):
    """A key whose target still fits, while no key with a longer ``name`` does."""

    name: str
    key: str
    target: str


def find_growth(subject: Subject, branch: Branch) -> Growth | None:
    """Where targets grow: the key with the longest fitting text for one free name, and the shortest for the others."""
    kinds = branch.source.kinds
    shortest = {name: next(iter(kind.dfa.texts(1)), "") for name, kind in kinds.items()}
    source = len((subject.rules.source_prefix + branch.source.render(shortest)).encode())
    target = len((subject.rules.target_prefix + branch.target.render(shortest)).encode())
    reads = {name: sum(piece.name == name for piece in branch.source.placeholders) for name in kinds}
    writes = {name: sum(piece.name == name for piece in branch.target.placeholders) for name in kinds}
    free = [name for name, kind in kinds.items() if writes[name] >= reads[name] and not kind.dfa.is_finite]
    if not free or (target <= source and all(writes[name] <= reads[name] for name in free)):
        return None
    name = max(free, key=lambda name: (writes[name] / reads[name], -len(kinds[name].dfa.edges)))
    room = (MAX_KEY_BYTES - target) // writes[name] + len(shortest[name].encode())
    text = _text_of_size(kinds[name].dfa, room)
    if text is None:
        return None
    key = subject.rules.source_prefix + branch.source.render({**shortest, name: text})
    mapped = subject.rules.map_key(key, Effort(GROWTH_EFFORT))
    if mapped.outcome is not MapOutcome.MOVE or mapped.rule != branch.rule or mapped.target is None:
        return None
    return Growth(name, key, mapped.target.key)


@lru_cache(maxsize=64)
def _text_of_size(dfa: Dfa, at_most: int) -> str | None:
    """The longest accepted text of at most so many bytes, readable if possible."""
    levels: list[dict[int, tuple[int, str]]] = [{0: (0, "")}]
    steps = [_steps(edges) for edges in dfa.edges]
    for size in range(1, at_most + 1):
        reached: dict[int, tuple[int, str]] = {}
        for width in range(1, min(size, len(WIDTHS)) + 1):
            for state in levels[size - width]:
                for character, following in steps[state][width - 1]:
                    reached.setdefault(following, (state, character))
        levels.append(reached)
    for size in range(at_most, -1, -1):
        texts = [_text_back(levels, size, state) for state in levels[size] if state in dfa.accepting]
        if texts:
            return next(filter(str.isprintable, texts), texts[0])
    return None


def _text_back(levels: Sequence[Mapping[int, tuple[int, str]]], size: int, state: int) -> str:
    text: list[str] = []
    while size:
        state, character = levels[size][state]
        text.append(character)
        size -= len(character.encode())
    return "".join(reversed(text))


def _steps(edges: Edges) -> list[list[tuple[str, int]]]:
    """By its width in bytes less one, a readable character of each edge, and the state it leads to."""
    found: list[list[tuple[str, int]]] = [[] for _ in WIDTHS]
    for low, high, following in sorted(edges, key=lambda edge: not edge[0] <= ord("a") <= edge[1]):
        for steps, (first, last) in zip(found, WIDTHS, strict=True):
            for code in islice(readable(max(low, first), min(high, last)), 1):
                steps.append((chr(code), following))
    return found
