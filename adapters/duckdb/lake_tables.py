"""Recognises data-lake tables by their keys in SQL, by the same patterns as ``domain.rules.lake_tables``."""

from domain.rules.lake_tables import MARKS, PATTERNS


def lake_table_sql() -> str:
    """SQL: the format and the root of the table that ``key`` tells of, as a struct; NULL for most keys.

    The marks are looked for first: patterns cost ten times as much for each key.
    """
    is_marked = " OR ".join(f"contains(key, '{mark}')" for mark in MARKS)
    cases = " ".join(
        f"WHEN regexp_matches(key, '{pattern}') "
        f"THEN {{'format': '{kind.value}', 'root': regexp_extract(key, '{pattern}', 1)}}"
        for kind, pattern in PATTERNS
    )
    return f"CASE WHEN {is_marked} THEN CASE {cases} END END"
