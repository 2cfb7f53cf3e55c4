"""What the portal's functions ask of the world."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from domain.keys import Location
from domain.lifecycle.ports import StageBook
from domain.portal.records import Item, JobEnd, JobKind, UseCase
from domain.protocol.ports import Clock, Manifest, ObjectStore, Refused, Written


@dataclass(frozen=True, slots=True)
class ResolvedPath:
    """What a URI means now: its form in the new layout and where its bytes are; ``reason`` says what is missing.

    ``is_foreign``: it is well written, and of a bucket that does not belong to the use case.
    """

    uri: str
    new: Location | None = None
    location: Location | None = None
    reason: str = ""
    is_foreign: bool = False


class PathResolver(Protocol):
    """Any URI of a use case's bucket, legacy or new."""

    def resolve_paths(self, uris: Sequence[str]) -> Sequence[ResolvedPath]:
        """Where they lead, in their order; a URI that leads nowhere is an answer with its reason, not an error."""


class TrainingBook(Protocol):
    """The portal's training-jobs table, strongly consistent for one item."""

    def read_training(self, training_id: str) -> Item | None:
        """The item."""

    def create_training(self, item: Item) -> Item | None:
        """Write a new item; where one of its id is there, that one, and nothing is written."""

    def change_training(self, training_id: str, changes: Item, *, before: Item) -> bool:
        """Set attributes, if each of them is still as in ``before``; ``False`` when one is not."""

    def find_trainings(self, *, job_name: str) -> Sequence[Item]:
        """Every item whose training job, or one of whose compilation jobs, has this name: accounts may share one."""

    def write_model(self, item: Item) -> None:
        """Put an item into the models table; repeatable."""


class UseCaseBook(Protocol):
    """The portal's use cases, and who may work on them."""

    def read_use_case(self, use_case_id: str) -> UseCase | None:
        """The use case; raises InputError where its item lacks something."""

    def is_assigned(self, user_id: str, use_case_id: str) -> bool:
        """Whether the use case was given to this user."""


class JobService(Protocol):
    """SageMaker, as far as the portal starts and reads jobs."""

    def create_job(self, kind: JobKind, request: Mapping[str, Any]) -> str | None:
        """Start it (the request is SageMaker's); its ARN, or ``None`` when a job of the name exists."""

    def describe_job(self, kind: JobKind, name: str) -> tuple[str, JobEnd] | None:
        """ARN and state; ``None`` when there is no such job."""

    def read_job_tags(self, arn: str) -> Mapping[str, str]:
        """The tags of a job that exists."""


class ComponentService(Protocol):
    """Greengrass, as far as components are published."""

    def create_component_version(
        self, recipe: Mapping[str, Any], *, tags: Mapping[str, str], client_token: str
    ) -> str | None:
        """Publish; the version's ARN, or ``None`` when the version exists. The same token publishes once."""

    def read_recipe(self, arn: str) -> Mapping[str, Any] | None:
        """The recipe of a component version; ``None`` when there is none."""

    def read_tags(self, arn: str) -> Mapping[str, str]:
        """The tags of a component version that exists; none where it has none."""

    def read_state(self, arn: str) -> str:
        """Greengrass's word for the version's state: ``DEPLOYABLE``, ``REQUESTED`` or ``FAILED``, say."""

    def list_versions(self, component_arn: str) -> list[str]:
        """Every version of a component, newest first; none when it does not exist."""

    def component_arn(self, name: str) -> str:
        """The ARN of a component of this account and region, without a version."""


class ObjectReader(Protocol):
    """The bytes of one object, in their order; all of them belong to one version of it."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, empty at the end."""

    def close(self) -> None:
        """No more is read."""


class ObjectWriter(Protocol):
    """A new object under way."""

    def write(self, body: bytes, /) -> int:
        """Append; how many bytes."""

    def finish(self) -> Written | Refused:
        """Make it an object, if there is none at its key (If-None-Match ``*``)."""


class ObjectStreams(Protocol):
    """Whole objects of any size in bounded memory."""

    def open_object(self, location: Location) -> AbstractContextManager[ObjectReader] | None:
        """Read the object; ``None`` only where S3 is certain that there is none."""

    def new_object(
        self, location: Location, *, metadata: Mapping[str, str], content_type: str
    ) -> AbstractContextManager[ObjectWriter]:
        """Write a new object; left without ``finish``, or by an exception, nothing of it stays."""

    def read_metadata(self, location: Location) -> Mapping[str, str] | None:
        """The object's own metadata; ``None`` when there is no object."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """The services in one use case's account."""

    jobs: JobService
    components: ComponentService
    objects: ObjectStreams


class Workplaces(Protocol):
    """The way into the use cases' accounts."""

    def open_workplace(self, use_case: UseCase) -> Workplace:
        """The services under the use case's role, with its external id; this account's own where it names no role."""


@dataclass(frozen=True, slots=True)
class PortalPorts:
    """The world of the portal's functions: their own tables and accounts, and the migration that they live through."""

    trainings: TrainingBook
    use_cases: UseCaseBook
    workplaces: Workplaces
    clock: Clock
    manifest: Manifest
    store: ObjectStore
    stages: StageBook
