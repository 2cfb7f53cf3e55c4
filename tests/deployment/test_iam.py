"""The roles allow what the functions really call, and nothing else."""

from pathlib import Path

import pytest

from adapters.standin import StandIn
from tests.deployment.artefact import ROOT, Artefact
from tests.deployment.iam_document import iam_document
from tests.deployment.operator_needs import OperatorsNeeds
from tests.deployment.permissions import BY_SERVICES
from tests.deployment.roles import FUNCTION_ROLES, allowed, statements
from tests.deployment.scenarios import Needs, needs_of_functions

WITHOUT_RESOURCES = {
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
    *("lambda:ListEventSourceMappings", "lambda:GetAccountSettings"),
    *("greengrass:ListComponents", "greengrass:ListDeployments"),
    *("sagemaker:ListModels", "sagemaker:ListModelPackages"),
    *("events:ListRules", "events:ListRuleNamesByTarget"),
}
"""Actions for which AWS defines no resource."""


@pytest.fixture(scope="module")
def needs(standin_process: StandIn, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Needs]:
    """The permissions that the functions' recorded calls need."""
    return needs_of_functions(standin_process, tmp_path_factory.mktemp("rules"))


@pytest.mark.parametrize("function", FUNCTION_ROLES)
def test_a_role_allows_exactly_what_is_called(artefact: Artefact, needs: dict[str, Needs], function: str) -> None:
    """No call is refused in production, no permission is there for nothing."""
    granted, called = allowed(artefact, function), set(needs[function])
    assert called - granted == set(), "calls without permission"
    assert granted - called - set(BY_SERVICES) == set(), "permissions that no call needs"


def test_no_resource_is_a_wildcard_without_need(artefact: Artefact) -> None:
    """Only where AWS knows no resource."""
    for role in artefact.resources("AWS::IAM::Role"):
        for one in statements(artefact, role):
            if one["Resource"] == "*":
                assert set(one["Action"]) <= WITHOUT_RESOURCES, (role, one["Sid"])
            assert all("*" not in action for action in one["Action"]), (role, one["Sid"])


def test_every_statement_on_objects_names_the_owner(artefact: Artefact) -> None:
    """A bucket of the same name in another account is refused."""
    for role in artefact.resources("AWS::IAM::Role"):
        for one in statements(artefact, role):
            if any(action.startswith("s3:") for action in one["Action"]):
                assert "aws:ResourceAccount" in one["Condition"]["StringEquals"], (role, one["Sid"])


@pytest.mark.parametrize(
    ("role", "external_id"),
    [("OperatorRole", "keyshift-operator"), ("ActingOperatorRole", "keyshift-acting-operator")],
)
def test_whoever_takes_a_role_on_names_its_external_id(artefact: Artefact, role: str, external_id: str) -> None:
    """Neither role of the command line can be assumed without its own."""
    (trusted,) = artefact.template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Condition"] == {"StringEquals": {"sts:ExternalId": external_id}}


def test_the_document_is_current(artefact: Artefact, needs: dict[str, Needs], operators: OperatorsNeeds) -> None:
    """Write it anew with ``make iam``."""
    made = iam_document(artefact, needs, operators)
    assert (ROOT / Path("docs/iam.md")).read_text(encoding="utf-8") == made
