"""The resources of a role's statements, in words that do not change with the account."""

import re
from collections.abc import Mapping
from typing import Any


def place_of(statement: Mapping[str, Any]) -> str:
    """Each resource of a statement as code, with commas between."""
    resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    return ", ".join(f"`{_named(one)}`" for one in resources)


def _named(resource: Any) -> str:
    if isinstance(resource, str):
        return resource
    (function, value), *_ = resource.items()
    if function == "Fn::GetAtt":
        return value[0] if value[1] in ("Arn", "StreamArn") else ".".join(value)
    if function == "Fn::Split":
        return _named(value[1])
    text = str(value)
    text = text.replace("arn:${AWS::Partition}:s3:::", "")
    return re.sub(r"arn:\$\{AWS::Partition\}:[a-z]+:\$\{AWS::Region\}:\$\{AWS::AccountId\}:", "", text)
