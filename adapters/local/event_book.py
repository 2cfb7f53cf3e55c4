"""The book of a verification: a SQLite file that is deleted with it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from domain.audit.ports import CHAIN_SPAN, BookedEvent, Deferred, DoubtedSegment, Gap, UnmetName

_CACHE_KIB = 128 * 1024
_TABLES = """
CREATE TABLE events (subject TEXT, number INTEGER, digest BLOB, told TEXT, segment INTEGER, line INTEGER,
                     PRIMARY KEY (subject, number)) WITHOUT ROWID;
CREATE TABLE segments (sequence INTEGER PRIMARY KEY, stored_at REAL, sha256 TEXT, doubted INTEGER DEFAULT 0);
CREATE TABLE names (sequence INTEGER, sha256 TEXT, told_by TEXT, PRIMARY KEY (sequence, sha256)) WITHOUT ROWID;
CREATE TABLE gaps (subject TEXT, name TEXT, first INTEGER, last INTEGER, number INTEGER, segment INTEGER, line INTEGER);
CREATE TABLE repeats (subject TEXT, number INTEGER, segment INTEGER,
                      PRIMARY KEY (subject, number, segment)) WITHOUT ROWID;
CREATE TABLE seen (subject TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE deferred (subject TEXT, uri TEXT, revision INTEGER, digest TEXT, changed_at REAL);
"""


_UNMET = """
SELECT names.sequence, names.sha256, told_by, segments.sha256 FROM names JOIN segments USING (sequence)
WHERE segments.sha256 <> names.sha256
UNION ALL
SELECT max(names.sequence), names.sha256, told_by, NULL FROM names LEFT JOIN segments USING (sequence)
WHERE segments.sequence IS NULL GROUP BY names.sequence / ?
"""
_OPEN_GAPS = """
SELECT * FROM gaps WHERE last - first >= (
    SELECT count(*) FROM events WHERE events.subject = gaps.subject AND events.number BETWEEN first AND last)
ORDER BY rowid
"""
_UNCONFIRMED = """
SELECT told.sequence, told.stored_at, count(*), min(events.line)
FROM events CROSS JOIN segments AS told ON told.sequence = events.segment
WHERE told.doubted AND NOT EXISTS (
    SELECT 1 FROM repeats JOIN segments AS again ON again.sequence = repeats.segment
    WHERE repeats.subject = events.subject AND repeats.number = events.number AND NOT again.doubted)
GROUP BY told.sequence ORDER BY told.sequence
"""


class SqliteEventBook:
    """EventBook on disk; memory stays at the cache's size however long the chain is."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Self]:
        """An empty book in a temporary folder (``TMPDIR``)."""
        with TemporaryDirectory(prefix="keyshift-audit-", ignore_cleanup_errors=True) as folder:
            connection = sqlite3.connect(Path(folder, "book.sqlite"), isolation_level=None)
            try:
                for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
                    connection.execute(f"PRAGMA {pragma}")
                connection.executescript(_TABLES)
                connection.execute("BEGIN")
                yield cls(connection)
            finally:
                connection.close()

    def book_segment(self, sequence: int, stored_at: float, sha256: str = "") -> None:
        """See the port."""
        self._connection.execute(
            "INSERT INTO segments (sequence, stored_at, sha256) VALUES (?, ?, ?)", (sequence, stored_at, sha256)
        )

    def segment_sha256(self, sequence: int) -> str | None:
        """See the port."""
        row = self._connection.execute("SELECT sha256 FROM segments WHERE sequence = ?", (sequence,)).fetchone()
        return None if row is None else str(row[0])

    def book_name(self, sequence: int, sha256: str, by: str) -> None:
        """See the port."""
        self._connection.execute("INSERT OR IGNORE INTO names VALUES (?, ?, ?)", (sequence, sha256, by))

    def unmet_names(self) -> Iterator[UnmetName]:
        """See the port."""
        yield from (UnmetName(*row) for row in self._connection.execute(_UNMET, (CHAIN_SPAN,)))

    def book_gap(self, gap: Gap) -> None:
        """See the port."""
        values = (gap.subject, gap.name, gap.first, gap.last, gap.number, gap.segment, gap.line)
        self._connection.execute("INSERT INTO gaps VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def open_gaps(self) -> Iterator[Gap]:
        """See the port."""
        for row in self._connection.execute(_OPEN_GAPS):
            yield Gap(*row)

    def segment_stored_at(self, sequence: int) -> float | None:
        """See the port."""
        row = self._connection.execute("SELECT stored_at FROM segments WHERE sequence = ?", (sequence,)).fetchone()
        return None if row is None else float(row[0])

    def doubt_segments(self, first: int, last: int) -> None:
        """See the port."""
        self._connection.execute("UPDATE segments SET doubted = 1 WHERE sequence BETWEEN ? AND ?", (first, last))

    def book_repeat(self, subject: str, number: int, segment: int) -> None:
        """See the port."""
        self._connection.execute("INSERT OR IGNORE INTO repeats VALUES (?, ?, ?)", (subject, number, segment))

    def unconfirmed_segments(self) -> Iterator[DoubtedSegment]:
        """See the port; it reads every event once, so a chain without doubted segments is not read at all."""
        if self._connection.execute("SELECT 1 FROM segments WHERE doubted LIMIT 1").fetchone() is None:
            return
        yield from (DoubtedSegment(*row) for row in self._connection.execute(_UNCONFIRMED))

    def newest_number(self, subject: str) -> int | None:
        """See the port."""
        row = self._connection.execute("SELECT max(number) FROM events WHERE subject = ?", (subject,)).fetchone()
        return None if row[0] is None else int(row[0])

    def find_event(self, subject: str, number: int) -> BookedEvent | None:
        """See the port."""
        row = self._connection.execute(
            "SELECT digest, told, segment, line FROM events WHERE subject = ? AND number = ?", (subject, number)
        ).fetchone()
        return None if row is None else BookedEvent(*row)

    def book_event(self, subject: str, number: int, event: BookedEvent) -> None:
        """See the port."""
        self._connection.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
            (subject, number, event.digest, event.told, event.segment, event.line),
        )

    def defer_record(self, state: Deferred) -> None:
        """See the port."""
        self._connection.execute(
            "INSERT INTO deferred VALUES (?, ?, ?, ?, ?)",
            (state.subject, state.uri, state.revision, state.digest, state.changed_at),
        )

    def deferred_records(self) -> Iterator[Deferred]:
        """See the port."""
        yield from (Deferred(*row) for row in self._connection.execute("SELECT * FROM deferred ORDER BY rowid"))

    def mark_seen(self, subject: str) -> None:
        """See the port."""
        self._connection.execute("INSERT OR IGNORE INTO seen VALUES (?)", (subject,))

    def subjects_not_seen(self) -> Iterator[str]:
        """See the port."""
        rows = self._connection.execute(
            "SELECT DISTINCT subject FROM events WHERE subject NOT IN (SELECT subject FROM seen)"
        )
        yield from (str(row[0]) for row in rows)
