"""The keys of all records in a temporary file, so that a verification of millions of objects needs little memory."""

import sqlite3
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from domain.keys import Location

_ROWS = 10_000


class TemporaryBook:
    """A book on SQLite in a temporary file that no crash needs to survive; ``options`` are the connection's."""

    def __init__(self, name: str, **options: Any) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix=f"keyshift-{name}-")
        self._connection = sqlite3.connect(Path(self._folder.name, name), **options)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")

    def close(self) -> None:
        """Delete the file."""
        self._connection.close()
        self._folder.cleanup()


class SqliteKeyBook(TemporaryBook):
    """KeyBook on SQLite; it stores 16 bytes of SHA-256 for a key, so ten million records take about 700 MB."""

    def __init__(self) -> None:
        super().__init__("keys", check_same_thread=False)
        self._lock = Lock()
        for table in ("sources", "targets"):
            self._connection.execute(f"CREATE TABLE {table} (id BLOB PRIMARY KEY) WITHOUT ROWID")

    def add_pairs(self, pairs: Iterator[tuple[Location, Location | None]]) -> None:
        """See the port."""
        sources: list[tuple[bytes]] = []
        targets: list[tuple[bytes]] = []
        for source, target in pairs:
            sources.append((id_of(source),))
            if target is not None:
                targets.append((id_of(target),))
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

    def _insert(self, sources: list[tuple[bytes]], targets: list[tuple[bytes]]) -> None:
        with self._lock, self._connection:
            self._connection.executemany("INSERT OR IGNORE INTO sources VALUES (?)", sources)
            self._connection.executemany("INSERT OR IGNORE INTO targets VALUES (?)", targets)

    def _has(self, table: str, location: Location) -> bool:
        with self._lock:
            query = f"SELECT 1 FROM {table} WHERE id = ?"  # noqa: S608  # one of two constant names
            return self._connection.execute(query, (id_of(location),)).fetchone() is not None


def id_of(location: Location) -> bytes:
    """The place in 16 bytes."""
    return sha256(f"{location.bucket}\0{location.key}".encode()).digest()[:16]
