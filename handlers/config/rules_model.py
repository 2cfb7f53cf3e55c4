"""The form of a rules file, validated by pydantic; what it means is checked by ``rules_file``."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from domain.keys import is_bucket_name, key_fault
from handlers.config.rules_references import ReferenceModel, as_list


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def checked_bucket(value: object) -> object:
    """The name of a bucket, unchanged; raises ValueError for a name that S3 does not allow."""
    if isinstance(value, str) and (not is_bucket_name(value) or ".." in value):
        raise ValueError(
            f"'{value}' is not a valid bucket name: use 3 to 63 of a-z, 0-9, '.' and '-', and a-z or 0-9 at both ends"
        )
    return value


def check_prefix(value: object) -> object:
    """The prefix, unchanged; raises ValueError for a prefix that no key can begin with."""
    if isinstance(value, str) and value and key_fault(value) is not None:
        raise ValueError(f"the prefix cannot begin an S3 key: {key_fault(value)}")
    return value


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Owner = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
Words = Annotated[list[str], Field(min_length=1)]
Bucket = Annotated[str, BeforeValidator(checked_bucket)]
Prefix = Annotated[str, BeforeValidator(check_prefix)]
SourceTexts = Annotated[Words, BeforeValidator(as_list)]


class _Target(_Model):
    bucket: Bucket
    prefix: Prefix = ""
    expected_owner: Owner | None = None
    region: str | None = None
    requester_pays: bool = False


class _Source(_Target):
    storage_class: Literal["STANDARD"] | None = None
    encryption: Literal["AES256"] | None = None
    object_lock: Literal["none"] | None = None
    annotations: Literal["none"] | None = None


class _Rule(_Model):
    name: Name
    from_: SourceTexts = Field(alias="from")
    to: str


class _Allow(_Model):
    rule: str
    finding: Literal["overlap", "unreachable", "collision", "loop", "lossy", "ambiguous", "invalid-target", "undecided"]
    why: Annotated[str, StringConstraints(min_length=1)]
    other_rule: str | None = None


class _Cleanup(_Model):
    unversioned_source: Literal["refuse", "accept", "fenced"] = "refuse"
    lake_tables: list[Annotated[str, StringConstraints(min_length=1)]] = []


class _Encryption(_Model):
    map: Annotated[dict[str, str], Field(min_length=1)]


class _Restore(_Model):
    tier: Literal["bulk", "standard", "expedited"] = "bulk"
    days: Annotated[int, Field(ge=1, le=365)] = 7
    at_most: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000


class _Audit(_Model):
    events: Literal["packs", "single"] = "packs"


class _PinPlace(_Model):
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$")] | None = None
    role_arn: Annotated[str, StringConstraints(pattern=r"^arn:[a-z-]+:iam::[0-9]{12}:role/.+$")] | None = None
    external_id: Annotated[str, StringConstraints(min_length=2, max_length=1224)] | None = None


class RulesFile(_Model):
    """The whole file."""

    version: Literal[1]
    migration: Name
    source: _Source
    target: _Target
    kinds: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], SourceTexts] = {}
    rules: Annotated[list[_Rule], Field(min_length=1)]
    keep: list[str] = []
    unmapped: Literal["report", "fail", "keep"] = "report"
    allow: list[_Allow] = []
    references: list[ReferenceModel] = []
    pins: list[Literal["glue", "greengrass", "sagemaker"]] = []
    pin_places: list[_PinPlace] = []
    late_changes: Literal["ignore", "follow"] = "ignore"
    versions: Literal["current", "all"] = "current"
    deletes: Literal["mirror", "mirror-adopted", "keep"] = "mirror"
    encryption: _Encryption | None = None
    restore: _Restore | None = None
    acl: Literal["none", "bucket-owner-full-control"] = "none"
    cleanup: _Cleanup = _Cleanup()
    audit: _Audit = _Audit()
