"""What start, verify, cutover and cleanup ask of the world beside the protocol's ports."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.keys import Location
from domain.lifecycle.census import Expected, Role
from domain.lifecycle.stages import StageEntry
from domain.objects import ObjectState
from domain.steering.control import Control


class StageBook(Protocol):
    """The stage of the migration, kept beside the records."""

    def read_stage(self) -> StageEntry:
        """The stage now, strongly consistent; PREPARED where nothing was ever said."""

    def write_stage(self, entry: StageEntry, *, before: StageEntry, control: Control | None = None) -> bool:
        """Replace ``before`` (its revision unchanged since); ``False`` when another writer changed it meanwhile.

        With ``control`` it is written only while the control item is that one (its fence unchanged since), in one step.
        """


class ByteReader(Protocol):
    """Reads whole objects, for what HEAD cannot prove."""

    def digest_object(self, location: Location, *, seen: ObjectState) -> str | None:
        """The SHA-256 (hexadecimal) of exactly the object that was ``seen``; ``None`` when it is no longer that one."""


@dataclass(frozen=True, slots=True)
class Capture:
    """How live capture was found and set up.

    ``before`` and ``after`` are the bucket's notification configuration as JSON text before and after we changed it;
    ``rule`` is the EventBridge rule that we made, empty where there is none; ``through`` is ``queue`` or
    ``eventbridge``, and empty in what an earlier version remembered.
    """

    bucket: str
    before: str
    after: str
    rule: str = ""
    through: str = ""


@dataclass(frozen=True, slots=True)
class CaptureRefused:
    """Live capture may not be switched on so; ``why`` names what is in the way and the remedy."""

    why: str


@dataclass(frozen=True, slots=True)
class Restored:
    """The notification configuration after live capture was taken away, as JSON text.

    ``is_as_before`` says whether it is what was before, but for what stays on purpose; ``stays`` says what that is.
    """

    configuration: str
    is_as_before: bool
    stays: str = ""


class LiveCapture(Protocol):
    """The source bucket's notifications; several migrations of one bucket have each an entry or a rule of its own."""

    def read_configuration(self) -> str:
        """The bucket's whole notification configuration as JSON text, the same text for the same configuration."""

    def plan_capture(self, *, through: str) -> Capture | CaptureRefused:
        """What switching on would change; nothing is written.

        ``through`` is ``queue``, ``eventbridge``, or ``auto``: the way that reaches the events queue already, else the
        queue. Refused: a second way beside one that is there (each event would come twice), and a capture that meets
        the one of another migration.
        """

    def find_fault(self, capture: Capture) -> str | None:
        """What of ``capture`` is not there any more; ``None`` where events still have their way to the events queue.

        It says nothing of the queue's policy, or of whether a new configuration counts already: only a probe does.
        """

    def switch_on(self, capture: Capture) -> None:
        """Let the bucket's events reach the events queue; every other notification stays. Repeatable.

        It is read again afterwards: UnavailableError where other programs take ours away each time.
        """

    def restore(self, capture: Capture) -> Restored:
        """Take away what we added; what others changed since stays, and so does EventBridge: others may live on it."""

    def write_probe(self, location: Location) -> None:
        """Write a small new object (If-None-Match ``*``), whose event shows that capture works."""

    def remove_probe(self, location: Location) -> None:
        """Delete it again, its version too where versions are kept; repeatable."""


class ProbeBook(Protocol):
    """Which probes have come all the way through the events queue to a handler."""

    def note_arrival(self, key: str) -> None:
        """Remember that the event of the probe at ``key`` was received; repeatable."""

    def has_arrived(self, key: str) -> bool:
        """Whether it was."""


class CensusBook(Protocol):
    """What every record says that its two keys hold, on disk, to be compared with a listing of both sides."""

    def add_expected(self, expected: Iterator[Expected]) -> None:
        """Remember them; of one place of one role the last one counts."""

    def meet(self, place: Location) -> Sequence[Expected]:
        """What records say of a place that a listing shows, at most one of each role; it counts as met from now on."""

    def find_unmet(self) -> Iterator[tuple[str, Role]]:
        """The record ids, each with the role of a place that was never met although an object is expected there."""


class KeyBook(Protocol):
    """The keys of all records, on disk, so that millions of them need no memory."""

    def add_pairs(self, pairs: Iterator[tuple[Location, Location | None]]) -> None:
        """Remember sources, each with its target where there is or was a copy."""

    def has_source(self, location: Location) -> bool:
        """Whether a record is of this source."""

    def has_target(self, location: Location) -> bool:
        """Whether a record names this target."""


class UploadListing(Protocol):
    """Multipart uploads of a bucket."""

    def list_uploads(self, bucket: str, *, prefix: str = "") -> Iterator[tuple[Location, str, float]]:
        """Those that are neither completed nor aborted: where to, id, when begun (seconds since 1970)."""
