"""The new layout: every key of it is built here, and any key is told apart from it here."""

import re
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import InputError
from domain.keys import Location, is_bucket_name, key_fault, unclean_segment
from domain.portal.targets import Target

_JOB = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}")
_DEPLOYMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LONGEST_JOB = 63
"""SageMaker's limit for TrainingJobName and CompilationJobName."""


class LayoutError(InputError):
    """Something cannot be part of a good key; ``field`` names it."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


class DatasetKind(StrEnum):
    """The three folders of data sets."""

    RAW = "raw"
    MANIFESTS = "manifests"
    LABELED = "labeled"


class DeploymentArtifact(StrEnum):
    """What a deployment's folder may hold."""

    MODEL = "model.tar.gz"
    CONFIG = "config.json"
    COMPONENT = "component.zip"


def job_fault(job: str) -> str | None:
    """Why SageMaker would refuse this job name, or ``None``."""
    if len(job) > LONGEST_JOB:
        return f"a job name has at most {LONGEST_JOB} characters, this one has {len(job)}"
    if _JOB.fullmatch(job) is None:
        return "a job name has only A-Z, a-z, 0-9 and hyphens, and a hyphen neither first nor last"
    return None


@dataclass(frozen=True, slots=True)
class Layout:
    """One bucket's new layout; ``prefix`` is the root, empty or clean with a slash at its end."""

    bucket: str
    prefix: str = ""

    def __post_init__(self) -> None:
        if not is_bucket_name(self.bucket):
            raise LayoutError("bucket", f"'{self.bucket}' is not a valid bucket name")
        if self.prefix:
            if not self.prefix.endswith("/"):
                raise LayoutError("prefix", f"'{self.prefix}' must end with a slash")
            _require_clean("prefix", self.prefix[:-1])

    def dataset(self, kind: DatasetKind, path: str) -> Location:
        """An object of a data set, ``datasets/{kind}/{path}``."""
        return self._built(f"datasets/{kind.value}/", path)

    def training(self, job: str, path: str = "output/model.tar.gz") -> Location:
        """Something that a training job wrote, ``models/training/{job}/{path}``."""
        _require_job(job)
        return self._built(f"models/training/{job}/", path)

    def compilation(self, job: str, target: Target, path: str) -> Location:
        """Something that a compilation job wrote, ``models/compilation/{job}/{target}/{path}``."""
        _require_job(job)
        return self._built(f"models/compilation/{job}/{target.value}/", path)

    def deployment(self, deployment: str, artifact: DeploymentArtifact) -> Location:
        """An artifact of a deployment, ``deployments/{deployment}/{artifact}``."""
        if _DEPLOYMENT.fullmatch(deployment) is None:
            why = "it has at most 128 of A-Z, a-z, 0-9, '.', '_' and '-', and begins with one of A-Z, a-z, 0-9"
            raise LayoutError("deployment", f"'{deployment}' is not a valid deployment name: {why}")
        return self._built(f"deployments/{deployment}/", artifact.value)

    @property
    def training_output_uri(self) -> str:
        """The S3OutputPath of every training job: SageMaker itself appends ``{job}/output/model.tar.gz``."""
        return f"s3://{self.bucket}/{self.prefix}models/training/"

    def compilation_output_uri(self, job: str, target: Target) -> str:
        """The S3OutputLocation of one compilation job: Neo appends no folder, so job and target stand here."""
        _require_job(job)
        return f"s3://{self.bucket}/{self.prefix}models/compilation/{job}/{target.value}/"

    def fault_of(self, key: str) -> str | None:
        """Why ``key`` is not a valid key of this layout, or ``None``."""
        fault = key_fault(key)
        if fault is None and (unclean := unclean_segment(key)):
            fault = f"it has {unclean}"
        if fault is not None:
            return fault
        if not key.startswith(self.prefix):
            return f"it does not begin with '{self.prefix}'"
        if not _is_of_layout(key[len(self.prefix) :]):
            return (
                "it begins like none of datasets/{raw|manifests|labeled}/…, models/training/{job}/…, "
                "models/compilation/{job}/…, deployments/{deployment}/…"
            )
        return None

    def _built(self, folder: str, path: str) -> Location:
        _require_clean("path", path)
        key = f"{self.prefix}{folder}{path}"
        fault = key_fault(key)
        if fault is not None:
            raise LayoutError("path", f"'{key[:80]}…' cannot be a key: {fault}")
        return Location(self.bucket, key)


def _is_of_layout(rest: str) -> bool:
    match rest.split("/"):
        case ["datasets", kind, *path]:
            return bool(path) and kind in set(DatasetKind)
        case ["models", "training", job, *path]:
            return bool(path) and job_fault(job) is None
        case ["models", "compilation", job, name, *path]:
            return job_fault(job) is None and (bool(path) or name not in set(Target))
        case ["deployments", deployment, *path]:
            return bool(path) and _DEPLOYMENT.fullmatch(deployment) is not None
    return False


def _require_job(job: str) -> None:
    fault = job_fault(job)
    if fault is not None:
        raise LayoutError("job", f"'{job[:80]}': {fault}")


def _require_clean(field: str, path: str) -> None:
    fault = unclean_segment(path)
    if fault is not None:
        raise LayoutError(field, f"'{path[:80]}' has {fault}")
    if _CONTROL.search(path):
        raise LayoutError(field, "it has a control character")
    size_fault = key_fault(path)
    if size_fault is not None:
        raise LayoutError(field, size_fault)
