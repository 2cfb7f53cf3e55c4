"""The keys of all records in a temporary file, so that a verification of millions of objects needs little memory."""

import sqlite3
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from threading import Lock

from domain.keys import Location

_ROWS = 10_000


class SqliteKeyBook:
    """KeyBook on SQLite; it stores 16 bytes of SHA-256 for a key, so ten million records take about 700 MB."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="keyshift-keys-")
        self._lock = Lock()
        self._connection = sqlite3.connect(Path(self._folder.name, "keys"), check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        for table in ("sources", "targets"):
            self._connection.execute(f"CREATE TABLE {table} (id BLOB PRIMARY KEY) WITHOUT ROWID")

    def add_pairs(self, pairs: Iterator[tuple[Location, Location | None]]) -> None:
        """See the port."""
        sources: list[tuple[bytes]] = []
        targets: list[tuple[bytes]] = []
        for source, target in pairs:
            sources.append((_id(source),))
            if target is not None:
                targets.append((_id(target),))
            if len(sources) >= _ROWS:
                self._insert(sources, targets)
                sources, targets = [], []
        self._insert(sources, targets)

    def has_source(self, location: Location) -> bool:
        """See the port."""
        return self._has("sources", location)

    def has_target(self, location: Location) -> bool:
        """See the port."""
        return self._has("targets", location)

    def close(self) -> None:
        """Delete the file."""
        self._connection.close()
        self._folder.cleanup()

    def _insert(self, sources: list[tuple[bytes]], targets: list[tuple[bytes]]) -> None:
        with self._lock, self._connection:
            self._connection.executemany("INSERT OR IGNORE INTO sources VALUES (?)", sources)
            self._connection.executemany("INSERT OR IGNORE INTO targets VALUES (?)", targets)

    def _has(self, table: str, location: Location) -> bool:
        with self._lock:
            query = f"SELECT 1 FROM {table} WHERE id = ?"  # noqa: S608  # one of two constant names
            return self._connection.execute(query, (_id(location),)).fetchone() is not None


def _id(location: Location) -> bytes:
    return sha256(f"{location.bucket}\0{location.key}".encode()).digest()[:16]
