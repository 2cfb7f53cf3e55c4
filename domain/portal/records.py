"""The training-jobs record: how requests and events change it, and how it never goes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from domain.portal.targets import Target

Item: TypeAlias = Mapping[str, Any]
"""An item as plain values: texts, numbers, booleans, lists and maps."""

FINAL = frozenset({"COMPLETED", "FAILED", "STOPPED"})
CREATING = "Creating"
"""The record is written, the job is not known to exist yet."""
_ARN_PARTS = 6


@dataclass(frozen=True, slots=True)
class PortalTables:
    """The names of the portal's tables; ``user_roles`` says who works on which use case."""

    trainings: str
    models: str
    use_cases: str
    user_roles: str


@dataclass(frozen=True, slots=True)
class UseCase:
    """One use case of the portal; ``prefix`` is the root of its new layout, ``role_arn`` is assumed where given."""

    use_case_id: str
    bucket: str
    execution_role_arn: str
    role_arn: str | None = None
    external_id: str | None = None
    region: str | None = None
    prefix: str = ""


class JobKind(StrEnum):
    """The two kinds of SageMaker's jobs, as its calls and fields say them before the word Job."""

    TRAINING = "Training"
    COMPILATION = "Compilation"


@dataclass(frozen=True, slots=True)
class JobEnd:
    """What an event or a describe call says of a job; ``artifact`` is the URI that it gives."""

    name: str
    status: str
    artifact: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class JobPlace:
    """The account and region of a SageMaker job, in which its name is one job's only; ``region`` may be unknown."""

    account: str
    region: str | None = None

    @classmethod
    def of_arn(cls, arn: str) -> "JobPlace | None":
        """The place in an ARN; ``None`` for another text."""
        parts = arn.split(":", 5)
        if len(parts) != _ARN_PARTS or parts[0] != "arn" or not parts[4]:
            return None
        return cls(parts[4], parts[3] or None)

    def is_same(self, other: "JobPlace") -> bool:
        """Whether both are one place, as far as both are known."""
        regions = {self.region, other.region} - {None}
        return self.account == other.account and len(regions) <= 1


def job_arn_of(item: Item, job_name: str) -> str | None:
    """The ARN that the record holds of its job of this name; ``None`` before the portal has noted it."""
    if item.get("training_job_name") == job_name:
        return item.get("training_job_arn") or None
    jobs = [one for one in item.get("compilation_jobs", []) if one.get("compilation_job_name") == job_name]
    return next((str(job["compilation_job_arn"]) for job in jobs if job.get("compilation_job_arn")), None)


def is_final(status: object) -> bool:
    """Whether a job in this status changes no more; events and API differ in case."""
    return str(status).upper() in FINAL


def training_changes(item: Item, end: JobEnd) -> dict[str, Any]:
    """The attributes that a training job's state changes; none when the record already knows as much, or more."""
    if is_final(item.get("status")):
        known = {"artifact_s3": item.get("artifact_s3")}
        late = end.artifact if str(end.status).upper() == str(item.get("status")).upper() else None
        return {"artifact_s3": late} if late is not None and known["artifact_s3"] is None else {}
    changes: dict[str, Any] = {"status": end.status}
    if end.artifact is not None:
        changes["artifact_s3"] = end.artifact
    if end.reason:
        changes["failure_reason"] = end.reason
    return {name: value for name, value in changes.items() if item.get(name) != value}


def compilation_changes(item: Item, end: JobEnd) -> dict[str, Any]:
    """The same for one of the record's compilation jobs; the others stay as they are."""
    jobs = [dict(job) for job in item.get("compilation_jobs", [])]
    changed = False
    for job in jobs:
        if job.get("compilation_job_name") != end.name:
            continue
        status = end.status.upper()
        if is_final(job.get("status")):
            if job.get("compiled_model_s3") is None and end.artifact and status == str(job["status"]).upper():
                job["compiled_model_s3"] = end.artifact
                changed = True
            continue
        before = dict(job)
        job["status"] = status
        if end.artifact is not None:
            job["compiled_model_s3"] = end.artifact
        if end.reason:
            job["failure_reason"] = end.reason
        changed = changed or job != before
    return {"compilation_jobs": jobs} if changed else {}


def with_entries(item: Item, name: str, entries: Sequence[Item], *, same: tuple[str, ...]) -> list[dict[str, Any]]:
    """The list attribute ``name`` with these entries, each replacing one that is equal in the attributes ``same``."""
    kept = [dict(one) for one in item.get(name, [])]
    for entry in entries:
        identity = tuple(entry.get(one) for one in same)
        for place, one in enumerate(kept):
            if tuple(one.get(attribute) for attribute in same) == identity:
                kept[place] = dict(entry)
                break
        else:
            kept.append(dict(entry))
    return kept


def compiled_jobs(item: Item, targets: Sequence[Target] | None) -> dict[Target, Item]:
    """The newest completed compilation job with a model, of each target that is asked for (``None``: of all)."""
    found: dict[Target, Item] = {}
    for job in item.get("compilation_jobs", []):
        known = str(job.get("target")) in set(Target) and str(job.get("status")).upper() == "COMPLETED"
        if known and job.get("compiled_model_s3"):
            target = Target(job["target"])
            if targets is None or target in targets:
                found[target] = job
    return found
