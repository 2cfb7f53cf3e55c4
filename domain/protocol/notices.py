"""Why keyshift reads a key: an S3 event, a backfill row, a restore."""

from dataclasses import dataclass, replace
from enum import StrEnum

from domain.keys import Location, Sequencer


class NoticeKind(StrEnum):
    """Why keyshift reads the key."""

    CREATED = "created"
    REMOVED = "removed"
    LISTED = "listed"
    """A row of an inventory or a listing, a restore that ended, or an operator's request: its order is not known."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One reason to read one source object.

    ``etag`` is without quotes; ``size`` is in bytes; ``version_id`` is set only where the bucket keeps versions. Every
    field but the kind and the place may be missing: tagging and delete events carry neither etag nor size. ``is_plain``
    means that an inventory's columns rule out a KMS key and an object lock, which a copy needs to know.
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
        """The same key without a position in the order of events."""
        return replace(self, kind=NoticeKind.LISTED, sequencer=None)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the rules send an object, and the name of the rule."""

    target: Location
    rule: str
