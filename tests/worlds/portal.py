"""A use case of the portal with its migration: in memory, or on the stand-in, moto and a small Greengrass."""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from adapters.aws.clients import AwsClients
from adapters.demo.provisioning import create_bucket, create_manifest_table, create_portal_tables, write_use_case
from domain.keys import Location
from domain.objects import ContentHeaders
from domain.portal.ports import PortalPorts
from domain.portal.records import JobEnd, PortalTables, UseCase
from domain.portal.targets import Target
from domain.protocol.attempt import Attempt, MigrationPolicy, MigrationPorts
from domain.protocol.cleanup import clean_source
from domain.protocol.migration import migrate_object
from domain.protocol.notices import Destination, Notice, NoticeKind
from domain.rules.compiled import CompiledRules
from handlers.bootstrap import bootstrap
from handlers.bootstrap.portal import portal_ports
from handlers.bootstrap.process import Process
from handlers.config.rules_file import load_rules
from handlers.config.settings import Settings
from handlers.demo.models import COMPILED, TRAINED, tar_gz
from handlers.demo.portal.caller import Caller, HttpAnswer, answer_of, function_of, request_event
from handlers.engine.dependencies import EngineDependencies
from handlers.portal import job_events
from handlers.portal.http import respond
from handlers.portal.portal import Portal
from handlers.portal.settings import PortalSettings
from handlers.portal.wiring import portal_on, tables_of
from tests.fakes.clock import FakeClock
from tests.fakes.lifecycle import InMemoryStageBook
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.object_store import InMemoryObjectStore
from tests.fakes.portal import InMemoryTrainingBook, InMemoryUseCaseBook, InMemoryWorkplaces
from tests.fakes.portal_greengrass import running_greengrass
from tests.servers import REGION, Server, new_name
from tests.worlds.presence import present

ROOT = Path(__file__).resolve().parents[2]
RULES_FILE = ROOT / "migrations" / "edge-cv-portal.yaml"
BASE_RULES = load_rules(RULES_FILE)
USE_CASE = "line-1"
ROLE = "arn:aws:iam::123456789012:role/SageMakerExecution"
SENT_BY = {"account": "123456789012", "region": "us-east-1"}
"""Where EventBridge says that the jobs of the use case are."""
ALGORITHM = "arn:aws:sagemaker:us-east-1:865070037744:algorithm/lfv-public"
PORTAL_POLICY = MigrationPolicy(request_seconds=5.0, margin_seconds=1.0)
GIVEN = PortalSettings(
    training_table="training-jobs",
    models_table="models",
    use_cases_table="use-cases",
    user_roles_table="user-roles",
    algorithm_arn=ALGORITHM,
)
MANIFEST_KEY = "datasets/manifests/cookies.manifest"
TRAINED_MODEL = tar_gz(TRAINED)
COMPILED_MODEL = tar_gz(COMPILED)


