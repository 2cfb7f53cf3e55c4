"""An inventory as a DuckDB relation with one set of columns, whatever its format."""

from dataclasses import dataclass

import duckdb

from adapters.inventory.files import LocalInventory
from adapters.inventory.rows import LOCK_COLUMNS
from domain.errors import InputError

COLUMNS = {
    "key": "VARCHAR",
    "version_id": "VARCHAR",
    "size": "BIGINT",
    "e_tag": "VARCHAR",
    "storage_class": "VARCHAR",
    "is_multipart_uploaded": "BOOLEAN",
    "encryption_status": "VARCHAR",
    "object_lock_mode": "VARCHAR",
    "object_lock_legal_hold_status": "VARCHAR",
    "intelligent_tiering_access_tier": "VARCHAR",
    "last_modified_date": "TIMESTAMP",
}
"""The columns of a plan; only the key is required."""
IS_PLAIN = "is_plain"
"""Beside them: whether the row rules out a KMS key and an object lock, which its columns tell together."""


IS_MARKER = "is_delete_marker"
"""Beside them where every version is carried: whether the row is of a delete marker."""


def connect(*, memory: str = "2GB", threads: int | None = None, folder: str | None = None) -> duckdb.DuckDBPyConnection:
    """A database that spills to disk (``folder``) beyond ``memory``, and reads nothing from the network."""
    connection = duckdb.connect()
    connection.execute("SET memory_limit = ?", [memory])
    connection.execute("SET preserve_insertion_order = false")
    # The bar goes to standard output, where --json's one answer belongs.
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET autoinstall_known_extensions = false")
    # The dates of S3's Parquet files have a zone. Without one they would become this machine's local time.
    connection.execute("SET TimeZone = 'UTC'")
    if threads is not None:
        connection.execute("SET threads = ?", [threads])
    if folder is not None:
        connection.execute("SET temp_directory = ?", [folder])
    return connection


@dataclass(frozen=True, slots=True)
class InventorySql:
    """SQL of an inventory's rows: the columns above, missing ones NULL, and IS_PLAIN; keys raw.

    ``current`` are the objects. With versions, both parts have IS_MARKER: ``current`` has the current delete markers
    too, and ``earlier`` has the earlier versions and markers. Without versions it is ``None``, as where the inventory
    lists current versions only.
    """

    current: str
    earlier: str | None = None


def inventory_sql(
    connection: duckdb.DuckDBPyConnection, local: LocalInventory, *, with_versions: bool = False
) -> InventorySql:
    """The rows of the inventory as SQL. Raises InputError for a schema that the files do not have."""
    inventory = local.inventory
    _check_columns(local)
    source = _source(local)
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    except duckdb.Error as error:
        raise InputError(f"the inventory cannot be read: {_first_line(error)}") from error
    present = {str(row[0]).lower() for row in described}
    columns = [_column(name, kind, present, encoded=inventory.has_encoded_keys) for name, kind in COLUMNS.items()]
    # A row of another bucket stops the plan; _read_one_by_one then says which row of which file it is.
    bucket = inventory.source_bucket.replace("'", "''")
    columns[0] = (
        f"CASE WHEN coalesce(bucket, '{bucket}') = '{bucket}' THEN {columns[0].removesuffix(' AS key')} "
        "ELSE error('a row of another bucket') END AS key"
    )
    columns.append(f"{_rules_out_lock_and_key(present)} AS {IS_PLAIN}")
    encoded = inventory.has_encoded_keys
    is_latest = f"coalesce({_flag('is_latest', encoded=encoded)}, true)" if "is_latest" in present else "true"
    is_marker = f"coalesce({_flag(IS_MARKER, encoded=encoded)}, false)" if IS_MARKER in present else "false"
    if not with_versions or not inventory.tells_deleted:
        return InventorySql(f"SELECT {', '.join(columns)} FROM {source} WHERE {is_latest} AND NOT {is_marker}")
    rows = f"SELECT {', '.join(columns)}, {is_marker} AS {IS_MARKER} FROM {source}"
    return InventorySql(f"{rows} WHERE {is_latest}", f"{rows} WHERE NOT {is_latest}")


def _check_columns(local: LocalInventory) -> None:
    """Every file has what the manifest promises: a column that one file lacks would read as empty there."""
    if local.inventory.file_format == "CSV":
        return
    import pyarrow.parquet

    for path in local.paths.values():
        try:
            schema = pyarrow.parquet.read_schema(path)
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read as {local.inventory.file_format}: {_first_line(error)}") from error
        for name in local.inventory.columns:
            if name not in schema.names:
                raise InputError(f"{path} has no column {name!r}, which the manifest names: fetch the report again")


def _source(local: LocalInventory) -> str:
    files = "[" + ", ".join("'" + str(path).replace("'", "''") + "'" for path in local.paths.values()) + "]"
    if local.inventory.file_format != "CSV":
        return f"read_parquet({files}, union_by_name = true)"
    columns = "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in local.inventory.columns) + "}"
    return (
        f"read_csv({files}, header = false, columns = {columns}, auto_detect = false, delim = ',', quote = '\"', "
        "escape = '\"', compression = 'gzip', strict_mode = true, null_padding = false)"
    )


def _column(name: str, kind: str, present: set[str], *, encoded: bool) -> str:
    if name not in present:
        return f"CAST(NULL AS {kind}) AS {name}"
    if name == "key" and encoded:
        return "url_decode(replace(key, '+', ' ')) AS key"
    if name == "e_tag":
        return "trim(e_tag, '\"') AS e_tag"
    if name == "key":
        return "key AS key"
    if kind == "VARCHAR":
        return f"CAST({name} AS VARCHAR) AS {name}"
    # An empty text in CSV is not a number; another text that is not a number must be an error.
    return (
        f"CAST(nullif(CAST({name} AS VARCHAR), '') AS {kind}) AS {name}"
        if encoded
        else f"CAST({name} AS {kind}) AS {name}"
    )


def _rules_out_lock_and_key(present: set[str]) -> str:
    """The SQL of ``rules_out_lock_and_key``."""
    if not {"encryption_status", *LOCK_COLUMNS} <= present:
        return "false"
    encryption, mode, until, hold = (
        f"coalesce(CAST({name} AS VARCHAR), '')" for name in ("encryption_status", *LOCK_COLUMNS)
    )
    is_locked = f"{mode} <> '' OR {until} <> '' OR upper({hold}) NOT IN ('', 'OFF')"
    return f"({encryption} <> '' AND NOT contains({encryption}, 'KMS') AND NOT ({is_locked}))"


def _flag(name: str, *, encoded: bool) -> str:
    """A boolean column; in CSV an empty text is NULL, and a text that is neither true nor false stops the plan."""
    return f"CAST(nullif({name}, '') AS BOOLEAN)" if encoded else f"CAST({name} AS BOOLEAN)"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
