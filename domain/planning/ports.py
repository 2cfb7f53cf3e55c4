"""The ports of planning and of the backfill."""

from collections.abc import Iterator
from typing import Protocol

from domain.objects import ListedObject
from domain.planning.total import Total


class BackfillJournal(Protocol):
    """How far each data file of an inventory has been enqueued.

    ``content_id`` names the file's bytes and the rules that mapped its rows. Other content under the same name, or the
    same content under other rules, counts as a new file.
    """

    def read_rows_done(self, content_id: str, file_key: str) -> int:
        """How many of the file's rows, from the first, are enqueued or need no move; 0 for a new file."""

    def write_rows_done(self, content_id: str, file_key: str, rows: int) -> None:
        """Store it; a smaller number than the stored one is ignored, because two runs may overlap."""

    def forget_rows_done(self, content_id: str, file_key: str) -> None:
        """Delete what is stored: the next run begins at the first row. Repeatable."""


class TotalBook(Protocol):
    """The number of objects that the migration has to move; one for the whole migration."""

    def read_total(self) -> Total | None:
        """The last one that was written, or ``None``."""

    def write_total(self, total: Total) -> None:
        """Store it; a minimum does not replace a complete total (``supersedes``); that is not an error."""


class ObjectListing(Protocol):
    """ListObjectsV2."""

    def list_objects(self, bucket: str, *, prefix: str = "", after: str = "") -> Iterator[ListedObject]:
        """Objects in the order of their keys' UTF-8 bytes, only those after the key ``after``."""
