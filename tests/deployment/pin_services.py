"""The services in which pins are looked for, with something in each: the stand-in has none of them."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest

from tests.deployment.authorizations import ACCOUNT
from tests.fakes.pinned_greengrass import running_pinned_greengrass
from tests.servers import Server, running_moto


@contextmanager
def running_pin_services(patch: pytest.MonkeyPatch) -> Iterator[Mapping[str, str]]:
    """The environment in which Glue, Greengrass and SageMaker are found."""
    patch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    with ExitStack() as servers:
        moto, greengrass = servers.enter_context(running_moto()), servers.enter_context(running_pinned_greengrass())
        _create_model(moto)
        _create_glue_table(moto)
        endpoints = {"AWS_ENDPOINT_URL_SAGEMAKER": moto.endpoint_url, "AWS_ENDPOINT_URL_GREENGRASSV2": greengrass}
        yield {**endpoints, "AWS_ENDPOINT_URL_GLUE": moto.endpoint_url}


def _create_glue_table(moto: Server) -> None:
    """A table with a partition, so that each level of the catalog is read."""
    glue, place = moto.client("glue"), {"Location": "s3://elsewhere/events/"}
    glue.create_database(DatabaseInput={"Name": "lake"})
    keys = [{"Name": "dt", "Type": "string"}]
    table = {"Name": "events", "StorageDescriptor": place, "PartitionKeys": keys}
    glue.create_table(DatabaseName="lake", TableInput=table)
    glue.create_partition(
        DatabaseName="lake", TableName="events", PartitionInput={"Values": ["1"], "StorageDescriptor": place}
    )


def _create_model(moto: Server) -> None:
    """A model and a model package, so that there is something to describe."""
    sagemaker, data = moto.client("sagemaker"), "s3://elsewhere/model.tar.gz"
    container = {"Image": "i", "ModelDataUrl": data}
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=container)
    sagemaker.create_model_package_group(ModelPackageGroupName="g", ModelPackageGroupDescription="d")
    sagemaker.create_model_package(
        ModelPackageGroupName="g",
        ModelPackageDescription="d",
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": ["a"],
            "SupportedResponseMIMETypes": ["a"],
        },
    )
