"""The ports of planning and of the backfill."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from domain.objects import ListedObject
from domain.planning.total import FileProgress, Total


class BackfillJournal(Protocol):
    """How far each data file of an inventory has been enqueued.

    ``content_id`` names the file's bytes and the rules that mapped its rows. Other content under the same name, or the
    same content under other rules, counts as a new file.
    """

    def read_progress(self, files: Sequence[tuple[str, str]]) -> list[FileProgress]:
        """How far each file is, named by ``content_id`` and ``file_key``, in their order; no rows for a new file."""

    def write_progress(self, content_id: str, file_key: str, progress: FileProgress) -> None:
        """Store it; a progress that is behind the stored one is ignored, because two runs may overlap."""

    def forget_progress(self, content_id: str, file_key: str) -> None:
        """Delete what is stored: the next run begins at the first row. Repeatable."""


class TotalBook(Protocol):
    """The number of objects that the migration has to move; one for the whole migration."""

    def read_total(self) -> Total | None:
        """The last one that was written, or ``None``."""

    def write_total(self, total: Total) -> None:
        """Store it; a minimum does not replace a complete total (``supersedes``); that is not an error."""


class ObjectListing(Protocol):
    """The objects of a bucket: ListObjectsV2."""

    def list_objects(self, bucket: str, *, prefix: str = "", after: str = "") -> Iterator[ListedObject]:
        """Objects in the order of their keys' UTF-8 bytes, only those after the key ``after``."""


class VersionListing(ObjectListing, Protocol):
    """Every version in a bucket: ListObjectVersions.

    Here ``list_objects`` has one row for every key that has a version. Where that is deleted now, the row is
    ``deleted_key``.
    """

    def list_versions(self, bucket: str, *, prefix: str = "", after: str = "") -> Iterator[ListedObject]:
        """Every version and every delete marker, in the order of keys like ``list_objects``.

        The versions of one key come one after the other, the current one first.
        """
