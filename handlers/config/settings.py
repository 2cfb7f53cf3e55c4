"""The settings in the environment, as one typed model; every mistake is reported with its variable."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from domain.errors import InputError
from domain.protocol.parts import MAX_COPY_BYTES, MIN_PART_BYTES, MULTIPART_ABOVE, PART_BYTES
from domain.runs.works import StageQueue
from handlers.intake.notifications import principal_fault

PREFIX = "KEYSHIFT_"


class Settings(BaseModel):
    """Settings of one migration's functions and workers; sizes in bytes, times in seconds.

    A plain model: pydantic-settings would add a quarter of a second to every cold start.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rules_file: Path
    table: str = Field(min_length=1)
    events_queue_url: str = ""
    backfill_queue_url: str = ""
    inventory_queue_url: str = ""
    looking_queue_url: str = ""
    removing_queue_url: str = ""
    restoring_queue_url: str = ""
    rewriting_queue_url: str = ""
    bus: str = "default"
    region: str | None = None
    endpoint_url: str | None = None
    lane: Literal["lean", "boto3"] = "lean"
    """How frequent requests are sent: by keyshift itself, or through boto3 like all others."""
    attempt_seconds: float = Field(default=840.0, gt=0)
    """Seconds for which one attempt may send requests; under Lambda the remaining time decides."""
    batch_seconds: float = Field(default=240.0, gt=0)
    """Seconds for which a worker works on the messages of one receive; less than the queues' visibility time-out."""
    request_seconds: float = Field(default=120.0, gt=0)
    margin_seconds: float = Field(default=30.0, gt=0)
    multipart_above: int = Field(default=MULTIPART_ABOVE, ge=0, le=MAX_COPY_BYTES)
    part_size: int = Field(default=PART_BYTES, ge=MIN_PART_BYTES)
    parts_at_once: int = Field(default=16, ge=1, le=100)
    concurrency: int = Field(default=16, ge=1, le=256)
    backlog: int = Field(default=200, ge=1)
    """Messages in the backfill queue above which nothing more is enqueued."""
    encrypted_targets: bool | None = None
    """Whether the target bucket encrypts with a KMS key by default; unset, keyshift asks the bucket itself."""
    own_principals: tuple[str, ...] = ()
    """Principal ids under which keyshift itself deletes, so that S3's direct events of its deletes are recognised."""
    control_seconds: float = Field(default=2.0, ge=0)
    audit_bucket: str = ""
    """The bucket of the audit chain's segments; without one there is no chain."""
    audit_prefix: str = "audit"
    audit_retention_days: int | None = Field(default=None, ge=1)
    """Days for which each segment is locked, in a bucket with object lock; without it the bucket's default counts."""
    audit_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"
    functions: tuple[str, ...] = ()
    """Lambda functions whose event source mappings a pause switches off."""
    breaker_failures: float = Field(default=0.5, ge=0, le=1)
    """The share of one window's objects that must fail for the circuit breaker to open; 0: never."""
    breaker_least: int = Field(default=20, ge=1)
    """Minimum number of ended objects in a window before their failures count."""
    breaker_denied: int = Field(default=5, ge=0)
    """Number of objects denied in a row (permission, KMS key, missing bucket) that opens it; 0: never."""
    breaker_seconds: float = Field(default=30.0, ge=1)

    @property
    def stage_queue_urls(self) -> Mapping[StageQueue, str]:
        """The URL of each queue of stage work that is set."""
        urls = {
            StageQueue.LOOKING: self.looking_queue_url,
            StageQueue.REMOVING: self.removing_queue_url,
            StageQueue.RESTORING: self.restoring_queue_url,
            StageQueue.REWRITING: self.rewriting_queue_url,
        }
        return {name: url for name, url in urls.items() if url}

    @field_validator("own_principals")
    @classmethod
    def _of_keyshift_alone(cls, principals: tuple[str, ...]) -> tuple[str, ...]:
        """If others share the id, their deletes would count as keyshift's, and the copies would stay."""
        for principal in principals:
            fault = principal_fault(principal)
            if fault is not None:
                remedy = "give the id of keyshift's own role or user, such as AWS:AROAEXAMPLEID"
                raise ValueError(f"{principal!r} {fault}; {remedy}")
        return principals


def read_settings(environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """The settings in the environment's ``KEYSHIFT_*``, ``given`` ones first; a list is JSON or has commas.

    Raises InputError that names every variable that is missing or wrong.
    """
    variables = os.environ if environment is None else environment
    found: dict[str, Any] = {
        name: variables[variable_of(name)] for name in Settings.model_fields if variable_of(name) in variables
    }
    for name in ("functions", "own_principals"):
        if name in found:
            found[name] = _listed(found[name])
    try:
        return Settings(**(found | given))
    except ValidationError as error:
        faults = [f"{variable_of(str(fault['loc'][0]))}: {_fault(fault)}" for fault in error.errors()]
        raise InputError("the settings cannot be used:\n  " + "\n  ".join(faults)) from error


_OPTIONS: Mapping[str, str] = {"rules_file": "--rules", "table": "--table"}
"""The options of the settings that every command needs."""


def _fault(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "missing":
        return f"not set: set it, or give {_OPTIONS[str(fault['loc'][0])]}"
    return str(fault["msg"])


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def _listed(text: str) -> Any:
    if not text.lstrip().startswith("["):
        return [one.strip() for one in text.split(",") if one.strip()]
    try:
        return json.loads(text)
    except ValueError:
        return text  # the model reports what is wrong with it


def environment_of(settings: Settings) -> dict[str, str]:
    """The variables that give another process these settings."""
    given = settings.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return {variable_of(name): value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
