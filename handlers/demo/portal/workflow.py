"""The portal's users: they train, compile, package, publish and read through the functions of the API."""

import io
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from domain.keys import Location
from domain.portal.layout import Layout
from handlers.demo.portal.caller import HttpAnswer, call
from handlers.demo.portal.records import ASTRAY, USE_CASE
from handlers.demo.portal.result import PortalResult

LONGEST_WAIT_SECONDS = 600.0
LOOK_SECONDS = 0.5


class WorkflowError(Exception):
    """The portal did not do what its user may expect."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """One user's work with one model; ``read`` gives the bytes at a place, ``wrote`` gets the packages."""

    layout: Layout
    result: PortalResult
    read: Callable[[Location], bytes | None]
    wrote: Callable[[Location], None]

    def from_the_beginning(self, name: str) -> str:
        """A new model, of two targets; its record."""
        body = {
            "usecase_id": USE_CASE,
            "model_name": name,
            "model_version": "1",
            "model_type": "classification",
            "dataset_manifest_s3": f"s3://{self.layout.bucket}/datasets/cookies.manifest",
        }
        started = self._asked("POST", "/training", body, key=f"train {name}", status=201)
        again = self._asked("POST", "/training", body, key=f"train {name}")
        if again["training_job_name"] != started["training_job_name"]:
            raise WorkflowError(f"the repeated request for {name} started a second job")
        training_id = str(started["training_id"])
        self.trained(training_id)
        self.compiled(training_id, ["jetson-xavier", "x86_64-cpu"])
        self.shipped(training_id, name, targets=2)
        return training_id

    def from_the_past(self, training_id: str, name: str) -> None:
        """Jobs that were started in the old layout end, and one more target is compiled from what they wrote."""
        self.trained(training_id)
        self.compiled(training_id, ["jetson-xavier"])
        self.shipped(training_id, name, targets=2)

    def trained(self, training_id: str) -> None:
        """Wait until the portal says that the training is done."""
        self._waited(training_id, "", lambda body: body.get("status") == "Completed")
        self.result.add("trained")

    def compiled(self, training_id: str, targets: list[str]) -> None:
        """Compile, and wait until every compilation of the record is done."""
        path = f"/training/{training_id}/compile"
        self._asked("POST", path, {"targets": targets}, key=f"compile {training_id}", status=201)
        found = self._waited(
            training_id, "/compile", lambda body: all(_is_done(one) for one in body.get("compilation_jobs", [None]))
        )
        self.result.add("compiled", len(found["compilation_jobs"]))

    def shipped(self, training_id: str, name: str, *, targets: int) -> None:
        """Package and publish what is compiled, look into the packages, and read it all back."""
        path = f"/training/{training_id}"
        packed = self._asked("POST", f"{path}/package", {}, key=f"package {training_id}")["packaged_components"]
        for entry in packed:
            self._check_package(entry, training_id)
        self.result.add("packaged", len(packed))
        published = self._asked("POST", f"{path}/publish", {"component_name": f"model-{name}"})["published_components"]
        self.result.add("published", len(published))
        if len(packed) != targets or len(published) != targets:
            raise WorkflowError(f"{name}: {len(packed)} packages and {len(published)} components, not {targets}")
        for tail in ("", "/compile"):
            self.read_back(training_id, tail)

    def republished(self, training_id: str) -> None:
        """Publish an old component again: refused until its zip is migrated, then once, and never twice."""
        path, ends = f"/training/{training_id}/republish", time.monotonic() + LONGEST_WAIT_SECONDS
        while (answer := call("POST", path)).status == 409 and time.monotonic() < ends:
            time.sleep(LOOK_SECONDS)
        entries = _good(answer, 200, path)["published_components"]
        if [entry["component_version"] for entry in entries] != ["2.0.0"]:
            raise WorkflowError(f"{path} published {entries}")
        if self._asked("POST", path)["published_components"]:
            raise WorkflowError(f"{path} published twice")
        self.result.add("republished")

    def read_back(self, training_id: str, tail: str = "") -> None:
        """An answer of the API names the new layout only, and says of nothing that it leads nowhere."""
        body = self._asked("GET", f"/training/{training_id}{tail}")
        self.result.add("api_reads")
        wrong = [uri for uri in _uris(body) if not self._is_new(uri)]
        if wrong or bool(body.get("unresolved")) != (training_id in ASTRAY and not tail):
            raise WorkflowError(f"GET /training/{training_id}{tail} says {wrong or body.get('unresolved')}")

    def _is_new(self, uri: str) -> bool:
        begin = f"s3://{self.layout.bucket}/"
        return uri.startswith(begin) and self.layout.fault_of(uri.removeprefix(begin)) is None

    def _check_package(self, entry: Mapping[str, Any], training_id: str) -> None:
        uri = str(entry["component_package_s3"])
        place = Location(self.layout.bucket, uri.removeprefix(f"s3://{self.layout.bucket}/"))
        body = self.read(place)
        if body is None or entry["status"] != "packaged":
            raise WorkflowError(f"the package {uri} of {training_id} is {entry['status']}, and its bytes are not there")
        jobs = self._asked("GET", f"/training/{training_id}/compile")["compilation_jobs"]
        names = [job["compilation_job_name"] for job in jobs if job["target"] == entry["target"]]
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            code = archive.read("classifier/compiled.so")
        if not any(code == f"code of {name}".encode() * 40 for name in names):
            raise WorkflowError(f"the package {uri} holds other code than {names} made")
        self.wrote(place)

    def _asked(self, method: str, path: str, body: Any = None, *, key: str | None = None, status: int = 200) -> Any:
        return _good(call(method, path, body, key=key), status, f"{method} {path}")

    def _waited(self, training_id: str, tail: str, is_done: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        path, ends = f"/training/{training_id}{tail}", time.monotonic() + LONGEST_WAIT_SECONDS
        while True:
            body: Mapping[str, Any] = self._asked("GET", path)
            if is_done(body):
                return body
            if time.monotonic() > ends:
                raise WorkflowError(f"GET {path} did not come to its end in {LONGEST_WAIT_SECONDS:.0f} s: {body}")
            time.sleep(LOOK_SECONDS)


def _good(answer: HttpAnswer, status: int, asked: str) -> Any:
    if answer.status != status:
        raise WorkflowError(f"{asked} answered {answer.status}, not {status}: {answer.body}")
    return answer.body


def _is_done(job: Mapping[str, Any] | None) -> bool:
    if job is not None and str(job.get("status")).upper() == "FAILED":
        raise WorkflowError(f"the compilation {job.get('compilation_job_name')} failed: {job.get('failure_reason')}")
    return job is not None and str(job.get("status")).upper() == "COMPLETED"


def _uris(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if value.startswith(("s3://", "http")) else []
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [uri for one in inside for uri in _uris(one)]
