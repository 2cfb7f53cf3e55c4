"""What ``doctor --user-pool`` asks Cognito about the portal's user pool; reads only."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from domain.errors import InputError
from domain.lifecycle.inspection import AppClient

_ID = re.compile(r"(?:arn:[^:]+:cognito-idp:[^:]*:[0-9]*:userpool/)?(?P<id>(?P<region>[a-z0-9-]+)_[A-Za-z0-9]+)")


class CognitoUserPool:
    """UserPool on Cognito, in the region that is a part of the pool's id."""

    def __init__(self, clients: AwsClients, name: str) -> None:
        found = _ID.fullmatch(name)
        if found is None:
            raise InputError(f"{name} is not a valid user pool: give its ARN or its id, such as us-east-1_example")
        self.pool_id = found["id"]
        self._clients = replace(clients, region=found["region"])

    def list_attributes(self) -> frozenset[str]:
        """See the port."""
        with translated("DescribeUserPool", self.pool_id):
            pool = self._cognito.describe_user_pool(UserPoolId=self.pool_id)["UserPool"]
        return frozenset(one["Name"] for one in pool.get("SchemaAttributes", []))

    def list_app_clients(self) -> Iterator[AppClient]:
        """See the port."""
        with translated("ListUserPoolClients", self.pool_id):
            pages = self._cognito.get_paginator("list_user_pool_clients").paginate(UserPoolId=self.pool_id)
            listed = [one["ClientId"] for page in pages for one in page["UserPoolClients"]]
        for client_id in listed:
            with translated("DescribeUserPoolClient", f"{self.pool_id}, client {client_id}"):
                answer = self._cognito.describe_user_pool_client(UserPoolId=self.pool_id, ClientId=client_id)
            about = answer["UserPoolClient"]
            yield AppClient(client_id, about.get("ClientName", ""), tuple(about.get("WriteAttributes", ())))

    @cached_property
    def _cognito(self) -> Any:
        return self._clients.client_of("cognito-idp")
