"""Templates as patterns of RE2, and when RE2 is certain to read a key as the template itself does.

RE2 prefers matches as Perl does: with lazy repetitions earlier placeholders take the shortest text wherever the
possible ends of each are tried in ascending order, or only one end is possible.
"""

import re
from functools import lru_cache

from domain.keys import MAX_KEY_BYTES
from domain.rules.automata.characters import ANY, common
from domain.rules.automata.dfa import Chars, Choice, Expression, Repeat, Series
from domain.rules.templates import PATH, SEGMENT, TEXT, Kind, Placeholder, Template

_MOST_GROUPS = 9
_SEGMENT_RE = r"(?:[^/.][^/]*?|\.[^/.][^/]*?|\.\.[^/]+?)"
BUILT_IN = {SEGMENT: _SEGMENT_RE, PATH: f"(?:{_SEGMENT_RE}(?:/{_SEGMENT_RE})*?)", TEXT: "(?s:.)+?"}


def pattern_of(template: Template) -> tuple[str, list[tuple[int, int]]]:
    """The template for RE2 and, for repeated names, the groups that must be equal."""
    groups: dict[str, int] = {}
    repeats: list[tuple[int, int]] = []
    kinds = template.kinds
    texts, number = [], 0
    for piece in template.pieces:
        if isinstance(piece, str):
            texts.append(re2_literal(piece))
            continue
        number += 1
        texts.append(f"({_re2_of_kind(kinds[piece.name])})")
        if piece.repeats:
            repeats.append((groups[piece.name], number))
        else:
            groups[piece.name] = number
    return "(?s)" + "".join(texts), repeats


def is_vectorisable(template: Template) -> bool:
    """Whether RE2 is certain to find the very parse that the template's own matcher finds first.

    RE2 does not compare texts. So up to the last repeated name only one parse may be possible: of several the matcher
    takes the first whose texts are equal, and it stops after a million, where RE2 would continue.
    """
    pieces = template.pieces
    if len(template.placeholders) > _MOST_GROUPS or not is_readable(pattern_of(template)[0]):
        return False
    repeats = [number for number, piece in enumerate(pieces) if isinstance(piece, Placeholder) and piece.repeats]
    for number, piece in enumerate(pieces):
        if not isinstance(piece, Placeholder):
            continue
        following = pieces[number + 1] if number + 1 < len(pieces) else None
        alone = has_one_end(template.kinds[piece.name], following)
        is_compared = bool(repeats) and number <= repeats[-1]
        if not (alone or (not is_compared and _ends_ascend(template.kinds[piece.name]))):
            return False
    return True


@lru_cache(maxsize=256)
def is_readable(pattern: str) -> bool:
    """Whether DuckDB's RE2 takes the pattern: it has limits for repetitions and for memory, so it is asked."""
    import duckdb

    with duckdb.connect() as connection:
        try:
            connection.execute("SELECT regexp_full_match('', ?)", [pattern]).fetchall()
        except duckdb.InvalidInputException:
            return False
    return True


def has_one_end(kind: Kind, following: str | Placeholder | None) -> bool:
    """Whether, from a given start, at most one end can lead to a match."""
    if following is None:
        return True
    if isinstance(following, str):
        first = ord(following[0])
        return not any(low <= first <= high for edges in kind.dfa.edges for low, high, _ in edges)
    return all(not kind.dfa.edges[state] for state in kind.dfa.accepting)


def _ends_ascend(kind: Kind) -> bool:
    return kind in BUILT_IN or _is_words(kind.expression) or _lazy_ends_ascend(kind.expression)


def _is_words(expression: Expression) -> bool:
    """Whether it is a list of words, the shorter first, as ``kind_of_words`` makes it."""
    if not isinstance(expression, Choice):
        return False
    lengths = [fixed_length(item) for item in expression.items]
    return all(length is not None for length in lengths) and lengths == sorted(length or 0 for length in lengths)


def _lazy_ends_ascend(expression: Expression) -> bool:
    """Whether a lazy match tries its ends in ascending order; ``False`` also where that is merely not certain."""
    if fixed_length(expression) is not None:
        return True
    match expression:
        case Series(items):
            variable = [item for item in items if fixed_length(item) is None]
            return len(variable) == 1 and _lazy_ends_ascend(variable[0])
        case Repeat(item, least, most):
            return fixed_length(item) is not None or (least == 0 and most == 1 and _lazy_ends_ascend(item))
    return False


def fixed_length(expression: Expression) -> int | None:
    """How many characters every text of the expression has; None where they differ."""
    match expression:
        case Chars():
            return 1
        case Series(items):
            lengths = [fixed_length(item) for item in items]
            return None if None in lengths else sum(length or 0 for length in lengths)
        case Choice(items):
            different = {fixed_length(item) for item in items}
            return different.pop() if len(different) == 1 else None
        case Repeat(item, least, most):
            length = fixed_length(item)
            return length * least if length is not None and least == most else None
    return None


def _re2_of_kind(kind: Kind) -> str:
    return BUILT_IN.get(kind) or re2_of(kind.expression)


def re2_of(expression: Expression) -> str:
    """The expression for RE2, every repetition lazy."""
    match expression:
        case Chars(ranges):
            return "." if ranges == ANY else _re2_class(common(ranges, ANY))
        case Series(items):
            return "".join(re2_of(item) for item in items)
        case Choice(items):
            return "(?:" + "|".join(re2_of(item) for item in items) + ")"
        case Repeat(item, least, most):
            # A key cannot have so many; RE2 allows numbers up to 1,000.
            most = None if most is not None and most >= MAX_KEY_BYTES else most
            bounds = f"{{{least},{'' if most is None else most}}}?"
            return f"(?:{re2_of(item)})" + {(0, None): "*?", (1, None): "+?", (0, 1): "??"}.get((least, most), bounds)


def _re2_class(ranges: tuple[tuple[int, int], ...]) -> str:
    if not ranges:
        return r"[^\x{0}-\x{10FFFF}]"
    return "[" + "".join(f"\\x{{{low:X}}}-\\x{{{high:X}}}" for low, high in ranges) + "]"


def re2_literal(text: str) -> str:
    """Exactly this text, for RE2."""
    return "".join(
        character if re.match(r"[A-Za-z0-9/_-]", character) else f"\\x{{{ord(character):X}}}" for character in text
    )
