"""The simulated SageMaker and Greengrass behind their documented HTTP APIs, for the real SDK.

Shapes and paths are those of botocore's service models. Only the calls of the portal and of ``keyshift pins`` are
implemented; other calls get an error.
"""

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from domain.portal.records import JobEnd, JobKind
from handlers.demo.cloud import PlayedComponents, PlayedJobs, PlayedModels

_COMPONENTS = "/greengrass/v2/components"
_DEPLOYMENTS = "/greengrass/v2/deployments"
_NOW = 1_764_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and, for an error, its AWS code."""

    status: int
    body: Mapping[str, Any]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Cloud:
    """The simulated services."""

    components: PlayedComponents
    jobs: PlayedJobs = field(default_factory=PlayedJobs)
    models: PlayedModels = field(default_factory=PlayedModels)


@contextmanager
def running_cloud(cloud: Cloud) -> Iterator[str]:
    """The endpoint of both services, on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: Any) -> None:
            """Quiet."""

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
            target = self.headers.get("X-Amz-Target", "")
            if target.startswith("SageMaker."):
                self._send(sagemaker(cloud, target.removeprefix("SageMaker."), asked))
            else:
                self._send(publish(cloud.components, asked))

        def do_GET(self) -> None:
            self._send(greengrass(cloud.components, unquote(urlsplit(self.path).path)))

        def do_DELETE(self) -> None:
            arn = unquote(urlsplit(self.path).path).removeprefix(f"{_COMPONENTS}/")
            self._send(Answer(204, {}) if cloud.components.delete_version(arn) else _absent(arn))

        def _send(self, answer: Answer) -> None:
            data = b"" if answer.status == 204 else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if answer.error:
                self.send_header("x-amzn-ErrorType", answer.error)
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def publish(components: PlayedComponents, asked: Mapping[str, Any]) -> Answer:
    """CreateComponentVersion."""
    recipe = json.loads(base64.b64decode(asked["inlineRecipe"]))
    token = asked.get("clientToken", "")
    arn = components.create_component_version(recipe, tags=asked.get("tags", {}), client_token=token)
    if arn is None:
        return Answer(409, {"message": "the version exists"}, "ConflictException")
    body = {"arn": arn, "componentName": recipe["ComponentName"], "componentVersion": recipe["ComponentVersion"]}
    return Answer(201, {**body, "creationTimestamp": _NOW, "status": {"componentState": "REQUESTED"}})


def greengrass(components: PlayedComponents, path: str) -> Answer:
    """ListComponents, ListComponentVersions, DescribeComponent, GetComponent, ListDeployments, GetDeployment."""
    if path == _DEPLOYMENTS:
        deployments = [{"deploymentId": name, "deploymentName": name} for name in components.deployments]
        return Answer(200, {"deployments": deployments})
    if path.startswith(f"{_DEPLOYMENTS}/"):
        name = path.removeprefix(f"{_DEPLOYMENTS}/")
        used = {one: {"componentVersion": version} for one, version in components.deployments.get(name, {}).items()}
        return Answer(200, {"deploymentId": name, "components": used}) if used else _absent(name)
    if path == _COMPONENTS:
        listed = [{"arn": arn, "componentName": arn.rpartition(":")[2]} for arn in components.list_components()]
        return Answer(200, {"components": listed})
    arn, _, what = path.removeprefix(f"{_COMPONENTS}/").partition("/")
    if what == "versions":
        versions = [
            {"componentName": arn.rpartition(":")[2], "componentVersion": one, "arn": f"{arn}:versions:{one}"}
            for one in components.list_versions(arn)
        ]
        return Answer(200, {"componentVersions": versions})
    recipe = components.read_recipe(arn)
    if recipe is None:
        return _absent(arn)
    if what == "metadata":
        state = {"componentState": components.read_state(arn)}
        return Answer(200, {"arn": arn, "status": state, "tags": components.read_tags(arn)})
    text = base64.b64encode(json.dumps(recipe).encode()).decode()
    return Answer(200, {"recipeOutputFormat": "JSON", "recipe": text})


def sagemaker(cloud: Cloud, action: str, asked: Mapping[str, Any]) -> Answer:
    """One action of SageMaker's JSON protocol."""
    act = _ACTIONS.get(action)
    if act is None:
        return Answer(400, {"__type": "UnknownOperationException", "message": f"{action} is not simulated"})
    return act(cloud, asked)


def _created(kind: JobKind) -> Callable[[Cloud, Mapping[str, Any]], Answer]:
    def create(cloud: Cloud, asked: Mapping[str, Any]) -> Answer:
        arn = cloud.jobs.create_job(kind, asked)
        if arn is None:
            return Answer(400, {"__type": "ResourceInUse", "message": "a job of this name exists"})
        return Answer(200, {f"{kind}JobArn": arn})

    return create


def _described(kind: JobKind) -> Callable[[Cloud, Mapping[str, Any]], Answer]:
    def describe(cloud: Cloud, asked: Mapping[str, Any]) -> Answer:
        name = asked[f"{kind}JobName"]
        found = cloud.jobs.describe_job(kind, name)
        if found is None:
            return Answer(400, {"__type": "ValidationException", "message": "Requested resource not found."})
        arn, end = found
        return Answer(200, {**cloud.jobs.requests.get(name, {}), f"{kind}JobArn": arn, **job_detail(end, kind)})

    return describe


def job_detail(end: JobEnd, kind: JobKind) -> dict[str, Any]:
    """A job as describe calls and state-change events show it."""
    artifacts = {"ModelArtifacts": {"S3ModelArtifacts": end.artifact}} if end.artifact else {}
    reason = {"FailureReason": end.reason} if end.reason else {}
    return {f"{kind}JobName": end.name, f"{kind}JobStatus": end.status, **artifacts, **reason}


def _tags_of(jobs: PlayedJobs, arn: str) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in jobs.read_job_tags(arn).items()]


def _absent(what: str) -> Answer:
    return Answer(404, {"message": f"no such resource: {what}"}, "ResourceNotFoundException")


def _one_of(found: Mapping[str, Any] | None) -> Answer:
    absent = {"__type": "ValidationException", "message": "Could not find it."}
    return Answer(200, {**found, "CreationTime": _NOW}) if found is not None else Answer(400, absent)


_ACTIONS: Mapping[str, Callable[[Cloud, Mapping[str, Any]], Answer]] = {
    "ListTags": lambda cloud, asked: Answer(200, {"Tags": _tags_of(cloud.jobs, asked["ResourceArn"])}),
    **{f"Create{kind}Job": _created(kind) for kind in JobKind},
    **{f"Describe{kind}Job": _described(kind) for kind in JobKind},
    "ListModels": lambda cloud, _asked: Answer(200, {"Models": [{"ModelName": name} for name in cloud.models.models]}),
    "DescribeModel": lambda cloud, asked: _one_of(cloud.models.models.get(asked["ModelName"])),
    "ListModelPackages": lambda cloud, _asked: Answer(
        200, {"ModelPackageSummaryList": [{"ModelPackageArn": arn} for arn in cloud.models.packages]}
    ),
    "DescribeModelPackage": lambda cloud, asked: _one_of(cloud.models.packages.get(asked["ModelPackageName"])),
}
