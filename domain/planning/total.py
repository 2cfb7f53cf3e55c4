"""The number of objects that a migration has to move, as its plan or its backfill counted them."""

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


def supersedes(new: Total, old: Total | None) -> bool:
    """Whether ``new`` says more: a minimum does not take the place of a count that came to its end."""
    return new.is_complete or old is None or not old.is_complete
