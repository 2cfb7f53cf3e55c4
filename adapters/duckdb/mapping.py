"""The rules as SQL, so that DuckDB maps millions of keys a second exactly as ``CompiledRules.map_key`` maps one.

A template that RE2 is not certain to read as ``map_key`` does, and every key that needs a check of S3's key rules, goes
through the one-key mapping itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.duckdb.cuts import Cuts, cuts_of, quoted
from adapters.duckdb.patterns import is_readable, is_vectorisable, pattern_of
from domain.keys import MAX_KEY_BYTES
from domain.rules.branches import Branch
from domain.rules.compiled import CompiledRules
from domain.rules.routing import fits_target_layout
from domain.rules.template_filters import Filter
from domain.rules.templates import Placeholder, Template

if TYPE_CHECKING:
    import duckdb

_UPPERCASE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
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
    rest = f"substr({column}, {len(rules.source_prefix) + 1})" if rules.source_prefix else column
    keep = [_condition(template, rest, KEPT) for template in rules.keep]
    moves = [_condition(branch.source, rest, index) for index, branch in enumerate(rules.branches)]
    prefix = quoted(rules.source_prefix)
    outside = [f"WHEN NOT starts_with({column}, {prefix}) THEN {NO_BRANCH}"] if rules.source_prefix else []
    # Such keys are too long or may lead above the bucket: the one-key mapping applies S3's rules.
    odd = f"WHEN strlen({column}) > {MAX_KEY_BYTES} OR contains({column}, '..') OR {column} = '' THEN {ASK}"
    unmapped = KEPT if rules.unmapped == "keep" else NO_BRANCH
    branch = f"CASE {' '.join([odd, *outside, *keep, *moves])} ELSE {unmapped} END"
    targets = [
        f"WHEN {index} THEN {_rendered(one, rest, rules.target.prefix)}"
        for index, one in enumerate(rules.branches)
        if is_vectorisable(one.source)
    ]
    target = f"CASE branch {' '.join(targets)} END" if targets else "NULL"
    return MappingSql(branch, target)


def register_one_key_mapping(connection: "duckdb.DuckDBPyConnection", rules: CompiledRules) -> None:
    """Make ``map_one(key)`` and ``fits_layout(key)`` callable, for the few keys that SQL does not decide.

    The first gives outcome, branch and target, the second what ``fits_target_layout`` says.
    """
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

    def fits(keys: object) -> object:
        import pyarrow as pa

        answers = [fits_target_layout(rules, key) for key in keys.to_pylist()]  # type: ignore[attr-defined]
        return pa.array(answers, type=pa.bool_())

    connection.create_function("map_one", batched, ["VARCHAR"], "VARCHAR", type="arrow")  # type: ignore[call-overload]
    connection.create_function("fits_layout", fits, ["VARCHAR"], "BOOLEAN", type="arrow")  # type: ignore[call-overload]


def layout_sql(rules: CompiledRules, *, column: str = "key") -> str:
    """SQL of what ``fits_target_layout`` says of a key; ``register_one_key_mapping`` must have been called."""
    rest = f"substr({column}, {len(rules.target_prefix) + 1})" if rules.target_prefix else column
    outside = (
        [f"WHEN NOT starts_with({column}, {quoted(rules.target_prefix)}) THEN false"] if rules.target_prefix else []
    )
    fitting = [_fitting(branch.target, rest, column) for branch in rules.branches]
    return f"CASE {' '.join([*outside, *fitting])} ELSE false END"


def _fitting(template: Template, rest: str, column: str) -> str:
    """One WHEN: the expression decides where every name is written once and plainly, else the matcher is asked."""
    tests = _literal_tests(template, rest)
    is_plain = not template.has_repeats and not any(piece.filter for piece in template.placeholders)
    pattern, _ = pattern_of(template)
    if is_plain and is_readable(pattern):
        matches = [f"regexp_full_match({rest}, {quoted(pattern)})"] if template.placeholders else []
        return f"WHEN {' AND '.join([*tests, *matches])} THEN true"
    return f"WHEN {' AND '.join(tests) or 'true'} THEN fits_layout({column})"


def _condition(template: Template, rest: str, index: int) -> str:
    """One WHEN of the branch expression; cheap tests stand before the expression."""
    tests = [*_literal_tests(template, rest)]
    pattern, repeats = pattern_of(template)
    is_certain = is_vectorisable(template)
    # Of a repeated name the matcher may say that it gives up, also where the expression has no match.
    is_filter = is_certain or (not repeats and is_readable(pattern))
    if is_filter and any(isinstance(piece, Placeholder) for piece in template.pieces):
        tests.append(f"regexp_full_match({rest}, {quoted(pattern)})")
    if not is_certain:
        return f"WHEN {' AND '.join(tests) or 'true'} THEN {ASK}"
    for first, again in repeats:
        texts = [_extracted(number, rest, pattern) for number in (first, again)]
        tests.append(" = ".join(texts))
    return f"WHEN {' AND '.join(tests)} THEN {index}"


def _literal_tests(template: Template, rest: str) -> list[str]:
    pieces = template.pieces
    if len(pieces) == 1 and isinstance(pieces[0], str):
        return [f"{rest} = {quoted(pieces[0])}"]
    tests = []
    for number, piece in enumerate(pieces):
        if isinstance(piece, str):
            test = "starts_with" if number == 0 else "ends_with" if number == len(pieces) - 1 else "contains"
            tests.append(f"{test}({rest}, {quoted(piece)})")
    return tests


def _rendered(branch: Branch, rest: str, prefix: str) -> str:
    """SQL of the target: cut and put together where that is certain, else by the expression."""
    cuts = cuts_of(branch.source, rest)
    pieces = _cut_pieces(branch, cuts)
    if pieces is None:
        return _replaced(branch, rest, prefix)
    target = " || ".join([quoted(prefix), *pieces] if prefix else pieces) or "''"
    if cuts.condition is None:
        return target
    return f"CASE WHEN {cuts.condition} THEN {target} ELSE {_replaced(branch, rest, prefix)} END"


def _cut_pieces(branch: Branch, cuts: Cuts) -> list[str] | None:
    groups = _groups(branch.source)
    tail, verbatim = _verbatim(branch)
    pieces = branch.target.pieces[: len(branch.target.pieces) - tail]
    wanted = {groups[piece.name] for piece in pieces if isinstance(piece, Placeholder)}
    if not wanted <= cuts.texts.keys() or (verbatim and verbatim not in cuts.rests):
        return None
    texts = [
        quoted(piece) if isinstance(piece, str) else _filtered(piece, cuts.texts[groups[piece.name]])
        for piece in pieces
    ]
    return [*texts, cuts.rests[verbatim]] if verbatim else texts


def _verbatim(branch: Branch) -> tuple[int, int]:
    """How many pieces end source and target alike, and the number of the placeholder that begins them (0: none)."""
    tail = number = 0
    placeholder = len(branch.source.placeholders)
    for at, (source, target) in enumerate(zip(branch.source.pieces[::-1], branch.target.pieces[::-1], strict=False), 1):
        if isinstance(source, str) or isinstance(target, str):
            if source != target:
                break
            continue
        if source.name != target.name or target.filter is not None:
            break
        tail, number, placeholder = at, placeholder, placeholder - 1
    return tail, number


def _replaced(branch: Branch, rest: str, prefix: str) -> str:
    pattern, _ = pattern_of(branch.source)
    groups = _groups(branch.source)
    pieces = branch.target.pieces
    if any(isinstance(piece, Placeholder) and piece.filter for piece in pieces):
        parts = [quoted(prefix)] if prefix else []
        parts += [
            quoted(piece) if isinstance(piece, str) else _filtered(piece, _extracted(groups[piece.name], rest, pattern))
            for piece in pieces
        ]
        return " || ".join(parts) or "''"
    texts = [prefix.replace("\\", "\\\\")]
    texts += [piece.replace("\\", "\\\\") if isinstance(piece, str) else f"\\{groups[piece.name]}" for piece in pieces]
    return f"regexp_replace({rest}, {quoted(_anchored(pattern))}, {quoted(''.join(texts))})"


def _groups(template: Template) -> dict[str, int]:
    """The number of each name's first placeholder, from 1."""
    groups: dict[str, int] = {}
    for number, piece in enumerate(template.placeholders, start=1):
        groups.setdefault(piece.name, number)
    return groups


def _extracted(number: int, rest: str, pattern: str) -> str:
    return f"regexp_extract({rest}, {quoted(_anchored(pattern))}, {number})"


def _anchored(pattern: str) -> str:
    return rf"\A{pattern}\z"


def _filtered(piece: Placeholder, text: str) -> str:
    if piece.filter is Filter.LOWER:
        return f"translate({text}, '{_UPPERCASE}', '{_UPPERCASE.lower()}')"
    if piece.filter is Filter.UPPER:
        return f"translate({text}, '{_UPPERCASE.lower()}', '{_UPPERCASE}')"
    return text


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
