"""Runs every function's handler through all that it can meet, on the stand-in, and records its calls."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.dynamodb.item_ids import CHAIN_ID
from adapters.dynamodb.manifest import DynamoDbManifest
from adapters.dynamodb.stream import DynamoDbChangeReader
from adapters.messaging.queue import SqsMessageQueue
from adapters.standin import StandIn
from domain.keys import Location
from domain.protocol.parts import MIB
from domain.protocol.record import State
from handlers import backfill, batch_operations, inventory, manifest_stream, object_events, reference_events, resolver
from handlers.engine.give_back import RENEW_AT
from handlers.intake import inventory_tasks
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.deployment.calls import Call, Recorder, recorded
from tests.deployment.deliveries import deliver, deliver_all, event_of, paused
from tests.deployment.inventory_report import put_report
from tests.deployment.permissions import needs_of
from tests.deployment.place import Place, forget_dependencies, made_place
from tests.deployment.roles import FUNCTION_ROLES
from tests.deployment.stage_scenarios import looking, removing, restoring, rewriting
from tests.worlds.site import Context, lambda_event

SECONDS = 50.0
TWINS = ("old/twin-1", "old/twin-2")
"""An invocation too short for a second batch of parts."""
Feed = Callable[[str, str | None], None]
"""Tell the function of a key, and of the etag or ``None`` for a delete."""
Needs = dict[tuple[str, str], set[str]]
"""Sid and action to the calls that need them."""


def needs_of_functions(standin: StandIn, folder: Path) -> dict[str, Needs]:
    """For each function, the permissions that its recorded calls need."""
    found: dict[str, Needs] = {}
    monkeypatch = pytest.MonkeyPatch()
    for function in FUNCTION_ROLES:
        with made_place(standin, folder, monkeypatch) as place, recorded(monkeypatch) as recorder:
            _SCENARIOS[function](place, recorder)
        found[function] = _needs(function, place, recorder.calls)
    return found


def _needs(function: str, place: Place, calls: set[Call]) -> Needs:
    needs: Needs = {}
    for call in calls:
        kind = "catalog" if call.service == "glue" else place.kind(call.resource)
        for need in needs_of(call, kind=kind, function=function):
            needs.setdefault(need, set()).add(call.operation.replace(" (source)", ""))
    return needs


def _objects(place: Place, feed: Feed) -> None:
    """An object's whole life, small and large, locked, in conflict, broken off, cleaned up and written again."""
    feed("old/small", place.put("old/small", b"one", Tagging="kind=small", Metadata={"a": "b"}))
    feed("old/small", place.put("old/small", b"two"))
    place.delete("old/small")
    feed("old/small", None)
    until = datetime.now(UTC) + timedelta(days=1)
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until, "ObjectLockLegalHoldStatus": "ON"}
    feed("old/locked", place.put("old/locked", b"kept", **lock))
    place.clients.s3.put_object(Bucket=f"{place.name}-target", Key="new/foreign", Body=b"theirs")
    feed("old/foreign", place.put("old/foreign", b"ours"))
    _large(place, feed)
    feed("old/cleaned", place.put("old/cleaned", b"first"))
    manifest = DynamoDbManifest(place.clients, place.name)
    record = manifest.read_record(Location(f"{place.name}-source", "old/cleaned").record_id)
    if record is None:
        raise LookupError("old/cleaned was not moved")
    place.put("old/cleaned", b"hidden by the marker")
    place.delete("old/cleaned")
    manifest.write_record(replace(record, state=State.CLEANED, revision=record.revision + 1), before=record)
    feed("old/cleaned", None)


def _large(place: Place, feed: Feed) -> None:
    """Copies that do not end in their attempt: one goes on, one is given up since its owner deleted the object."""
    for key in ("old/long", "old/given-up"):
        etag: str | None = place.put(key, bytes(11 * MIB), Tagging="kind=large")
        place.annotate(key)
        feed(key, etag)
        if key == "old/given-up":
            place.delete(key)
            etag = None
        for _ in range(2):
            feed(key, etag)


def _live(place: Place, recorder: Recorder) -> None:  # the scenarios' two
    queue = SqsMessageQueue(place.clients, place.queues["events"].url)
    _objects(place, lambda key, etag: deliver(object_events.handler, queue, event_of(place, key, etag)))
    events = [event_of(place, key, place.put(key, b"x")) for key in TWINS]
    for _ in range(2):  # the second time both are known, and are read together
        deliver_all(object_events.handler, queue, events)
    _waiting(place, object_events.handler, queue, event_of(place, "old/waits", place.put("old/waits", b"waits")))


def _waiting(place: Place, handler: Any, queue: SqsMessageQueue, body: str) -> None:
    """A message in a pause: given back first, then replaced by a copy of itself."""
    queue.send_messages([body])
    (message,) = queue.receive_messages(at_most=10, wait=1)
    with paused(place):
        for receive_count, left in ((1, 1), (RENEW_AT, 0)):
            given = lambda_event([replace(message, receive_count=receive_count)])
            answer = handler(given, Context(seconds=SECONDS))
            if len(answer["batchItemFailures"]) != left:
                raise LookupError(f"receive {receive_count} of a waiting message ended with {answer}")
    queue.delete_messages([message])


