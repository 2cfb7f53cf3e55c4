"""What doctor reads of a migration's buckets, queues, table and bus, its stack and the portal's users; no writes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from domain.keys import Location
from domain.lifecycle.stages import StageEntry


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """One bucket: ``versioning`` is Enabled, Suspended or Off; ``sends_events``: the kinds of places.

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
    """The settings of a bucket that can harm a migration; a text is empty where nothing is set."""

    lock_mode: str
    encryption: str
    requester_pays: bool
    has_object_lock: bool = False


@dataclass(frozen=True, slots=True)
class Tried:
    """One conditional request; ``fault`` is empty where S3 refuses a wrong condition and accepts a right one.

    Without one that ``is_vital`` the protocol is not safe; the other ones are a second protection.
    """

    name: str
    fault: str
    is_vital: bool = True


@dataclass(frozen=True, slots=True)
class AppClient:
    """One app client of a user pool; ``writes`` are its WriteAttributes, and empty where it lists none."""

    client_id: str
    name: str
    writes: tuple[str, ...]


class Inspector(Protocol):
    """Reads what a migration needs. Raises MissingResourceError or AccessDeniedError where that cannot be used."""

    def bucket(self, name: str) -> BucketFacts:
        """The bucket, which can be listed."""

    def lifecycle(self, name: str) -> Sequence[Mapping[str, Any]]:
        """The bucket's enabled lifecycle rules, as S3 tells them."""

    def can_read(self, location: Location) -> None:
        """Raises AccessDeniedError where HEAD is denied; an absent object is fine."""

    def can_read_annotations(self, bucket: str, prefix: str) -> bool:
        """Whether there is an object to try it on; it is read, never written.

        Raises AccessDeniedError where that is denied, RefusedRequestError where the server has no annotations.
        """

    def can_read_versions(self, bucket: str, prefix: str) -> bool:
        """Whether there is an earlier version to try it on; versions are listed, and one is looked at with its tags.

        Raises AccessDeniedError where that is denied.
        """

    def kms_keys(self, bucket: str, prefix: str) -> frozenset[str]:
        """The ARNs of the KMS keys of some of the bucket's first objects."""

    def is_of_account(self, bucket: str, account: str) -> bool:
        """Whether the bucket, which can be listed, belongs to that account."""

    def ownership(self, bucket: str) -> str:
        """The bucket's Object Ownership: BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter.

        Raises AccessDeniedError where it may not be read.
        """

    def table_stream(self, table: str) -> str:
        """The stream's view type; empty where the table has none."""

    def stage_of(self, table: str) -> StageEntry:
        """The migration's stage."""

    def queue(self, url: str) -> QueueFacts:
        """The queue."""

    def bus(self, name: str) -> None:
        """Raises MissingResourceError where the event bus does not exist."""

    def identity(self) -> str:
        """The ARN of the credentials."""


class StackInspector(Protocol):
    """Reads one deployed stack, by its name. Raises MissingResourceError where a part of it does not exist."""

    @property
    def name(self) -> str:
        """The stack's name."""

    @property
    def resources(self) -> Mapping[str, str]:
        """Logical to physical ids."""

    def mappings(self, function: str) -> Sequence[MappingFacts]:
        """The function's event source mappings."""

    def time_out(self, function: str) -> int:
        """The function's time-out in seconds."""

    def concurrency(self) -> int:
        """How many invocations this account may run at the same time without a reservation."""

    def table(self, table: str) -> TableFacts:
        """The table's protection settings."""

    def rule_state(self, rule: str) -> str:
        """ENABLED or DISABLED."""

    def senders(self, queue_url: str) -> Sequence[str]:
        """The conditions of each statement of the queue's policy, as JSON: the services and ARNs that may send."""

    def denied(self, role: str, actions: Sequence[str], resource: str, *, account: str) -> Sequence[str]:
        """The actions that the role's own policies do not allow on the resource, through S3, by simulation."""

    def account(self) -> str:
        """This account's number."""

    def region(self) -> str:
        """The stack's region."""

    def bucket(self, name: str) -> BucketRules:
        """The bucket's settings."""


class UserPool(Protocol):
    """Looks at one Cognito user pool. Raises MissingResourceError where it is not there."""

    @property
    def pool_id(self) -> str:
        """The pool's id."""

    def list_attributes(self) -> frozenset[str]:
        """The attributes that a user of the pool can have; the pool's own ones begin with ``custom:``."""

    def list_app_clients(self) -> Iterator[AppClient]:
        """Every app client."""
