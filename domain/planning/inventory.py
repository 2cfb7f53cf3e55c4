"""The contents of an inventory manifest: the bucket, the columns, the files (aws-facts.md §3.1)."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domain.errors import InputError

FORMATS = ("CSV", "ORC", "Parquet")
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_COLUMN = re.compile(r"(?:required|optional)\s+\w+(?:\([^)]*\))?\s+(\w+)|(\w+)\s*:")


@dataclass(frozen=True, slots=True)
class InventoryFile:
    """One data file; ``size`` in bytes, ``md5`` hexadecimal."""

    key: str
    size: int
    md5: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """One inventory report; columns in the spelling of its Parquet form, ``created_at`` in seconds since 1970."""

    source_bucket: str
    destination_bucket: str
    file_format: str
    columns: tuple[str, ...]
    files: tuple[InventoryFile, ...]
    created_at: float

    @property
    def has_encoded_keys(self) -> bool:
        """Only CSV writes keys URL-encoded, a space as a plus sign."""
        return self.file_format == "CSV"

    @property
    def tells_deleted(self) -> bool:
        """Whether a key whose current version is a delete marker has a row: in a report of all versions only."""
        return "is_delete_marker" in self.columns

    def content_of(self, key: str) -> str:
        """An id of the bytes of the data file ``key``, the same in any place and under any name. Raises LookupError."""
        found = next((file for file in self.files if file.key == key), None)
        if found is None:
            raise LookupError(f"the inventory names no data file {key}")
        return f"{found.md5}-{found.size}"


SETTLING_SECONDS = 48 * 3600.0
"""A report may lack recent writes, and AWS states no limit: it gives a first report this much time."""


def inventory_fault(inventory: Inventory, *, live_at: float) -> str | None:
    """Why the report may be incomplete for a bucket whose events are captured since ``live_at``, or ``None``.

    Later writes have an event. Earlier writes must be in the report, which is certain only if its scan began long
    enough after ``live_at``. Without a known time no report is complete.
    """
    settled = live_at + SETTLING_SECONDS
    if live_at > 0 and inventory.created_at >= settled:
        return None
    if live_at <= 0:
        return "cannot be compared with live capture, whose begin is unknown"
    began, from_then_on = (datetime.fromtimestamp(one, UTC) for one in (inventory.created_at, settled))
    return (
        f"began at {began:%Y-%m-%d %H:%M}Z. It may lack what was written before live capture was on:"
        f" only a report that began after {from_then_on:%Y-%m-%d %H:%M}Z holds all of that"
    )


PROOF_COLUMNS = (
    *("e_tag", "size", "last_modified_date", "storage_class", "encryption_status"),
    *("object_lock_mode", "object_lock_retain_until_date", "object_lock_legal_hold_status"),
)
"""The columns without which a report proves nothing of an object."""


def certain_until(inventories: Iterable[Inventory], *, margin: float) -> float:
    """The last whole second, since 1970, of which all these reports certainly tell.

    A row may show what was at its key ``SETTLING_SECONDS`` before the report began, and not what came after that.
    ``margin`` is by how many seconds clocks may differ.
    """
    return float(math.floor(min(one.created_at for one in inventories) - SETTLING_SECONDS - margin))


def versions_fault(inventory: Inventory) -> str | None:
    """Why a migration that carries every version would miss keys with this report, or ``None``."""
    if inventory.tells_deleted:
        return None
    return (
        "lists current versions only, and the rules file says versions: all. Keys that are deleted now are not in it,"
        " so their earlier versions would stay behind: take an inventory of all versions"
        " (IncludedObjectVersions: All), or run keyshift backfill --list"
    )


def read_inventory_manifest(text: str, *, name: str) -> Inventory:
    """Parse ``manifest.json``; InputError names ``name`` and what is wrong with it."""
    try:
        content = json.loads(text)
        files = tuple(
            InventoryFile(str(one["key"]), int(one["size"]), str(one["MD5checksum"]).lower())
            for one in content["files"]
        )
        file_format = str(content["fileFormat"])
        inventory = Inventory(
            source_bucket=str(content["sourceBucket"]),
            destination_bucket=str(content["destinationBucket"]).rpartition(":")[2],
            file_format=file_format,
            columns=_columns(str(content["fileSchema"]), file_format),
            files=files,
            created_at=int(content["creationTimestamp"]) / 1000,
        )
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(f"{name} is not a valid inventory manifest: {error}") from error
    except KeyError as error:
        raise InputError(f"{name} is not a valid inventory manifest: {error} is missing") from error
    return _checked(inventory, name)


def _checked(inventory: Inventory, name: str) -> Inventory:
    if inventory.file_format not in FORMATS:
        raise InputError(f"{name}: the file format {inventory.file_format!r} is not one of {', '.join(FORMATS)}")
    if not inventory.files:
        raise InputError(f"{name} lists no data files: the bucket was empty, or the report is not complete")
    double = [column for column in inventory.columns if inventory.columns.count(column) > 1]
    if double:
        raise InputError(f"{name}: its schema names the column {double[0]!r} twice")
    missing = [column for column in ("bucket", "key") if column not in inventory.columns]
    if missing:
        raise InputError(f"{name}: its schema has no column {missing[0]!r}, only {', '.join(inventory.columns)}")
    return inventory


def _columns(schema: str, file_format: str) -> tuple[str, ...]:
    if file_format == "CSV":
        return tuple(column_name(part) for part in schema.split(","))
    found: Sequence[Any] = _COLUMN.findall(schema)
    return tuple(first or second for first, second in found)


def column_name(text: str) -> str:
    """``IsMultipartUploaded`` as ``is_multipart_uploaded``, the Parquet form's spelling."""
    bare = text.strip()
    if bare == "ETag":
        return "e_tag"
    return _CAPITAL.sub("_", bare).lower()
