"""The rules as SQL, so that DuckDB maps millions of keys a second exactly as ``CompiledRules.map_key`` maps one.

RE2 prefers matches as Perl does: with lazy repetitions earlier placeholders take the shortest text wherever the
possible ends of each are tried in ascending order, or only one end is possible. A template for which that is not
certain, and every key that needs S3's key rules looked at, goes through the one-key mapping itself.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.automata import ANY, Chars, Choice, Expression, Repeat, Series, common
from domain.keys import MAX_KEY_BYTES
from domain.rules import Branch, CompiledRules
from domain.templates import PATH, SEGMENT, TEXT, Filter, Kind, Placeholder, Template

if TYPE_CHECKING:
    import duckdb

_UPPERCASE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MOST_GROUPS = 9
_SEGMENT_RE = r"(?:[^/.][^/]*?|\.[^/.][^/]*?|\.\.[^/]+?)"
_BUILT_IN = {SEGMENT: _SEGMENT_RE, PATH: f"(?:{_SEGMENT_RE}(?:/{_SEGMENT_RE})*?)", TEXT: "(?s:.)+?"}
NO_BRANCH = -1
KEPT = -2
ASK = -3
"""This key is mapped by the one-key mapping."""
REJECTED = -4


@dataclass(frozen=True, slots=True)
class MappingSql:
    """Two expressions over the key's column.

    ``branch`` is a branch's index or one of the constants above; ``target`` is for a row that has ``branch``.
    """

    branch: str
    target: str


def mapping_sql(rules: CompiledRules, *, column: str = "key") -> MappingSql:
    """The rules as two SQL expressions."""
    rest = f"substr({column}, {len(rules.source.prefix) + 1})" if rules.source.prefix else column
    keep = [_condition(template, rest, KEPT) for template in rules.keep]
    moves = [_condition(branch.source, rest, index) for index, branch in enumerate(rules.branches)]
    prefix = _quoted(rules.source.prefix)
    outside = [f"WHEN NOT starts_with({column}, {prefix}) THEN {NO_BRANCH}"] if rules.source.prefix else []
    # Such keys are too long or may lead above the bucket: S3's own rules decide, in one place.
    odd = f"WHEN strlen({column}) > {MAX_KEY_BYTES} OR contains({column}, '..') OR {column} = '' THEN {ASK}"
    unmapped = KEPT if rules.unmapped == "keep" else NO_BRANCH
    branch = f"CASE {' '.join([odd, *outside, *keep, *moves])} ELSE {unmapped} END"
    targets = [
        f"WHEN {index} THEN {_rendered(one, rest, rules.target.prefix)}"
        for index, one in enumerate(rules.branches)
        if _is_vectorisable(one.source)
    ]
    target = f"CASE branch {' '.join(targets)} END" if targets else "NULL"
    return MappingSql(branch, target)


def register_one_key_mapping(connection: "duckdb.DuckDBPyConnection", rules: CompiledRules) -> None:
    """Make ``map_one(key)`` callable: outcome, branch and target of the few keys that SQL does not decide."""
    names = {name: index for index, name in reversed(list(enumerate(branch.rule for branch in rules.branches)))}

    def map_one(keys: Sequence[str]) -> list[str]:
        answers = []
        for key in keys:
            mapped = rules.map_key(key)
            index = NO_BRANCH if mapped.rule is None else names[mapped.rule]
            target = mapped.target.key if mapped.target is not None else ""
            answers.append(f"{mapped.outcome.value} {index} {target}")
        return answers

    def batched(keys: object) -> object:
        import pyarrow as pa

        return pa.array(map_one(keys.to_pylist()), type=pa.string())  # type: ignore[attr-defined]

    connection.create_function("map_one", batched, ["VARCHAR"], "VARCHAR", type="arrow")  # type: ignore[call-overload]


def _condition(template: Template, rest: str, index: int) -> str:
    """One WHEN of the branch expression; cheap tests stand before the expression."""
    tests = [*_literal_tests(template, rest)]
    pattern, repeats = _pattern(template)
    if any(isinstance(piece, Placeholder) for piece in template.pieces):
        tests.append(f"regexp_full_match({rest}, {_quoted(pattern)})")
    if not _is_vectorisable(template):
        return f"WHEN {' AND '.join(tests)} THEN {ASK}"
    for first, again in repeats:
        tests.append(
            f"regexp_extract({rest}, {_quoted(pattern)}, {first}) = regexp_extract({rest}, {_quoted(pattern)}, {again})"
        )
    return f"WHEN {' AND '.join(tests)} THEN {index}"


def _literal_tests(template: Template, rest: str) -> list[str]:
    pieces = template.pieces
    if len(pieces) == 1 and isinstance(pieces[0], str):
        return [f"{rest} = {_quoted(pieces[0])}"]
    tests = []
    for number, piece in enumerate(pieces):
        if isinstance(piece, str):
            test = "starts_with" if number == 0 else "ends_with" if number == len(pieces) - 1 else "contains"
            tests.append(f"{test}({rest}, {_quoted(piece)})")
    return tests


def _pattern(template: Template) -> tuple[str, list[tuple[int, int]]]:
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


def _rendered(branch: Branch, rest: str, prefix: str) -> str:
    pattern, _ = _pattern(branch.source)
    groups: dict[str, int] = {}
    for number, piece in enumerate(branch.source.placeholders, start=1):
        groups.setdefault(piece.name, number)
    pieces = branch.target.pieces
    if any(isinstance(piece, Placeholder) and piece.filter for piece in pieces) or not groups:
        parts = [_quoted(prefix)] if prefix else []
        parts += [_rendered_piece(piece, rest, pattern, groups) for piece in pieces]
        return " || ".join(parts) or "''"
    texts = [prefix.replace("\\", "\\\\")]
    texts += [piece.replace("\\", "\\\\") if isinstance(piece, str) else f"\\{groups[piece.name]}" for piece in pieces]
    return f"regexp_replace({rest}, {_quoted(_anchored(pattern))}, {_quoted(''.join(texts))})"


def _anchored(pattern: str) -> str:
    return rf"\A{pattern}\z"


def _rendered_piece(piece: str | Placeholder, rest: str, pattern: str, groups: dict[str, int]) -> str:
    if isinstance(piece, str):
        return _quoted(piece)
    text = f"regexp_extract({rest}, {_quoted(_anchored(pattern))}, {groups[piece.name]})"
    if piece.filter is Filter.LOWER:
        return f"translate({text}, '{_UPPERCASE}', '{_UPPERCASE.lower()}')"
    if piece.filter is Filter.UPPER:
        return f"translate({text}, '{_UPPERCASE.lower()}', '{_UPPERCASE}')"
    return text


def _is_vectorisable(template: Template) -> bool:
    """Whether RE2 is certain to find the very parse that the template's own matcher finds first."""
    pieces = template.pieces
    if len(template.placeholders) > _MOST_GROUPS:
        return False
    kinds = template.kinds
    for number, piece in enumerate(pieces):
        if not isinstance(piece, Placeholder):
            continue
        following = pieces[number + 1] if number + 1 < len(pieces) else None
        alone = _has_one_end(kinds[piece.name], following)
        repeated = sum(other.name == piece.name for other in template.placeholders) > 1
        if not (alone or (not repeated and _ends_ascend(kinds[piece.name]))):
            return False
    return True


