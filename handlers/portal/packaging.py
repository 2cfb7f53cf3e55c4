"""Lambda: ``POST /training/{id}/package`` packs compiled models as component zips under ``deployments/``."""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from pydantic import BaseModel, ConfigDict, Field

from domain.portal.jobs import deployment_name, digest_of
from domain.portal.layout import DeploymentArtifact
from domain.portal.ports import ObjectStreams
from domain.portal.records import Item, compiled_jobs, with_entries
from domain.portal.targets import Target
from handlers.portal.access import BUILDERS
from handlers.portal.archives import ArchiveError
from handlers.portal.desk import Desk, Portal
from handlers.portal.errors import HttpError
from handlers.portal.http import Answer, answered, body_of, caller, respond, token_of
from handlers.portal.models import TrainedModel, is_ours, opened, read_trained_model, write_component
from handlers.portal.presenting import presented
from handlers.portal.wiring import portal_of


class PackagingRequest(BaseModel):
    """What is to be packed; no targets: all that are compiled."""

    model_config = ConfigDict(extra="forbid")

    targets: list[Target] | None = Field(default=None, min_length=1, max_length=len(Target))
    client_token: str | None = Field(default=None, min_length=1, max_length=256)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request."""
    return respond(event, context, portal_of(), routes)


def routes(api: APIGatewayRestResolver, portal: Portal) -> None:
    """``POST /training/{id}/package``."""

    def package(training_id: str) -> Response[str]:
        request = body_of(api, PackagingRequest)
        item, desk = portal.training(training_id, caller(api), BUILDERS)
        token = token_of(api, request.client_token, portal)
        return answered(*package_models(portal, desk, item, request.targets, token))

    api.post("/training/<training_id>/package")(package)


def package_models(portal: Portal, desk: Desk, item: Item, targets: list[Target] | None, token: str) -> Answer:
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
    objects = desk.open_workplace().objects
    with opened(desk, objects, str(item["artifact_s3"]), "artifact_s3") as source:
        model = read_trained_model(source, portal.limits)
    entries = [_packed(portal, desk, objects, item, job, model, token) for job in jobs.values()]
    portal.change(
        item["training_id"],
        lambda now: {"packaged_components": with_entries(now, "packaged_components", entries, same=("target",))},
    )
    good = sum(entry["status"] == "packaged" for entry in entries)
    body = {"training_id": item["training_id"], "packaged_components": entries}
    status = 200 if good == len(entries) else 207 if good else 409
    return status, presented(body, paths=desk.paths, layout=desk.layout)


def _packed(  # noqa: PLR0913, PLR0917  # one compiled model and where it is worked on
    portal: Portal, desk: Desk, objects: ObjectStreams, item: Item, job: Item, model: TrainedModel, token: str
) -> dict[str, Any]:
    target = Target(job["target"])
    deployment = deployment_name(str(item["training_id"]), target, token)
    place = desk.layout.deployment(deployment, DeploymentArtifact.COMPONENT)
    request = digest_of("package", str(item["training_id"]), target.value, token, str(job["compilation_job_name"]))
    try:
        if not is_ours(objects, place, request):
            with opened(desk, objects, str(job["compiled_model_s3"]), "compiled_model_s3") as source:
                write_component(source, objects, place, model=model, request=request, limits=portal.limits)
    except (ArchiveError, HttpError) as error:
        return {"target": target.value, "status": "failed", "error": str(error)}
    return {
        "target": target.value,
        "component_package_s3": place.uri,
        "deployment": deployment,
        "status": "packaged",
    }
