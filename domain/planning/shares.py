"""A share of a key set."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """How many objects and bytes."""

    objects: int = 0
    size: int = 0


NOTHING = Share()
