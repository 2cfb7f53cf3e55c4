"""The ports of start, verify, cutover and cleanup besides the protocol's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.keys import Location
from domain.lifecycle.census import Expected, Role
from domain.lifecycle.reported import ReportedObject
from domain.lifecycle.stages import StageEntry
from domain.objects import ObjectState
from domain.steering.control import Control


class StageBook(Protocol):
    """The stage of the migration, kept beside the records."""

    def read_stage(self) -> StageEntry:
        """The stage now, strongly consistent; PREPARED where none was ever written."""

    def write_stage(self, entry: StageEntry, *, before: StageEntry, control: Control | None = None) -> bool:
        """Replace ``before``, if its revision is unchanged; ``False`` when another command changed it meanwhile.

        With ``control`` it is written only while the control item is that one (its fence is unchanged), in one step.
        """


class ByteReader(Protocol):
    """Reads whole objects, where HEAD cannot prove that two are equal."""

    def digest_object(self, location: Location, *, seen: ObjectState) -> str | None:
        """The SHA-256 (hexadecimal) of exactly the object that was ``seen``; ``None`` when another one is there now."""


@dataclass(frozen=True, slots=True)
class Capture:
    """How live capture was found and set up.

    ``before`` and ``after`` are the bucket's notification configuration as JSON text before and after keyshift changed
    it. ``rule`` is the EventBridge rule that keyshift made, empty where there is none. ``through`` is ``queue`` or
    ``eventbridge``, and empty in an entry of an earlier version. ``pattern`` is the rule's event pattern, and
    ``statement`` what the events queue's policy gets, both as JSON text and empty where nothing is written.
    """

    bucket: str
    before: str
    after: str
    rule: str = ""
    through: str = ""
    pattern: str = ""
    statement: str = ""


@dataclass(frozen=True, slots=True)
class CaptureRefused:
    """Live capture must not be switched on in this way; ``why`` names the obstacle and the remedy."""

    why: str


@dataclass(frozen=True, slots=True)
class Restored:
    """The notification configuration after live capture was removed, as JSON text.

    ``is_as_before`` means that it equals the configuration before, except for what stays on purpose; ``stays`` names
    that.
    """

    configuration: str
    is_as_before: bool
    stays: str = ""


class LiveCapture(Protocol):
    """The source bucket's notifications; each of several migrations of one bucket has its own entry or rule."""

    def read_configuration(self) -> str:
        """The bucket's whole notification configuration as JSON text, the same text for the same configuration."""

    def plan_capture(self, *, through: str) -> Capture | CaptureRefused:
        """What switching on would change; nothing is written.

        ``through`` is ``queue``, ``eventbridge``, or ``auto``: the way that reaches the events queue already, else the
        queue. Refused are a second way beside an existing one (each event would come twice), and a capture that
        overlaps another migration's.
        """

    def find_fault(self, capture: Capture) -> str | None:
        """The part of ``capture`` that no longer exists; ``None`` where events still reach the events queue.

        The queue's policy is not checked, and a new configuration may not be in force yet: only a probe shows that.
        """

    def switch_on(self, capture: Capture) -> None:
        """Let the bucket's events reach the events queue; every other notification stays. Repeatable.

        It is read again afterwards. Raises UnavailableError where other programs remove keyshift's entry each time.
        """

    def restore(self, capture: Capture) -> Restored:
        """Remove what keyshift added; later changes stay, and so does EventBridge, which others may use."""

    def write_probe(self, location: Location) -> None:
        """Write a small new object (If-None-Match ``*``); its event shows that capture works."""

    def remove_probe(self, location: Location) -> None:
        """Delete it again, its version too where versions are kept; repeatable."""


class ProbeBook(Protocol):
    """The probes whose events reached a handler through the events queue."""

    def note_arrival(self, key: str) -> None:
        """Remember that the event of the probe at ``key`` was received; repeatable."""

    def has_arrived(self, key: str) -> bool:
        """Whether it was."""


class CensusBook(Protocol):
    """What every record expects at its two keys, on disk, to be compared with a listing of both sides."""

    def add_expected(self, expected: Iterator[Expected]) -> None:
        """Store them; of one place in one role the last one counts."""

    def meet(self, place: Location) -> Sequence[Expected]:
        """What records expect at a listed place, at most one of each role; the place then counts as met."""

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


class ReportedObjects(Protocol):
    """The current objects of both sides as their inventories name them, on disk."""

    @property
    def until(self) -> float:
        """The second, since 1970, until which the inventories certainly tell what was at a key."""

    def find_objects(self, places: Sequence[Location]) -> Mapping[Location, ReportedObject]:
        """The objects at these places; a place that no row or more than one row names as current is left out."""


class UploadListing(Protocol):
    """Multipart uploads of a bucket."""

    def list_uploads(self, bucket: str, *, prefix: str = "") -> Iterator[tuple[Location, str, float]]:
        """Uploads that are neither completed nor aborted: target, id, time of begin (seconds since 1970)."""
