"""Lambda: an inventory report has arrived; its data files become tasks, which fill the backfill queue."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from domain.errors import InputError, KeyshiftError
from domain.lifecycle.stages import Stage
from domain.planning.inventory import versions_fault
from domain.planning.ports import BackfillJournal, TotalBook
from domain.planning.total import total_of
from domain.queues import MessageQueue
from domain.rules.routing import REFUSED
from handlers.bootstrap import dependencies_of, process_of
from handlers.bootstrap.inventories import inventory_files, inventory_queue, journal_of, total_book_of
from handlers.engine.batch import messages_of
from handlers.engine.dependencies import Dependencies
from handlers.engine.give_back import comes_again
from handlers.intake.inventory_tasks import KIND, task_of
from handlers.intake.invocations import seconds_left_of
from handlers.intake.messages import decode_message
from handlers.operations.backfill import DataFile, Fed, Feeder, OpenFiles, content_id_of

CHECKSUM = "/manifest.checksum"
AGAIN_SECONDS = 20
_OVER = (Stage.DONE, Stage.ROLLING_BACK, Stage.ROLLED_BACK)


def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Handle reports and tasks; one that does not end in time, or may not begin yet, returns to its queue."""
    process, dependencies = process_of(), dependencies_of("inventory")
    dependencies.observer.begin(context)
    opened = partial(inventory_files, process, with_deleted=True)
    reports = Reports(inventory_queue(process), journal_of(process), total_book_of(process), opened)
    return respond(event, dependencies, reports, seconds_left=seconds_left_of(context))


@dataclass(frozen=True, slots=True)
class Reports:
    """The queue of reports and tasks, the progress of each data file, the total, and the reader of inventories."""

    queue: MessageQueue
    journal: BackfillJournal
    total_book: TotalBook
    open_files: OpenFiles


def respond(
    event: Mapping[str, Any], dependencies: Dependencies, reports: Reports, *, seconds_left: Callable[[], float]
) -> dict[str, list[dict[str, str]]]:
    """The partial batch response: which messages Lambda must leave in the queue."""
    failures = []
    for message in messages_of(event):
        try:
            done = take_on(message.body, dependencies, reports, seconds_left=seconds_left)
            left = not done and not comes_again(message, reports.queue, delay=AGAIN_SECONDS)
        except KeyshiftError as error:
            dependencies.observer.count("InventoryFailures")
            dependencies.observer.fail("inventory task", cause=error.cause, why=str(error), body=message.body[:500])
            left = True
        if left:
            failures.append({"itemIdentifier": message.message_id})
    dependencies.observer.flush()
    return {"batchItemFailures": failures}


def take_on(body: str, dependencies: Dependencies, reports: Reports, *, seconds_left: Callable[[], float]) -> bool:
    """Handle one message, S3's event of a ``manifest.checksum`` or a task; whether it is done.

    Raises InputError for a report that cannot be used: such a message belongs in the DLQ.
    """
    task = task_of(body)
    fault = dependencies.control.feeding_fault()
    if fault is not None:
        # Before the start, and under unproven rules, a report waits. After the end nothing is enqueued.
        dependencies.observer.warn("inventory not fed", why=fault, body=body[:500])
        return dependencies.control.stage() in _OVER
    if task is not None:
        return _work_on(task, dependencies, reports, seconds_left=seconds_left)
    for notice in decode_message(body).notices:
        place = notice.source
        if not place.key.endswith(CHECKSUM):
            continue
        # The checksum is written last: after its arrival the report is complete (aws-facts.md §3.1).
        manifest = f"s3://{place.bucket}/{place.key.removesuffix(CHECKSUM)}/manifest.json"
        with reports.open_files(manifest, only="") as (inventory, _):
            _check_bucket(inventory.source_bucket, dependencies, manifest)
            if dependencies.rules.carries_versions and (fault := versions_fault(inventory)) is not None:
                dependencies.observer.warn("inventory of current versions", manifest=manifest, why=fault)
            tasks = [{"v": 1, "kind": KIND, "manifest": manifest, "file": file.key} for file in inventory.files]
        reports.queue.send_messages([json.dumps(one) for one in tasks])
        dependencies.observer.info("inventory fanned out", manifest=manifest, files=len(tasks))
    return True


def _check_bucket(bucket: str, dependencies: Dependencies, manifest: str) -> None:
    wanted = dependencies.rules.source_bucket
    if bucket != wanted:
        raise InputError(f"{manifest} is of bucket {bucket}, the rules move {wanted}")


def _work_on(
    task: Mapping[str, str], dependencies: Dependencies, reports: Reports, *, seconds_left: Callable[[], float]
) -> bool:
    """Enqueue one data file; ``False`` when it must be continued later."""
    manifest, file_key = task["manifest"], task["file"]
    settings = dependencies.settings
    feeder = Feeder(dependencies.rules, dependencies.backfill_queue, backlog=settings.backlog, waits=False)
    fed = Fed()
    with reports.open_files(manifest, only=file_key) as (inventory, files):
        _check_bucket(inventory.source_bucket, dependencies, manifest)
        if file_key not in files:
            raise InputError(f"{manifest} names no data file {file_key}")
        paused = dependencies.control.current().paused
        ended = not paused and feeder.feed_file(
            DataFile(inventory.content_of(file_key), file_key, files[file_key]),
            fed,
            journal=reports.journal,
            go_on=lambda: seconds_left() > 0,
        )
        if ended:
            contents = [
                (content_id_of(inventory.content_of(file.key), dependencies.rules), file.key)
                for file in inventory.files
            ]
            reports.total_book.write_total(total_of(manifest, reports.journal.read_progress(contents)))
    if fed.refused:
        dependencies.observer.count("Unmapped", fed.refused)
        dependencies.observer.fail("keys not enqueued", manifest=manifest, file=file_key, keys=fed.refused, why=REFUSED)
    dependencies.observer.info("inventory file fed", manifest=manifest, file=file_key, ended=ended, fed=fed.as_json())
    return ended
