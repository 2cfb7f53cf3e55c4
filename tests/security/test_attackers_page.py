"""The attacker's page says what each role may write, as the templates say it, and names tests that there are."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
TEMPLATES = ("serverless.yml", "serverless-portal.yml")
OF_ALL = {"WriteLog", "Trace", "ObjectKey"}
"""Statements that the page speaks of once."""
_READS = re.compile(
    r"[a-z0-9-]+:(Get|List|Describe|Query|Scan|BatchGet|ReceiveMessage|ConditionCheck|Simulate)[A-Za-z]*"
)


@cache
def resources(template: str) -> Mapping[str, Any]:
    """What a template declares."""
    read = yaml.safe_load((ROOT / template).read_text(encoding="utf-8"))
    found: Mapping[str, Any] = read["resources"]["Resources"]
    return found


def writing(role: Mapping[str, Any]) -> Iterator[str]:
    """The statements of a role that change anything, those that a parameter switches on among them."""
    for policy in role["Properties"]["Policies"]:
        for one in policy["PolicyDocument"]["Statement"]:
            statement = one["Fn::If"][1] if "Fn::If" in one else one
            assert statement["Effect"] == "Allow"
            if not all(_READS.fullmatch(action) for action in statement["Action"]):
                yield statement["Sid"]


def rows() -> list[list[str]]:
    """The cells of every row of the page's tables."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("| What |")]


ROLES = [
    (template, name)
    for template in TEMPLATES
    for name, one in resources(template).items()
    if one["Type"] == "AWS::IAM::Role"
]


@pytest.mark.parametrize(("template", "role"), ROLES)
def test_the_page_says_what_each_role_may_write(template: str, role: str) -> None:
    """A permission that a later version adds is thought through before it is deployed."""
    (row,) = [one for one in rows() if one[0] == f"`{role}`"]
    said = set(re.findall(r"`(\w+)`", row[1]))
    assert said == set(writing(resources(template)[role])) - OF_ALL


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_page_names_every_store(template: str) -> None:
    """Each queue, table, bucket and bus has a row that says who writes it."""
    kinds = ("AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Events::EventBus")
    stores = {name for name, one in resources(template).items() if one["Type"] in kinds}
    named = {name for row in rows() for name in re.findall(r"`(\w+)`", row[0])}
    assert stores
    assert stores <= named


def test_every_line_of_the_page_has_a_test_that_there_is() -> None:
    """A line whose test is gone would promise what nothing shows."""
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    for row in rows():
        if row[0] != "Role":
            named = set(re.findall(r"`(test_\w+)`", row[-1]))
            assert named, row[0]
            assert named <= written, named - written
