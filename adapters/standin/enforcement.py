"""Bucket policies that deny writes without a condition (S3 user guide, conditional-writes-enforce)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.standin.wire import Answer, s3_error

_CREATES = ("PutObject", "CopyObject", "CompleteMultipartUpload")
_WRITES = (*_CREATES, "CreateMultipartUpload", "UploadPart", "UploadPartCopy")
_HEADERS = {"s3:if-none-match": "if-none-match", "s3:if-match": "if-match"}
_CREATION = "s3:objectcreationoperation"


def enforced_refusal(operation: str, headers: Mapping[str, str], policy: str | None) -> Answer | None:
    """S3's refusal of a write into a bucket with this policy; ``None`` where the policy enforces no condition on it.

    A write without the condition is a 403. A CopyObject with it is a 501 by AWS's page (aws-facts.md §2.1).
    """
    enforcing = list(_enforcing(policy)) if policy and operation in _WRITES else []
    if any(_denies(conditions, operation, headers) for conditions in enforcing):
        return s3_error("AccessDenied", "Access Denied", 403)
    if enforcing and operation == "CopyObject" and any(name in headers for name in _HEADERS.values()):
        message = "A header you provided implies functionality that is not implemented"
        return s3_error("NotImplemented", message, 501)
    return None


def _enforcing(policy: str) -> Iterator[Mapping[str, Mapping[str, str]]]:
    """The conditions of each statement that denies puts by the absence of a condition, names in lower case."""
    try:
        statements: Any = json.loads(policy).get("Statement", [])
    except (ValueError, AttributeError):
        return
    for statement in statements if isinstance(statements, list) else [statements]:
        actions = statement.get("Action", [])
        named = {one.lower() for one in ([actions] if isinstance(actions, str) else actions)}
        conditions = {
            operator.lower(): {name.lower(): str(value).lower() for name, value in tests.items()}
            for operator, tests in statement.get("Condition", {}).items()
        }
        is_about_conditions = bool(_HEADERS.keys() & conditions.get("null", {}).keys())
        if statement.get("Effect") == "Deny" and named & {"s3:putobject", "s3:*"} and is_about_conditions:
            yield conditions


def _denies(conditions: Mapping[str, Mapping[str, str]], operation: str, headers: Mapping[str, str]) -> bool:
    """Whether every condition of the statement fits: each header absent (or present), for this kind of write."""
    creates = conditions.get("bool", {}).get(_CREATION)
    if creates is not None and creates != str(operation in _CREATES).lower():
        return False
    nulls = {name: value for name, value in conditions["null"].items() if name in _HEADERS}
    return all(str(_HEADERS[name] not in headers).lower() == value for name, value in nulls.items())
