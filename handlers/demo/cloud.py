"""SageMaker and Greengrass as the portal uses them, simulated: no emulator has what they do with S3.

The simulation follows AWS's documents: a job's name is used forever, a component version never changes, and its
artifact is read once, when it is published. It does not prove that the real services behave so.
"""

import threading
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from domain.portal.records import JobEnd, JobKind

ACCOUNT = "123456789012"
REGION = "us-east-1"


class PlayedJobs:
    """JobService: a name is used forever, as in SageMaker. ``requests`` are the requests of the jobs."""

    def __init__(self, account: str = ACCOUNT) -> None:
        self._account = account
        self.requests: dict[str, Mapping[str, Any]] = {}
        self.ends: dict[str, JobEnd] = {}
        self._lock = threading.Lock()

    def create_job(self, kind: JobKind, request: Mapping[str, Any]) -> str | None:
        """See the port."""
        name = request[f"{kind}JobName"]
        with self._lock:
            if name in self.requests:
                return None
            self.requests[name] = deepcopy(dict(request))
            self.ends[name] = JobEnd(name, "InProgress" if kind is JobKind.TRAINING else "INPROGRESS")
        return self.arn_of_job(kind, name)

    def describe_job(self, kind: JobKind, name: str) -> tuple[str, JobEnd] | None:
        """See the port."""
        word = f"{kind}JobName"
        there = name in self.ends and self.requests.get(name, {word: name}).get(word) == name
        return (self.arn_of_job(kind, name), self.ends[name]) if there else None

    def running(self) -> list[str]:
        """The names of the jobs that have not ended."""
        with self._lock:
            return [name for name, end in self.ends.items() if end.status in ("InProgress", "INPROGRESS")]

    def read_job_tags(self, arn: str) -> Mapping[str, str]:
        """See the port."""
        return {one["Key"]: one["Value"] for one in self.requests[arn.rpartition("/")[2]].get("Tags", [])}

    def arn_of_job(self, kind: JobKind, name: str) -> str:
        """The ARN of a job."""
        return arn_of("sagemaker", f"{kind.lower()}-job/{name}", self._account)


class PlayedComponents:
    """ComponentService: a version is immutable, and the same client token publishes once.

    With ``read`` an artifact that is not there makes the version ``FAILED``; the digest of one that is there is kept
    in ``digests``, as Greengrass keeps it. ``deployments`` maps a name to the component versions that it uses.
    """

    def __init__(self, account: str = ACCOUNT, *, read: Callable[[str], bytes | None] | None = None) -> None:
        self._account = account
        self._read = read
        self._lock = threading.Lock()
        self.recipes: dict[str, Mapping[str, Any]] = {}
        self.tokens: dict[str, str] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.digests: dict[str, dict[str, str | None]] = {}
        self.deployments: dict[str, dict[str, str]] = {}

    def create_component_version(
        self,
        recipe: Mapping[str, Any],
        *,
        tags: Mapping[str, str],
        client_token: str,
    ) -> str | None:
        """See the port."""
        with self._lock:
            if client_token in self.tokens:
                return self.tokens[client_token]
            arn = f"{self.component_arn(recipe['ComponentName'])}:versions:{recipe['ComponentVersion']}"
            if arn in self.recipes:
                return None
            self.digests[arn] = {uri: self._digest(uri) for uri in artifacts_of(recipe)} if self._read else {}
            self.recipes[arn] = deepcopy(dict(recipe))
            self.tokens[client_token] = arn
            self.tags[arn] = dict(tags)
            return arn

    def read_recipe(self, arn: str) -> Mapping[str, Any] | None:
        """See the port."""
        return deepcopy(self.recipes.get(arn))

    def read_tags(self, arn: str) -> Mapping[str, str]:
        """See the port."""
        return dict(self.tags[arn])

    def read_state(self, arn: str) -> str:
        """See the port."""
        return "DEPLOYABLE" if arn in self.recipes and None not in self.digests[arn].values() else "FAILED"

    def list_versions(self, component_arn: str) -> list[str]:
        """See the port."""
        begin = f"{component_arn}:versions:"
        return [arn.removeprefix(begin) for arn in reversed(self.recipes) if arn.startswith(begin)]

    def component_arn(self, name: str) -> str:
        """See the port."""
        return arn_of("greengrass", f"components:{name}", self._account)

    def list_components(self) -> list[str]:
        """The ARN of every component, without versions."""
        return list(dict.fromkeys(arn.partition(":versions:")[0] for arn in self.recipes))

    def delete_version(self, arn: str) -> bool:
        """DeleteComponent; ``False`` when there is none."""
        with self._lock:
            return self.recipes.pop(arn, None) is not None

    def _digest(self, uri: str) -> str | None:
        body = self._read(uri) if self._read is not None else None
        return sha256(body).hexdigest() if body is not None else None


@dataclass(slots=True)
class PlayedModels:
    """SageMaker's models and model packages, by name and by ARN, as their describe calls answer."""

    models: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    packages: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def create_model(self, name: str, model_data_url: str) -> None:
        """A model with one container."""
        self.models[name] = {"ModelName": name, "PrimaryContainer": {"ModelDataUrl": model_data_url}}

    def create_package(self, name: str, model_data_url: str) -> None:
        """A model package with one container."""
        arn = arn_of("sagemaker", f"model-package/{name}/1")
        specification = {"Containers": [{"Image": "registry/image:1", "ModelDataUrl": model_data_url}]}
        self.packages[arn] = {"ModelPackageArn": arn, "InferenceSpecification": specification}


def artifacts_of(recipe: Mapping[str, Any]) -> list[str]:
    """The artifact URIs of a recipe."""
    return [one["Uri"] for manifest in recipe.get("Manifests", []) for one in manifest.get("Artifacts", [])]


def arn_of(service: str, rest: str, account: str = ACCOUNT) -> str:
    """An ARN in the demo's region."""
    return f"arn:aws:{service}:{REGION}:{account}:{rest}"
