"""Lambda: an inventory report has arrived; its data files fan out as tasks, each fed to the backfill queue in turn."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from domain.errors import InputError, KeyshiftError, MalformedMessageError
from domain.ports import BackfillJournal, MessageQueue
from handlers.bootstrap import RESERVE_SECONDS, dependencies_of, seconds_left_of
from handlers.bootstrap.inventories import inventory_files, inventory_queue, journal_of
from handlers.dependencies import Dependencies
from handlers.inventory_feeder import Fed, InventoryFeeder
from handlers.invocations import records_of
from handlers.messages import decode_message

CHECKSUM = "/manifest.checksum"
KIND = "inventory-file"
AGAIN_SECONDS = 20


def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Take on reports and tasks; a task that does not end in time goes on where it stopped, as a new message."""
    dependencies = dependencies_of("inventory")
    seconds_left = seconds_left_of(context)
    queue, journal = inventory_queue(dependencies.settings), journal_of(dependencies.settings)
    failures = []
    for record in records_of(event, source="SQS", needs=("messageId", "body")):
        try:
            take_on(record["body"], dependencies, queue=queue, journal=journal, seconds_left=seconds_left)
        except KeyshiftError as error:
            dependencies.observer.count("InventoryFailures")
            dependencies.observer.fail("inventory task", cause=error.cause, why=str(error), body=record["body"][:500])
            failures.append({"itemIdentifier": record["messageId"]})
    dependencies.observer.flush()
    return {"batchItemFailures": failures}


def take_on(
    body: str,
    dependencies: Dependencies,
    *,
    queue: MessageQueue,
    journal: BackfillJournal,
    seconds_left: Callable[[], float],
) -> None:
    """One message: S3's word that a ``manifest.checksum`` arrived, or a task of our own.

    Raises InputError for a report that cannot be used: such a message belongs into the DLQ.
    """
    task = task_of(body)
    if task is not None:
        _work_on(task, dependencies, queue=queue, journal=journal, seconds_left=seconds_left)
        return
    for notice in decode_message(body).notices:
        place = notice.source
        if not place.key.endswith(CHECKSUM):
            continue
        # The checksum is written last: its arrival says that the report is complete (aws-facts.md §3.1).
        manifest = f"s3://{place.bucket}/{place.key.removesuffix(CHECKSUM)}/manifest.json"
        with inventory_files(dependencies.settings, manifest, only="") as (inventory, _):
            _check_bucket(inventory.source_bucket, dependencies, manifest)
            tasks = [{"v": 1, "kind": KIND, "manifest": manifest, "file": one.key} for one in inventory.files]
        queue.send_messages([json.dumps(one) for one in tasks])
        dependencies.observer.info("inventory fanned out", manifest=manifest, files=len(tasks))


def task_of(body: str) -> Mapping[str, str] | None:
    """A task of our own, ``None`` for anything else; MalformedMessageError where the body is no JSON."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:  # nested too deep for a parser: it must fail alone in its batch
        raise MalformedMessageError(f"the message is not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("kind") != KIND:
        return None
    if not isinstance(content.get("manifest"), str) or not isinstance(content.get("file"), str):
        raise MalformedMessageError("an inventory task needs the texts 'manifest' and 'file'")
    return content


def _check_bucket(bucket: str, dependencies: Dependencies, manifest: str) -> None:
    wanted = dependencies.rules.source_bucket
    if bucket != wanted:
        raise InputError(f"{manifest} is of bucket {bucket}, the rules move {wanted}")


def _work_on(
    task: Mapping[str, str],
    dependencies: Dependencies,
    *,
    queue: MessageQueue,
    journal: BackfillJournal,
    seconds_left: Callable[[], float],
) -> None:
    manifest, file_key = task["manifest"], task["file"]
    settings = dependencies.settings
    feeder = InventoryFeeder(dependencies.rules, dependencies.backfill_queue, journal, backlog=settings.backlog)
    fed = Fed()
    with inventory_files(settings, manifest, only=file_key) as (inventory, files):
        _check_bucket(inventory.source_bucket, dependencies, manifest)
        if file_key not in files:
            raise InputError(f"{manifest} names no data file {file_key}")
        paused = dependencies.control.current().paused
        ended = not paused and feeder.feed(
            inventory.content_of(file_key),
            file_key,
            files[file_key],
            fed,
            stopping=lambda: seconds_left() < RESERVE_SECONDS,
            waits=False,
        )
    dependencies.observer.info("inventory file fed", manifest=manifest, file=file_key, ended=ended, fed=fed.as_json())
    if not ended:
        queue.send_messages([json.dumps(dict(task))], delay=AGAIN_SECONDS)
