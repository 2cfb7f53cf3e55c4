"""Runs of stage work through all that their functions can meet: parts, pauses, rates, lost slices, versions, locks."""

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.dynamodb.control import DynamoDbControlPanel
from adapters.dynamodb.manifest import DynamoDbManifest
from adapters.dynamodb.runs import DynamoDbRunBook
from adapters.dynamodb.stage import DynamoDbStageBook
from adapters.messaging.queue import SqsMessageQueue
from adapters.standin import Fault
from domain.keys import Location
from domain.lifecycle.stages import Stage
from domain.protocol.parts import MIB
from domain.protocol.record import Mode, Record, State
from domain.runs.works import StageQueue, Work, look_for, queue_of
from handlers import object_events
from handlers.engine.give_back import RENEW_AT
from handlers.operations.count_run import CountOptions
from handlers.operations.reference_run import ScanOptions
from handlers.operations.removal_run import CleanupOptions, PurgeOptions
from handlers.operations.rewrite_run import RewriteOptions
from handlers.operations.rollback_run import RollbackOptions
from handlers.operations.undo_run import UndoOptions
from handlers.operations.verify_run import VerifyOptions
from tests.deployment.calls import Recorder
from tests.deployment.deliveries import SECONDS, deliver, event_of, paused
from tests.deployment.pin_services import running_pin_services
from tests.deployment.place import Place
from tests.deployment.stage_function import Options, ask, begun, stage_function
from tests.worlds.site import Context, lambda_event

ENOUGH = 800.0
MOST_INVOCATIONS = 3


def looking(place: Place, recorder: Recorder) -> None:
    """A verification of objects with tags and annotations; each mark is renewed."""
    _copied(place, "old/small", "old/noted")
    recorder.calls.clear()
    with stage_function(place, StageQueue.LOOKING):
        _through_everything(place, Work.VERIFY, VerifyOptions(segments=2, fresh_since=2e9), slices=3)
    with pytest.MonkeyPatch.context() as patch, running_pin_services(patch) as endpoints:
        _looking_for_holders(place, recorder, patch, endpoints)


def _looking_for_holders(
    place: Place, recorder: Recorder, patch: pytest.MonkeyPatch, endpoints: Mapping[str, str]
) -> None:
    """For a cleanup that other functions do: tables, manifests, and pins here and in another account."""
    rules = Path(os.environ["KEYSHIFT_RULES_FILE"])
    holding = rules.with_name("holding.yaml")
    role = "arn:aws:iam::000000000000:role/pins"
    places = f"pin_places: [{{role_arn: '{role}', external_id: x1}}]\n"
    manifests = '  - {manifests: ["old/{rest*}.manifest"], attributes: [source-ref]}\n'
    holding.write_text(f"{rules.read_text('utf-8')}{manifests}pins: [glue, greengrass, sagemaker]\n{places}", "utf-8")
    for name, value in {**endpoints, "KEYSHIFT_RULES_FILE": str(holding)}.items():
        patch.setenv(name, value)
    place.create_jobs()
    line = f'{{"source-ref": "s3://{place.name}-source/old/small"}}\n'
    before = set(recorder.calls)
    _copied(place, "old/noted.manifest", body=line.encode())
    recorder.calls &= before
    with stage_function(place, StageQueue.LOOKING):
        cleanup = CleanupOptions(2, yes=True, soak=0.0, tables=())
        ask(place, StageQueue.LOOKING, begun(place, Work.CLEANUP, cleanup, slices=2), seconds=ENOUGH)
        _only_looking(place)
    book = DynamoDbRunBook(place.clients, place.name)
    look = book.read_run(look_for(Work.CLEANUP))
    if look is None or not all(one.is_done for one in book.read_slices(look)):
        raise LookupError("the look for holders did not come to its end")


def _only_looking(place: Place) -> None:
    """A scan of references, and the dry run of what other functions do."""
    _done(place, Work.REFERENCES, ScanOptions(2, record_segments=2), slices=6)
    _at_stage(place, Stage.CLEANING)
    for key in ("old/small", "old/noted"):
        _change(place, key, verified_at=1.0)
    _done(place, Work.CLEANUP_DRY, CleanupOptions(2, yes=False, soak=0.0, tables=()), slices=2)
    _done(place, Work.ROLLBACK_DRY, RollbackOptions(2), slices=2)
    _done(place, Work.COUNT, CountOptions(2), slices=2)
    _done(place, Work.REPORT, CountOptions(2), slices=2)
    for key in ("old/small", "old/noted"):
        _change(place, key, state=State.ROLLED_BACK, mode=Mode.ROLLED_BACK)
    _at_stage(place, Stage.ROLLED_BACK)
    _done(place, Work.PURGE_DRY, PurgeOptions(2, yes=False), slices=2)


def _done(place: Place, work: Work, options: Options, *, slices: int) -> None:
    """The run, by as many invocations as it takes: the first ones of some look for holders."""
    book, body = DynamoDbRunBook(place.clients, place.name), begun(place, work, options, slices=slices)
    for _ in range(MOST_INVOCATIONS):
        ask(place, StageQueue.LOOKING, body, seconds=ENOUGH)
        run = book.read_run(work)
        if run is not None and all(one.is_done for one in book.read_slices(run)):
            return
    raise LookupError(f"{work} did not come to its end: {run}")


