"""Keys that SQL maps otherwise than the one-key mapping."""

from collections.abc import Sequence

import duckdb

from adapters.duckdb.mapping import KEPT, NO_BRANCH, REJECTED, layout_sql, mapped_sql, register_one_key_mapping
from domain.rules.compiled import CompiledRules, MapOutcome
from domain.rules.routing import fits_target_layout


def disagreements(rules: CompiledRules, keys: Sequence[str], *, in_sql: CompiledRules | None = None) -> list[object]:
    """Keys that SQL (of ``in_sql``, where it is another) and ``map_key`` of ``rules`` map differently."""
    planned = in_sql or rules
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        register_one_key_mapping(connection, planned)
        connection.execute("CREATE TABLE keys AS SELECT unnest(?::VARCHAR[]) AS key", [list(keys)])
        rows = connection.execute(
            f"SELECT key, branch, target FROM ({mapped_sql(planned, 'SELECT key FROM keys')})"  # noqa: S608  # ours
        ).fetchall()
    assert len(rows) == len(keys)
    outcomes = {NO_BRANCH: MapOutcome.UNMAPPED, KEPT: MapOutcome.KEEP, REJECTED: MapOutcome.REJECTED}
    found: list[object] = []
    for key, branch, target in rows:
        mapped = rules.map_key(key)
        expected = (mapped.outcome, None, None)
        if mapped.target is not None and mapped.outcome is MapOutcome.MOVE:
            expected = (mapped.outcome, mapped.rule, mapped.target.key)  # type: ignore[assignment]
        outcome = outcomes.get(branch, MapOutcome.MOVE)
        answer = (outcome, planned.branches[branch].rule, target) if branch >= 0 else (outcome, None, None)
        if answer != expected:
            found.append((key, answer, expected))
    return found


def other_layouts(rules: CompiledRules, keys: Sequence[str]) -> list[str]:
    """Keys that SQL and ``fits_target_layout`` do not both call keys of the new layout."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        register_one_key_mapping(connection, rules)
        connection.execute("CREATE TABLE keys AS SELECT unnest(?::VARCHAR[]) AS key", [list(keys)])
        rows = connection.execute(f"SELECT key, {layout_sql(rules)} FROM keys").fetchall()  # noqa: S608  # ours
    assert len(rows) == len(keys)
    return [key for key, fits in rows if fits is not fits_target_layout(rules, key)]
