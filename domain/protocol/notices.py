"""What may tell us that a key needs a look: an S3 event, a backfill row, a restore."""

from dataclasses import dataclass, replace
from enum import StrEnum

from domain.keys import Location, Sequencer


class NoticeKind(StrEnum):
    """Why we look at the key."""

    CREATED = "created"
    REMOVED = "removed"
    LISTED = "listed"
    """A row of an inventory or a listing, a restore that ended, or an operator's request: no order known."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One reason to look at one source object.

    ``etag`` is without quotes; ``size`` in bytes; ``version_id`` only where the bucket keeps versions. Every
    field but the kind and the place may be missing: tagging and delete events carry neither etag nor size.
    ``is_plain`` says that an inventory's columns rule out a KMS key and an object lock, which a copy must be told of.
    """

    kind: NoticeKind
    source: Location
    etag: str | None = None
    version_id: str | None = None
    size: int | None = None
    sequencer: Sequencer | None = None
    storage_class: str | None = None
    is_plain: bool = False

    def without_order(self) -> "Notice":
        """The same key looked at with no claim about when."""
        return replace(self, kind=NoticeKind.LISTED, sequencer=None)
