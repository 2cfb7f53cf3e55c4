"""Texts of a matching key that string functions cut out, several times cheaper than the groups of an expression."""

from dataclasses import dataclass

from adapters.duckdb.patterns import BUILT_IN, fixed_length, has_one_end
from domain.rules.templates import Kind, Template

_MOST_SEARCHES = 3
"""Each search doubles the SQL of the next one."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """SQL by the number of the placeholder, from 1, for a key that is known to match the template.

    ``texts`` is what the placeholder stands for, ``rests`` everything from its first character on. Both hold only for
    keys that fulfil ``condition``, where there is one; a placeholder whose place is not certain is missing.
    """

    texts: dict[int, str]
    rests: dict[int, str]
    condition: str | None


def cuts_of(template: Template, column: str) -> Cuts:
    """What can be cut: up to the first placeholder whose end only the matcher knows."""
    texts: dict[int, str] = {}
    rests: dict[int, str] = {}
    condition, text, passed, searches = None, column, 0, 0
    pieces = list(template.pieces)
    while pieces:
        piece = pieces.pop(0)
        if isinstance(piece, str):
            passed += len(piece)
            continue
        number = len(rests) + 1
        rest = f"substr({text}, {passed + 1})" if passed else text
        kind, following = template.kinds[piece.name], pieces[0] if pieces else None
        length = _length(kind)
        if length is not None:
            texts[number] = f"substring({text}, {passed + 1}, {length})"
            passed += length
        elif following is None:
            texts[number] = rest
        elif not isinstance(following, str) or searches == _MOST_SEARCHES:
            rests[number] = rest
            break
        elif has_one_end(kind, following):
            first = quoted(following[0])
            texts[number] = f"split_part({rest}, {first}, 1)"
            text, passed, searches = f"substr({rest}, strpos({rest}, {first}))", 0, searches + 1
        elif condition is None and _is_countable(following):
            # A literal that occurs once is where the literal of the template is, however the key is read.
            pieces.pop(0)
            before, after = (f"split_part({rest}, {quoted(following)}, {part})" for part in (1, 2))
            condition = f"strlen({before}) + strlen({after}) + {len(following.encode())} = strlen({rest})"
            texts[number] = before
            text, passed, searches = after, 0, searches + 1
        else:
            rests[number] = rest
            break
        rests[number] = rest
    return Cuts(texts, rests, condition)


def _length(kind: Kind) -> int | None:
    return None if kind in BUILT_IN else fixed_length(kind.expression)


def _is_countable(text: str) -> bool:
    """Whether two occurrences of the text never overlap, so that splitting by it finds each one."""
    return not any(text.startswith(text[shift:]) for shift in range(1, len(text)))


def quoted(text: str) -> str:
    """The text as a SQL string."""
    plain = "'" + text.replace("'", "''") + "'"
    if "\0" not in text:
        return plain
    return "(" + " || chr(0) || ".join("'" + part.replace("'", "''") + "'" for part in text.split("\0")) + ")"
