"""Lambda: ``POST /training/{id}/compile`` starts one Neo job for each target, each with a folder of its own."""

from collections.abc import Collection, Mapping
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from pydantic import BaseModel, ConfigDict, Field

from domain.errors import InputError, PermanentError
from domain.portal.jobs import compilation_job_name, digest_of
from domain.portal.ports import JobService, Workplace
from domain.portal.records import CREATING, Item, JobEnd, is_final, with_entries
from domain.portal.targets import PLATFORMS, Target
from handlers.portal.access import BUILDERS
from handlers.portal.desk import Desk, Portal
from handlers.portal.errors import HttpError
from handlers.portal.http import Answer, answered, body_of, caller, respond, token_of
from handlers.portal.models import opened, repackage_for_neo
from handlers.portal.ownership import job_tags, require_own_job
from handlers.portal.presenting import presented
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


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request."""
    return respond(event, context, portal_of(), routes)


def routes(api: APIGatewayRestResolver, portal: Portal) -> None:
    """``POST /training/{id}/compile``."""

    def compile_model(training_id: str) -> Response[str]:
        request = body_of(api, CompilationRequest)
        item, desk = portal.training(training_id, caller(api), BUILDERS)
        token = token_of(api, request.client_token, portal)
        return answered(*start_compilation(portal, desk, item, request.targets, token))

    api.post("/training/<training_id>/compile")(compile_model)


def start_compilation(portal: Portal, desk: Desk, item: Item, targets: list[Target], token: str) -> Answer:
    """The entries first, then the jobs under the names that the entries hold; a repeat goes on where it stopped.

    409 while another request's job for one of the targets still runs, or before the training has completed.
    """
    if str(item.get("status")).upper() != "COMPLETED" or not item.get("artifact_s3"):
        raise HttpError(409, f"The training must be completed first; its status is {item.get('status')}")
    digest = digest_of("compile", token)
    begun: list[bool] = []

    def enter(now: Item) -> dict[str, Any]:
        entries = _entries(portal, now, targets, token, digest)
        begun.append(bool(entries))
        same = ("target", "compilation_job_name")
        return {"compilation_jobs": with_entries(now, "compilation_jobs", entries, same=same)} if entries else {}

    item = portal.change(item["training_id"], enter)
    ours = [job for job in item["compilation_jobs"] if job.get("request") == digest and job["target"] in targets]
    if any(not job.get("compilation_job_arn") for job in ours):
        item = _started(portal, desk, item, ours)
    jobs = [job for job in item["compilation_jobs"] if job.get("request") == digest]
    body = {"training_id": item["training_id"], "compilation_jobs": [shown(job) for job in jobs]}
    return 201 if begun[-1] else 200, presented(body, paths=desk.paths, layout=desk.layout)


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


def _started(portal: Portal, desk: Desk, item: Item, jobs: list[Item]) -> Item:
    waiting = [job for job in jobs if not job.get("compilation_job_arn")]
    begun: dict[str, tuple[str, JobEnd]] = {}
    try:
        workplace = desk.open_workplace()
        source, config = _neo_input(portal, desk, item, workplace)
        for job in waiting:
            request = job_request(desk, job, source_uri=source, data_input_config=config)
            request["Tags"] = job_tags(desk.use_case.use_case_id, str(item["training_id"]))
            begun[job["compilation_job_name"]] = _begun(workplace.jobs, request, str(item["training_id"]))
    except (PermanentError, InputError) as error:
        names = {job["compilation_job_name"] for job in waiting} - begun.keys()
        reason = str(error)[:1_000]
        portal.change(item["training_id"], lambda now: _failed(now, names, reason))
        raise
    finally:
        if begun:
            item = portal.change(item["training_id"], lambda now: _noted(now, begun))
    return item


def _neo_input(portal: Portal, desk: Desk, item: Item, workplace: Workplace) -> tuple[str, str]:
    """Neo takes the bare network: it is repackaged beside the trained model, in the new layout."""
    target = desk.layout.training(str(item["training_job_name"]), REPACKAGED)
    with opened(desk, workplace.objects, str(item["artifact_s3"]), "artifact_s3") as source:
        config = repackage_for_neo(source, workplace.objects, target, portal.limits)
    return target.uri, config


def _begun(jobs: JobService, request: dict[str, Any], training_id: str) -> tuple[str, JobEnd]:
    """The ARN of the job and how it stands; one of this name is an earlier try of the same request, or another's."""
    name = request["CompilationJobName"]
    arn = jobs.create_compilation_job(request)
    if arn is not None:
        return arn, JobEnd(name, "InProgress")
    described = jobs.describe_compilation_job(name)
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
    """Jobs that nobody started, and that the same request may start when its cause is gone."""
    jobs = [dict(job) for job in item.get("compilation_jobs", [])]
    for job in jobs:
        if job.get("compilation_job_name") in names and job.get("status") == CREATING:
            job["status"], job["failure_reason"] = REFUSED, reason
    return {"compilation_jobs": jobs} if jobs != item.get("compilation_jobs") else {}


def job_request(desk: Desk, job: Item, *, source_uri: str, data_input_config: str) -> dict[str, Any]:
    """CreateCompilationJob's request: Neo appends no folder, so its location names job and target."""
    target, name = Target(job["target"]), job["compilation_job_name"]
    platform = PLATFORMS[target]
    accelerator = {"Accelerator": platform.accelerator} if platform.accelerator else {}
    options = {"CompilerOptions": platform.compiler_options} if platform.compiler_options else {}
    return {
        "CompilationJobName": name,
        "RoleArn": desk.use_case.execution_role_arn,
        "InputConfig": {
            "S3Uri": source_uri,
            "DataInputConfig": data_input_config,
            "Framework": "PYTORCH",
            "FrameworkVersion": "1.8",
        },
        "OutputConfig": {
            "S3OutputLocation": desk.layout.compilation_output_uri(name, target),
            "TargetPlatform": {"Os": "LINUX", "Arch": platform.arch, **accelerator},
            **options,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3_600},
    }
