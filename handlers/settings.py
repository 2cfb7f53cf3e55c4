"""What the environment says: one typed model, every mistake named with its variable."""

import json
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from domain.errors import InputError
from domain.parts import GIB, MAX_COPY_BYTES, MIB, MIN_PART_BYTES

PREFIX = "KEYSHIFT_"


class Settings(BaseSettings):
    """Settings of one migration's functions and workers, read from ``KEYSHIFT_*``; sizes in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    rules_file: Path
    table: str
    events_queue_url: str = ""
    backfill_queue_url: str = ""
    bus: str = "default"
    region: str | None = None
    endpoint_url: str | None = None
    attempt_seconds: float = Field(default=840.0, gt=0)
    """How long one attempt may send requests; under Lambda the remaining time decides."""
    request_seconds: float = Field(default=120.0, gt=0)
    margin_seconds: float = Field(default=30.0, gt=0)
    multipart_above: int = Field(default=GIB, ge=0, le=MAX_COPY_BYTES)
    part_size: int = Field(default=128 * MIB, ge=MIN_PART_BYTES)
    parts_at_once: int = Field(default=16, ge=1, le=100)
    concurrency: int = Field(default=16, ge=1, le=256)
    encrypted_targets: bool = False
    own_principals: tuple[str, ...] = ()
    """Principal ids under which keyshift itself deletes, so that its own delete events are recognised."""
    control_seconds: float = Field(default=2.0, ge=0)


def read_settings(**given: Any) -> Settings:
    """The settings from the environment, ``given`` ones first; InputError names every one that is missing or wrong."""
    try:
        return Settings(**given)
    except ValidationError as error:
        faults = [f"{PREFIX}{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
        raise InputError("the settings cannot be used:\n  " + "\n  ".join(faults)) from error
    except SettingsError as error:  # a list that is not JSON
        raise InputError(f'the settings cannot be used: {error}; write lists as JSON, ["one", "two"]') from error


def environment_of(settings: Settings) -> dict[str, str]:
    """The variables that give another process these settings."""
    given = settings.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return {
        PREFIX + name.upper(): value if isinstance(value, str) else json.dumps(value) for name, value in given.items()
    }
