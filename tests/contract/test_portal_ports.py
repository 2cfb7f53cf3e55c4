"""The portal's ports: fakes in memory, and adapters on the stand-in, moto and a small Greengrass."""

from urllib.parse import parse_qs

import pytest

from adapters.aws.clients import AwsClients
from adapters.portal.jobs import SageMakerJobService
from adapters.portal.tables import DynamoDbUseCaseBook
from adapters.portal.workplaces import StsWorkplaces
from domain.errors import InputError, KeyshiftError
from domain.keys import Location
from domain.portal.ports import Workplace
from domain.portal.records import JobKind, PortalTables, UseCase
from domain.protocol.ports import Refused, Written
from tests.fakes.clock import FakeClock
from tests.fakes.object_store import InMemoryObjectStore
from tests.fakes.portal import InMemoryWorkplaces
from tests.servers import REGION, Server, new_name
from tests.worlds.portal import ROLE, USE_CASE, PortalMemoryWorld, PortalServerWorld, PortalWorld, greengrass
from tests.worlds.presence import present
from tests.worlds.sts import STS_NAMESPACE, answering_posts, credentials_of_role

__all__ = ["greengrass"]

ENTERED = UseCase("line-9", "other-account", ROLE, "arn:aws:iam::222222222222:role/Portal", "secret-handshake")


@pytest.fixture(params=["memory", "servers"])
def world(request: pytest.FixtureRequest) -> PortalWorld:
    """The portal on its fakes, then on its adapters."""
    if request.param == "memory":
        return PortalMemoryWorld()
    standin, moto, greengrass = map(request.getfixturevalue, ("standin", "moto_endpoint", "greengrass"))
    return PortalServerWorld(standin, moto, greengrass)


def workplace_of(world: PortalWorld) -> Workplace:
    """The use case's services."""
    return world.ports.workplaces.open_workplace(world.use_case)


def clients_at(service: str, url: str) -> AwsClients:
    """Clients whose one service is at this URL."""
    return AwsClients(
        endpoint_url="http://127.0.0.1:9",
        region=REGION,
        access_key_id="ours",
        secret_access_key="ours",
        endpoints=((service, url),),
    )


# TrainingBook
def test_a_record_is_created_once(world: PortalWorld) -> None:
    """The second create answers with what is there, and writes nothing."""
    book, name = world.ports.trainings, new_name()
    item = {"training_id": name, "epochs": 3, "jobs": [{"on": True, "none": None}], "mark": b"\x00\xff"}
    assert book.read_training(name) is None
    assert book.create_training(item) is None
    assert book.create_training({"training_id": name, "epochs": 4}) == item
    assert book.read_training(name) == item


def test_a_change_needs_the_record_as_it_was_read(world: PortalWorld) -> None:
    """An attribute that differs, that came since, or a record that is not there: nothing is written."""
    book, name = world.ports.trainings, new_name()
    book.create_training({"training_id": name, "status": "InProgress"})
    before = {"training_id": name, "status": "InProgress"}
    assert book.change_training(name, {"status": "Completed", "artifact_s3": "s3://b/k"}, before=before)
    after = {"training_id": name, "status": "Completed", "artifact_s3": "s3://b/k"}
    assert book.read_training(name) == after
    assert not book.change_training(name, {"status": "Failed"}, before=before)
    assert not book.change_training(name, {"artifact_s3": "s3://b/other"}, before=before)
    assert book.read_training(name) == after
    nobody = new_name()
    assert not book.change_training(nobody, {"status": "Failed"}, before={})
    assert book.read_training(nobody) is None


def test_a_record_is_found_by_each_of_its_jobs(world: PortalWorld) -> None:
    """By the training job and by a compilation job; a name that none has finds nothing."""
    book, name = world.ports.trainings, new_name()
    book.create_training({"training_id": new_name(), "training_job_name": new_name()})
    item = {
        "training_id": name,
        "training_job_name": f"{name}-train",
        "compilation_jobs": [{"compilation_job_name": f"{name}-one"}, {"compilation_job_name": f"{name}-two"}],
    }
    book.create_training(item)
    for job in ("train", "two"):
        assert book.find_trainings(job_name=f"{name}-{job}") == [item]
    assert book.find_trainings(job_name=name) == []
    again = {"training_id": new_name(), "training_job_name": f"{name}-two"}
    book.create_training(again)
    found = book.find_trainings(job_name=f"{name}-two")
    assert sorted(found, key=lambda one: one["training_id"] != name) == [item, again], "accounts may share a name"


