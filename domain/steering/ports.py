"""What holds a migration back, and what it says of itself while it runs."""

from collections.abc import Sequence
from typing import Protocol

from domain.steering.control import Control
from domain.steering.pulse import Tally, Window


class RateLedger(Protocol):
    """Lines of time that every process of the migration reserves stretches of; what is reserved once is gone."""

    def reserve_stretch(self, line: str, seconds: float, *, earliest: float, latest: float, fence: int) -> float | None:
        """Take the next ``seconds`` of the line, not before ``earliest``; when they begin, in seconds since 1970.

        When that is after ``latest``, nothing is taken. A newer ``fence`` empties the line first; ``None`` when the
        line knows a newer one already.
        """


class PulseBook(Protocol):
    """The tally of the newest window, added up over all processes."""

    def add_tally(self, tally: Tally, *, window: Window) -> Tally | None:
        """Add to that window and answer its sum; ``None`` when a newer window has begun. An addition may repeat."""

    def read_tally(self) -> tuple[Window, Tally] | None:
        """The newest window that anybody added to."""


class EventSourceMappings(Protocol):
    """Lambda's pollers of the migration's queues."""

    def list_enabled(self) -> Sequence[str]:
        """The ids of those that poll a queue now (the manifest's stream is not one of them)."""

    def disable_mappings(self, ids: Sequence[str]) -> None:
        """Stop polling; repeatable."""

    def enable_mappings(self, ids: Sequence[str]) -> None:
        """Poll again; repeatable. A mapping that was deleted meanwhile is no error."""


class ControlPanel(Protocol):
    """The operator's word to everything that runs."""

    def read_control(self) -> Control:
        """The control item now; running at full speed where there is none."""

    def write_control(self, control: Control, *, before: Control) -> bool:
        """Replace ``before`` (its fence unchanged since), or the absence of an item where that fence is 0.

        ``True`` also when this very control is already there; ``False`` when somebody else changed it.
        """
