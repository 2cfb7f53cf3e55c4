"""What holds a migration back, and what it says of itself while it runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.ports.messaging import Message
from domain.pulse import Tally, Window


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


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of a dead-letter queue; ``origin_arn`` is the queue it came from, empty where SQS did not say."""

    message: Message
    origin_arn: str = ""


@dataclass(frozen=True, slots=True)
class MoveTask:
    """A redrive by SQS itself: ``status`` is RUNNING, COMPLETED, CANCELLING, CANCELLED or FAILED."""

    status: str
    moved: int
    to_move: int
    why: str = ""


class DeadLetterQueue(Protocol):
    """The dead-letter queue of one queue."""

    def count_letters(self) -> int:
        """About how many there are, hidden ones too."""

    def receive_letters(self, *, visibility: int) -> Sequence[DeadLetter]:
        """Some of those that are visible, hidden from now on for so many seconds; none where none is found."""

    def release_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Make them visible again at once."""

    def delete_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Delete; repeatable."""

    def send_back(self, letters: Sequence[DeadLetter]) -> None:
        """Send each to the queue it came from, then delete it here; a crash between the two leaves it in both."""

    def move_all(self, *, rate: int | None) -> None:
        """Let SQS move every letter to where it came from, at most ``rate`` (1 to 500) a second."""

    def newest_move(self) -> MoveTask | None:
        """How far the newest such move is."""
