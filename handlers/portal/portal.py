"""What each of the portal's functions is given, and the looks that all of them begin with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from domain.portal.layout import Layout
from domain.portal.ports import PathResolver, ResolvedPath, TrainingBook, UseCaseBook, Workplace, Workplaces
from domain.portal.records import Item, UseCase
from domain.protocol.ports import Clock
from handlers.portal.access import Identity, UserRole, require
from handlers.portal.archives import ArchiveLimits
from handlers.portal.errors import HttpError
from handlers.portal.presenting import presented

CHANGE_ROUNDS = 8
"""Several jobs of one record may end at the same time; each change is tried again on what is there then."""


@dataclass(frozen=True, slots=True)
class UseCaseServices:
    """One use case at work: its layout, its paths and its account's services."""

    portal: "Portal"
    use_case: UseCase
    layout: Layout
    paths: PathResolver
    open_workplace: Callable[[], Workplace]

    def resolve(self, uri: str) -> ResolvedPath:
        """Where one URI leads."""
        return self.paths.resolve_paths([uri])[0]

    def present(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """An answer's body with URIs of the new layout."""
        return presented(body, paths=self.paths, layout=self.layout)


@dataclass(frozen=True, slots=True)
class Portal:
    """Everything that ``bootstrap.portal`` wires together, and that tests replace by fakes."""

    trainings: TrainingBook
    use_cases: UseCaseBook
    workplaces: Workplaces
    layout_of: Callable[[UseCase], Layout]
    paths_of: Callable[[UseCase], PathResolver]
    clock: Clock
    new_token: Callable[[], str]
    sleep: Callable[[float], None]
    algorithm_arn: str
    limits: ArchiveLimits
    say: Callable[..., None]
    """Logs one line: a message and its fields."""

    def services_for(self, use_case_id: str, identity: Identity, roles: frozenset[UserRole]) -> UseCaseServices:
        """The use case for this caller: 403 where it is not allowed, 404 where there is none."""
        require(identity, use_case_id, roles, self.use_cases)
        return self.services_of(use_case_id)

    def services_of(self, use_case_id: str) -> UseCaseServices:
        """The use case, without a check of the caller."""
        use_case = self.use_cases.read_use_case(use_case_id)
        if use_case is None:
            raise HttpError(404, f"There is no use case {use_case_id}", field="usecase_id")
        return UseCaseServices(
            self,
            use_case,
            self.layout_of(use_case),
            self.paths_of(use_case),
            lambda: self.workplaces.open_workplace(use_case),
        )

    def training(
        self, training_id: str, identity: Identity, roles: frozenset[UserRole]
    ) -> tuple[Item, UseCaseServices]:
        """A record and its use case: 404 where there is no record, 403 where the caller may not."""
        item = self.trainings.read_training(training_id)
        if item is None:
            raise HttpError(404, f"There is no training {training_id}", field="training_id")
        return item, self.services_for(str(item["usecase_id"]), identity, roles)

    def change(self, training_id: str, changes_of: Callable[[Item], dict[str, Any]]) -> Item:
        """Change a record by what it holds now; a change by another request in between is not overwritten."""
        for _ in range(CHANGE_ROUNDS):
            item = self.trainings.read_training(training_id)
            if item is None:
                raise HttpError(404, f"There is no training {training_id}", field="training_id")
            changes = changes_of(item)
            if not changes:
                return item
            changes["updated_at"] = int(self.clock.now() * 1_000)
            if self.trainings.change_training(training_id, changes, before=item):
                return {**item, **changes}
        raise HttpError(409, f"The training {training_id} is being changed by others: try again")
