"""Published Greengrass components: immutable versions whose recipes hold artifact URIs (aws-facts.md §8.2)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from domain.errors import UnavailableError
from domain.references.pins import HeldUri


class GreengrassComponents:
    """UriHolder on Greengrass: every private component version, with the deployments that use it."""

    def __init__(self, clients: AwsClients) -> None:
        self._client: Any = clients.greengrass

    def list_uris(self) -> Iterator[HeldUri]:
        """See the port."""
        used = self._used_by()
        for component in self._pages("ListComponents", "list_components", "components", scope="PRIVATE"):
            of = {"arn": component["arn"]}
            for version in self._pages("ListComponentVersions", "list_component_versions", "componentVersions", **of):
                yield from self._artifacts(version, used)

    def _artifacts(self, version: Mapping[str, Any], used: Mapping[tuple[str, str], list[str]]) -> Iterator[HeldUri]:
        name, number = version["componentName"], version["componentVersion"]
        with translated("GetComponent", version["arn"]):
            answer = self._client.get_component(arn=version["arn"], recipeOutputFormat="JSON")
        try:
            recipe = json.loads(answer["recipe"])
        except ValueError as error:
            raise UnavailableError(f"GetComponent on {version['arn']}: the recipe is not valid JSON") from error
        deployments = used.get((name, number), [])
        holder = f"Greengrass component {name} {number}"
        if deployments:
            holder += f", in deployment {', '.join(deployments)}"
        remedy = f"publish {name} as a new version with the new URI, deploy it, then delete version {number}"
        for uri in dict.fromkeys(_texts(recipe)):
            if uri.lower().startswith("s3://"):
                yield HeldUri(holder, uri, remedy)

    def _used_by(self) -> dict[tuple[str, str], list[str]]:
        used: dict[tuple[str, str], list[str]] = {}
        for one in self._pages("ListDeployments", "list_deployments", "deployments", historyFilter="LATEST_ONLY"):
            with translated("GetDeployment", one["deploymentId"]):
                answer = self._client.get_deployment(deploymentId=one["deploymentId"])
            for name, component in answer.get("components", {}).items():
                key = (name, component.get("componentVersion", ""))
                used.setdefault(key, []).append(one.get("deploymentName") or one["deploymentId"])
        return used

    def _pages(self, action: str, method: str, field: str, **given: Any) -> Iterator[Mapping[str, Any]]:
        with translated(action, "Greengrass"):
            for page in self._client.get_paginator(method).paginate(**given):
                yield from page.get(field, [])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
