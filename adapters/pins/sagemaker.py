"""SageMaker models and model packages, which cannot be edited (aws-facts.md §8.1)."""

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from domain.references.pins import HeldUri

_PREFIX = "S3Prefix"


class SageMakerModels:
    """UriHolder on SageMaker."""

    def __init__(self, clients: AwsClients) -> None:
        self._client: Any = clients.sagemaker

    def list_uris(self) -> Iterator[HeldUri]:
        """See the port."""
        for model in self._pages("ListModels", "list_models", "Models"):
            name = model["ModelName"]
            with translated("DescribeModel", name):
                described = self._client.describe_model(ModelName=name)
            remedy = f"create a model with the new URI for {name}, point its endpoints to it, then delete it"
            yield from _held(f"SageMaker model {name}", described, remedy)
        every = {"ModelPackageType": "Both"}
        for package in self._pages("ListModelPackages", "list_model_packages", "ModelPackageSummaryList", **every):
            arn = package["ModelPackageArn"]
            with translated("DescribeModelPackage", arn):
                registered = self._client.describe_model_package(ModelPackageName=arn)
            remedy = f"register the model again with the new URI, then delete the model package {arn}"
            yield from _held(f"SageMaker model package {arn}", registered, remedy)

    def _pages(self, action: str, method: str, field: str, **given: Any) -> Iterator[Mapping[str, Any]]:
        with translated(action, "SageMaker"):
            for page in self._client.get_paginator(method).paginate(**given):
                yield from page.get(field, [])


def _held(holder: str, described: Any, remedy: str) -> Iterator[HeldUri]:
    """Every S3 URI in a description, each once; containers, data sources, additional ones, specifications."""
    found = dict.fromkeys(_uris(described))
    yield from (HeldUri(holder, uri, remedy, is_prefix) for uri, is_prefix in found)


def _uris(value: Any) -> Iterator[tuple[str, bool]]:
    if isinstance(value, Mapping):
        is_prefix = value.get("S3DataType") == _PREFIX
        for one in value.values():
            if isinstance(one, str):
                if one.lower().startswith(("s3://", "https://")):
                    yield one, is_prefix
            else:
                yield from _uris(one)
    elif isinstance(value, list):
        for one in value:
            yield from _uris(one)
