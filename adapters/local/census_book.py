"""What the records expect at their keys, in a temporary file, so that a comparison of millions needs little memory."""

from collections.abc import Iterator, Sequence
from itertools import islice
from math import inf

from adapters.local.key_book import TemporaryBook, id_of
from domain.keys import Location
from domain.lifecycle.census import ABSENT, Expected, Role

_ROWS = 10_000
_CREATE = """CREATE TABLE expected (
  place BLOB, role INTEGER, record BLOB, etag TEXT, since REAL, met INTEGER, PRIMARY KEY (place, role)
) WITHOUT ROWID"""
_ROLES = tuple(Role)


class SqliteCensusBook(TemporaryBook):
    """CensusBook on SQLite; about 250 bytes for each record; of one thread."""

    def __init__(self) -> None:
        super().__init__("census", isolation_level=None)
        self._connection.execute(_CREATE)
        # Only this process uses the file: one transaction that never ends saves a write for each row.
        self._connection.execute("BEGIN")

    def add_expected(self, expected: Iterator[Expected]) -> None:
        """See the port."""
        rows = map(_row, expected)
        while batch := list(islice(rows, _ROWS)):
            self._connection.executemany("INSERT OR REPLACE INTO expected VALUES (?, ?, ?, ?, ?, 0)", batch)

    def meet(self, place: Location) -> Sequence[Expected]:
        """See the port."""
        rows = self._connection.execute(
            "SELECT role, record, etag, since FROM expected WHERE place = ? ORDER BY role", (id_of(place),)
        ).fetchall()
        if rows:
            self._connection.execute("UPDATE expected SET met = 1 WHERE place = ?", (id_of(place),))
        return [
            Expected(place, _ROLES[role], record.hex(), etag, inf if since is None else since)
            for role, record, etag, since in rows
        ]

    def find_unmet(self) -> Iterator[tuple[str, Role]]:
        """See the port."""
        query = "SELECT record, role FROM expected WHERE met = 0 AND etag IS NOT NULL AND etag <> ?"
        for record, role in self._connection.execute(query, (ABSENT,)):
            yield record.hex(), _ROLES[role]


def _row(one: Expected) -> tuple[bytes, int, bytes, str | None, float | None]:
    since = None if one.since == inf else one.since
    return id_of(one.place), _ROLES.index(one.role), bytes.fromhex(one.record_id), one.etag, since
