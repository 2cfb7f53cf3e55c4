"""What doctor asks about a migration's buckets, queues, table, bus and deployed stack; reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from domain.keys import Location
from domain.lifecycle.stages import StageEntry


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """One bucket: ``versioning`` is Enabled, Suspended or Off; ``sends_events`` says to which kinds of places.

    ``server_time`` is S3's clock, seconds since 1970, and 0 where the answer had no date.
    """

    versioning: str
    sends_events: tuple[str, ...]
    server_time: float


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """One queue: times in seconds; ``dead_letter_arn`` is empty where there is none."""

    visibility_seconds: int
    retention_seconds: int
    dead_letter_arn: str
    most_receives: int


@dataclass(frozen=True, slots=True)
class MappingFacts:
    """One event source mapping; ``concurrency`` is ``None`` where nothing limits it."""

    state: str
    reports_failures: bool
    concurrency: int | None
    source_arn: str


@dataclass(frozen=True, slots=True)
class TableFacts:
    """The manifest's table; ``expiry`` names the attribute of its time to live, and is empty where that is off."""

    stream_view: str
    recovery: bool
    expiry: str
    protected: bool


@dataclass(frozen=True, slots=True)
class BucketRules:
    """What of a bucket's settings could bite; a text is empty where nothing is set."""

    lock_mode: str
    encryption: str
    requester_pays: bool


@dataclass(frozen=True, slots=True)
class Tried:
    """One condition of S3; ``fault`` is empty where a wrong one is refused and a right one taken.

    Without one that ``is_vital`` the protocol does not hold; the other ones are a second line.
    """

    name: str
    fault: str
    is_vital: bool = True


class Inspector(Protocol):
    """Looks at what a migration needs. Raises MissingResourceError or AccessDeniedError where that cannot be used."""

    def bucket(self, name: str) -> BucketFacts:
        """The bucket, which can be listed."""

    def lifecycle(self, name: str) -> Sequence[Mapping[str, Any]]:
        """The bucket's enabled lifecycle rules, as S3 tells them."""

    def can_read(self, location: Location) -> None:
        """Raises AccessDeniedError where HEAD is denied; an absent object is fine."""

    def table_stream(self, table: str) -> str:
        """The stream's view type; empty where the table has none."""

    def stage_of(self, table: str) -> StageEntry:
        """The migration's stage."""

    def queue(self, url: str) -> QueueFacts:
        """The queue."""

    def bus(self, name: str) -> None:
        """Raises MissingResourceError where there is no such event bus."""

    def identity(self) -> str:
        """The ARN of the credentials."""


class StackInspector(Protocol):
    """Looks at one deployed stack, by its name. Raises MissingResourceError where a part of it is not there."""

    @property
    def name(self) -> str:
        """The stack's name."""

    @property
    def resources(self) -> Mapping[str, str]:
        """Logical to physical ids."""

    def mappings(self, function: str) -> Sequence[MappingFacts]:
        """The function's event source mappings."""

    def time_out(self, function: str) -> int:
        """Seconds for which the function may run."""

    def concurrency(self) -> int:
        """How many invocations this account may run at once, of those that nobody reserved."""

    def table(self, table: str) -> TableFacts:
        """The table's safety."""

    def rule_state(self, rule: str) -> str:
        """ENABLED or DISABLED."""

    def senders(self, queue_url: str) -> Sequence[str]:
        """The conditions of each statement of the queue's policy, as JSON: which services and ARNs may send."""

    def denied(self, role: str, actions: Sequence[str], resource: str, *, account: str) -> Sequence[str]:
        """Those of the actions that the role's own policies do not allow on the resource, by simulation."""

    def account(self) -> str:
        """This account's number."""

    def region(self) -> str:
        """Where the stack is."""

    def bucket(self, name: str) -> BucketRules:
        """The bucket's settings."""
