"""Each Lambda handler from its environment to the stand-in, fed with what its event source really delivers."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.keys import Location
from domain.protocol.record import State
from handlers import backfill, manifest_stream, object_events
from handlers.bootstrap import dependencies_of, process_of
from handlers.engine.batch import respond_to_batch
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.servers import Server
from tests.worlds.presence import present
from tests.worlds.site import Context, Site, lambda_event

EVENTS = Path(__file__).parent.parent / "events"
AWKWARD = [
    "old/plain",
    "old/red flower+1%2B.txt",
    "old//double/",
    "old/\u00e9\u0301/\U0001f600",
    "old/new\nline",
    "old/?versionId=x#",
]


@pytest.fixture(params=[False, True], ids=["direct", "eventbridge"])
def fed_site(request: pytest.FixtureRequest, standin: Server, tmp_path: Path) -> Site:
    """A migration whose events arrive directly or through EventBridge."""
    return Site(standin, tmp_path, through_eventbridge=request.param)


@pytest.fixture
def site(standin: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A migration whose functions read their environment, as Lambda gives it."""
    made = Site(standin, tmp_path)
    for name, value in (made.environment() | standin.keys).items():
        monkeypatch.setenv(name, value)
    for made_once in (process_of, dependencies_of):
        made_once.cache_clear()
    yield made
    for made_once in (process_of, dependencies_of):
        made_once.cache_clear()


def live(site: Site) -> Callable[[dict[str, Any]], Any]:
    """The live handler with the site's own dependencies."""
    dependencies = site.dependencies
    return lambda event: respond_to_batch(
        event, dependencies, queue=dependencies.events_queue, seconds_left=lambda: 300.0
    )


def feed(site: Site, respond: Callable[[dict[str, Any]], Any]) -> list[str]:
    """Hand over what waits in the live queue until it is empty, as an event source mapping does; the failed ids."""
    queue, failed = site.dependencies.events_queue, []
    # An event that goes through the bus takes a moment, and so do the events of our own copies.
    while messages := queue.receive_messages(at_most=10, wait=1):
        answer = respond(lambda_event(messages))
        ids = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        failed += sorted(ids)
        queue.delete_messages([message for message in messages if message.message_id not in ids])
    return failed


def test_every_awkward_key_is_moved_by_its_event(fed_site: Site) -> None:
    """Each envelope is decoded its own way, so no key is lost or mistaken."""
    site = fed_site
    for number, key in enumerate(AWKWARD):
        site.put(key, f"body {number}".encode())
    assert feed(site, live(site)) == []
    for number, key in enumerate(AWKWARD):
        assert f"body {number}".encode() == site.read("new/" + key.removeprefix("old/"))
    assert len(AWKWARD) == len(site.keys("new/"))


def test_an_overwrite_and_a_delete_follow(fed_site: Site) -> None:
    """The copy goes along with its source, our own events end where they began."""
    site = fed_site
    site.put("old/a", b"one")
    feed(site, live(site))
    site.put("old/a", b"two")
    feed(site, live(site))
    assert site.read("new/a") == b"two"
    site.clients.s3.delete_object(Bucket=site.name, Key="old/a")
    assert feed(site, live(site)) == []
    assert site.read("new/a") is None
    record = present(site.dependencies.ports.manifest.read_record(Location(site.name, "old/a").record_id))
    assert State.TOMBSTONE is record.state


def test_backfill_rows_are_moved(site: Site) -> None:
    """Rows of a listing, several in one message."""
    for key in AWKWARD:
        site.put(key, key.encode())
    rows = [BackfillRow(key=key, storage_class="STANDARD") for key in AWKWARD]
    queue = site.dependencies.backfill_queue
    queue.send_messages(list(encode_backfill(rows, migration="site", bucket=site.name)))
    messages = queue.receive_messages(at_most=10, wait=1)
    assert backfill.handler(lambda_event(messages), Context()) == {"batchItemFailures": []}
    assert sorted("new/" + key.removeprefix("old/") for key in AWKWARD) == sorted(site.keys("new/"))


def test_the_stream_becomes_audit_events_and_figures(site: Site) -> None:
    """Every revision of the record has its event, however often the stream delivers."""
    site.put("old/a", b"one")
    feed(site, lambda event: object_events.handler(event, Context()))
    changes = site.changes()
    for event in [*changes, *changes]:
        assert manifest_stream.handler(event, Context()) == {"batchItemFailures": [], "state": {}}
    record = present(site.dependencies.ports.manifest.read_record(Location(site.name, "old/a").record_id))
    wanted = {f"{record.record_id}:{revision}" for revision in range(1, record.revision + 1)}
    seen: set[str] = set()
    ends = time.monotonic() + 10
    while seen != wanted and time.monotonic() < ends:
        told = (event["detail"]["event_id"] for event in site.audited())
        seen |= {one for one in told if "#" not in one}  # the stage's
    assert wanted == seen
    figures = site.dependencies.progress.read_progress()
    assert (figures["objects_copied"], figures["bytes_copied"], figures["records.COPIED"]) == (1, 3, 1)


def test_the_last_invocation_of_a_window_may_have_no_changes(site: Site) -> None:
    """Lambda takes an answer without a state for a failure there (aws-facts.md §7)."""
    window = {"start": "2026-11-30T12:00:00Z", "end": "2026-11-30T12:15:00Z"}
    event = {
        "Records": [],
        "window": window,
        "state": {},
        "shardId": "shardId-00000001795400000000-0a1b2c3d",
        "eventSourceARN": "stream-ARN",
        "isFinalInvokeForWindow": True,
        "isWindowTerminatedEarly": False,
    }
    assert manifest_stream.handler(event, Context()) == {"batchItemFailures": [], "state": {}}


@pytest.mark.parametrize("name", ["test_event", "sns_test_event", "direct_tagging", "eventbridge_tags_added"])
def test_recorded_bodies_that_ask_for_nothing_are_acknowledged(site: Site, name: str) -> None:
    """They are no failure and leave no record: a test event, or a changed ACL, which no copy has."""
    body = (EVENTS / f"{name}.json").read_text(encoding="ascii")
    body = body.replace("ObjectTagging:Put", "ObjectAcl:Put").replace("Object Tags Added", "Object ACL Updated")
    site.dependencies.events_queue.send_messages([body])
    assert feed(site, live(site)) == []
    assert list(site.dependencies.ports.manifest.scan_records()) == []


def test_a_malformed_message_ends_in_the_dead_letter_queue(site: Site) -> None:
    """After its receives it is there, unchanged, and the good one beside it was done."""
    site.put("old/a", b"one")
    site.dependencies.events_queue.send_messages(['{"hello": "world"}'])
    assert feed(site, lambda event: object_events.handler(event, Context()))
    assert site.read("new/a") == b"one"
    left = site.queue(site.events)
    ends = time.monotonic() + 10
    found: list[str] = []
    while not found and time.monotonic() < ends:
        site.dependencies.events_queue.receive_messages(at_most=10, wait=0)
        answer = site.clients.sqs.receive_message(QueueUrl=site.events.dead_url, WaitTimeSeconds=1)
        found = [message["Body"] for message in answer.get("Messages", [])]
    assert [json.loads(body) for body in found] == [{"hello": "world"}]
    assert left.count_messages() == (0, 0)
