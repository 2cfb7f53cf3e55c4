"""Every command of the portal's runbook, in its order, on a small portal bucket."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.aws.clients import AwsClients
from adapters.demo.provisioning import create_portal_tables
from adapters.portal.tables import DynamoDbTrainingBook
from domain.portal.records import PortalTables
from handlers.demo.cloud import PlayedComponents
from handlers.demo.cloud_http import Cloud, running_cloud
from handlers.demo.portal.records import PINNED_ZIP, Past, past_of, recipe_of_the_past
from handlers.engine.worker import Worker
from tests.e2e.command_line import ROOT, run_keyshift
from tests.servers import Server, new_name
from tests.worlds.site import Site

pytestmark = pytest.mark.slow("follows the portal's runbook from its first to its last command")

RUNBOOK = (ROOT / "docs" / "portal" / "migration.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([A-Z][a-z ]+) \| (`keyshift .*?) \|", RUNBOOK, re.MULTILINE)
CODES = {"keyshift doctor": 1, "keyshift references scan": 1, "keyshift pins": 1}
"""Live capture is still off, references are still to be rewritten, something is pinned: the answer is no."""


class Portal:
    """A portal bucket whose migration nobody has begun."""

    def __init__(self, server: Server, folder: Path, greengrass: str, cloud: Cloud) -> None:
        self.names = PortalTables(*(new_name(name) for name in ("trainings", "models", "use-cases", "user-roles")))
        text = (ROOT / "migrations" / "edge-cv-portal.yaml").read_text(encoding="utf-8")
        text = text.replace("table: training-jobs", f"table: {self.names.trainings}")
        text = text.replace("table: models", f"table: {self.names.models}")
        text = text.replace("{", "{{").replace("}", "}}").replace("manufacturing-line-1", "{bucket}")
        self.site = Site(server, folder, captured=False, live=False, versioned=True, rules_text=text)
        create_portal_tables(self.site.clients, self.names)
        book = DynamoDbTrainingBook(self.site.clients, self.names)
        self.past: Past = past_of(self.site.name, region="us-east-1")
        for key, body in (*self.past.objects.items(), *self.past.manifests.items()):
            self.site.put(key, body)
        for item in self.past.trainings:
            book.create_training(item)
        recipe = recipe_of_the_past("model-pinned", f"s3://{self.site.name}/{PINNED_ZIP}")
        cloud.components.create_component_version(recipe, tags={}, client_token=self.site.name)
        given = {name: value for name, value in self.site.environment().items() if name != "KEYSHIFT_ENDPOINT_URL"}
        self.environment = {
            **given,
            "AWS_ENDPOINT_URL": server.endpoint_url,
            "AWS_ENDPOINT_URL_SAGEMAKER": greengrass,
            "AWS_ENDPOINT_URL_GREENGRASSV2": greengrass,
            **server.keys,
        }

    def work(self) -> None:
        """Workers work both queues off."""
        worker = Worker(self.site.dependencies, lanes=1)
        for queue in (self.site.dependencies.events_queue, self.site.dependencies.backfill_queue):
            while worker.serve(queue, at_most=10, wait=0):
                pass


@pytest.fixture
def portal(standin: Server, tmp_path: Path) -> Iterator[Portal]:
    """The bucket, its tables, and the two services that are played."""
    cloud = Cloud(PlayedComponents("000000000000"))
    with running_cloud(cloud) as url:
        yield Portal(standin, tmp_path, url, cloud)


def test_the_runbook_runs(portal: Portal) -> None:
    """Each command ends as the runbook says, the last one takes everything back."""
    rules = str(portal.site.settings.rules_file)
    ran = []
    for stage, cell in ROWS:
        for command in re.findall(r"`(keyshift [^`]*)`", cell):
            words = [rules if word == "rules.yaml" else word for word in shlex.split(command)[1:]]
            answer = run_keyshift(*words, more=portal.environment, seconds=200)
            assert answer.returncode == CODES.get(command, 0), (
                f"{stage}, {command}: {answer.stdout[-2000:]}\n{answer.stderr}"
            )
            if command == "keyshift doctor":
                assert re.findall(r"^fail .*: (.*?):", answer.stdout, re.MULTILINE) == [
                    f"{portal.site.name} sends no events to the events queue"
                ]
            ran.append(command)
            portal.work()
    assert [command for command in ran if command.endswith("--yes")] == [
        f"keyshift {name} --yes" for name in ("start", "references rewrite", "cutover", "cleanup", "rollback")
    ]
    clients: AwsClients = portal.site.clients
    table = clients.dynamodb.scan(TableName=portal.names.trainings)["Items"]
    assert len(table) == len(portal.past.trainings)
    assert {one["artifact_s3"]["S"] for one in table if "artifact_s3" in one} == {
        one["artifact_s3"] for one in portal.past.trainings if "artifact_s3" in one
    }
    for key, body in portal.past.objects.items():
        assert portal.site.read(key) == body