class PortalWorld:
    """The portal, its bucket, and the migration of that bucket, one object at a time."""

    def __init__(self, ports: PortalPorts, migration: MigrationPorts, rules: CompiledRules, owner: Any) -> None:
        self.rules = rules
        self.bucket = rules.source_bucket
        self.ports = ports
        self.migration = migration
        self.owner = owner
        self.portal: Portal = replace(portal_on(ports, rules, GIVEN), sleep=lambda _seconds: None)
        self._tokens = (f"t{number}" for number in count())

    # The callers of the API.
    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: str | None = "PortalAdmin",
        key: str | None = None,
        user: str = "ada",
    ) -> HttpAnswer:
        """One request through API Gateway; ``role`` ``None`` is nobody."""
        event = request_event(method, path, body, caller=Caller(user, role), key=key)
        return answer_of(respond(event, self.portal, function_of(method, path).ROUTES))

    def train(self, **more: Any) -> HttpAnswer:
        """Start a training job, of a manifest that is there."""
        if self.read(MANIFEST_KEY) is None:
            self.put(MANIFEST_KEY, b"{}\n")
        key = more.pop("key", None)
        body = {
            "usecase_id": USE_CASE,
            "model_name": "cookie",
            "model_version": "1",
            "model_type": "classification",
            "dataset_manifest_s3": f"s3://{self.bucket}/{MANIFEST_KEY}",
            **more,
        }
        return self.call("POST", "/training", body, key=key)

    # SageMaker, as far as it writes and tells.
    def finish_training(self, training_id: str, *, artifact: str | None = None) -> str:
        """The job writes its model where SageMaker would, and the event comes; the artifact's URI."""
        item = self.item(training_id)
        name = item["training_job_name"]
        uri = artifact or f"{item['s3_output_path']}{name}/output/model.tar.gz"
        self.put(key_of(uri), TRAINED_MODEL)
        self.tell_training(name, uri)
        return uri

    def tell_training(self, name: str, uri: str | None) -> dict[str, Any]:
        """The event of a completed training job."""
        artifacts = {"ModelArtifacts": {"S3ModelArtifacts": uri}} if uri else {}
        detail = {"TrainingJobName": name, "TrainingJobStatus": "Completed", **artifacts}
        return job_events.take_event({"detail-type": job_events.TRAINING, **SENT_BY, "detail": detail}, self.portal)

    def finish_compilation(self, training_id: str) -> list[str]:
        """Every compilation job that runs writes its model, and its event comes; the artifacts' URIs."""
        uris = []
        for job in self.item(training_id)["compilation_jobs"]:
            if job["status"] == "InProgress":
                target = Target(job["target"])
                layout = self.portal.layout_of(self.use_case)
                folder = layout.compilation_output_uri(job["compilation_job_name"], target)
                uris.append(f"{folder}model-LINUX.tar.gz")
                self.put(key_of(uris[-1]), COMPILED_MODEL)
                self.tell_compilation(job["compilation_job_name"], uris[-1])
        return uris

    def tell_compilation(self, name: str, uri: str) -> dict[str, Any]:
        """The event of a completed compilation job."""
        detail = {
            "CompilationJobName": name,
            "CompilationJobStatus": "COMPLETED",
            "ModelArtifacts": {"S3ModelArtifacts": uri},
        }
        return job_events.take_event({"detail-type": job_events.COMPILATION, **SENT_BY, "detail": detail}, self.portal)

    # The bucket and the tables.
    @property
    def use_case(self) -> UseCase:
        """The use case."""
        return present(self.ports.use_cases.read_use_case(USE_CASE))

    def item(self, training_id: str) -> dict[str, Any]:
        """The record."""
        item = present(self.ports.trainings.read_training(training_id))
        return dict(item)

    def put(self, key: str, body: bytes, *, metadata: Mapping[str, str] | None = None, tags: Any = None) -> None:
        """Somebody writes an object."""
        self.owner.put(Location(self.bucket, key), body, metadata or {}, tags or {})

    def read(self, key: str) -> bytes | None:
        """The bytes at a key."""
        body: bytes | None = self.owner.read(Location(self.bucket, key))
        return body

    # The migration.
    def move(self, key: str) -> Location:
        """Migrate one object by a row of a listing; where it is then."""
        mapped = self.rules.map_key(key)
        assert mapped.target is not None
        assert mapped.rule is not None
        migrate_object(
            Notice(NoticeKind.LISTED, Location(self.bucket, key)),
            destination=Destination(mapped.target, mapped.rule),
            attempt=Attempt(next(self._tokens), 60.0),
            ports=self.migration,
            policy=PORTAL_POLICY,
        )
        return mapped.target

    def clean(self, key: str) -> None:
        """Delete one source."""
        record_id = Location(self.bucket, key).record_id
        attempt = Attempt(next(self._tokens), 60.0)
        clean_source(record_id, attempt=attempt, ports=self.migration, policy=PORTAL_POLICY, need_proof=False)


def key_of(uri: str) -> str:
    """The key of an ``s3://`` URI."""
    return uri.split("/", 3)[3]


