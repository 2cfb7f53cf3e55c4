"""The functions that a command has its run done by: whether there are any, and whether they can do it."""

from typing import TYPE_CHECKING

from domain.errors import InputError
from domain.queues import MessageQueue
from domain.runs.works import Work, queue_of, waits_in_pause
from handlers.operations.operator import Operation

if TYPE_CHECKING:
    from handlers.bootstrap.process import Process


def need_engine(process: "Process", work: Work, *, fault: str) -> MessageQueue:
    """The queue of the functions that do the work; raises InputError where they cannot, or for the ``fault``."""
    from handlers.bootstrap.stage_tasks import stage_queue

    name = queue_of(work)
    queue = stage_queue(process, name)
    if name is None:
        fault = f"functions do not do keyshift {work}"
    elif queue is None:
        fault = f"KEYSHIFT_{name.upper()}_QUEUE_URL is not set, and keyshift needs the queue of the functions"
    if fault or queue is None:
        raise InputError(f"--engine: {fault}; give --no-engine to work here")
    return queue


def find_engine(process: "Process", operation: Operation, work: Work) -> MessageQueue | None:
    """The queue of the functions that do the work; ``None`` where there are none, or a pause holds them back."""
    from handlers.bootstrap.stage_tasks import stage_queue

    queue = stage_queue(process, queue_of(work))
    is_held = queue is not None and waits_in_pause(work) and operation.control().paused
    return None if is_held else queue
