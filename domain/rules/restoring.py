"""How the rules file lets archived sources be restored (docs/rules.md)."""

from dataclasses import dataclass
from enum import StrEnum


class RestoreTier(StrEnum):
    """S3's retrieval options, by their names in RestoreObject."""

    EXPEDITED = "Expedited"
    STANDARD = "Standard"
    BULK = "Bulk"


@dataclass(frozen=True, slots=True)
class RestoreRule:
    """What RestoreObject is asked for, and for how many objects.

    A restored object is readable for ``days``; ``at_most`` objects are under way at once.
    """

    tier: RestoreTier
    days: int
    at_most: int
