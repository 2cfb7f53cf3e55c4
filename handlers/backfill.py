"""Lambda: SQS batches of backfill rows."""

from typing import Any

from handlers.bootstrap import dependencies_of
from handlers.engine.batch import respond_to_batch
from handlers.intake.invocations import seconds_left_of


def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Migrate the rows; the answer names the messages that must stay in the queue."""
    dependencies = dependencies_of("backfill")
    dependencies.observer.begin(context)
    queue = dependencies.backfill_queue
    return respond_to_batch(event, dependencies, queue=queue, seconds_left=seconds_left_of(context))
