"""What the environment says to the portal's functions."""

import os
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.errors import InputError
from domain.protocol.parts import GIB, MIB

PREFIX = "KEYSHIFT_PORTAL_"
Name = Annotated[str, Field(min_length=1)]
"""A table's name: a parameter that is left empty names none, and is refused."""


class PortalSettings(BaseModel):
    """The portal's tables, its algorithm, and how large an archive may be; sizes in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    training_table: Name
    models_table: Name
    use_cases_table: Name
    user_roles_table: Name
    """Which user works on which use case; a portal without it would let each user work on all of them."""
    algorithm_arn: str = ""
    """The SageMaker algorithm of every training job; without it nothing can be trained."""
    archive_members: int = Field(default=10_000, ge=1)
    archive_member_bytes: int = Field(default=20 * GIB, ge=1)
    archive_bytes: int = Field(default=50 * GIB, ge=1)
    archive_ratio: int = Field(default=200, ge=2)
    """How many bytes one byte of an archive may become; counted above 64 MiB."""


RATIO_FREE_BYTES = 64 * MIB


def read_portal_settings(environment: Mapping[str, str] | None = None) -> PortalSettings:
    """The settings in the environment's ``KEYSHIFT_PORTAL_*``; raises InputError that names every bad variable."""
    variables = os.environ if environment is None else environment
    names = {name: PREFIX + name.upper() for name in PortalSettings.model_fields}
    found = {name: variables[variable] for name, variable in names.items() if variable in variables}
    try:
        return PortalSettings.model_validate(found)
    except ValidationError as error:
        faults = [f"{names[str(fault['loc'][0])]}: {fault['msg']}" for fault in error.errors()]
        raise InputError("the portal's settings cannot be used:\n  " + "\n  ".join(faults)) from error
