"""UserPool over Cognito: what it tells of a pool's clients, on a server, and over pages."""

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from adapters.aws.clients import AwsClients
from adapters.doctor.user_pool import CognitoUserPool
from domain.errors import InputError, MissingResourceError
from domain.lifecycle.inspection import AppClient
from tests.servers import Server

POOL = "eu-west-1_pool"
NONE: dict[str, Any] = {}


class _Clients(AwsClients):
    """Its one client answers as the test says."""

    def client_of(self, service: str) -> Any:
        """Cognito, in the pool's region."""
        assert service == "cognito-idp"
        assert self.region == "eu-west-1"
        return STUBBED


STUBBED = boto3.client("cognito-idp", aws_access_key_id="a", aws_secret_access_key="b", region_name="eu-west-1")


def clients_at(endpoint_url: str | None) -> AwsClients:
    """Clients of a machine in us-east-1."""
    return AwsClients(access_key_id="a", secret_access_key="b", region="us-east-1", endpoint_url=endpoint_url)


def test_the_clients_on_the_second_page_are_looked_at() -> None:
    """A pool may have a thousand clients; the one that is not listed first may be the one that writes."""
    with Stubber(STUBBED) as stubber:
        apps = [{"ClientId": f"{number}abc", "ClientName": f"app {number}", "UserPoolId": POOL} for number in (1, 2)]
        for app, more in zip(apps, ({"NextToken": "more"}, NONE), strict=True):
            stubber.add_response("list_user_pool_clients", {"UserPoolClients": [app], **more})
        for app, writes in zip(apps, (NONE, {"WriteAttributes": ["custom:role"]}), strict=True):
            asked = {"UserPoolId": POOL, "ClientId": app["ClientId"]}
            stubber.add_response("describe_user_pool_client", {"UserPoolClient": app | writes}, asked)
        found = list(CognitoUserPool(_Clients(region="us-east-1"), POOL).list_app_clients())
        stubber.assert_no_pending_responses()
    assert found == [AppClient("1abc", "app 1", ()), AppClient("2abc", "app 2", ("custom:role",))]


@pytest.mark.parametrize("name", ["pool", "_pool", "eu-west-1_", "arn:aws:s3:::eu-west-1_pool"])
def test_what_names_no_pool_is_refused_before_anything_is_asked(name: str) -> None:
    """The region is a part of the id, so a text without one cannot be asked about."""
    with pytest.raises(InputError, match="user pool"):
        CognitoUserPool(clients_at(None), name)


def test_a_server_tells_attributes_and_clients(moto_endpoint: Server) -> None:
    """By its id or by its ARN, which the portal's deployment is given."""
    server = moto_endpoint.client("cognito-idp")
    schema = [{"Name": "role", "AttributeDataType": "String", "Mutable": True}]
    pool = server.create_user_pool(PoolName="portal", Schema=schema)["UserPool"]
    made = server.create_user_pool_client(
        UserPoolId=pool["Id"], ClientName="web", WriteAttributes=["email", "custom:role"], GenerateSecret=True
    )["UserPoolClient"]
    clients = clients_at(moto_endpoint.endpoint_url)
    for name in (pool["Id"], pool["Arn"]):
        found = CognitoUserPool(clients, name)
        assert "custom:role" in found.list_attributes()
        assert "custom:groups" not in found.list_attributes()
        assert list(found.list_app_clients()) == [AppClient(made["ClientId"], "web", ("email", "custom:role"))]


def test_a_pool_that_does_not_exist_is_missing(moto_endpoint: Server) -> None:
    """Not "no client writes it"."""
    clients = clients_at(moto_endpoint.endpoint_url)
    with pytest.raises(MissingResourceError, match="us-east-1_nowhere"):
        CognitoUserPool(clients, "us-east-1_nowhere").list_attributes()