def _has_one_end(kind: Kind, following: str | Placeholder | None) -> bool:
    """Whether, from a given start, at most one end can lead to a match."""
    if following is None:
        return True
    if isinstance(following, str):
        first = ord(following[0])
        return not any(low <= first <= high for edges in kind.dfa.edges for low, high, _ in edges)
    return all(not kind.dfa.edges[state] for state in kind.dfa.accepting)


def _ends_ascend(kind: Kind) -> bool:
    return kind in _BUILT_IN or _is_words(kind.expression) or _lazy_ends_ascend(kind.expression)


def _is_words(expression: Expression) -> bool:
    """Whether it is a list of words, the shorter first, as ``kind_of_words`` makes it."""
    if not isinstance(expression, Choice):
        return False
    lengths = [_fixed_length(item) for item in expression.items]
    return all(length is not None for length in lengths) and lengths == sorted(length or 0 for length in lengths)


def _lazy_ends_ascend(expression: Expression) -> bool:
    """Whether a lazy match tries its ends in ascending order; ``False`` also where that is merely not certain."""
    if _fixed_length(expression) is not None:
        return True
    match expression:
        case Series(items):
            variable = [item for item in items if _fixed_length(item) is None]
            return len(variable) == 1 and _lazy_ends_ascend(variable[0])
        case Repeat(item, least, most):
            return _fixed_length(item) is not None or (least == 0 and most == 1 and _lazy_ends_ascend(item))
    return False


def _fixed_length(expression: Expression) -> int | None:
    match expression:
        case Chars():
            return 1
        case Series(items):
            lengths = [_fixed_length(item) for item in items]
            return None if None in lengths else sum(length or 0 for length in lengths)
        case Choice(items):
            different = {_fixed_length(item) for item in items}
            return different.pop() if len(different) == 1 else None
        case Repeat(item, least, most):
            length = _fixed_length(item)
            return length * least if length is not None and least == most else None
    return None


def _re2_of_kind(kind: Kind) -> str:
    return _BUILT_IN.get(kind) or re2_of(kind.expression)


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


def _quoted(text: str) -> str:
    """The text as a SQL string."""
    plain = "'" + text.replace("'", "''") + "'"
    if "\0" not in text:
        return plain
    return "(" + " || chr(0) || ".join("'" + part.replace("'", "''") + "'" for part in text.split("\0")) + ")"


def mapped_sql(rules: CompiledRules, rows: str) -> str:
    """``rows`` (SQL with a column ``key``) with ``branch`` and ``target`` added, exactly as ``map_key`` would say.

    ``branch`` is the branch's index for a key that moves, else NO_BRANCH, KEPT or REJECTED; ``target`` is the target
    key of one that moves. ``register_one_key_mapping`` must have been called on the connection.
    """
    sql = mapping_sql(rules)
    same = "target_0 = key" if rules.source_bucket == rules.target_bucket else "false"
    doubtful = f"strlen(target_0) > {MAX_KEY_BYTES} OR contains(target_0, '..') OR target_0 = ''"
    return f"""
        SELECT * EXCLUDE (branch_0, target_0, asked),
          CASE WHEN asked IS NULL THEN
              CASE WHEN {same} THEN {KEPT} ELSE branch_0 END
            WHEN starts_with(asked, 'move ') THEN CAST(split_part(asked, ' ', 2) AS INTEGER)
            WHEN starts_with(asked, 'keep ') THEN {KEPT}
            WHEN starts_with(asked, 'rejected ') THEN {REJECTED}
            ELSE {NO_BRANCH} END AS branch,
          CASE WHEN asked IS NULL THEN CASE WHEN {same} THEN NULL ELSE target_0 END
            WHEN starts_with(asked, 'move ') THEN regexp_extract(asked, '(?s)\\Amove -?[0-9]+ (.*)\\z', 1) END AS target
        FROM (SELECT *, CASE WHEN branch_0 = {ASK} OR {doubtful} THEN map_one(key) END AS asked
          FROM (SELECT *, {sql.target.replace("CASE branch ", "CASE branch_0 ", 1)} AS target_0
            FROM (SELECT *, {sql.branch} AS branch_0 FROM ({rows}))))
    """