# UseCaseBook
def test_a_use_case_that_is_not_there_is_none(world: PortalWorld) -> None:
    """And the one that is there has its bucket and its role."""
    book = world.ports.use_cases
    assert book.read_use_case(new_name()) is None
    assert book.read_use_case(USE_CASE) == UseCase(USE_CASE, world.bucket, ROLE)


def test_assignments_are_read_from_their_table(standin: Server) -> None:
    """A user has the use cases of its rows and no others."""
    clients = AwsClients(
        endpoint_url=standin.endpoint_url,
        region=REGION,
        access_key_id=standin.access_key,
        secret_access_key=standin.secret_key,
    )
    name = new_name("roles")
    keys = (("user_id", "HASH"), ("usecase_id", "RANGE"))
    clients.dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],  # type: ignore[typeddict-item]  # the two words
        BillingMode="PAY_PER_REQUEST",
    )
    clients.dynamodb.put_item(TableName=name, Item={"user_id": {"S": "ada"}, "usecase_id": {"S": USE_CASE}})
    book = DynamoDbUseCaseBook(clients, PortalTables("t", "m", "u", name))
    asked = [("ada", USE_CASE), ("ada", "line-2"), ("bob", USE_CASE)]
    assert [book.is_assigned(user, use_case) for user, use_case in asked] == [True, False, False]


def test_a_use_case_that_lacks_something_is_named(standin: Server, moto_endpoint: Server, greengrass: str) -> None:
    """The error says which use case and which attribute."""
    world = PortalServerWorld(standin, moto_endpoint, greengrass)
    item = {"usecase_id": {"S": "half"}, "s3_bucket": {"S": "b-1"}}
    world.clients.dynamodb.put_item(TableName=world.tables.use_cases, Item=item)
    with pytest.raises(InputError, match="half has no sagemaker_execution_role_arn"):
        world.ports.use_cases.read_use_case("half")


# JobService
def test_jobs_that_were_started_are_described(world: PortalWorld) -> None:
    """By name, with the ARN that the start gave; a job that was never started is none."""
    jobs = workplace_of(world).jobs
    trained = world.train(model_name=new_name("m"))
    described = present(jobs.describe_job(JobKind.TRAINING, trained.body["training_job_name"]))
    assert described[0] == trained.body["training_job_arn"]
    assert described[1].name == trained.body["training_job_name"]
    training_id = trained.body["training_id"]
    world.finish_training(training_id)
    started = world.call("POST", f"/training/{training_id}/compile", {"targets": ["arm64-cpu"]}).body
    (entry,) = started["compilation_jobs"]
    compiled = present(jobs.describe_job(JobKind.COMPILATION, entry["compilation_job_name"]))
    assert compiled[0] == entry["compilation_job_arn"]
    for arn in (described[0], compiled[0]):
        assert jobs.read_job_tags(arn) == {"UseCase": USE_CASE, "TrainingId": training_id}
    assert [jobs.describe_job(kind, new_name("none")) for kind in JobKind] == [None, None]


@pytest.mark.parametrize("kind", ["training", "compilation"])
def test_a_name_that_is_taken_is_an_answer(kind: str) -> None:
    """SageMaker's ResourceInUse is ``None``; the request was sent once."""
    with answering_posts(400, '{"__type": "ResourceInUse", "message": "taken"}', "application/x-amz-json-1.1") as (
        url,
        asked,
    ):
        service = SageMakerJobService(clients_at("sagemaker", url))
        if kind == "training":
            answer = service.create_job(
                JobKind.TRAINING,
                {
                    "TrainingJobName": "cookie",
                    "AlgorithmSpecification": {"AlgorithmName": "a", "TrainingInputMode": "File"},
                    "RoleArn": ROLE,
                    "OutputDataConfig": {"S3OutputPath": "s3://b-1/models/training/"},
                    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
                    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
                },
            )
        else:
            answer = service.create_job(
                JobKind.COMPILATION,
                {
                    "CompilationJobName": "cookie",
                    "RoleArn": ROLE,
                    "OutputConfig": {"S3OutputLocation": "s3://b-1/models/compilation/cookie/arm64-cpu/"},
                    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
                },
            )
        assert answer is None
        assert len(asked) == 1


