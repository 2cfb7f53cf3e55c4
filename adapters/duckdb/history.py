"""Counts the earlier versions of a key set in DuckDB, and keeps their figures in a saved plan."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import duckdb

from adapters.duckdb.inventory import IS_MARKER
from adapters.duckdb.mapping import mapped_sql
from adapters.duckdb.requests import HAS_KEY, IS_ARCHIVED, is_cut, number_of_parts
from domain.planning.figures import Cutting
from domain.planning.history import History
from domain.planning.shares import Share
from domain.rules.compiled import CompiledRules

_NOTE = "keyshift_history"


def history_of(
    connection: duckdb.DuckDBPyConnection, rules: CompiledRules, *, current: str, earlier: str, cutting: Cutting
) -> History:
    """The history of the keys that move; both are SQL of rows with IS_MARKER (``InventorySql``).

    The one-key mapping must have been registered on the connection.
    """
    markers = mapped_sql(rules, f"SELECT * FROM ({current}) WHERE {IS_MARKER}")
    connection.execute(
        f"CREATE TABLE deleted_keys AS SELECT hash(key) AS source_hash FROM ({markers}) WHERE branch >= 0"
    )
    connection.execute(
        f"""CREATE TABLE history AS SELECT hash(key) AS source_hash, {IS_MARKER} AS marker, coalesce(size, 0) AS size,
          storage_class, {IS_ARCHIVED} AS archived, {is_cut(cutting)} AS cut, {HAS_KEY} AS encrypted
          FROM ({mapped_sql(rules, earlier)}) WHERE branch >= 0"""
    )
    versions, size, hidden, keys, large, large_size, parts, archived, archived_size, encrypted = _row(
        connection,
        f"""SELECT count(*) FILTER (NOT marker), sum(size) FILTER (NOT marker), count(*) FILTER (marker),
          count(DISTINCT source_hash), count(*) FILTER (cut AND NOT marker), sum(size) FILTER (cut AND NOT marker),
          sum({number_of_parts(cutting)}) FILTER (cut AND NOT marker), count(*) FILTER (archived AND NOT marker),
          sum(size) FILTER (archived AND NOT marker), count(*) FILTER (encrypted AND NOT marker) FROM history""",
    )
    deleted, deleted_keys = _row(
        connection,
        """SELECT count(*), count(*) FILTER (source_hash IN (SELECT source_hash FROM history)) FROM deleted_keys""",
    )
    classes = connection.execute(
        "SELECT storage_class, count(*), sum(size) FROM history WHERE NOT marker GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return History(
        versions=Share(versions, size),
        markers=hidden + deleted,
        keys=keys,
        deleted=deleted,
        deleted_keys=deleted_keys,
        storage_classes={str(row[0] or "unknown"): Share(int(row[1]), int(row[2])) for row in classes},
        large=Share(large, large_size),
        parts=parts,
        archived=Share(archived, archived_size),
        encrypted=encrypted,
    )


def _row(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    return tuple(int(one or 0) for one in connection.execute(sql).fetchone() or ())


def history_note(history: History) -> str:
    """The option of COPY that keeps the figures beside the rows of a saved plan."""
    text = json.dumps(asdict(history)).replace("'", "''")
    return f", KV_METADATA {{{_NOTE}: '{text}'}}"


def noted_history(path: Path) -> History | None:
    """The figures that a saved plan has; ``None`` where it has none."""
    import pyarrow.parquet

    noted: Mapping[bytes, bytes] = pyarrow.parquet.read_schema(path).metadata or {}
    if _NOTE.encode() not in noted:
        return None
    return History.from_json(json.loads(noted[_NOTE.encode()]))
