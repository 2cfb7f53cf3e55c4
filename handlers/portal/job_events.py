"""Lambda: SageMaker says that a job changed its state; the record gets the artifact that SageMaker names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from domain.errors import KeyshiftError, MalformedMessageError
from domain.portal.records import Item, JobEnd, JobKind, JobPlace, compilation_changes, job_arn_of, training_changes
from domain.portal.targets import Target
from handlers.portal.compilation import start_compilation
from handlers.portal.errors import HttpError
from handlers.portal.portal import Portal, UseCaseServices
from handlers.portal.wiring import portal_of

TRAINING = "SageMaker Training Job State Change"
COMPILATION = "SageMaker Compilation Job State Change"
_SAID = {
    "unknown": "no record names this job",
    "foreign": "the job of this name that a record names is in another account or region",
    "ambiguous": "several records name this job, and none holds its ARN",
}
_KINDS = {TRAINING: JobKind.TRAINING, COMPILATION: JobKind.COMPILATION}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001  # Lambda's two
    """Take one event; after an error Lambda tries twice more, then the event is in the dead-letter queue."""
    return take_event(event, portal_of())


def take_event(event: Mapping[str, Any], portal: Portal) -> dict[str, Any]:
    """Note in the record what the event says, once and never backwards; what was done, for the log.

    An event of another account's job of the same name changes nothing. Raises MalformedMessageError for an event of
    another kind, or one that does not say where its job is.
    """
    said = str(event.get("detail-type"))
    detail = event.get("detail")
    kind = _KINDS.get(said)
    if kind is None or not isinstance(detail, Mapping) or not detail.get(f"{kind}JobName"):
        raise MalformedMessageError(f"This is not a state change of a SageMaker job: {said!r}")
    end, place = _end_of(detail, kind), _place_of(event, detail, kind)
    found = portal.trainings.find_trainings(job_name=end.name)
    ours = _of_place(portal, found, end.name, place)
    if len(ours) != 1:
        outcome = "ambiguous" if ours else "foreign" if found else "unknown"
        portal.say(_SAID[outcome], job=end.name, account=place.account, region=place.region)
        return {"job": end.name, "outcome": outcome}
    item = ours[0]
    services = portal.services_of(str(item["usecase_id"]))
    end = _with_artifact(services, end, kind)
    decide = training_changes if kind is JobKind.TRAINING else compilation_changes
    done: list[bool] = []

    def changes_of(now: Item) -> dict[str, Any]:
        changes = decide(now, end)
        done.append(bool(changes))
        return changes

    item = portal.change(str(item["training_id"]), changes_of)
    if kind is JobKind.TRAINING and end.status.upper() == "COMPLETED":
        _compile_if_wished(services, item)
    return {"job": end.name, "training_id": item["training_id"], "outcome": "noted" if done[-1] else "known"}


def _place_of(event: Mapping[str, Any], detail: Mapping[str, Any], kind: JobKind) -> JobPlace:
    """Where the job is: a name is one job's in its account and region only, and other accounts' events come too."""
    resources = event.get("resources")
    arns = [detail.get(f"{kind}JobArn"), *(resources if isinstance(resources, list) else [])]
    places = [place for arn in arns if arn and (place := JobPlace.of_arn(str(arn))) is not None]
    if places:
        return places[0]
    if not event.get("account"):
        raise MalformedMessageError("The state change says neither the job's ARN nor its account")
    return JobPlace(str(event["account"]), str(event.get("region") or "") or None)


def _of_place(portal: Portal, items: Sequence[Item], name: str, place: JobPlace) -> list[Item]:
    """The records whose job of this name is the one in this place.

    A record that has no ARN yet counts by its use case: SageMaker takes an execution role of its own account only.
    """
    known = [item for item in items if job_arn_of(item, name)]
    ours = [item for item in known if _is_at(JobPlace.of_arn(str(job_arn_of(item, name))), place)]
    if ours:
        return ours
    return [item for item in items if item not in known and _is_at(_home_of(portal, item), place)]


def _home_of(portal: Portal, item: Item) -> JobPlace | None:
    use_case = portal.services_of(str(item["usecase_id"])).use_case
    role = JobPlace.of_arn(use_case.execution_role_arn)
    return JobPlace(role.account, use_case.region) if role is not None else None


def _is_at(home: JobPlace | None, place: JobPlace) -> bool:
    return home is not None and home.is_same(place)


def _end_of(detail: Mapping[str, Any], kind: JobKind) -> JobEnd:
    artifacts = detail.get("ModelArtifacts")
    artifact = artifacts.get("S3ModelArtifacts") if isinstance(artifacts, Mapping) else None
    return JobEnd(
        str(detail[f"{kind}JobName"]),
        str(detail.get(f"{kind}JobStatus") or ""),
        str(artifact) if artifact else None,
        str(detail["FailureReason"]) if detail.get("FailureReason") else None,
    )


def _with_artifact(services: UseCaseServices, end: JobEnd, kind: JobKind) -> JobEnd:
    """The artifact of a completed job: from the event, else from the describe call, never made up.

    Where the object that it names has moved already, its new URI is noted, so that a late event brings no legacy
    reference back.
    """
    if end.status.upper() == "COMPLETED" and end.artifact is None:
        described = services.open_workplace().jobs.describe_job(kind, end.name)
        end = replace(end, artifact=described[1].artifact) if described is not None else end
    if end.artifact is None:
        return end
    path = services.resolve(end.artifact)
    moved = path.new is not None and path.location == path.new and path.new.uri != end.artifact
    return replace(end, artifact=path.new.uri) if moved and path.new is not None else end


def _compile_if_wished(services: UseCaseServices, item: Item) -> None:
    """``auto_compile``: under a key of its own, so that a repeated event starts nothing twice."""
    targets = [Target(one) for one in item.get("compilation_targets", []) if one in set(Target)]
    if not (item.get("auto_compile") and targets and item.get("artifact_s3")):
        return
    try:
        start_compilation(services, item, targets, f"auto {item['training_id']}")
    except HttpError as error:
        services.portal.say("not compiled by itself", training_id=item["training_id"], why=str(error))
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
    except KeyshiftError as error:
        services.portal.say("not compiled by itself", training_id=item["training_id"], why=str(error))
        raise