class _MemoryOwner:
    def __init__(self, store: InMemoryObjectStore) -> None:
        self._store = store

    def put(self, location: Location, body: bytes, metadata: Mapping[str, str], tags: Mapping[str, str]) -> None:
        headers = ContentHeaders(content_type="binary/octet-stream")
        self._store.put(location, body, metadata=metadata, tags=tags, headers=headers)

    def read(self, location: Location) -> bytes | None:
        return self._store.body(location)


class _ServerOwner:
    def __init__(self, clients: AwsClients) -> None:
        self._s3 = clients.s3

    def put(self, location: Location, body: bytes, metadata: Mapping[str, str], tags: Mapping[str, str]) -> None:
        tagging = "&".join(f"{name}={value}" for name, value in tags.items())
        self._s3.put_object(
            Bucket=location.bucket, Key=location.key, Body=body, Metadata=dict(metadata), Tagging=tagging
        )

    def read(self, location: Location) -> bytes | None:
        try:
            return bytes(self._s3.get_object(Bucket=location.bucket, Key=location.key)["Body"].read())
        except self._s3.exceptions.NoSuchKey:
            return None


class PortalMemoryWorld(PortalWorld):
    """Everything in memory."""

    def __init__(self, rules: CompiledRules = BASE_RULES) -> None:
        self.clock = FakeClock()
        self.store = InMemoryObjectStore(self.clock)
        self.store.create_bucket(rules.source_bucket)
        self.trainings = InMemoryTrainingBook()
        self.use_cases = InMemoryUseCaseBook(UseCase(USE_CASE, rules.source_bucket, ROLE))
        self.workplaces = InMemoryWorkplaces(self.store)
        self.manifest = InMemoryManifest()
        self.stages = InMemoryStageBook()
        migration = MigrationPorts(store=self.store, multipart=self.store, manifest=self.manifest, clock=self.clock)
        ports = PortalPorts(
            self.trainings, self.use_cases, self.workplaces, self.clock, self.manifest, self.store, self.stages
        )
        super().__init__(ports, migration, rules, _MemoryOwner(self.store))

    def jobs_of(self, name: str) -> Mapping[str, Any]:
        """What a job was made of."""
        return self.workplaces.jobs.requests[name]

    def end_of(self, name: str, end: JobEnd) -> None:
        """What describe says from now on."""
        self.workplaces.jobs.ends[name] = end


@pytest.fixture(scope="module")
def greengrass() -> Iterator[str]:
    """The small Greengrass."""
    with running_greengrass() as (url, _):
        yield url


class PortalServerWorld(PortalWorld):
    """S3 and DynamoDB on the stand-in, SageMaker on moto, Greengrass on the small HTTP fake."""

    def __init__(self, standin: Server, moto: Server, greengrass: str) -> None:
        self.clients = AwsClients(
            endpoint_url=standin.endpoint_url,
            region=REGION,
            access_key_id=standin.access_key,
            secret_access_key=standin.secret_key,
            endpoints=(("sagemaker", moto.endpoint_url), ("greengrassv2", greengrass)),
        )
        bucket, table = new_name("line"), new_name("portal")
        side = replace(BASE_RULES.source, bucket=bucket)
        rules = replace(BASE_RULES, source=side, target=side)
        create_bucket(self.clients, bucket)
        create_manifest_table(self.clients, table)
        tables = tables_of(GIVEN)
        names = PortalTables(
            *(f"{table}-{name}" for name in (tables.trainings, tables.models, tables.use_cases, tables.user_roles))
        )
        create_portal_tables(self.clients, names)
        write_use_case(self.clients, names, UseCase(USE_CASE, bucket, ROLE))
        self.tables = names
        settings = Settings(rules_file=RULES_FILE, table=table, region=REGION, endpoint_url=standin.endpoint_url)
        process = Process(settings, rules=rules, clients=self.clients)
        self.dependencies: EngineDependencies = bootstrap(process, function="portal")
        ports = portal_ports(process, names)
        super().__init__(ports, self.dependencies.ports, rules, _ServerOwner(self.clients))

    def jobs_of(self, name: str) -> Mapping[str, Any]:
        """What SageMaker says that a job was made of."""
        sagemaker = self.clients.sagemaker
        try:
            return dict(sagemaker.describe_training_job(TrainingJobName=name))
        except sagemaker.exceptions.ClientError:
            return dict(sagemaker.describe_compilation_job(CompilationJobName=name))

    def forget_trainings(self) -> None:
        """The next example begins with an empty table: events find their record by a scan."""
        found = self.clients.dynamodb.scan(TableName=self.tables.trainings, ProjectionExpression="training_id")
        for item in found["Items"]:
            self.clients.dynamodb.delete_item(TableName=self.tables.trainings, Key=item)


