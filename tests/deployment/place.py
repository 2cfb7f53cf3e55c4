"""A migration on the stand-in with everything that the stack would give to its functions."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.aws.clients import AwsClients
from adapters.demo import provisioning
from adapters.s3 import notifications
from adapters.standin import StandIn
from domain.protocol.parts import MIB
from domain.runs.works import StageQueue
from handlers import reference_events, resolver, stage_work
from handlers.bootstrap import dependencies_of, process_of
from handlers.demo.wiring import make_live
from tests.deployment.artefact import RULES
from tests.deployment.site import create_jobs
from tests.servers import new_name

REFERENCES = """
references:
  - {{table: {table}, key: id, attributes: [uri], indexes: {{by-uri: uri}}}}
"""


@dataclass(frozen=True)
class Place:
    """A migration from one bucket to another, with everything beside it."""

    standin: StandIn
    clients: AwsClients
    name: str
    queues: Mapping[str, notifications.QueuePair]

    def kind(self, resource: str) -> str:
        """What a recorded call's resource is to the migration."""
        known = {self.name: "table", f"{self.name}-jobs": "referring", f"{self.name}-audit": "bus"}
        known |= {f"{self.name}-{one}": one for one in ("source", "target", "reports", "segments")}
        known |= {pair.url: name for name, pair in self.queues.items()}
        known |= {pair.dead_url: f"{name}-dead" for name, pair in self.queues.items()} | {"": "unnamed"}
        if f":table/{self.name}/stream/" in resource:
            return "stream"
        if resource not in known:
            raise LookupError(f"a call on {resource!r}, which is no part of the migration")
        return known[resource]

    def environment(self, rules: Path) -> dict[str, str]:
        """What the stack gives to its functions."""
        return {
            **self.standin.environment(),
            "KEYSHIFT_RULES_FILE": str(rules),
            "KEYSHIFT_TABLE": self.name,
            "KEYSHIFT_BUS": f"{self.name}-audit",
            "KEYSHIFT_AUDIT_BUCKET": f"{self.name}-segments",
            **{self.variable(name): self.queues[name].url for name in ("events", "backfill", "inventory")},
            "KEYSHIFT_MULTIPART_ABOVE": str(5 * MIB),
            "KEYSHIFT_PART_SIZE": str(5 * MIB),
            "KEYSHIFT_PARTS_AT_ONCE": "1",
            "KEYSHIFT_CONTROL_SECONDS": "0",
        }

    @staticmethod
    def variable(queue: str) -> str:
        """The setting with the URL of a queue."""
        return f"KEYSHIFT_{queue.upper()}_QUEUE_URL"

    def put(self, key: str, body: bytes, **more: Any) -> str:
        """An owner writes; the etag."""
        answer = self.clients.s3.put_object(Bucket=f"{self.name}-source", Key=key, Body=body, **more)
        return answer["ETag"].strip('"')

    def annotate(self, key: str) -> None:
        """An owner puts an annotation."""
        self.clients.s3.put_object_annotation(
            Bucket=f"{self.name}-source", Key=key, AnnotationName="note", AnnotationPayload=b"text"
        )

    def create_jobs(self) -> None:
        """The application's table that the rules file names."""
        create_jobs(self.clients.dynamodb, f"{self.name}-jobs")

    def versions(self, key: str) -> list[str]:
        """The ids of an object's versions."""
        answer = self.clients.s3.list_object_versions(Bucket=f"{self.name}-source", Prefix=key)
        return [one["VersionId"] for one in answer.get("Versions", [])]

    def forget(self, key: str) -> None:
        """A lifecycle rule deletes each version for good, and the marker over them."""
        bucket = f"{self.name}-source"
        answer = self.clients.s3.list_object_versions(Bucket=bucket, Prefix=key)
        for one in (*answer.get("Versions", []), *answer.get("DeleteMarkers", [])):
            self.clients.s3.delete_object(Bucket=bucket, Key=key, VersionId=one["VersionId"])

    def delete(self, key: str) -> None:
        """An owner deletes."""
        self.clients.s3.delete_object(Bucket=f"{self.name}-source", Key=key)


def forget_dependencies() -> None:
    """What functions keep between invocations, made anew in the next, as after a cold start."""
    for kept in (process_of, dependencies_of, resolver._resolver, reference_events._references, stage_work._works):
        kept.cache_clear()


@contextmanager
def made_place(standin: StandIn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The migration, its functions' environment set."""
    keys = standin.environment()
    clients = AwsClients(
        endpoint_url=standin.endpoint_url,
        region=keys["AWS_REGION"],
        access_key_id=keys["AWS_ACCESS_KEY_ID"],
        secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )
    # Made before the recording begins, so that what the test itself calls is not recorded.
    _ = (clients.s3, clients.dynamodb, clients.streams, clients.sqs, clients.events)
    name = new_name("place")
    for one in ("source", "target", "segments"):
        clients.s3.create_bucket(Bucket=f"{name}-{one}", ObjectLockEnabledForBucket=True)
    provisioning.create_bucket(clients, f"{name}-reports")
    provisioning.create_manifest_table(clients, name)
    make_live(clients, name)
    provisioning.create_bus(clients, f"{name}-audit")
    queues = {
        one: provisioning.create_queue(clients, f"{name}-{one}", max_receives=100)
        for one in ("events", "backfill", "inventory", *StageQueue)
    }
    place = Place(standin, clients, name, queues)
    rules = folder / "rules.yaml"
    text = RULES.format(source=f"{name}-source", target=f"{name}-target")
    rules.write_text(text + REFERENCES.format(table=f"{name}-jobs"), encoding="utf-8")
    with monkeypatch.context() as patch:
        for variable, value in place.environment(rules).items():
            patch.setenv(variable, value)
        forget_dependencies()
        yield place
        forget_dependencies()
