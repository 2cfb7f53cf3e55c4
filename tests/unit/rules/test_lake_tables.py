"""Data-lake tables are recognised by their keys, in Python and in DuckDB alike."""

from random import Random

import duckdb
import pytest

from adapters.duckdb.lake_tables import lake_table_sql
from domain.keys import Location
from domain.rules.lake_tables import (
    MARKS,
    METADATA,
    PATTERNS,
    LakeTable,
    TableFormat,
    is_accepted,
    lake_tables,
    metadata_above,
    table_of,
)
from handlers.config.rules_file import read_rules
from handlers.operations.cleanup import lake_tables_of
from tests.fakes.clock import FakeClock
from tests.fakes.object_store import InMemoryObjectStore

RULES_BELOW = """
version: 1
migration: below
source: {bucket: line, prefix: w/t/data/}
target: {bucket: line, prefix: moved/}
rules:
  - {name: all, from: "{rest...}", to: "{rest...}"}
"""


@pytest.mark.parametrize(
    ("key", "root", "kind"),
    [
        ("w/orders/metadata/00003-0c6c.metadata.json", "w/orders/", TableFormat.ICEBERG),
        ("w/orders/metadata/v3.metadata.json", "w/orders/", TableFormat.ICEBERG),
        ("w/orders/metadata/v3.gz.metadata.json", "w/orders/", TableFormat.ICEBERG),
        ("w/orders/metadata/version-hint.text", "w/orders/", TableFormat.ICEBERG),
        ("w/orders/metadata/snap-123-1-0c6c.avro", "w/orders/", TableFormat.ICEBERG),
        ("w/orders/metadata/0c6c-m0.avro", "w/orders/", TableFormat.ICEBERG),
        ("metadata/0c6c-m12.avro", "", TableFormat.ICEBERG),
        ("w/t/_delta_log/00000000000000000010.json", "w/t/", TableFormat.DELTA),
        ("_delta_log/_last_checkpoint", "", TableFormat.DELTA),
        ("w/t/.hoodie/hoodie.properties", "w/t/", TableFormat.HUDI),
        ("w/t/2026/11/.hoodie_partition_metadata", "w/t/2026/11/", TableFormat.HUDI),
        ("w/t/dt=2026-11-30/hour=01/a.parquet", "w/t/", TableFormat.HIVE),
        ("dt=2026-11-30/a", "", TableFormat.HIVE),
    ],
)
def test_a_key_tells_of_its_table(key: str, root: str, kind: TableFormat) -> None:
    """The root is the folder that a catalog or the metadata names."""
    assert table_of(key) == LakeTable(root, kind)


@pytest.mark.parametrize(
    "key",
    [
        "w/orders/data/00000-0-0c6c-00001.parquet",
        "w/metadata/report.json",
        "w/metadata/a.avro",
        "a=b",
        "w/1=2/a",
        "w/my_delta_logs/a",
        "models/metadata.json",
        "a.hoodie",
        "",
    ],
)
def test_other_keys_tell_of_none(key: str) -> None:
    """A file whose own name holds an equals sign is not in a partition folder; a number is not a column's name."""
    assert table_of(key) is None


def test_everything_below_a_table_belongs_to_it_and_a_partition_names_its_own_files_alone() -> None:
    """A data file of Iceberg has no name of its own kind; without its metadata nothing tells of it."""
    keys = ["w/orders/metadata/v1.metadata.json", "w/events/dt=1/a"]
    tables = lake_tables(keys)
    assert str(tables.table_around("w/orders/data/a.parquet")) == "Iceberg table 'w/orders/'"
    assert tables.table_around("w/events/dt=2/b") == LakeTable("w/events/", TableFormat.HIVE)
    assert tables.table_around("w/events/README") is None
    assert tables.table_around("w/orders.txt") is None
    assert lake_tables(["_delta_log/0.json"]).table_around("any/key") == LakeTable("", TableFormat.DELTA)


@pytest.mark.parametrize(
    ("accepted", "orders", "events"),
    [
        ((), False, False),
        (("w/orders",), True, False),
        (("w/orders/",), True, False),
        (("/w/orders/",), True, False),
        (("w/ord",), False, False),
        (("w",), True, True),
        (("/",), True, True),
    ],
)
def test_a_folder_that_is_named_accepts_the_tables_at_and_below_it(
    accepted: tuple[str, ...], *, orders: bool, events: bool
) -> None:
    """A part of a folder's name accepts nothing."""
    tables = lake_tables(["w/orders/_delta_log/0.json", "w/events/dt=1/a"], accepted)
    assert (tables.table_around("w/orders/a") is None) is orders
    assert (tables.table_around("w/events/dt=1/a") is None) is events
    assert is_accepted(LakeTable("w/orders/", TableFormat.DELTA), accepted) is orders


def test_duckdb_recognises_the_same_tables() -> None:
    """A plan and a cleanup must not disagree; keys are put together from parts that make them match, and nearly."""
    parts = ["a", "metadata", "data", "_delta_log", ".hoodie", "dt=1", "x=", "1-a.metadata.json", "v3.metadata.json.gz"]
    parts += [
        "snap-1.avro",
        "u-m0.avro",
        "version-hint.text",
        ".hoodie_partition_metadata",
        "a\nb",
        "=",
        "é=ü",
        "",
        "1=2",
    ]
    random = Random(20261130)
    keys = ["/".join(random.choice(parts) for _ in range(random.randint(1, 5))) for _ in range(20_000)]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE keys AS SELECT unnest(?::VARCHAR[]) AS key", [keys])
        rows = connection.table("keys").project(f"key, {lake_table_sql()}").fetchall()
    found = {key: LakeTable(table["root"], TableFormat(table["format"])) if table else None for key, table in rows}
    assert found == {key: table_of(key) for key in keys}
    assert {table.format for table in found.values() if table} == set(TableFormat)


def test_each_pattern_needs_one_of_the_marks() -> None:
    """The marks are looked for before the patterns; a pattern without a mark would never be tried."""
    examples = {TableFormat.ICEBERG: "metadata/v1.metadata.json", TableFormat.DELTA: "_delta_log/0"}
    examples |= {TableFormat.HUDI: ".hoodie/a", TableFormat.HIVE: "a=b/c"}
    assert set(examples) == {kind for kind, _ in PATTERNS}
    assert all(any(mark in key for mark in MARKS) for key in examples.values())


@pytest.mark.parametrize(
    ("prefix", "folders"),
    [("", []), ("data/", [""]), ("data", [""]), ("w/t/data/", ["w/t/", "w/", ""]), ("w//data/", ["w//", "w/", ""])],
)
def test_metadata_is_looked_for_in_every_folder_above_the_prefix(prefix: str, folders: list[str]) -> None:
    """What lies below the prefix is listed anyway."""
    assert list(metadata_above(prefix)) == [f"{folder}{name}" for folder in folders for name in METADATA]


def test_a_table_above_the_source_prefix_holds_its_data() -> None:
    """Rules that move the data alone leave the metadata, which then names files that are gone."""
    store = InMemoryObjectStore(FakeClock())
    store.create_bucket("line")
    for key in ("w/t/metadata/v1.metadata.json", "w/t/data/a.parquet", "w/u/data/b.parquet"):
        store.put(Location("line", key), b"x")
    rules = read_rules(RULES_BELOW)
    tables = lake_tables_of(store, rules)
    assert tables.table_around("w/t/data/a.parquet") == LakeTable("w/t/", TableFormat.ICEBERG)
    assert tables.table_around("w/u/data/b.parquet") is None
