"""The bucket policies of docs/deploy.md allow what the functions' roles need, and nothing else."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.docs.citing import ROOT

DEPLOY = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
IAM = (ROOT / "docs" / "iam.md").read_text(encoding="utf-8")
OF_FUNCTIONS = IAM[: IAM.index("\n## The role of S3 Batch")]
SIDES = {
    "THE-SOURCE": ("ReadSource", "ListSource"),
    "THE-TARGET": ("WriteTarget", "ListTarget", "TargetEncryption", "MirrorDeletes"),
}


OPERATORS = {"keyshift-prod-operator", "keyshift-prod-acting-operator"}
ACTING = {"keyshift-prod-acting-operator"}


def all_statements() -> Iterator[dict[str, Any]]:
    """Every statement in the page's JSON blocks."""
    for block in re.findall(r"```json\n(.*?)```", DEPLOY, re.DOTALL):
        yield from json.loads(block)


def principals(statement: dict[str, Any]) -> set[str]:
    """The names of the roles that a statement is for."""
    found = statement["Principal"].get("AWS", [])
    return {one.rpartition("/")[2] for one in ([found] if isinstance(found, str) else found)}


def statements() -> Iterator[dict[str, Any]]:
    """Those that are for functions."""
    return (one for one in all_statements() if not principals(one) & OPERATORS)


def actions(statement: dict[str, Any]) -> set[str]:
    """As a set, also where it is one word."""
    found = statement["Action"]
    return {found} if isinstance(found, str) else set(found)


def test_policies_allow_what_the_roles_need() -> None:
    """Side by side, from the page that is made of recorded calls."""
    for bucket, names in SIDES.items():
        shown: set[str] = set()
        for one in statements():
            if bucket in one["Resource"]:
                shown |= actions(one)
        needed = {
            action
            for name in names
            for action in re.findall(rf"^\| {name} \| `([^`]+)` \|", OF_FUNCTIONS, re.MULTILINE)
        }
        assert shown == needed, bucket


def rows_of(heading: str) -> list[tuple[str, str]]:
    """Statement and action of each row below a heading of docs/iam.md."""
    section = IAM[IAM.index(heading) :].partition("\n## ")[0]
    section = section[: section.index("\n### ", 5)] if "\n### " in section[5:] else section
    return re.findall(r"^\| (\w+) \| `(s3:[^`]+)` \|", section, re.MULTILINE)


@pytest.mark.parametrize(
    ("heading", "roles", "bucket", "names"),
    [
        ("### The operator\n", OPERATORS, "THE-SOURCE", {"ReadSource", "LookAtSource", "SourceProbes"}),
        ("### The operator\n", OPERATORS, "THE-TARGET", {"ReadTarget", "LookAtTarget", "TargetProbes"}),
        ("### The acting operator", ACTING, "THE-SOURCE", {"RestoreSource"}),
        ("### The acting operator", ACTING, "THE-TARGET", {"WriteTarget"}),
    ],
)
def test_policies_allow_what_the_operators_roles_allow(
    heading: str, roles: set[str], bucket: str, names: set[str]
) -> None:
    """What the operator's role allows is for both, since the acting operator's has all of it."""
    allowed = [(sid, action) for sid, action in rows_of(heading) if sid in names]
    shown = {
        action
        for one in all_statements()
        if principals(one) == roles and bucket in one["Resource"]
        for action in actions(one)
    }
    assert {sid for sid, _ in allowed} == names
    assert shown == {action for _, action in allowed}


def test_nothing_may_be_deleted_without_a_condition() -> None:
    """Nor in a source bucket at all."""
    deleting = [one for one in statements() if "s3:DeleteObject" in actions(one)]
    assert [one["Condition"] for one in deleting] == [{"Null": {"s3:if-match": "false"}}]
    assert "THE-TARGET" in deleting[0]["Resource"]


def test_the_services_that_a_deployment_needs_are_named() -> None:
    """Of every resource in serverless.yml, and what osls makes of its functions."""
    template = (ROOT / "serverless.yml").read_text(encoding="utf-8")
    made = {one.lower() for one in re.findall(r"Type: AWS::(\w+)::", template)} | {"lambda", "cloudformation"}
    section = DEPLOY[DEPLOY.index("### What the deploying credentials need") : DEPLOY.index("### Workers or Lambda")]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == made
