"""Every awkward key, end to end on the stand-in: an owner's write, S3's event, the queue, the handler, the copy."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from domain.keys import Location
from domain.queues import Message
from handlers.bootstrap import bootstrap
from handlers.bootstrap.inspection import object_listing
from handlers.bootstrap.process import Process
from handlers.engine.batch import respond_to_batch
from handlers.engine.dependencies import EngineDependencies
from handlers.operations.backfill import Fed, Feeder
from tests.e2e.awkward_keys import KEYS, RULES
from tests.servers import Server
from tests.worlds.site import Site, lambda_event

pytestmark = pytest.mark.slow("runs every command on keys that are hard to print")

SHAPES = ("direct", "eventbridge")
METADATA = {"line": "line-1", "note": "a b+c%20"}
TAGS = "line=1&cost%20center=a%2Bb"


class AwkwardSite(Site):
    """A site whose rules move any text."""

    def __init__(self, server: Server, folder: Path, *, shape: str) -> None:
        super().__init__(server, folder, through_eventbridge=shape == "eventbridge")
        (folder / "rules.yaml").write_text(RULES.format(bucket=self.name), encoding="utf-8")
        self.process = Process(self.settings, clients=self.clients)
        self.dependencies: EngineDependencies = bootstrap(self.process, function="awkward")

    def handle(self, messages: Sequence[Message]) -> None:
        """As Lambda would: nothing of it may come back."""
        answer = respond_to_batch(
            lambda_event(messages), self.dependencies, queue=self.dependencies.events_queue, seconds_left=lambda: 60.0
        )
        assert answer["batchItemFailures"] == []

    def drain_events(self, *, least: int) -> int:
        """Handle what S3 has told, at least so many messages; how many there were."""
        queue, handled, ends = self.dependencies.events_queue, 0, time.monotonic() + 20
        while time.monotonic() < ends:
            messages = queue.receive_messages(at_most=10, wait=1 if handled < least else 0)
            if not messages and handled >= least:
                return handled
            if messages:
                self.handle(messages)
                queue.delete_messages(messages)
                handled += len(messages)
        raise AssertionError(f"only {handled} messages came, not {least}")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", sorted(KEYS))
def test_an_awkward_key_arrives_with_all_it_has(name: str, shape: str, credentials: Server, tmp_path: Path) -> None:
    """Bytes, metadata, tags and type are at exactly the new key, and nowhere else."""
    source, target = KEYS[name]
    site = AwkwardSite(credentials, tmp_path, shape=shape)
    site.put(source, name.encode(), Metadata=METADATA, Tagging=TAGS, ContentType="application/x-awkward")
    # The write's own event, and the one of our copy, which must start nothing new.
    site.drain_events(least=2)
    answer = site.clients.s3.get_object(Bucket=site.name, Key=target)
    tags = site.clients.s3.get_object_tagging(Bucket=site.name, Key=target)["TagSet"]
    assert answer["Body"].read() == name.encode()
    assert answer["Metadata"] == METADATA
    assert answer["ContentType"] == "application/x-awkward"
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"line": "1", "cost center": "a+b"}
    assert site.read(source) == name.encode()
    assert len(list(site.dependencies.ports.manifest.scan_records())) == 1


@pytest.mark.parametrize("name", sorted(KEYS))
def test_an_awkward_key_survives_the_backfill(name: str, credentials: Server, tmp_path: Path) -> None:
    """A listing names the same key as an event does: a row for it moves the object."""
    source, target = KEYS[name]
    site = AwkwardSite(credentials, tmp_path, shape="direct")
    site.put(source, b"listed")
    listing = object_listing(site.process)
    fed = Fed()
    assert Feeder(site.dependencies.rules, site.dependencies.backfill_queue).feed_listing(listing, fed)
    assert fed.outcomes["move"] == 1
    messages = site.dependencies.backfill_queue.receive_messages(at_most=10, wait=1)
    assert [row["key"] for message in messages for row in json.loads(message.body)["rows"]] == [source]
    site.handle(messages)
    assert site.dependencies.ports.store.look_at_object(Location(site.name, target)) is not None
