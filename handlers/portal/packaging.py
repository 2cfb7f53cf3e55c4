"""Lambda: ``POST /training/{id}/package`` packs compiled models as component zips under ``deployments/``."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from domain.portal.jobs import deployment_name, digest_of
from domain.portal.layout import DeploymentArtifact
from domain.portal.ports import ObjectStreams
from domain.portal.records import Item, compiled_jobs, with_entries
from domain.portal.targets import Target
from handlers.portal.access import BUILDERS
from handlers.portal.archives import ArchiveError
from handlers.portal.errors import HttpError
from handlers.portal.http import Answer, Request, Routes, respond
from handlers.portal.models import ComponentObject, TrainedModel, opened, read_trained_model, write_component
from handlers.portal.portal import UseCaseServices
from handlers.portal.wiring import portal_of


class PackagingRequest(BaseModel):
    """What is to be packed; no targets: all that are compiled."""

    model_config = ConfigDict(extra="forbid")

    targets: list[Target] | None = Field(default=None, min_length=1, max_length=len(Target))
    client_token: str | None = Field(default=None, min_length=1, max_length=256)


def package_training(request: Request) -> Answer:
    """Pack what the body names."""
    wanted = request.body_as(PackagingRequest)
    item, services = request.training(BUILDERS)
    return package_models(services, item, wanted.targets, request.token(wanted.client_token))


ROUTES: Routes = {"POST /training/{training_id}/package": package_training}


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one request."""
    return respond(event, portal_of(), ROUTES)


def package_models(services: UseCaseServices, item: Item, targets: list[Target] | None, token: str) -> Answer:
    """One component of each target; one that cannot be packed does not keep the others from it.

    A repeat with the same token finds what it wrote: the key and the request's mark are the same.
    """
    jobs = compiled_jobs(item, targets)
    missing = [target.value for target in targets or () if target not in jobs]
    if missing or not jobs:
        said = f"for {', '.join(missing)}" if missing else "of this training"
        raise HttpError(409, f"There is no completed compilation {said}: compile first", field="targets")
    if not item.get("artifact_s3"):
        raise HttpError(409, "The training has no model yet", field="artifact_s3")
    objects = services.open_workplace().objects
    with opened(services, objects, str(item["artifact_s3"]), "artifact_s3") as source:
        model = read_trained_model(source, services.portal.limits)
    packing = _Packing(services, objects, str(item["training_id"]), model, token)
    entries = [packing.pack(job) for job in jobs.values()]
    services.portal.change(
        item["training_id"],
        lambda now: {"packaged_components": with_entries(now, "packaged_components", entries, same=("target",))},
    )
    good = sum(entry["status"] == "packaged" for entry in entries)
    body = {"training_id": item["training_id"], "packaged_components": entries}
    status = 200 if good == len(entries) else 207 if good else 409
    return status, services.present(body)


@dataclass(frozen=True, slots=True)
class _Packing:
    """One training whose compiled models are packed; ``token`` is the request's."""

    services: UseCaseServices
    objects: ObjectStreams
    training_id: str
    model: TrainedModel
    token: str

    def pack(self, job: Item) -> dict[str, Any]:
        """Pack one compiled model; what the record says of it."""
        target = Target(job["target"])
        deployment = deployment_name(self.training_id, target, self.token)
        place = self.services.layout.deployment(deployment, DeploymentArtifact.COMPONENT)
        name = str(job["compilation_job_name"])
        request = digest_of("package", self.training_id, target.value, self.token, name)
        component = ComponentObject(self.objects, place, request)
        try:
            if not component.is_there():
                uri = str(job["compiled_model_s3"])
                with opened(self.services, self.objects, uri, "compiled_model_s3") as source:
                    write_component(source, component, model=self.model, limits=self.services.portal.limits)
        except (ArchiveError, HttpError) as error:
            return {"target": target.value, "status": "failed", "error": str(error)}
        return {
            "target": target.value,
            "component_package_s3": place.uri,
            "deployment": deployment,
            "status": "packaged",
        }
