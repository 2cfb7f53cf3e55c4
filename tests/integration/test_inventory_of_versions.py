"""Inventories in a migration that carries every version: what their rows give, and which ones leave keys out."""

from pathlib import Path

import pytest

from adapters.inventory.files import opened_inventory
from adapters.inventory.rows import read_rows
from domain.objects import ListedObject, deleted_key
from domain.planning.inventory import Inventory, versions_fault
from tests.inventories import write_rows

ROWS: list[dict[str, object]] = [
    {"key": "a/1", "version_id": "v2", "is_latest": True, "is_delete_marker": False, "size": 1, "e_tag": "e" * 32},
    {"key": "a/1", "version_id": "v1", "is_latest": False, "is_delete_marker": False, "size": 100, "e_tag": "f" * 32},
    {"key": "a/2+b", "version_id": "v5", "is_latest": True, "is_delete_marker": True},
    {"key": "a/2+b", "version_id": "v4", "is_latest": False, "is_delete_marker": True},
    {"key": "a/2+b", "version_id": "v3", "is_latest": False, "is_delete_marker": False, "size": 7},
]


def rows_of(manifest: Path, *, with_deleted: bool, start: int = 0) -> list[ListedObject | None]:
    """The rows of the one data file."""
    with opened_inventory(str(manifest), None) as local:
        (path,) = local.paths.values()
        return list(read_rows(path, local.inventory, start=start, with_deleted=with_deleted))


@pytest.mark.parametrize("file_format", ["CSV", "ORC", "Parquet"])
def test_a_current_delete_marker_gives_the_key_alone(tmp_path: Path, file_format: str) -> None:
    """Older versions and markers give nothing: their key has a row. Nor does a marker that is not asked for."""
    manifest = write_rows(tmp_path, ROWS, file_format=file_format)
    first, *others = rows_of(manifest, with_deleted=True)
    assert first is not None
    assert (first.key, first.version_id, first.is_marker) == ("a/1", "v2", False)
    assert others == [None, deleted_key("a/2+b"), None, None]
    assert rows_of(manifest, with_deleted=True, start=2) == others[1:]
    assert rows_of(manifest, with_deleted=False) == [first, None, None, None, None]


@pytest.mark.parametrize(
    ("columns", "is_told"),
    [(("bucket", "key"), True), (("bucket", "key", "version_id", "is_latest", "is_delete_marker"), False)],
)
def test_an_inventory_of_current_versions_leaves_deleted_keys_out(columns: tuple[str, ...], *, is_told: bool) -> None:
    """The warning names what to take instead."""
    said = versions_fault(Inventory("b", "", "CSV", columns, (), 0.0))
    assert (said is not None) == is_told
    assert said is None or ("IncludedObjectVersions: All" in said and "backfill --list" in said)
