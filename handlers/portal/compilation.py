"""Lambda: ``POST /training/{id}/compile`` starts one Neo job for each target, each with a folder of its own."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from domain.errors import InputError, PermanentError
from domain.portal.jobs import compilation_job_name, digest_of
from domain.portal.ports import JobService, Workplace
from domain.portal.records import CREATING, Item, JobEnd, JobKind, is_final, with_entries
from domain.portal.targets import PLATFORMS, Target
from handlers.portal.access import BUILDERS
from handlers.portal.errors import HttpError
from handlers.portal.http import Answer, Request, Routes, respond
from handlers.portal.models import opened, repackage_for_neo
from handlers.portal.ownership import job_tags, require_own_job
from handlers.portal.portal import Portal, UseCaseServices
from handlers.portal.wiring import portal_of

REPACKAGED = "output/model_for_compilation.tar.gz"
REFUSED = "Failed"
"""Not SageMaker's word for a compilation job (FAILED): it never was one."""
STARTING_SECONDS = 900.0
"""A function's longest life: a job without an ARN after this time was never started by the request that entered it."""


class CompilationRequest(BaseModel):
    """For what is to be compiled."""

    model_config = ConfigDict(extra="forbid")

    targets: list[Target] = Field(default_factory=lambda: [Target.X86_64_CPU], min_length=1, max_length=len(Target))
    client_token: str | None = Field(default=None, min_length=1, max_length=256)


def compile_model(request: Request) -> Answer:
    """Start the jobs of the targets that the body names."""
    wanted = request.body_as(CompilationRequest)
    item, services = request.training(BUILDERS)
    return start_compilation(services, item, wanted.targets, request.token(wanted.client_token))


ROUTES: Routes = {"POST /training/{training_id}/compile": compile_model}


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one request."""
    return respond(event, portal_of(), ROUTES)


def start_compilation(services: UseCaseServices, item: Item, targets: list[Target], token: str) -> Answer:
    """The entries first, then the jobs under the names that the entries hold; a repeat goes on where it stopped.

    409 while another request's job for one of the targets still runs, or before the training has completed.
    """
    if str(item.get("status")).upper() != "COMPLETED" or not item.get("artifact_s3"):
        raise HttpError(409, f"The training must be completed first; its status is {item.get('status')}")
    digest = digest_of("compile", token)
    begun: list[bool] = []

    def enter(now: Item) -> dict[str, Any]:
        entries = _entries(services.portal, now, targets, token, digest)
        begun.append(bool(entries))
        same = ("target", "compilation_job_name")
        return {"compilation_jobs": with_entries(now, "compilation_jobs", entries, same=same)} if entries else {}

    item = services.portal.change(item["training_id"], enter)
    ours = [job for job in item["compilation_jobs"] if job.get("request") == digest and job["target"] in targets]
    if any(not job.get("compilation_job_arn") for job in ours):
        item = _started(services, item, ours)
    jobs = [job for job in item["compilation_jobs"] if job.get("request") == digest]
    body = {"training_id": item["training_id"], "compilation_jobs": [shown(job) for job in jobs]}
    return 201 if begun[-1] else 200, services.present(body)


def shown(job: Item) -> dict[str, Any]:
    """What an answer says of one compilation job."""
    names = ("target", "compilation_job_name", "compilation_job_arn", "status", "compiled_model_s3", "failure_reason")
    return {name: job[name] for name in names if name in job}


def _entries(portal: Portal, item: Item, targets: list[Target], token: str, digest: str) -> list[dict[str, Any]]:
    jobs = item.get("compilation_jobs", [])
    entered = {job.get("target") for job in jobs if job.get("request") == digest}
    missing = [target for target in dict.fromkeys(targets) if target.value not in entered]
    now = portal.clock.now()
    for job in jobs:
        if job.get("target") in missing and _is_under_way(job, now):
            name = job.get("compilation_job_name")
            raise HttpError(409, f"{job['target']} is being compiled already, by the job {name}", field="targets")
    return [
        {
            "target": target.value,
            "compilation_job_name": compilation_job_name(
                str(item["model_name"]), target, now=now, training_id=str(item["training_id"]), token=token
            ),
            "status": CREATING,
            "request": digest,
            "created_at": int(now * 1_000),
        }
        for target in missing
    ]


def _is_under_way(job: Item, now: float) -> bool:
    """Whether the job runs, or the request that entered it may still start it."""
    if job.get("status") != CREATING or job.get("compilation_job_arn"):
        return not is_final(job.get("status"))
    return now - int(job.get("created_at", 0)) / 1_000 < STARTING_SECONDS


def _started(services: UseCaseServices, item: Item, jobs: list[Item]) -> Item:
    waiting = [job for job in jobs if not job.get("compilation_job_arn")]
    begun: dict[str, tuple[str, JobEnd]] = {}
    try:
        workplace = services.open_workplace()
        source, config = _neo_input(services, item, workplace)
        for job in waiting:
            request = job_request(services, job, source_uri=source, data_input_config=config)
            request["Tags"] = job_tags(services.use_case.use_case_id, str(item["training_id"]))
            begun[job["compilation_job_name"]] = _begun(workplace.jobs, request, str(item["training_id"]))
    except (PermanentError, InputError) as error:
        names = {job["compilation_job_name"] for job in waiting} - begun.keys()
        reason = str(error)[:1_000]
        services.portal.change(item["training_id"], lambda now: _failed(now, names, reason))
        raise
    finally:
        if begun:
            item = services.portal.change(item["training_id"], lambda now: _noted(now, begun))
    return item


def _neo_input(services: UseCaseServices, item: Item, workplace: Workplace) -> tuple[str, str]:
    """Neo takes the bare network: it is repackaged beside the trained model, in the new layout."""
    target = services.layout.training(str(item["training_job_name"]), REPACKAGED)
    with opened(services, workplace.objects, str(item["artifact_s3"]), "artifact_s3") as source:
        config = repackage_for_neo(source, workplace.objects, target, services.portal.limits)
    return target.uri, config


def _begun(jobs: JobService, request: dict[str, Any], training_id: str) -> tuple[str, JobEnd]:
    """The ARN of the job and how it stands; one of this name is an earlier try of the same request, or another's."""
    name = request["CompilationJobName"]
    arn = jobs.create_job(JobKind.COMPILATION, request)
    if arn is not None:
        return arn, JobEnd(name, "InProgress")
    described = jobs.describe_job(JobKind.COMPILATION, name)
    if described is None:
        raise HttpError(503, f"SageMaker does not show the job {name} yet: try again")
    require_own_job(jobs, described[0], training_id)
    return described


