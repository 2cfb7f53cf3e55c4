"""Archived sources: what each one waits for, and how S3 is asked to restore it (aws-facts.md §2.6)."""

from enum import StrEnum
from typing import Protocol

from domain.keys import Location
from domain.objects import ObjectState
from domain.rules.restoring import RestoreRule, RestoreTier

_DEEP = frozenset({"DEEP_ARCHIVE", "DEEP_ARCHIVE_ACCESS"})
HOURS = {
    (RestoreTier.EXPEDITED, False): 1,
    (RestoreTier.STANDARD, False): 5,
    (RestoreTier.STANDARD, True): 12,
    (RestoreTier.BULK, False): 12,
    (RestoreTier.BULK, True): 48,
}
"""The hours in which S3 typically ends a restore, by option and whether the archive is a deep one.

AWS gives minutes for expedited ones, but not for large objects (User Guide, "Archive retrieval options").
"""


class Reading(StrEnum):
    """Whether a source that was archived can be read."""

    ARCHIVED = "archived"
    RESTORING = "restoring"
    READABLE = "readable"
    GONE = "gone"


class Asked(StrEnum):
    """S3's answer to a request for a restore."""

    BEGUN = "begun"
    UNDER_WAY = "under-way"
    """Another request began it before: S3 restores an object once."""
    READABLE = "readable"
    GONE = "gone"


class RestoreStore(Protocol):
    """Asks S3 to restore archived objects."""

    def restore_object(self, location: Location, *, seen: ObjectState, rule: RestoreRule) -> Asked:
        """Ask for the version that was ``seen``; S3 does not begin a restore twice.

        An object of INTELLIGENT_TIERING leaves its archive tier for good, so ``rule.days`` does not count for it.
        """


def reading_of(seen: ObjectState | None) -> Reading:
    """What HEAD showed."""
    if seen is None:
        return Reading.GONE
    if not seen.is_archived:
        return Reading.READABLE
    return Reading.RESTORING if seen.restoring else Reading.ARCHIVED


def is_deep(seen: ObjectState) -> bool:
    """Whether it lies in an archive from which S3 restores in half a day to two days."""
    return bool(_DEEP & {seen.storage_class, seen.archive_status})


def hours_of(seen: ObjectState, tier: RestoreTier) -> int | None:
    """The hours in which S3 typically restores it; ``None``: that archive does not offer this option."""
    return HOURS.get((tier, is_deep(seen)))
