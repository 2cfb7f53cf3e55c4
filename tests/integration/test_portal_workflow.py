"""The whole workflow on S3 and DynamoDB (stand-in), SageMaker (moto) and Greengrass (a small HTTP fake)."""

import pytest

from domain.errors import MissingResourceError
from domain.keys import Location
from domain.portal.targets import Target
from domain.protocol.ports import Refused, Written
from tests.servers import Server
from tests.worlds.portal import PortalServerWorld, greengrass, key_of, play_workflow
from tests.worlds.presence import present

__all__ = ["greengrass"]

pytestmark = pytest.mark.slow("runs the portal's workflow on emulators")


@pytest.fixture
def world(standin: Server, moto_endpoint: Server, greengrass: str) -> PortalServerWorld:
    """A new use case."""
    return PortalServerWorld(standin, moto_endpoint, greengrass)


@pytest.mark.parametrize("state", ["clean", "before", "moving", "moved", "cleaned"])
def test_the_workflow_runs(world: PortalServerWorld, state: str) -> None:
    """Train, compile two targets, package, publish, read: on a clean bucket, in mid-migration and after cleanup."""
    play_workflow(world, state, [Target.JETSON_XAVIER, Target.X86_64_CPU], f"flow-{state}")
    (item,) = world.clients.dynamodb.scan(TableName=world.tables.trainings)["Items"]
    job = item["training_job_name"]["S"]
    asked = world.clients.sagemaker.describe_training_job(TrainingJobName=job)
    assert asked["OutputDataConfig"]["S3OutputPath"] == f"s3://{world.bucket}/models/training/"
    for entry in item["compilation_jobs"]["L"]:
        name, target = entry["M"]["compilation_job_name"]["S"], entry["M"]["target"]["S"]
        told = world.clients.sagemaker.describe_compilation_job(CompilationJobName=name)
        folder = f"s3://{world.bucket}/models/compilation/{name}/{target}/"
        assert told["OutputConfig"]["S3OutputLocation"] == folder


def test_a_published_legacy_component_is_published_again(world: PortalServerWorld) -> None:
    """Not before its zip is migrated; then once, as the next version with the new URI, and never twice."""
    old = f"s3://{world.bucket}/model_artifacts/model-0a1b2c3d4e5f/0a1b2c3d4e5f_greengrass_model_component.zip"
    world.put(key_of(old), b"zip")
    components = world.ports.workplaces.open_workplace(world.use_case).components
    recipe = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": "model-old-x86-64-cpu",
        "ComponentVersion": "1.0.0",
        "Manifests": [
            {
                "Lifecycle": {
                    "Startup": {
                        "Script": "run {artifacts:decompressedPath}/0a1b2c3d4e5f_greengrass_model_component/ "
                        "--model_version 1.0.0 --model_name m"
                    }
                },
                "Artifacts": [{"Uri": old, "Digest": "d", "Algorithm": "SHA-256", "Unarchive": "ZIP"}],
            }
        ],
    }
    arn = components.create_component_version(recipe, tags={}, client_token="old" * 4)
    entry = {"target": "x86_64-cpu", "component_name": "model-old-x86-64-cpu", "component_arn": arn}
    world.ports.trainings.create_training(
        {"training_id": "old", "usecase_id": "line-1", "model_name": "old", "published_components": [entry]}
    )
    assert world.call("POST", "/training/old/republish").status == 409
    world.move(key_of(old))
    again = world.call("POST", "/training/old/republish")
    assert again.status == 200
    assert again.body["published_components"][0]["component_version"] == "2.0.0"
    new = present(components.read_recipe(f"{components.component_arn('model-old-x86-64-cpu')}:versions:2.0.0"))
    manifest = new["Manifests"][0]
    uri = f"s3://{world.bucket}/deployments/model-0a1b2c3d4e5f/component.zip"
    assert manifest["Artifacts"] == [{"Uri": uri, "Unarchive": "ZIP"}]
    script = manifest["Lifecycle"]["Startup"]["Script"]
    assert script == "run {artifacts:decompressedPath}/component/ --model_version 2.0.0 --model_name m"
    assert world.call("POST", "/training/old/republish").body["published_components"] == []


def test_a_bucket_that_is_not_there_is_no_absent_object(world: PortalServerWorld) -> None:
    """HEAD answers 404 for both; only of a bucket that exists it says that the key is free."""
    streams = world.ports.workplaces.open_workplace(world.use_case).objects
    assert streams.open_object(Location(world.bucket, "none")) is None
    for look in (streams.open_object, streams.read_metadata):
        with pytest.raises(MissingResourceError, match="does not exist"):
            look(Location("no-bucket-of-ours", "none"))


def test_large_objects_are_written_in_parts_and_never_over_another(world: PortalServerWorld) -> None:
    """Three parts, read back in ranges; a second writer is refused, and an unfinished one leaves nothing."""
    streams = world.ports.workplaces.open_workplace(world.use_case).objects
    place = Location(world.bucket, "deployments/big/component.zip")
    body = bytes(range(256)) * 4096 * 18
    for expected in (Written, Refused):
        with streams.new_object(place, metadata={"a": "b"}, content_type="application/zip") as sink:
            for first in range(0, len(body), 1_000_000):
                sink.write(body[first : first + 1_000_000])
            assert isinstance(sink.finish(), expected)
    opening = present(streams.open_object(place))
    with opening as reader:
        assert reader.read() == body
    assert streams.read_metadata(place) == {"a": "b"}
    other = Location(world.bucket, "deployments/none/component.zip")
    with streams.new_object(other, metadata={}, content_type="application/zip") as sink:
        sink.write(body)
    assert streams.open_object(other) is None
    assert "Uploads" not in world.clients.s3.list_multipart_uploads(Bucket=world.bucket)
