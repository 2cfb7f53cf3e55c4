"""The portal's world in memory: tables, use cases, SageMaker, Greengrass and object streams that keep the contract."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from typing import Any

from domain.keys import Location
from domain.portal.ports import ObjectReader, ObjectWriter, Workplace
from domain.portal.records import Item, JobEnd, JobKind, UseCase
from domain.protocol.ports import Refused, Written
from handlers.demo.cloud import ACCOUNT, PlayedComponents, PlayedJobs
from tests.fakes.faults import ScriptedFaults
from tests.fakes.object_store import InMemoryObjectStore


class InMemoryTrainingBook(ScriptedFaults):
    """TrainingBook as a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[str, dict[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}

    def read_training(self, training_id: str) -> Item | None:
        """See the port."""
        with self._faulty("read_training"):
            return deepcopy(self.items.get(training_id))

    def create_training(self, item: Item) -> Item | None:
        """See the port."""
        with self._faulty("create_training"):
            there = self.items.get(item["training_id"])
            if there is None:
                self.items[item["training_id"]] = deepcopy(dict(item))
            return deepcopy(there)

    def change_training(self, training_id: str, changes: Item, *, before: Item) -> bool:
        """See the port."""
        with self._faulty("change_training"):
            now = self.items.get(training_id)
            if now is None or any(
                (name in now, now.get(name)) != (name in before, before.get(name)) for name in changes
            ):
                return False
            now.update(deepcopy(dict(changes)))
            return True

    def find_trainings(self, *, job_name: str) -> Sequence[Item]:
        """See the port."""
        with self._faulty("find_trainings"):
            return [deepcopy(item) for item in self.items.values() if job_name in _job_names(item)]

    def write_model(self, item: Item) -> None:
        """See the port."""
        with self._faulty("write_model"):
            self.models[item["model_id"]] = deepcopy(dict(item))


def _job_names(item: Item) -> set[str]:
    jobs = {str(job.get("compilation_job_name")) for job in item.get("compilation_jobs", [])}
    return jobs | {str(item.get("training_job_name"))}


class InMemoryUseCaseBook:
    """UseCaseBook as a dict; ``assigned`` holds pairs of user and use case."""

    def __init__(self, *use_cases: UseCase) -> None:
        self.use_cases = {one.use_case_id: one for one in use_cases}
        self.assigned: set[tuple[str, str]] = set()

    def read_use_case(self, use_case_id: str) -> UseCase | None:
        """See the port."""
        return self.use_cases.get(use_case_id)

    def is_assigned(self, user_id: str, use_case_id: str) -> bool:
        """See the port."""
        return (user_id, use_case_id) in self.assigned


class InMemoryJobService(ScriptedFaults, PlayedJobs):
    """JobService that errs as told."""

    def __init__(self) -> None:
        ScriptedFaults.__init__(self)
        PlayedJobs.__init__(self)

    def create_job(self, kind: JobKind, request: Mapping[str, Any]) -> str | None:
        """See the port."""
        with self._faulty(f"create_{kind.lower()}_job"):
            return super().create_job(kind, request)

    def describe_job(self, kind: JobKind, name: str) -> tuple[str, JobEnd] | None:
        """See the port."""
        with self._faulty("describe"):
            return super().describe_job(kind, name)


class InMemoryComponentService(ScriptedFaults, PlayedComponents):
    """ComponentService that errs as told."""

    def __init__(self, account: str = ACCOUNT) -> None:
        ScriptedFaults.__init__(self)
        PlayedComponents.__init__(self, account)

    def create_component_version(
        self, recipe: Mapping[str, Any], *, tags: Mapping[str, str], client_token: str
    ) -> str | None:
        """See the port."""
        with self._faulty("create_component_version"):
            return super().create_component_version(recipe, tags=tags, client_token=client_token)


class InMemoryObjectStreams(ScriptedFaults):
    """ObjectStreams over an InMemoryObjectStore."""

    def __init__(self, store: InMemoryObjectStore) -> None:
        super().__init__()
        self._store = store

    def open_object(self, location: Location) -> AbstractContextManager[ObjectReader] | None:
        """See the port."""
        with self._faulty("open_object"):
            body = self._store.body(location)
            return io.BytesIO(body) if body is not None else None

    @contextmanager
    def new_object(
        self, location: Location, *, metadata: Mapping[str, str], content_type: str
    ) -> Iterator[ObjectWriter]:
        """See the port."""
        yield _Writer(self, self._store, location, metadata)

    def read_metadata(self, location: Location) -> Mapping[str, str] | None:
        """See the port."""
        state = self._store.look_at_object(location)
        return state.metadata if state is not None else None


class _Writer:
    def __init__(
        self,
        streams: InMemoryObjectStreams,
        store: InMemoryObjectStore,
        location: Location,
        metadata: Mapping[str, str],
    ) -> None:
        self._streams = streams
        self._store = store
        self._location = location
        self._metadata = metadata
        self._body = bytearray()

    def write(self, body: bytes, /) -> int:
        self._body += body
        return len(body)

    def finish(self) -> Written | Refused:
        with self._streams._faulty("finish"):
            if self._store.body(self._location) is not None:
                return Refused.PRECONDITION
            return Written(self._store.put(self._location, bytes(self._body), metadata=self._metadata).etag)


class InMemoryWorkplaces:
    """Workplaces with one set of services for all; ``opened`` are the use cases that were entered."""

    def __init__(self, store: InMemoryObjectStore) -> None:
        self.jobs = InMemoryJobService()
        self.components = InMemoryComponentService()
        self.objects = InMemoryObjectStreams(store)
        self.opened: list[UseCase] = []

    def open_workplace(self, use_case: UseCase) -> Workplace:
        """See the port."""
        self.opened.append(use_case)
        return Workplace(self.jobs, self.components, self.objects)