def removing(place: Place, recorder: Recorder) -> None:
    """A cleanup that forgets versions too, and a purge."""
    _copied(place, "old/small", "old/noted")
    _at_stage(place, Stage.CLEANING)
    for key in ("old/small", "old/noted"):
        _change(place, key, verified_at=1.0)
    recorder.calls.clear()
    with stage_function(place, StageQueue.REMOVING):
        cleanup = CleanupOptions(2, yes=True, soak=0.0, versions=True, tables=())
        _through_everything(place, Work.CLEANUP, cleanup, slices=2)
        if left := place.versions("old/small"):
            raise LookupError(f"cleanup left {left}")
        for key in ("old/small", "old/noted"):
            place.put(key, b"one")
            _change(place, key, state=State.ROLLED_BACK, mode=Mode.ROLLED_BACK)
        _at_stage(place, Stage.ROLLED_BACK)
        ask(place, StageQueue.REMOVING, begun(place, Work.PURGE, PurgeOptions(2, yes=True), slices=2), seconds=ENOUGH)


def restoring(place: Place, recorder: Recorder) -> None:
    """A rollback of sources that are hidden or gone, small and in parts, locked, and of a copy that is under way."""
    _copied(place, "old/hidden", "old/noted", "old/small")
    _copied(place, "old/big-noted", body=bytes(6 * MIB))
    until = datetime.now(UTC) + timedelta(days=1)
    lock: dict[str, Any] = {"Bucket": f"{place.name}-target", "Key": "new/small"}
    place.clients.s3.put_object_legal_hold(**lock, LegalHold={"Status": "ON"})
    place.clients.s3.put_object_retention(**lock, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})
    for key in ("old/hidden", "old/noted", "old/small", "old/big-noted"):
        place.delete(key)
        _change(place, key, state=State.CLEANED)
        if key != "old/hidden":
            place.forget(key)
    queue = SqsMessageQueue(place.clients, place.queues["events"].url)
    queue.send_messages([event_of(place, "old/long", place.put("old/long", bytes(11 * MIB)))])
    messages = queue.receive_messages(at_most=10, wait=1)
    object_events.handler(lambda_event(messages), Context(seconds=SECONDS))
    _at_stage(place, Stage.ROLLING_BACK)
    recorder.calls.clear()
    conflict = Fault("CompleteMultipartUpload", status=409, code="ConditionalRequestConflict")
    place.standin.inject(conflict)
    with stage_function(place, StageQueue.RESTORING):
        _through_everything(place, Work.ROLLBACK, RollbackOptions(2), slices=7, phased=True)
    for key in ("old/hidden", "old/noted", "old/small", "old/big-noted"):
        if not place.versions(key):
            raise LookupError(f"{key} is not back")


def rewriting(place: Place, recorder: Recorder) -> None:
    """A rewriting of the application's table, and its undo; augmented manifests are the command's."""
    _copied(place, "old/small", "old/noted")
    place.create_jobs()
    table, uri = f"{place.name}-jobs", {"S": f"s3://{place.name}-source/old/small"}
    place.clients.dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "uri": uri})
    recorder.calls.clear()

    def held() -> Any:
        return place.clients.dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}})["Item"]["uri"]

    with stage_function(place, StageQueue.REWRITING):
        _through_everything(place, Work.REWRITE, RewriteOptions(2, yes=True, read_units=500.0), slices=3)
        if held() != {"S": f"s3://{place.name}-target/new/small"}:
            raise LookupError(f"the reference was not rewritten: {held()}")
        _through_everything(place, Work.UNDO, UndoOptions(2, yes=True), slices=2)
    if held() != uri:
        raise LookupError(f"the old URI is not back: {held()}")


def _through_everything(place: Place, work: Work, options: Options, *, slices: int, phased: bool = False) -> None:
    """With a slice that is lost, in a pause, out of time, at a rate, and to the end."""
    name = queue_of(work)
    if name is None:
        raise LookupError(f"no function does {work}")
    panel = DynamoDbControlPanel(place.clients, place.name)
    before = panel.read_control()
    panel.write_control(replace(before, objects_per_second=50.0, fence=before.fence + 1), before=before)
    task = begun(place, work, options, slices=slices, lost=0)
    with paused(place):
        ask(place, name, task, seconds=ENOUGH)
    ask(place, name, task, seconds=20.0, receive_count=RENEW_AT)
    ask(place, name, task, seconds=ENOUGH)
    ask(place, name, begun(place, work, options, slices=slices), seconds=ENOUGH)


def _copied(place: Place, *keys: str, body: bytes = b"one") -> None:
    """Objects with tags, those called noted with an annotation, and their copies."""
    feed = SqsMessageQueue(place.clients, place.queues["events"].url)
    for key in keys:
        etag = place.put(key, body, Tagging="kind=small")
        if "noted" in key:
            place.annotate(key)
        for _ in range(3):
            deliver(object_events.handler, feed, event_of(place, key, etag))


def _record(place: Place, key: str) -> Record:
    record = DynamoDbManifest(place.clients, place.name).read_record(Location(f"{place.name}-source", key).record_id)
    if record is None:
        raise LookupError(f"{key} was not moved")
    return record


def _change(place: Place, key: str, **changes: Any) -> None:
    """A record as it is long afterwards."""
    record = _record(place, key)
    after = replace(record, revision=record.revision + 1, changed_at=1.0, **changes)
    DynamoDbManifest(place.clients, place.name).write_record(after, before=record)


def _at_stage(place: Place, stage: Stage) -> None:
    """The migration reached that stage long ago."""
    stages = DynamoDbStageBook(place.clients, place.name)
    before = stages.read_stage()
    stages.write_stage(replace(before, stage=stage, since=1.0, revision=before.revision + 1), before=before)