def _noted(item: Item, begun: Mapping[str, tuple[str, JobEnd]]) -> dict[str, Any]:
    """What is known of the jobs that were started; what an event said of one meanwhile stays."""
    jobs = [dict(job) for job in item.get("compilation_jobs", [])]
    for job in jobs:
        if job.get("compilation_job_name") in begun:
            arn, end = begun[job["compilation_job_name"]]
            if job.get("status") in (CREATING, REFUSED) and not job.get("compilation_job_arn"):
                job["status"] = end.status
                if end.artifact:
                    job["compiled_model_s3"] = end.artifact
            job["compilation_job_arn"] = arn
    return {"compilation_jobs": jobs} if jobs != item.get("compilation_jobs") else {}


def _failed(item: Item, names: Collection[str], reason: str) -> dict[str, Any]:
    """Jobs that were not started, and that the same request may start when the cause is gone."""
    jobs = [dict(job) for job in item.get("compilation_jobs", [])]
    for job in jobs:
        if job.get("compilation_job_name") in names and job.get("status") == CREATING:
            job["status"], job["failure_reason"] = REFUSED, reason
    return {"compilation_jobs": jobs} if jobs != item.get("compilation_jobs") else {}


def job_request(services: UseCaseServices, job: Item, *, source_uri: str, data_input_config: str) -> dict[str, Any]:
    """CreateCompilationJob's request: Neo appends no folder, so its location names job and target."""
    target, name = Target(job["target"]), job["compilation_job_name"]
    platform = PLATFORMS[target]
    accelerator = {"Accelerator": platform.accelerator} if platform.accelerator else {}
    options = {"CompilerOptions": platform.compiler_options} if platform.compiler_options else {}
    return {
        "CompilationJobName": name,
        "RoleArn": services.use_case.execution_role_arn,
        "InputConfig": {
            "S3Uri": source_uri,
            "DataInputConfig": data_input_config,
            "Framework": "PYTORCH",
            "FrameworkVersion": "1.8",
        },
        "OutputConfig": {
            "S3OutputLocation": services.layout.compilation_output_uri(name, target),
            "TargetPlatform": {"Os": "LINUX", "Arch": platform.arch, **accelerator},
            **options,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3_600},
    }
