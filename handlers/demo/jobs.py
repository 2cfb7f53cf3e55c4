"""Ends the simulated SageMaker jobs as SageMaker does: reads the input, writes the output, then sends an event."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from domain.keys import Location
from domain.portal.records import JobEnd, JobKind
from handlers.demo.actors import Background
from handlers.demo.cloud import PlayedJobs
from handlers.demo.cloud_http import job_detail
from handlers.demo.models import compiled_model, trained_model

LOOK_SECONDS = 0.3


class JobRunner(Background):
    """A thread in which jobs end, each in the second round; ``tell`` takes EventBridge's events.

    ``read`` gives the bytes at a URI (``None``: there are none), ``write`` makes an object.
    """

    def __init__(
        self,
        jobs: PlayedJobs,
        *,
        read: Callable[[str], bytes | None],
        write: Callable[[Location, bytes], None],
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        super().__init__()
        self._jobs = jobs
        self._read = read
        self._write = write
        self._tell = tell
        self._told: set[str] = set()

    def tell_again(self, name: str) -> None:
        """The last event of a job once more, as a late delivery."""
        self._tell(event_of(self._jobs, name, self._jobs.ends[name]))

    def _round(self) -> None:
        if not self._stopped.wait(LOOK_SECONDS):
            for name in self._jobs.running():
                self._step(name)

    def _step(self, name: str) -> None:
        request, end = self._jobs.requests[name], self._jobs.ends[name]
        if name not in self._told:
            self._told.add(name)
            self._tell(event_of(self._jobs, name, end))
            return
        missing = [uri for uri in _inputs(request) if self._read(uri) is None]
        if missing:
            end = replace(end, status="Failed", reason=f"there is no object at {missing[0]}")
        else:
            place, body = _output(request)
            self._write(place, body)
            end = replace(end, status="Completed", artifact=place.uri)
        kind = _kind(request)
        self._jobs.ends[name] = end if kind is JobKind.TRAINING else replace(end, status=end.status.upper())
        self.tell_again(name)


def event_of(jobs: PlayedJobs, name: str, end: JobEnd) -> dict[str, Any]:
    """A state-change event; a compilation's does not name its artifact, so that the describe call is needed."""
    kind = _kind(jobs.requests[name])
    known = end if kind is JobKind.TRAINING else replace(end, artifact=None)
    arn = jobs.arn_of_job(kind, name)
    _, _, _, region, account, _ = arn.split(":", 5)
    return {
        "source": "aws.sagemaker",
        "detail-type": f"SageMaker {kind} Job State Change",
        "account": account,
        "region": region,
        "resources": [arn],
        "detail": job_detail(known, kind),
    }


def _kind(request: Mapping[str, Any]) -> JobKind:
    return JobKind.TRAINING if "TrainingJobName" in request else JobKind.COMPILATION


def _inputs(request: Mapping[str, Any]) -> list[str]:
    if _kind(request) is JobKind.COMPILATION:
        return [request["InputConfig"]["S3Uri"]]
    return [channel["DataSource"]["S3DataSource"]["S3Uri"] for channel in request["InputDataConfig"]]


def _output(request: Mapping[str, Any]) -> tuple[Location, bytes]:
    """SageMaker appends the job's name to a training's path; Neo takes its location as it is (workload.md)."""
    if _kind(request) is JobKind.TRAINING:
        name = request["TrainingJobName"]
        return _below(request["OutputDataConfig"]["S3OutputPath"], f"{name}/output/model.tar.gz"), trained_model(name)
    name, output = request["CompilationJobName"], request["OutputConfig"]
    platform = output["TargetPlatform"]
    device = "_".join(platform[word] for word in ("Os", "Arch", "Accelerator") if word in platform)
    stem = request["InputConfig"]["S3Uri"].rpartition("/")[2].removesuffix(".tar.gz")
    return _below(output["S3OutputLocation"], f"{stem}-{device}.tar.gz"), compiled_model(name)


def _below(uri: str, path: str) -> Location:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return Location(bucket, f"{key}{path}" if key.endswith("/") else f"{key}/{path}")
