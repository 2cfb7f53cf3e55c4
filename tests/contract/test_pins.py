"""UriHolder: SageMaker on moto, Greengrass on a small server of the documented API (no emulator has it)."""

from collections.abc import Iterator

import pytest

from adapters.aws.clients import AwsClients
from adapters.pins.glue import GlueTables
from adapters.pins.greengrass import GreengrassComponents
from adapters.pins.sagemaker import SageMakerModels
from domain.errors import KeyshiftError
from domain.keys import Location
from domain.references.holders import Pin
from domain.references.pins import HeldUri, pins_of
from handlers.operations.pins import Pins
from tests.fakes.pinned_greengrass import running_pinned_greengrass
from tests.servers import REGION, Server, new_name
from tests.worlds.objects import clients_for
from tests.worlds.referring import ReferringWorld


@pytest.fixture
def greengrass() -> Iterator[AwsClients]:
    """Clients of a server with one component in two versions, the first of them deployed."""
    with running_pinned_greengrass() as url:
        yield AwsClients(endpoint_url=url, region=REGION, access_key_id="test", secret_access_key="test")


def test_components_are_held_with_their_deployments(greengrass: AwsClients) -> None:
    """Every artifact URI of every version, through all pages, with who uses it and what to do."""
    held = list(GreengrassComponents(greengrass).list_uris())
    assert [one.uri for one in held] == ["s3://line-1/old//a.zip", "s3://other/b.zip"]
    assert {one.holder for one in held} == {"Greengrass component model 1.0.0, in deployment line"}
    assert "publish model as a new version" in held[0].remedy


def test_models_and_model_packages_hold_their_data(moto_endpoint: Server) -> None:
    """Primary and further containers of models, and registered packages."""
    clients = clients_for(moto_endpoint)
    sagemaker = clients.sagemaker
    name, group = new_name("model"), new_name("group")
    role = "arn:aws:iam::123456789012:role/r"
    one, two = f"s3://line-1/old//{name}/model.tar.gz", f"s3://line-1/old//{name}/package.tar.gz"
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer={"Image": "i", "ModelDataUrl": one})
    sagemaker.create_model_package_group(ModelPackageGroupName=group, ModelPackageGroupDescription="d")
    sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelPackageDescription="d",
        InferenceSpecification={
            "Containers": [{"Image": "i", "ModelDataUrl": two}],
            "SupportedContentTypes": ["a"],
            "SupportedResponseMIMETypes": ["a"],
        },
    )
    held = {one.uri: one for one in SageMakerModels(clients).list_uris()}
    assert held[one].holder == f"SageMaker model {name}"
    assert held[two].holder.startswith("SageMaker model package ")


def test_tables_and_partitions_hold_what_lies_below_their_locations(moto_endpoint: Server) -> None:
    """Of every database; an Iceberg table also holds the metadata file that it names."""
    clients = clients_for(moto_endpoint)
    glue, database = clients.client_of("glue"), new_name("lake")
    glue.create_database(DatabaseInput={"Name": database})
    keys = [{"Name": "dt", "Type": "string"}]
    given = {"Name": "events", "StorageDescriptor": {"Location": "s3://line-1/old//events"}, "PartitionKeys": keys}
    glue.create_table(DatabaseName=database, TableInput=given)
    elsewhere = {"Values": ["2026"], "StorageDescriptor": {"Location": "s3://line-1/old//more/2026/"}}
    glue.create_partition(DatabaseName=database, TableName="events", PartitionInput=elsewhere)
    named = {"metadata_location": "s3://line-1/old//ice/metadata/v1.metadata.json", "table_type": "ICEBERG"}
    glue.create_table(DatabaseName=database, TableInput={"Name": "ice", "Parameters": named})
    held = [one for one in GlueTables(clients).list_uris() if database in one.holder]
    assert [(one.uri, one.is_folder) for one in held] == [
        ("s3://line-1/old//events", True),
        ("s3://line-1/old//more/2026/", True),
        ("s3://line-1/old//ice/metadata/v1.metadata.json", False),
    ]
    assert held[1].holder == f"Glue table {database}.events, partition 2026"


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("s3://line-1/old//events", "old//events/"),
        ("s3a://line-1/old//events/", "old//events/"),
        ("s3://line-1", ""),
        ("s3://line-1/elsewhere/", None),
        ("s3://other/old//events", None),
        ("jdbc:events", None),
    ],
)
def test_a_folder_is_one_pin_on_everything_in_it(uri: str, folder: str | None) -> None:
    """However many objects lie there; a location that the migration does not touch is none."""
    world = ReferringWorld()
    held = HeldUri("Glue table lake.events", uri, "set its location", is_folder=True)
    found = list(Pins(world.rules, (_Held(held),), world.store).find_pins())
    assert [one.source for one in found] == ([] if folder is None else [Location("line-1", folder)])


def test_a_service_that_does_not_answer_is_an_error() -> None:
    """Silence is not "no pins"."""
    clients = AwsClients(
        endpoint_url="http://127.0.0.1:1", region=REGION, access_key_id="t", secret_access_key="t", read_attempts=1
    )
    for service in (SageMakerModels, GlueTables):
        with pytest.raises(KeyshiftError):
            list(service(clients).list_uris())


class _Held:
    """A service with these URIs."""

    def __init__(self, *uris: HeldUri) -> None:
        self._uris = uris

    def list_uris(self) -> Iterator[HeldUri]:
        """See the port."""
        yield from self._uris


def test_pins_are_exactly_the_legacy_objects_that_are_held() -> None:
    """One object by its URI, every object below a prefix; new, foreign and unmapped ones are no pins."""
    world = ReferringWorld()
    for key in ("old//a", "old//p/1", "old//p/2", "new/x", "stray"):
        world.put(key)
    uris = ("s3://line-1/old//a", "https://line-1.s3.amazonaws.com/old//a", "s3://line-1/new/x", "s3://o/old//a")
    held = [HeldUri("h", uri, "again") for uri in (*uris, "s3://line-1/stray", "model.tar.gz")]
    held += [HeldUri("h", "s3://line-1/old//p/", "again", is_prefix=True), HeldUri("h", "s3://o/", "", is_prefix=True)]
    found = list(Pins(world.rules, (_Held(*held),), world.store).find_pins())
    assert [one.source.key for one in found] == ["old//a", "old//a", "old//p/1", "old//p/2"]
    assert found[0] == Pin("h", "s3://line-1/old//a", Location("line-1", "old//a"), "again")
    assert list(pins_of(held[0], rules=world.rules, below=lambda _: ())) == found[:1]