# ComponentService
def test_a_component_version_is_published_once(world: PortalWorld) -> None:
    """The same token finds its own; another token is refused; the newest version comes first."""
    components, name = workplace_of(world).components, new_name("model")
    recipes = [
        {"RecipeFormatVersion": "2020-01-25", "ComponentName": name, "ComponentVersion": version}
        for version in ("1.0.0", "2.0.0")
    ]
    base = components.component_arn(name)
    assert components.list_versions(base) == []
    arn = components.create_component_version(recipes[0], tags={"a": "b"}, client_token=f"{name}-1")
    assert arn == f"{base}:versions:1.0.0"
    assert components.create_component_version(recipes[0], tags={}, client_token=f"{name}-1") == arn
    assert components.create_component_version(recipes[0], tags={}, client_token=f"{name}-2") is None
    assert components.create_component_version(recipes[1], tags={}, client_token=f"{name}-3") is not None
    assert components.list_versions(base) == ["2.0.0", "1.0.0"]
    assert components.read_recipe(arn) == recipes[0]
    assert components.read_recipe(f"{base}:versions:9.0.0") is None
    assert components.read_state(arn) == "DEPLOYABLE"
    assert components.read_tags(arn) == {"a": "b"}
    assert components.read_tags(f"{base}:versions:2.0.0") == {}


# ObjectStreams
def test_an_object_is_written_whole_or_not_at_all(world: PortalWorld) -> None:
    """Left without ``finish``, or by an exception, there is none; a second writer changes nothing."""
    streams = workplace_of(world).objects
    place = Location(world.bucket, "deployments/one/component.zip")
    about = {"metadata": {"mark": "1"}, "content_type": "application/zip"}
    assert streams.open_object(place) is None
    assert streams.read_metadata(place) is None
    with streams.new_object(place, **about) as sink:  # type: ignore[arg-type]  # the two
        sink.write(b"half")
    with pytest.raises(RuntimeError), streams.new_object(place, **about) as sink:  # type: ignore[arg-type]  # noqa: PT012  # what is raised inside
        sink.write(b"half")
        raise RuntimeError
    assert streams.open_object(place) is None
    for body, expected in ((b"whole", Written), (b"other", Refused)):
        with streams.new_object(place, **about) as sink:  # type: ignore[arg-type]  # the two
            assert sink.write(body) == len(body)
            assert isinstance(sink.finish(), expected)
    opening = present(streams.open_object(place))
    with opening as reader:
        assert (reader.read(2), reader.read(), reader.read(1)) == (b"wh", b"ole", b"")
    assert streams.read_metadata(place) == {"mark": "1"}


# Workplaces
@pytest.mark.parametrize(("seconds", "requests"), [(3_600, 1), (300, 2)])
def test_another_account_is_entered_with_its_external_id(seconds: float, requests: int) -> None:
    """Role, external id and a name for their CloudTrail; kept while it is good, renewed shortly before its end."""
    clock, made = FakeClock(), list[AwsClients]()
    inside = InMemoryWorkplaces(InMemoryObjectStore())

    def make(clients: AwsClients) -> Workplace:
        made.append(clients)
        return inside.open_workplace(ENTERED)

    with answering_posts(200, credentials_of_role(seconds, clock), "text/xml") as (url, asked):
        workplaces = StsWorkplaces(clients_at("sts", url), make=make, clock=clock)
        for _ in range(2):
            workplaces.open_workplace(ENTERED)
    assert len(asked) == requests
    request = {name: values[0] for name, values in parse_qs(asked[0]).items()}
    wanted = {
        "Action": "AssumeRole",
        "RoleArn": ENTERED.role_arn,
        "ExternalId": ENTERED.external_id,
        "RoleSessionName": "keyshift-line-9",
        "DurationSeconds": "3600",
    }
    assert {name: request.get(name) for name in wanted} == wanted
    assert {(one.access_key_id, one.secret_access_key) for one in made} == {("theirs", "hidden")}


def test_a_role_that_may_not_be_assumed_is_named() -> None:
    """The error has the role, and is one of ours; nothing is entered with our own credentials instead."""
    denied = "<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error>"
    made = list[AwsClients]()

    def make(clients: AwsClients) -> Workplace:
        made.append(clients)
        return InMemoryWorkplaces(InMemoryObjectStore()).open_workplace(ENTERED)

    with answering_posts(403, f'<ErrorResponse xmlns="{STS_NAMESPACE}">{denied}</ErrorResponse>', "text/xml") as (
        url,
        _,
    ):
        workplaces = StsWorkplaces(clients_at("sts", url), make=make, clock=FakeClock())
        with pytest.raises(KeyshiftError, match="role/Portal"):
            workplaces.open_workplace(ENTERED)
    assert made == []
