"""What planning and the backfill ask of the world."""

from collections.abc import Iterator
from typing import Protocol

from domain.objects import ListedObject


class BackfillJournal(Protocol):
    """How far each data file of an inventory has been enqueued.

    ``content_id`` names the file's bytes and the rules that its rows were mapped by: another content of the same name,
    or the same one under other rules, is a file of which nothing is known.
    """

    def read_rows_done(self, content_id: str, file_key: str) -> int:
        """How many of the file's rows, from its first, are enqueued or need no move; 0 where nothing is known."""

    def write_rows_done(self, content_id: str, file_key: str, rows: int) -> None:
        """Remember it; a smaller number than the one known is ignored, since two runs may overlap."""

    def forget_rows_done(self, content_id: str, file_key: str) -> None:
        """Nothing is known any more: the next run begins at the first row. Repeatable."""


class ObjectListing(Protocol):
    """ListObjectsV2."""

    def list_objects(self, bucket: str, *, prefix: str = "", after: str = "") -> Iterator[ListedObject]:
        """Objects in the order of their keys' UTF-8 bytes, only those after the key ``after``."""
