"""The current objects of inventories, read and sorted by DuckDB, in a file that answers for single keys."""

import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from threading import Lock

import duckdb

from adapters.duckdb.cuts import quoted
from adapters.duckdb.inventory import IS_MARKER, IS_PLAIN, connect, inventory_sql
from adapters.duckdb.rows import read_one_by_one
from adapters.inventory.files import LocalInventory
from domain.errors import InputError
from domain.keys import Location
from domain.lifecycle.reported import ReportedObject

_ROWS = 10_000
_ASKED_AT_ONCE = 1_000
_COLUMNS = "e_tag, size, version_id, modified, storage_class, encryption, is_plain"


class ReportedObjectsFile:
    """ReportedObjects on SQLite: an index of DuckDB has to fit into memory, a B-tree on disk does not.

    A key is stored as 16 bytes of its SHA-256. DuckDB spills beyond ``memory``.
    """

    def __init__(self, *, until: float, memory: str = "2GB") -> None:
        self._until = until
        self._memory = memory
        self._folder = tempfile.TemporaryDirectory(prefix="keyshift-reported-")
        self._lock = Lock()
        self._connection = sqlite3.connect(Path(self._folder.name, "objects"), check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute(
            "CREATE TABLE objects (id BLOB PRIMARY KEY, e_tag TEXT, size INTEGER, version_id TEXT, modified REAL,"
            " storage_class TEXT, encryption TEXT, is_plain INTEGER, times INTEGER DEFAULT 1) WITHOUT ROWID"
        )

    @property
    def until(self) -> float:
        """See the port."""
        return self._until

    def add_inventory(self, local: LocalInventory, prefixes: Sequence[str]) -> None:
        """Store the current rows whose keys have one of the prefixes; InputError names a row that cannot be read."""
        connection = connect(memory=self._memory, folder=self._folder.name)
        try:
            self._add(connection.execute(_sorted_sql(connection, local, prefixes)))
        except duckdb.Error as error:
            read_one_by_one(local)
            why = str(error).strip().splitlines()[0]
            raise InputError(f"the inventory of {local.inventory.source_bucket} cannot be read: {why}") from error
        finally:
            connection.close()

    def find_objects(self, places: Sequence[Location]) -> Mapping[Location, ReportedObject]:
        """See the port."""
        ids = {_id(place): place for place in places}
        found: dict[Location, ReportedObject] = {}
        asked = list(ids)
        for first in range(0, len(asked), _ASKED_AT_ONCE):
            some = asked[first : first + _ASKED_AT_ONCE]
            query = f"SELECT id, {_COLUMNS} FROM objects WHERE times = 1 AND id IN ({', '.join('?' * len(some))})"
            with self._lock:
                rows = self._connection.execute(query, some).fetchall()
            for own, etag, size, version, modified, storage_class, encryption, is_plain in rows:
                found[ids[own]] = ReportedObject(
                    etag, size, version, modified, storage_class, encryption or "", bool(is_plain)
                )
        return found

    def close(self) -> None:
        """Delete the file."""
        self._connection.close()
        self._folder.cleanup()

    def _add(self, rows: duckdb.DuckDBPyConnection) -> None:
        # In the order of the ids, so that the B-tree grows at its end.
        insert = (
            f"INSERT INTO objects (id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET times = times + 1"
        )
        with self._lock, self._connection:
            while some := rows.fetchmany(_ROWS):
                self._connection.executemany(insert, some)


def _sorted_sql(connection: duckdb.DuckDBPyConnection, local: LocalInventory, prefixes: Sequence[str]) -> str:
    """The rows in the order of their ids; a current delete marker is a row without an object."""
    bucket = quoted(local.inventory.source_bucket)
    current = inventory_sql(connection, local, with_versions=True).current
    is_object = f"NOT {IS_MARKER}" if local.inventory.tells_deleted else "true"
    fits = " OR ".join(f"starts_with(key, {quoted(prefix)})" for prefix in prefixes)
    return (
        f"SELECT unhex(substr(sha256({bucket} || chr(0) || key), 1, 32)) AS id, CASE WHEN {is_object} THEN e_tag END,"
        " size, nullif(version_id, ''), epoch(last_modified_date), nullif(storage_class, ''), encryption_status,"
        f" {IS_PLAIN} FROM ({current}) WHERE {fits} ORDER BY id"
    )


def _id(place: Location) -> bytes:
    return sha256(f"{place.bucket}\0{place.key}".encode()).digest()[:16]
