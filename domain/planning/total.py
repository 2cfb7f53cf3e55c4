"""The number of objects that a migration has to move, as its plan or its backfill counted them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Total:
    """Objects and bytes (``size``) that the rules move, and the plan, inventory or listing that they are from.

    ``is_complete``: the place was read to its end. Otherwise the figures are the minimum that is known so far.
    """

    place: str
    objects: int
    size: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class FileProgress:
    """How much of one data file of an inventory is enqueued.

    Of its first ``rows`` rows ``objects`` move, with ``size`` bytes. ``is_read``: the file has no more rows.
    ``is_counted`` is false where an earlier release stored nothing but the number of rows.
    """

    rows: int = 0
    objects: int = 0
    size: int = 0
    is_read: bool = False
    is_counted: bool = True


def total_of(place: str, files: Sequence[FileProgress]) -> Total:
    """The total of an inventory whose data files are that far."""
    is_complete = all(file.is_read and file.is_counted for file in files)
    return Total(place, sum(file.objects for file in files), sum(file.size for file in files), is_complete)


def supersedes(new: Total, old: Total | None) -> bool:
    """Whether ``new`` says more: a minimum does not take the place of a count that came to its end."""
    return new.is_complete or old is None or not old.is_complete
