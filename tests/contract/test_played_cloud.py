"""What the demo plays of SageMaker and Greengrass, as our adapters see it through the real SDK."""

from collections.abc import Iterator

import pytest

from adapters.aws.clients import AwsClients
from adapters.pins.greengrass import GreengrassComponents
from adapters.pins.sagemaker import SageMakerModels
from adapters.portal.jobs import SageMakerJobService
from domain.errors import KeyshiftError
from domain.portal.records import JobEnd, JobKind
from handlers.demo.cloud import PlayedComponents
from handlers.demo.cloud_http import Cloud, running_cloud
from handlers.demo.portal.records import recipe_of_the_past
from tests.servers import REGION

URI = "s3://line-1/model_artifacts/model-1/1_greengrass_model_component.zip"
TRAINING = {
    "TrainingJobName": "cookie",
    "AlgorithmSpecification": {"AlgorithmName": "a", "TrainingInputMode": "File"},
    "RoleArn": "arn:aws:iam::123456789012:role/SageMakerExecution",
    "OutputDataConfig": {"S3OutputPath": "s3://b-1/models/training/"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}


@pytest.fixture
def cloud() -> Cloud:
    """One component in a deployment."""
    components = PlayedComponents()
    components.create_component_version(recipe_of_the_past("model-old", URI), tags={}, client_token="t" * 8)
    components.deployments["line"] = {"model-old": "1.0.0"}
    return Cloud(components)


@pytest.fixture
def clients(cloud: Cloud) -> Iterator[AwsClients]:
    """The real SDK."""
    with running_cloud(cloud) as url:
        yield AwsClients(
            endpoint_url=url, region=REGION, access_key_id="ours", secret_access_key="ours", read_attempts=1
        )


def test_jobs_are_started_once_and_described(cloud: Cloud, clients: AwsClients) -> None:
    """A name that is taken is an answer, a job that ended has its artifact, another one is none."""
    service = SageMakerJobService(clients)
    arn = service.create_job(JobKind.TRAINING, TRAINING)
    assert arn is not None
    assert service.create_job(JobKind.TRAINING, TRAINING) is None
    assert service.describe_job(JobKind.TRAINING, "cookie") == (arn, JobEnd("cookie", "InProgress"))
    cloud.jobs.ends["cookie"] = JobEnd("cookie", "Completed", "s3://b-1/k")
    assert service.describe_job(JobKind.TRAINING, "cookie") == (arn, JobEnd("cookie", "Completed", "s3://b-1/k"))
    assert service.describe_job(JobKind.TRAINING, "other") is None
    assert service.describe_job(JobKind.COMPILATION, "cookie") is None


def test_published_components_are_pins_until_they_are_deleted(cloud: Cloud, clients: AwsClients) -> None:
    """With the deployment that uses them."""
    (held,) = GreengrassComponents(clients).list_uris()
    assert (held.holder, held.uri) == ("Greengrass component model-old 1.0.0, in deployment line", URI)
    arn = f"{cloud.components.component_arn('model-old')}:versions:1.0.0"
    clients.greengrass.delete_component(arn=arn)
    assert list(GreengrassComponents(clients).list_uris()) == []


def test_models_and_packages_hold_their_uris(cloud: Cloud, clients: AwsClients) -> None:
    """Both are listed and described."""
    cloud.models.create_model("sold", "s3://line-1/one")
    cloud.models.create_package("registered", "s3://line-1/two")
    held = {one.uri: one.holder.rpartition(" ")[0] for one in SageMakerModels(clients).list_uris()}
    assert held == {"s3://line-1/one": "SageMaker model", "s3://line-1/two": "SageMaker model package"}


def test_what_is_not_played_is_an_error(clients: AwsClients) -> None:
    """Never an empty answer: it would read as "nothing is there"."""
    with pytest.raises(clients.sagemaker.exceptions.ClientError, match="not simulated"):
        clients.sagemaker.list_endpoints()
    with pytest.raises(KeyshiftError):
        list(GreengrassComponents(AwsClients(endpoint_url="http://127.0.0.1:9", region=REGION)).list_uris())
