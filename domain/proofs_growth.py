"""How long a source key may be when its target is longer."""

from domain.automata import Dfa
from domain.keys import MAX_KEY_BYTES
from domain.proofs_subject import Evidence, Subject
from domain.rules import Branch, MapOutcome


def find_growth(subject: Subject, branch: Branch) -> Evidence | None:
    """Where targets grow: the longest source key, of one free name and else the shortest texts, that still fits."""
    kinds = branch.source.kinds
    shortest = {name: next(iter(kind.dfa.texts(1)), "") for name, kind in kinds.items()}
    source = len((subject.rules.source.prefix + branch.source.render(shortest)).encode())
    target = len((subject.rules.target.prefix + branch.target.render(shortest)).encode())
    reads = {name: sum(piece.name == name for piece in branch.source.placeholders) for name in kinds}
    writes = {name: sum(piece.name == name for piece in branch.target.placeholders) for name in kinds}
    free = [name for name, kind in kinds.items() if writes[name] >= reads[name] and not kind.dfa.is_finite]
    if not free or (target <= source and all(writes[name] <= reads[name] for name in free)):
        return None
    name = max(free, key=lambda name: (writes[name] / reads[name], -len(kinds[name].dfa.edges)))
    room = (MAX_KEY_BYTES - target) // writes[name] + len(shortest[name])
    text = _text_of_size(kinds[name].dfa, room)
    if text is None:
        return None
    key = subject.rules.source.prefix + branch.source.render({**shortest, name: text})
    mapped = subject.rules.map_key(key)
    if mapped.outcome is not MapOutcome.MOVE or mapped.rule != branch.rule or mapped.target is None:
        return None
    return Evidence((key,), (mapped.target.key,))


def _text_of_size(dfa: Dfa, at_most: int) -> str | None:
    """The longest accepted ASCII text of at most so many characters."""
    levels: list[dict[int, tuple[int, str]]] = [{0: (0, "")}]
    for _ in range(at_most):
        reached: dict[int, tuple[int, str]] = {}
        for state in levels[-1]:
            for low, high, following in sorted(dfa.edges[state], key=lambda edge: not edge[0] <= 97 <= edge[1]):
                code = next((code for code in (97, 48, max(low, 33)) if low <= code <= min(high, 126)), None)
                if code is not None:
                    reached.setdefault(following, (state, chr(code)))
        levels.append(reached)
    for size in range(at_most, -1, -1):
        ends = [state for state in levels[size] if state in dfa.accepting]
        if ends:
            state, text = ends[0], list[str]()
            for level in reversed(levels[1 : size + 1]):
                state, character = level[state]
                text.append(character)
            return "".join(reversed(text))
    return None
