"""Lambda: SQS messages that ask for a part of a run, one at a time; a function for each queue, under its own role."""

from collections.abc import Callable
from functools import cache
from typing import Any

from domain.errors import InputError
from handlers.bootstrap import dependencies_of, process_of
from handlers.bootstrap.stage_tasks import stage_works
from handlers.engine.batch import messages_of
from handlers.engine.dependencies import EngineDependencies
from handlers.intake.invocations import seconds_left_of
from handlers.operations.stage_tasks import serve_task
from handlers.operations.stage_works import StageWorks, Time

RESERVE_SECONDS = 50.0
"""Seconds before the end in which no object is begun, besides those of the answer: one that has begun is finished."""


def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Work on slices until none is left or the time is over; the answer names the messages that stay in the queue."""
    dependencies = dependencies_of("stage-work")
    dependencies.observer.begin(context)
    left = seconds_left_of(context)
    return respond(event, dependencies, _works(), seconds_left=lambda: left() - RESERVE_SECONDS)


def respond(
    event: dict[str, Any], dependencies: EngineDependencies, works: StageWorks, *, seconds_left: Callable[[], float]
) -> dict[str, list[dict[str, str]]]:
    """The partial batch response: which messages Lambda must leave in the queue."""
    messages, time = messages_of(event), Time(seconds_left)
    left = [one.message_id for one in messages if not serve_task(one, works, dependencies, time=time)]
    dependencies.observer.flush()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in left]}


@cache
def _works() -> StageWorks:
    found = stage_works(process_of(), dependencies_of("stage-work"))
    if len(found) != 1:
        raise InputError(f"the function needs the URL of one queue of stage work in its settings, not of {len(found)}")
    return found[0]
