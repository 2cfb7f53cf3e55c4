"""The portal's stack: every function of it, under roles that reach a use case's account only by its external id."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.aws.clients import AwsClients
from adapters.demo.provisioning import create_manifest_table
from adapters.standin import StandIn
from tests.deployment.artefact import LOCAL_LAYERS, ROOT, Artefact, package, run_osls
from tests.deployment.modules import handlers_of_tree, listed
from tests.deployment.roles import statements
from tests.deployment.site import DeployedSite, root_environment

CONFIG = ("--config", "serverless-portal.yml")
MANIFEST = "keyshift-portal-manifest"


@pytest.fixture(scope="module")
def portal(own_standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    """What is deployed to Lambda."""
    return package(own_standin, tmp_path_factory.mktemp("portal"), *CONFIG)


@pytest.fixture(scope="module")
def functions(own_standin: StandIn, portal: Artefact) -> Iterator[Any]:  # after it: osls has one place
    """The stack on the stand-in, beside the portal's tables; a client that invokes."""
    keys = root_environment(own_standin)
    account = DeployedSite(own_standin, Path(), {})
    clients = AwsClients(
        endpoint_url=own_standin.endpoint_url,
        region=keys["AWS_REGION"],
        access_key_id=keys["AWS_ACCESS_KEY_ID"],
        secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )
    create_manifest_table(clients, MANIFEST)
    for table, key in (("training-jobs", "training_id"), ("models", "model_id"), ("usecases", "usecase_id")):
        account.client("dynamodb").create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        )
    layers = f"layers={LOCAL_LAYERS.relative_to(ROOT)}"
    options = ("--param", layers, "--param", f"manifestTable={MANIFEST}")
    run_osls(own_standin, "deploy", *CONFIG, *options, more=keys)
    yield account.client("lambda")
    run_osls(own_standin, "remove", *CONFIG, *options, more=keys)


def test_the_portals_zip_holds_what_its_functions_can_import_and_the_rules(portal: Artefact) -> None:
    """Nothing of the migration's functions, of the command line or of the demo."""
    (name,) = (path.stem for path in portal.folder.glob("*portal*.zip"))
    assert sorted(portal.zip_names(name)) == sorted([*listed("portal"), "migrations/edge-cv-portal.yaml"])


def test_cfn_lint_finds_nothing_in_the_portals_stack(portal: Artefact) -> None:
    """As of the migration's own."""
    template = portal.folder / "cloudformation-template-update-stack.json"
    command = [str(Path(sys.executable).with_name("cfn-lint")), "-i", "W3005", "-r", "us-east-1", "--", str(template)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # a tool of ours
    assert (answer.returncode, answer.stdout) == (0, "")


def test_every_handler_of_the_portal_is_deployed(portal: Artefact) -> None:
    """A new module without a function would never run."""
    deployed = {one["Properties"]["Handler"] for one in portal.resources("AWS::Lambda::Function").values()}
    wanted = {one for one in handlers_of_tree() if one.startswith("handlers/portal/")}
    assert wanted == {one.removesuffix(".handler") for one in deployed}


def test_an_account_is_entered_with_an_external_id_only(portal: Artefact) -> None:
    """And the functions have no permission of their own in SageMaker, Greengrass or on models."""
    roles = [one for one in portal.resources("AWS::IAM::Role") if one.endswith("Role") and "Lambda" not in one]
    for role in roles:
        found = {one["Sid"]: one for one in statements(portal, role)}
        assert found["Enter"]["Condition"] == {"Null": {"sts:ExternalId": "false"}}
        actions = {action for one in found.values() for action in one["Action"]}
        assert not {action for action in actions if action.startswith(("sagemaker:", "greengrass:", "s3:Put"))}
        assert [sid for sid, one in found.items() if one["Resource"] == "*"] == ["Trace"]


def test_an_event_that_the_function_fails_on_is_kept(portal: Artefact) -> None:
    """Lambda drops it after two more tries, and EventBridge's own dead-letter queue never sees it."""
    (function,) = (
        one["Properties"]
        for one in portal.resources("AWS::Lambda::Function").values()
        if one["Properties"]["Handler"].startswith("handlers/portal/job_events")
    )
    queue = {"Fn::GetAtt": ["JobEventsDeadQueue", "Arn"]}
    assert function["DeadLetterConfig"] == {"TargetArn": queue}
    allowed = [one for one in statements(portal, "JobEventsRole") if "sqs:SendMessage" in one["Action"]]
    assert [one["Resource"] for one in allowed] == [queue]


def test_the_api_wants_a_token(portal: Artefact) -> None:
    """Every route has the authorizer."""
    for name, one in portal.resources("AWS::ApiGateway::Method").items():
        if one["Properties"]["HttpMethod"] != "OPTIONS":
            assert one["Properties"]["AuthorizationType"] == "COGNITO_USER_POOLS", name


@pytest.mark.parametrize(("claims", "status"), [({}, 401), ({"sub": "u", "custom:role": "PortalAdmin"}, 404)])
def test_a_deployed_function_answers(functions: Any, claims: dict[str, str], status: int) -> None:
    """With its own role, its own tables and nothing but the artefact's code."""
    event = {
        "httpMethod": "GET",
        "path": "/training/absent",
        "headers": {},
        "requestContext": {"authorizer": {"claims": claims} if claims else {}},
    }
    name = "keyshift-portal-dev-training-read"
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(event).encode())
    told = json.loads(answer["Payload"].read())
    assert told.get("statusCode") == status, told