_SAID = re.compile(r"(?:s3://|https?://[^\s/]*amazonaws)\S*", re.IGNORECASE)


def paths_in(value: Any) -> Iterator[str]:
    """Every S3 path in an answer."""
    if isinstance(value, str):
        yield from [value] if value.lower().startswith(("s3://", "http")) else _SAID.findall(value)
    elif isinstance(value, dict):
        for one in value.values():
            yield from paths_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from paths_in(one)


def play_workflow(world: PortalWorld, state: str, targets: list[Target], name: str) -> None:
    """Train, compile, package, publish and read; in every state but ``clean`` the models are of the old layout."""
    trained = world.train(model_name=name, key=f"key of {name}")
    assert trained.status == 201, trained
    training_id, job = trained.body["training_id"], trained.body["training_job_name"]
    legacy = f"datasets//training-output/{job}/output/model.tar.gz"
    uri = world.finish_training(training_id, artifact=None if state == "clean" else f"s3://{world.bucket}/{legacy}")
    if state != "clean":
        moved(world, legacy, state)
        world.tell_training(job, uri)  # the same event once more, late
    body = {"targets": [target.value for target in targets]}
    assert world.call("POST", f"/training/{training_id}/compile", body, key="c").status == 201
    assert world.call("POST", f"/training/{training_id}/compile", body, key="c").status == 200
    if state == "clean":
        world.finish_compilation(training_id)
    else:
        for entry in world.item(training_id)["compilation_jobs"]:
            old = f"datasets//compilation-output/{entry['compilation_job_name']}/model-x.tar.gz"
            world.put(old, COMPILED_MODEL)
            if state == "moving":
                moved(world, old, "cleaned")
            world.tell_compilation(entry["compilation_job_name"], f"s3://{world.bucket}/{old}")
            moved(world, old, "cleaned" if state == "moving" else state)
    packed = world.call("POST", f"/training/{training_id}/package", {}, key="p")
    assert packed.status == 200, packed
    for entry in packed.body["packaged_components"]:
        archive = present(world.read(key_of(entry["component_package_s3"])))
        with zipfile.ZipFile(io.BytesIO(archive)) as component:
            assert component.testzip() is None
            assert component.read("classifier/compiled.so") == b"code" * 50
            assert json.loads(component.read("manifest.json"))["dataset"] == {"image_width": 640, "image_height": 480}
    published = world.call("POST", f"/training/{training_id}/publish", {"component_name": f"model-{name}"})
    assert published.status == 200, published
    assert len(published.body["published_components"]) == len(targets)
    layout = world.portal.layout_of(world.use_case)
    for path in ("", "/compile"):
        answer = world.call("GET", f"/training/{training_id}{path}")
        assert answer.status == 200
        assert "unresolved" not in answer.body
        for one in paths_in(answer.body):
            assert layout.fault_of(key_of(one)) is None


def moved(world: PortalWorld, key: str, state: str) -> None:
    """As far as the migration has come."""
    if state in ("moved", "cleaned", "moving"):
        world.move(key)
    if state == "cleaned":
        world.clean(key)