def _rows(place: Place, recorder: Recorder) -> None:  # the scenarios' two
    queue = SqsMessageQueue(place.clients, place.queues["backfill"].url)

    def feed(key: str, etag: str | None) -> None:
        row = BackfillRow(key=key, etag=etag, size=1 if etag else None)  # small, so it goes together with others
        bodies = encode_backfill([row], migration="deployed", bucket=f"{place.name}-source")
        deliver(backfill.handler, queue, next(iter(bodies)))

    _objects(place, feed)
    twins = [BackfillRow(key=key, etag=place.put(key, b"y"), size=1) for key in TWINS]
    for _ in range(2):
        deliver_all(
            backfill.handler, queue, encode_backfill(twins, migration="deployed", bucket=f"{place.name}-source")
        )
    rows = encode_backfill([BackfillRow(key="old/waits")], migration="deployed", bucket=f"{place.name}-source")
    _waiting(place, backfill.handler, queue, next(iter(rows)))


def _batch(place: Place, recorder: Recorder) -> None:  # the scenarios' two
    def feed(key: str, etag: str | None) -> None:  # a job's task knows none
        task = {"taskId": "1", "s3Key": key, "s3VersionId": None, "s3Bucket": f"{place.name}-source"}
        event = {"invocationSchemaVersion": "2.0", "invocationId": "i", "job": {"id": "j"}, "tasks": [task]}
        batch_operations.handler(event, Context(seconds=SECONDS))

    _objects(place, feed)


def _inventory(place: Place, recorder: Recorder) -> None:  # the scenarios' two
    source, reports = f"{place.name}-source", f"{place.name}-reports"
    key, base = "data/one.csv.gz", f"{source}/all/2026-11-23T01-00Z"
    rows = f'"{source}","old/a","3","abc"\n'
    manifest = put_report(place.clients.s3, reports, rows, source=source, file=key, base=base)
    queue = SqsMessageQueue(place.clients, place.queues["inventory"].url)
    task = json.dumps({"v": 1, "kind": inventory_tasks.KIND, "manifest": manifest, "file": key})
    _waiting(place, inventory.handler, queue, task)
    detail = {"bucket": {"name": reports}, "object": {"key": f"{base}/manifest.checksum", "etag": "e", "size": 32}}
    queue.send_messages([json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": detail})])
    while messages := queue.receive_messages(at_most=10, wait=0):
        inventory.handler(lambda_event(messages), Context())
        queue.delete_messages(messages)


def _stream(place: Place, recorder: Recorder) -> None:
    feed = SqsMessageQueue(place.clients, place.queues["events"].url)
    for number in range(2):
        etag = place.put("old/a", b"one" * (number + 1))
        feed.send_messages([event_of(place, "old/a", etag)])
        object_events.handler(lambda_event(feed.receive_messages(at_most=10, wait=1)), Context())
    recorder.calls.clear()
    reader = DynamoDbChangeReader(place.clients, place.name)
    table: Any = {"TableName": place.name}
    while (event := reader.read_changes()) is not None:
        manifest_stream.handler(dict(event), Context())
        # As after a crash between the first segment and the head that names it: a new process gets the batch again.
        place.clients.dynamodb.delete_item(**table, Key={"pk": {"S": f"{CHAIN_ID}#{event['shardId']}"}})
        forget_dependencies()
        manifest_stream.handler(dict(event), Context())
        reader.confirm_changes(event, None)


def _resolver(place: Place, recorder: Recorder) -> None:  # the scenarios' two
    place.put("old/unmoved", b"here")
    place.put("old/moved", b"there")
    queue = SqsMessageQueue(place.clients, place.queues["events"].url)
    etag = place.put("old/moved", b"there too")
    before = set(recorder.calls)
    deliver(object_events.handler, queue, event_of(place, "old/moved", etag))
    recorder.calls &= before
    keys = ("old/unmoved", "old/moved", "old/absent", "new/moved", "new/absent")
    uris = [f"s3://{place.name}-{'source' if key[0] == 'o' else 'target'}/{key}" for key in keys]
    resolver.handler({"uris": uris}, Context())


def _references(place: Place, recorder: Recorder) -> None:
    table, source = f"{place.name}-jobs", f"s3://{place.name}-source"
    dynamodb: Any = place.clients.dynamodb
    place.create_jobs()
    for name in ("a", "absent"):
        dynamodb.put_item(TableName=table, Item={"id": {"S": name}, "uri": {"S": f"{source}/old/{name}"}})
    queue = SqsMessageQueue(place.clients, place.queues["events"].url)
    deliver(object_events.handler, queue, event_of(place, "old/a", place.put("old/a", b"one")))
    recorder.calls.clear()
    reader = DynamoDbChangeReader(place.clients, place.name)
    while (event := reader.read_changes()) is not None:
        reference_events.handler(dict(event), Context())
        reader.confirm_changes(event, None)
    arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/1"
    image = {"id": {"S": "absent"}, "uri": {"S": f"{source}/old/absent"}}
    entry = {"eventSourceARN": arn, "dynamodb": {"NewImage": image, "SequenceNumber": "1"}}
    reference_events.handler({"Records": [entry]}, Context())
    item = dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}})["Item"]
    if item["uri"]["S"] != f"s3://{place.name}-target/new/a":
        raise LookupError(f"the reference was not rewritten: {item}")


_SCENARIOS: Mapping[str, Callable[[Place, Recorder], None]] = {
    "objectEvents": _live,
    "backfill": _rows,
    "inventory": _inventory,
    "lookingWork": looking,
    "removingWork": removing,
    "restoringWork": restoring,
    "rewritingWork": rewriting,
    "manifestStream": _stream,
    "batchOperations": _batch,
    "resolver": _resolver,
    "referenceEvents": _references,
}
