"""The ports that limit a migration, and those that show how it runs."""

from collections.abc import Sequence
from typing import Protocol

from domain.steering.control import Control
from domain.steering.learned import Learned
from domain.steering.pulse import Tally, Window


class RateLedger(Protocol):
    """Lines of time on which the processes of a migration reserve stretches; each stretch is reserved once."""

    def reserve_stretch(self, line: str, seconds: float, *, earliest: float, latest: float, fence: int) -> float | None:
        """Reserve the next ``seconds`` of the line, not before ``earliest``; returns their begin (seconds since 1970).

        If that is after ``latest``, nothing is reserved. A newer ``fence`` empties the line first; ``None`` when the
        line has a newer one already.
        """


class PulseBook(Protocol):
    """The counts of the newest window, added up over all processes."""

    def add_tally(self, tally: Tally, *, window: Window) -> Tally | None:
        """Add to that window (perhaps twice) and return its sum; ``None`` when a newer window has begun."""

    def read_tally(self) -> tuple[Window, Tally] | None:
        """The newest window to which a process added."""


class EventSourceMappings(Protocol):
    """Lambda's pollers of the migration's queues."""

    def list_enabled(self) -> Sequence[str]:
        """The ids of those that poll a queue now (the manifest's stream is not one of them)."""

    def disable_mappings(self, ids: Sequence[str]) -> None:
        """Stop polling; repeatable."""

    def enable_mappings(self, ids: Sequence[str]) -> None:
        """Poll again; repeatable. A mapping that was deleted meanwhile is not an error."""


class ControlPanel(Protocol):
    """The operator's control of every process."""

    def read_control(self) -> Control:
        """The control item now; without an item the migration runs at full speed."""

    def write_control(self, control: Control, *, before: Control) -> bool:
        """Replace ``before``, if its fence is unchanged; a fence of 0 means that no operator wrote it yet.

        What was learned stays as it is. ``True`` also when this control is already there; ``False`` when another
        process changed it.
        """

    def write_learned(self, learned: Learned, *, before: Learned) -> bool:
        """Replace the learned limits, if the revision of ``before`` is unchanged; nothing else of the control changes.

        ``True`` also when these are already there; ``False`` when another process changed them.
        """
