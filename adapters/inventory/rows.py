"""The rows of one inventory file, streamed from a given row on, in memory that does not grow with the file."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from domain.errors import InputError
from domain.objects import ListedObject, deleted_key
from domain.planning.inventory import Inventory

_BATCH_ROWS = 8_192
_FLAGS = {"true": True, "false": False, "": None, "none": None}
LOCK_COLUMNS = ("object_lock_mode", "object_lock_retain_until_date", "object_lock_legal_hold_status")
_WANTED = (
    *("bucket", "key", "version_id", "is_latest", "is_delete_marker", "size", "e_tag", "storage_class"),
    *("encryption_status", "is_multipart_uploaded", "last_modified_date"),
    *LOCK_COLUMNS,
    "is_plain",
)


def plan_inventory(path: Path, bucket: str) -> Inventory:
    """A plan saved by ``keyshift plan --out`` in the shape of an inventory; its rows are current and of one bucket.

    A plan has every column, those that its inventory lacked too. So ``is_plain`` is one of them, and no lock column.
    """
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            columns = tuple(file.schema_arrow.names)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a saved plan: {error}") from error
    if not {"key", "branch", "target"} <= set(columns):
        raise InputError(f"{path} is not a saved plan: it has the columns {', '.join(columns)}")
    return Inventory(bucket, "", "Parquet", columns, (), 0.0)


def read_rows(
    path: Path, inventory: Inventory, *, start: int = 0, with_deleted: bool = False
) -> Iterator[ListedObject | None]:
    """One answer for each row from row ``start`` on (counted from 0); ``None``: a delete marker or an old version.

    ``with_deleted`` is for a migration that carries every version: then the row of a current delete marker is
    ``deleted_key``. Raises InputError naming file and row where a row cannot be read.
    """
    rows = {"CSV": _csv_rows, "Parquet": _parquet_rows}[inventory.file_format]
    number = start
    try:
        for row in rows(path, inventory, start):
            yield _listed(row, inventory, with_deleted=with_deleted)
            number += 1
    except (OSError, EOFError, zlib.error, csv.Error, ValueError, KeyError, OverflowError) as error:
        raise InputError(f"{path}, row {number + 1}: it cannot be read ({error}); fetch the file again") from error


def _csv_rows(path: Path, inventory: Inventory, start: int) -> Iterator[Mapping[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        for number, row in enumerate(reader):
            if number < start:
                continue
            if len(row) != len(inventory.columns):
                raise ValueError(f"{len(row)} columns, the manifest names {len(inventory.columns)}")
            yield dict(zip(inventory.columns, row, strict=True)) | {
                "key": unquote_plus(row[inventory.columns.index("key")], errors="strict")
            }


def _parquet_rows(path: Path, inventory: Inventory, start: int) -> Iterator[Mapping[str, Any]]:  # noqa: ARG001
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        columns = [name for name in _WANTED if name in file.schema_arrow.names]
        group_start = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if group_start + rows > start:
                position = group_start
                for batch in file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=columns):
                    yield from _from(batch, max(0, start - position))
                    position += batch.num_rows
            group_start += rows


def _from(batch: Any, skip: int) -> Iterator[Mapping[str, Any]]:
    for offset in range(skip, batch.num_rows, _BATCH_ROWS):
        yield from batch.slice(offset, _BATCH_ROWS).to_pylist()


def _listed(row: Mapping[str, Any], inventory: Inventory, *, with_deleted: bool) -> ListedObject | None:
    is_latest, is_marker, _ = (_flag(row, name) for name in ("is_latest", "is_delete_marker", "is_multipart_uploaded"))
    if is_latest is False or (is_marker and not with_deleted):
        return None
    if row.get("bucket", inventory.source_bucket) != inventory.source_bucket:
        raise ValueError(f"the row is of bucket {row['bucket']!r}, the manifest is of {inventory.source_bucket!r}")
    size = _size(row.get("size"))
    if not isinstance(row["key"], str) or not row["key"]:
        raise ValueError("it has no key")  # a bad row like any other
    if is_marker:
        return deleted_key(row["key"])
    return ListedObject(
        key=row["key"],
        etag=str(row.get("e_tag") or "").strip('"') or None,
        size=size,
        storage_class=row.get("storage_class") or None,
        version_id=row.get("version_id") or None,
        is_encrypted="KMS" in str(row.get("encryption_status") or ""),
        is_plain=row["is_plain"] is True if "is_plain" in row else rules_out_lock_and_key(row),
        last_modified=_moment(row.get("last_modified_date")),
    )


def rules_out_lock_and_key(row: Mapping[str, Any]) -> bool:
    """Whether the columns rule out a KMS key and an object lock; an inventory without them rules nothing out."""
    encryption = str(row.get("encryption_status") or "")
    if not encryption or "KMS" in encryption or any(column not in row for column in LOCK_COLUMNS):
        return False
    mode, until, hold = (str(row[column] or "") for column in LOCK_COLUMNS)
    return not mode and not until and hold.upper() in ("", "OFF")


def _flag(row: Mapping[str, Any], name: str) -> bool | None:
    text = str(row.get(name)).lower()
    if text not in _FLAGS:
        raise ValueError(f"its {name} is {row[name]!r}, neither true nor false")
    return _FLAGS[text]


def _moment(value: Any) -> float | None:
    """CSV has ISO 8601 text, Parquet a timestamp without a zone, which is UTC."""
    if value in (None, ""):
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _size(value: Any) -> int | None:
    size = None if value in (None, "") else int(value)
    if size is not None and size < 0:
        raise ValueError(f"its size is {size}")
    return size
