"""The emulator under the strict layer: ministack, of one exact version, because the layer replaces functions in it."""

import os
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Any

EMULATOR_VERSION = "1.5.33"

# Set before the import, because ministack reads them there: no log line for each request, no extra listeners.
_QUIET = {"LOG_LEVEL": "ERROR", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "S3_PERSIST": "0", "PERSIST_STATE": "0"}


class EmulatorVersionError(RuntimeError):
    """The installed ministack is not the one that the strict layer was written for."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """ministack's ASGI application and the modules that the layer changes; untyped there, so untyped here."""

    app: Any
    s3: Any
    sqs: Any
    eventbridge: Any
    dynamodb: Any


def load_emulator() -> Emulator:
    """Import ministack; raises EmulatorVersionError when it is missing or of another version."""
    try:
        found = metadata.version("ministack")
    except metadata.PackageNotFoundError:
        found = "none"
    if found != EMULATOR_VERSION:
        raise EmulatorVersionError(
            f"The stand-in needs ministack {EMULATOR_VERSION}, found {found}. Install it: uv sync --extra demo"
        )
    os.environ.update(_QUIET)
    services = {name: import_module(f"ministack.services.{name}") for name in ("s3", "sqs", "eventbridge", "dynamodb")}
    return Emulator(app=import_module("ministack.app").app, **services)
