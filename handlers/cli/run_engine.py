"""The functions that a command has its run done by: whether there are any, and whether they can do it."""

from typing import TYPE_CHECKING

from domain.errors import InputError
from domain.queues import MessageQueue
from domain.runs.works import StageQueue, Work, queue_of, waits_in_pause
from handlers.operations.operator import Operation
from handlers.operations.stage_tasks import Engine

if TYPE_CHECKING:
    from handlers.bootstrap.process import Process


def need_engine(process: "Process", work: Work, *, fault: str, looks: bool) -> Engine:
    """The functions that do the work, and with ``looks`` those that look at what holds its objects.

    Raises InputError where there are none, or for the ``fault``.
    """
    from handlers.bootstrap.stage_tasks import stage_queue

    name = queue_of(work)
    queue = stage_queue(process, name)
    looking = _looking(process, name, queue) if looks else None
    if name is None:
        fault = f"functions do not do keyshift {work}"
    elif queue is None:
        fault = f"KEYSHIFT_{name.upper()}_QUEUE_URL is not set, and keyshift needs the queue of the functions"
    elif looks and looking is None:
        fault = (
            "KEYSHIFT_LOOKING_QUEUE_URL is not set, and keyshift needs the queue of the functions that look at"
            " references and pins"
        )
    if fault or queue is None:
        raise InputError(f"--engine: {fault}; give --no-engine to work here")
    return Engine(queue, looking)


def find_engine(process: "Process", operation: Operation, work: Work, *, looks: bool) -> Engine | None:
    """The same functions; ``None`` where there are none, or a pause holds them back."""
    from handlers.bootstrap.stage_tasks import stage_queue

    name = queue_of(work)
    queue = stage_queue(process, name)
    looking = _looking(process, name, queue) if looks else None
    if queue is None or (looks and looking is None):
        return None
    is_held = waits_in_pause(work) and operation.control().paused
    return None if is_held else Engine(queue, looking)


def _looking(process: "Process", name: StageQueue | None, queue: MessageQueue | None) -> MessageQueue | None:
    """The queue of the functions that look; it is the run's own ``queue`` where these do the run."""
    from handlers.bootstrap.stage_tasks import stage_queue

    return queue if name is StageQueue.LOOKING else stage_queue(process, StageQueue.LOOKING)
