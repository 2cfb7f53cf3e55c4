"""Lambda: ``POST /training`` starts a SageMaker training job that writes to the new layout."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.errors import InputError, PermanentError
from domain.portal.jobs import digest_of, training_id_of, training_job_name
from domain.portal.ports import JobService
from domain.portal.records import CREATING, Item, JobEnd, JobKind, training_changes
from domain.portal.targets import Target
from handlers.portal.access import BUILDERS, Identity
from handlers.portal.errors import HttpError
from handlers.portal.http import Answer, Request, Routes, respond
from handlers.portal.ownership import job_tags, require_own_job
from handlers.portal.portal import Portal, UseCaseServices
from handlers.portal.wiring import portal_of

_ATTRIBUTES = ["source-ref", "anomaly-label-metadata", "anomaly-label"]
_MASKS = ["anomaly-mask-ref-metadata", "anomaly-mask-ref"]
ModelType = Literal["classification", "segmentation", "classification-robust", "segmentation-robust"]


class TrainingRequest(BaseModel):
    """What is to be trained."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, protected_namespaces=())

    usecase_id: str = Field(min_length=1, max_length=256)
    model_name: str = Field(min_length=1, max_length=256)
    model_version: str = Field(min_length=1, max_length=64)
    model_type: ModelType
    dataset_manifest_s3: str = Field(min_length=8, max_length=1_200)
    instance_type: str = Field(default="ml.g4dn.2xlarge", pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")
    max_runtime_seconds: int | None = Field(default=None, ge=60, le=432_000)
    hyperparameters: dict[str, str] = Field(default_factory=dict, max_length=90)
    auto_compile: bool = False
    compilation_targets: list[Target] = Field(default_factory=list, max_length=len(Target))
    client_token: str | None = Field(default=None, min_length=1, max_length=256)


def create_training(request: Request) -> Answer:
    """Start what the body names."""
    wanted = request.body_as(TrainingRequest)
    return start_training(request.portal, request.caller, wanted, request.token(wanted.client_token))


ROUTES: Routes = {"POST /training": create_training}


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one request."""
    return respond(event, portal_of(), ROUTES)


def start_training(portal: Portal, identity: Identity, request: TrainingRequest, token: str) -> Answer:
    """The record first, on the condition that there is none, then the job under the name that the record holds.

    A repeat with the same token finds the record and goes on where the first try stopped: 200 instead of 201. With
    another body it is 409.
    """
    services = portal.services_for(request.usecase_id, identity, BUILDERS)
    if not portal.algorithm_arn:
        raise HttpError(503, "No training algorithm is configured: set KEYSHIFT_PORTAL_ALGORITHM_ARN")
    wanted = _item_of(services, identity, request, token)
    there = portal.trainings.create_training(wanted)
    item = there or wanted
    if item.get("request") != wanted["request"]:
        raise HttpError(409, "This idempotency key was used for another request", field="Idempotency-Key")
    if not item.get("training_job_arn"):
        item = _started(services, item)
    return 201 if there is None else 200, services.present(shown(item))


def shown(item: Item) -> dict[str, Any]:
    """What an answer says of a new record."""
    names = ("training_id", "training_job_name", "training_job_arn", "status", "dataset_manifest_s3")
    return {name: item[name] for name in names if name in item}


def _item_of(services: UseCaseServices, identity: Identity, request: TrainingRequest, token: str) -> dict[str, Any]:
    manifest = _readable_manifest(services, request.dataset_manifest_s3)
    now = services.portal.clock.now()
    training_id = training_id_of(request.usecase_id, identity.user_id, token)
    attributes = [*_ATTRIBUTES, *(_MASKS if request.model_type.startswith("segmentation") else [])]
    default_runtime = 7_200 if request.model_type.startswith("segmentation") else 3_600
    body = request.model_dump_json(exclude={"client_token"})
    return {
        "training_id": training_id,
        "usecase_id": request.usecase_id,
        "model_name": request.model_name,
        "model_version": request.model_version,
        "model_type": request.model_type,
        "dataset_manifest_s3": manifest,
        "algorithm_uri": services.portal.algorithm_arn,
        "hyperparameters": {
            "ModelType": request.model_type,
            "TrainingInputDataAttributeNames": ",".join(attributes),
            "TestInputDataAttributeNames": ",".join(attributes),
            **request.hyperparameters,
        },
        "instance_type": request.instance_type,
        "max_runtime_seconds": request.max_runtime_seconds or default_runtime,
        "training_job_name": training_job_name(request.model_name, now=now, training_id=training_id),
        "s3_output_path": services.layout.training_output_uri,
        "status": CREATING,
        "created_by": identity.email,
        "created_at": int(now * 1_000),
        "updated_at": int(now * 1_000),
        "auto_compile": request.auto_compile,
        "compilation_targets": [target.value for target in request.compilation_targets],
        "request": digest_of(body),
    }


def _readable_manifest(services: UseCaseServices, uri: str) -> str:
    """Where the manifest's bytes are now; a manifest in another account's bucket is taken as it is."""
    path = services.resolve(uri)
    if path.is_foreign:
        return uri
    if path.location is None:
        raise HttpError(400, f"dataset_manifest_s3 leads to no object: {path.reason}", field="dataset_manifest_s3")
    return path.location.uri


def _started(services: UseCaseServices, item: Item) -> Item:
    jobs = services.open_workplace().jobs
    try:
        arn, end = _begun(jobs, job_request(services, item), str(item["training_id"]))
    except (PermanentError, InputError) as error:
        reason = str(error)[:1_000]
        # What an event said meanwhile of a job that an earlier try had started stays.
        failed = {"status": "Failed", "failure_reason": reason}
        services.portal.change(item["training_id"], lambda now: failed if now.get("status") == CREATING else {})
        raise

    def note(now: Item) -> dict[str, Any]:
        # An event may have come first: what it said of the job's end stays.
        waiting = now.get("status") in (CREATING, "Failed") and not now.get("training_job_arn")
        return {"training_job_arn": arn, **(training_changes({**now, "status": CREATING}, end) if waiting else {})}

    return services.portal.change(item["training_id"], note)


def _begun(jobs: JobService, request: dict[str, Any], training_id: str) -> tuple[str, JobEnd]:
    """The ARN of the job and how it stands; one of this name is an earlier try of the same request, or another's."""
    name = request["TrainingJobName"]
    arn = jobs.create_job(JobKind.TRAINING, request)
    if arn is not None:
        return arn, JobEnd(name, "InProgress")
    described = jobs.describe_job(JobKind.TRAINING, name)
    if described is None:
        raise HttpError(503, f"SageMaker has a job {name} and does not show it yet: try again")
    require_own_job(jobs, described[0], training_id)
    return described


def job_request(services: UseCaseServices, item: Item) -> dict[str, Any]:
    """CreateTrainingJob's request: SageMaker itself appends the job's name to S3OutputPath."""
    names = item["hyperparameters"]["TrainingInputDataAttributeNames"].split(",")
    source = {
        "S3DataType": "AugmentedManifestFile",
        "S3Uri": item["dataset_manifest_s3"],
        "S3DataDistributionType": "ShardedByS3Key",
        "AttributeNames": names,
    }
    channel = {
        "ChannelName": "training",
        "DataSource": {"S3DataSource": source},
        "CompressionType": "None",
        "RecordWrapperType": "RecordIO",
        "InputMode": "Pipe",
    }
    return {
        "TrainingJobName": item["training_job_name"],
        "HyperParameters": dict(item["hyperparameters"]),
        "AlgorithmSpecification": {"AlgorithmName": item["algorithm_uri"], "TrainingInputMode": "File"},
        "RoleArn": services.use_case.execution_role_arn,
        "InputDataConfig": [channel],
        "OutputDataConfig": {"S3OutputPath": services.layout.training_output_uri},
        "ResourceConfig": {"InstanceType": item["instance_type"], "InstanceCount": 1, "VolumeSizeInGB": 20},
        "StoppingCondition": {"MaxRuntimeInSeconds": item["max_runtime_seconds"]},
        "EnableNetworkIsolation": True,
        "Tags": job_tags(services.use_case.use_case_id, str(item["training_id"])),
    }
