"""What doctor asks about a deployed stack, where AWS answers in pages."""

from typing import Any

import boto3
from botocore.stub import Stubber

from adapters.aws.clients import AwsClients
from adapters.doctor.deployed_stack import DeployedStack

ROLE = "arn:aws:iam::123456789012:role/movers"


class _Clients(AwsClients):
    """Its one client answers as the test says."""

    def client_of(self, service: str) -> Any:
        """IAM."""
        assert service == "iam"
        return self.__dict__["stubbed"]


def test_a_permission_that_is_denied_on_the_second_page_is_found() -> None:
    """IAM may cut an answer anywhere: what stands behind is not allowed by being left out."""
    clients = _Clients(access_key_id="a", secret_access_key="b", region="us-east-1")
    iam = clients.__dict__["stubbed"] = boto3.client(
        "iam", aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
    with Stubber(iam) as stubber:
        role = {"Path": "/", "RoleName": "movers", "RoleId": "A" * 16, "Arn": ROLE, "CreateDate": "2026-11-23"}
        stubber.add_response("get_role", {"Role": role})
        for action, decision, more in (
            ("s3:GetObject", "allowed", {"IsTruncated": True, "Marker": "2"}),
            ("s3:PutObject", "implicitDeny", {"IsTruncated": False}),
        ):
            result = {"EvalActionName": action, "EvalDecision": decision}
            stubber.add_response("simulate_principal_policy", {"EvaluationResults": [result], **more})
        denied = DeployedStack(clients, "keyshift").denied(
            "movers", ("s3:GetObject", "s3:PutObject"), "arn:aws:s3:::line/key", account="123456789012"
        )
        stubber.assert_no_pending_responses()
    assert denied == ["s3:PutObject"]
