"""Greengrass's component versions, which can be published and read but never changed."""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import accepting, translated


class GreengrassComponentService:
    """ComponentService on Greengrass V2."""

    def __init__(self, clients: AwsClients) -> None:
        self._clients = clients
        self._client: Any = clients.greengrass

    def create_component_version(
        self, recipe: Mapping[str, Any], *, tags: Mapping[str, str], client_token: str
    ) -> str | None:
        """See the port."""
        subject = f"{recipe['ComponentName']} {recipe['ComponentVersion']}"
        with translated("CreateComponentVersion", subject), accepting("ConflictException"):
            answer = self._client.create_component_version(
                inlineRecipe=json.dumps(recipe).encode(), tags=dict(tags), clientToken=client_token
            )
            return str(answer["arn"])
        return None

    def read_recipe(self, arn: str) -> Mapping[str, Any] | None:
        """See the port."""
        with translated("GetComponent", arn), accepting("ResourceNotFoundException"):
            answer = self._client.get_component(arn=arn, recipeOutputFormat="JSON")
            recipe: Mapping[str, Any] = json.loads(answer["recipe"])
            return recipe
        return None

    def read_tags(self, arn: str) -> Mapping[str, str]:
        """See the port."""
        with translated("DescribeComponent", arn):
            tags: Mapping[str, str] = self._client.describe_component(arn=arn).get("tags") or {}
        return tags

    def read_state(self, arn: str) -> str:
        """See the port."""
        with translated("DescribeComponent", arn):
            return str(self._client.describe_component(arn=arn)["status"]["componentState"])

    def list_versions(self, component_arn: str) -> list[str]:
        """See the port."""
        found: list[str] = []
        with translated("ListComponentVersions", component_arn), accepting("ResourceNotFoundException"):
            for page in self._client.get_paginator("list_component_versions").paginate(arn=component_arn):
                found += [one["componentVersion"] for one in page.get("componentVersions", [])]
        return found

    def component_arn(self, name: str) -> str:
        """See the port."""
        partition, account = self._account
        return f"arn:{partition}:greengrass:{self._client.meta.region_name}:{account}:components:{name}"

    @cached_property
    def _account(self) -> tuple[str, str]:
        with translated("GetCallerIdentity", "the credentials"):
            answer = self._clients.sts.get_caller_identity()
        return answer["Arn"].split(":")[1], answer["Account"]
