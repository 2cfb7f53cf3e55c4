"""Data-lake tables, recognised by their keys: their metadata names data files by absolute URI, or a catalog does.

Keyshift can rewrite neither. A move of such a table breaks its readers once the sources are deleted.

Sources of the names: Apache Iceberg's table specification (metadata files, manifest lists and manifests) and Java
implementation (``version-hint.text``); the Delta Lake protocol (``_delta_log``); Apache Hudi's file layout
(``.hoodie``, ``.hoodie_partition_metadata``); Hive's partition folders (``name=value``).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache


class TableFormat(StrEnum):
    """Which kind of table a key belongs to."""

    ICEBERG = "Iceberg"
    DELTA = "Delta Lake"
    HUDI = "Hudi"
    HIVE = "Hive"
    """Partition folders (``name=value``): a catalog such as Glue names each of them."""


PATTERNS: tuple[tuple[TableFormat, str], ...] = (
    (TableFormat.DELTA, r"(?s)^((?:.*?/)?)_delta_log/"),
    (TableFormat.HUDI, r"(?s)^((?:.*?/)?)\.hoodie/"),
    (TableFormat.HUDI, r"(?s)^((?:.*/)?)\.hoodie_partition_metadata[^/]*$"),
    (
        TableFormat.ICEBERG,
        (
            r"(?s)^((?:.*/)?)metadata/"
            r"(?:[^/]+\.metadata\.json(?:\.gz)?|version-hint\.text|snap-[^/]+\.avro|[^/]+-m[0-9]+\.avro)$"
        ),
    ),
    (TableFormat.HIVE, r"(?s)^((?:.*?/)?)[A-Za-z_][A-Za-z0-9_.-]*=[^/]*/"),
)
"""The first that matches a key counts; its group is the table's root. DuckDB reads the same texts (RE2)."""


MOST_WARNED = 5
METADATA = ("_delta_log/", ".hoodie/", "metadata/")
"""The folders in which formats keep their metadata."""
MARKS = ("=", "_delta_log/", ".hoodie", "metadata/")
"""A key without any of these texts belongs to no table that the patterns know."""


@dataclass(frozen=True, slots=True, order=True)
class LakeTable:
    """One table: the folder ``root`` ends in a slash, and is empty where the whole bucket is the table."""

    root: str
    format: TableFormat

    @property
    def name(self) -> str:
        """Its folder as the rules file names it."""
        return self.root or "/"

    @property
    def holds_all_below(self) -> bool:
        """Whether everything below the root belongs to it; a partition folder names its own files alone."""
        return self.format is not TableFormat.HIVE

    def __str__(self) -> str:
        return f"{self.format.value} table {self.name!r}"


def first_tables(keys: Iterable[str], accepted: Iterable[str] = ()) -> tuple[LakeTable, ...]:
    """The first tables, by their folders, that these keys tell of and that are not accepted: at most MOST_WARNED."""
    accepted = tuple(accepted)
    found = {table for key in keys if (table := table_of(key)) is not None and not is_accepted(table, accepted)}
    return tuple(sorted(found)[:MOST_WARNED])


def table_warning(table: LakeTable) -> str:
    """What a move does to the table, and the way out, as a sentence for people."""
    return (
        f"the keys show a data-lake table, the {table}: its metadata or a catalog names its files by their old URIs,"
        " which keyshift does not rewrite. Leave it out of the rules, or move its readers before cleanup"
        " (docs/lake-tables.md)"
    )


@cache
def _compiled() -> tuple[tuple[TableFormat, re.Pattern[str]], ...]:
    return tuple((kind, re.compile(text)) for kind, text in PATTERNS)


def table_of(key: str) -> LakeTable | None:
    """The table that the key itself tells of: a file of its metadata, or one in a partition folder."""
    if not any(mark in key for mark in MARKS):
        return None
    for kind, pattern in _compiled():
        found = pattern.match(key)
        if found is not None:
            return LakeTable(found[1], kind)
    return None


@dataclass(frozen=True, slots=True)
class LakeTables:
    """The tables of a bucket; those at and below the folders ``accepted`` move on the operator's word."""

    roots: dict[str, LakeTable]
    accepted: tuple[str, ...] = ()

    def table_around(self, key: str) -> LakeTable | None:
        """The table, not accepted, that the object at ``key`` belongs to, or ``None``."""
        own = table_of(key)
        if own is not None and not self.accepts(own):
            return own
        if not self.roots:
            return None
        end = len(key)
        while end >= 0:
            end = key.rfind("/", 0, end)
            found = self.roots.get(key[: end + 1])
            if found is not None:
                return found
        return None

    def accepts(self, table: LakeTable) -> bool:
        """Whether the rules file names the table's folder, or one above it."""
        return is_accepted(table, self.accepted)


def is_accepted(table: LakeTable, accepted: Iterable[str]) -> bool:
    """Whether one of the folders ``accepted`` is the table's root or lies above it; ``/`` is the whole bucket."""
    return table.root.startswith(tuple(folders_of(accepted)))


def folders_of(accepted: Iterable[str]) -> Iterator[str]:
    """The prefixes of the folders ``accepted``: each ends in a slash, and is empty for the whole bucket."""
    return (name.strip("/") + "/" if name.strip("/") else "" for name in accepted)


def lake_tables(keys: Iterable[str], accepted: Iterable[str] = ()) -> LakeTables:
    """The tables that these keys tell of and that are not accepted; only their roots are kept."""
    accepted = tuple(accepted)
    roots: dict[str, LakeTable] = {}
    for key in keys:
        table = table_of(key)
        if table is not None and table.holds_all_below and not is_accepted(table, accepted):
            roots.setdefault(table.root, table)
    return LakeTables(roots, accepted)


def metadata_above(prefix: str) -> Iterator[str]:
    """The folders of metadata in each folder above the prefix: their tables hold what lies below it."""
    at = prefix.rfind("/", 0, len(prefix) - 1) if prefix else -2
    while at >= -1:
        yield from (prefix[: at + 1] + folder for folder in METADATA)
        at = prefix.rfind("/", 0, at) if at > 0 else at - 2
