"""docs/iam.md: every IAM statement of the stack beside the calls that need it, from what was recorded."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.deployment.artefact import Artefact
from tests.deployment.permissions import BY_SERVICES
from tests.deployment.roles import FUNCTION_ROLES, statements

_HEAD = """# Permissions

Made by `make iam` and checked by `make deploy-test`; do not edit it. Each function's handler was run through all that
it can meet on the stand-in (`tests/deployment/scenarios.py`): objects small and large, tagged, locked, versioned,
overwritten, deleted, in conflict, broken off, cleaned up and written again. Its calls were recorded, and
`tests/deployment/permissions.py` says which permission each needs. A role that lacks one, or has one that no call
needs, fails the test.

Every statement on objects and buckets has a condition on `aws:ResourceAccount`: a bucket of that name in another
account than the rules file's `expected_owner` (or this account) is refused. The wildcard resource `*` stands only
where AWS knows no resource.
"""
_OTHERS = {
    "BatchJobRole": "The role of S3 Batch Operations jobs",
    "OperatorRole": "The operator's role, for the command line; whoever assumes it must name the external id",
}
_OTHER_REASONS: Mapping[str, str] = {
    "Invoke": "the job, for each task",
    "Manifest": "the job: its manifest and its completion report",
    "ReadSource": "`keyshift plan`, `verify`, `doctor`",
    "ListSource": "`keyshift backfill --list`, `plan`, `verify`, `doctor`",
    "LookAtBuckets": "`keyshift doctor`, `uploads`",
    "Records": "`keyshift status`, `doctor`, `pause`, `resume`",
    "Queues": "`keyshift status`, `backfill`, `doctor`",
    "Bus": "`keyshift doctor`",
    "Stack": "`keyshift doctor --stack`",
    "Functions": "`keyshift doctor --stack`",
    "Simulate": "`keyshift doctor --stack`",
}


def iam_document(artefact: Artefact, needs: Mapping[str, Mapping[tuple[str, str], set[str]]]) -> str:
    """The page."""
    lines = [_HEAD]
    for function, role in FUNCTION_ROLES.items():
        lines += [f"## {function}\n", "| Statement | Action | Resource | Needed by |", "|---|---|---|---|"]
        lines += _rows(artefact, role, needs[function])
        lines.append("")
    for role, title in _OTHERS.items():
        lines += [f"## {title}\n", "| Statement | Action | Resource | Needed by |", "|---|---|---|---|"]
        for one in statements(artefact, role):
            reason = _OTHER_REASONS[one["Sid"]]
            lines += [f"| {one['Sid']} | `{action}` | {_place(one)} | {reason} |" for action in one["Action"]]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _rows(artefact: Artefact, role: str, needs: Mapping[tuple[str, str], set[str]]) -> Iterator[str]:
    for one in statements(artefact, role):
        for action in one["Action"]:
            need = (one["Sid"], action)
            calls = ", ".join(f"`{call}`" for call in sorted(needs.get(need, ())))
            reason = calls or BY_SERVICES.get(need, "nothing")
            yield f"| {one['Sid']} | `{action}` | {_place(one)} | {reason} |"


def _place(statement: Mapping[str, Any]) -> str:
    """The resource in words that do not change with the account."""
    resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    return ", ".join(f"`{_named(one)}`" for one in resources)


def _named(resource: Any) -> str:
    if isinstance(resource, str):
        return resource
    (function, value), *_ = resource.items()
    if function == "Fn::GetAtt":
        return value[0] if value[1] in ("Arn", "StreamArn") else ".".join(value)
    text = str(value)
    for plain in ("arn:${AWS::Partition}:s3:::", "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:"):
        text = text.replace(plain, "")
    return text
