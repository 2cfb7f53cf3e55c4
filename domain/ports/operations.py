"""What the operator's commands ask of the world beside the engine's ports."""

from collections.abc import Iterator
from typing import Protocol

from domain.holders import Pin, Reference
from domain.stages import StageEntry


class StageBook(Protocol):
    """The stage of the migration, kept beside the records."""

    def read_stage(self) -> StageEntry:
        """The stage now, strongly consistent; PREPARED where nothing was ever said."""

    def write_stage(self, entry: StageEntry, *, before: StageEntry) -> bool:
        """Replace ``before`` (its revision unchanged since); ``False`` when somebody else changed it meanwhile."""


class ReferenceFinder(Protocol):
    """Looks through everything that the rules file's ``references`` name."""

    def find_references(self) -> Iterator[Reference]:
        """Every place that still holds a legacy URI of an object that the rules move, whether it is migrated or not."""


class PinFinder(Protocol):
    """Looks through what holds URIs and cannot be edited."""

    def find_pins(self) -> Iterator[Pin]:
        """Every pin on a legacy object that the rules move."""
