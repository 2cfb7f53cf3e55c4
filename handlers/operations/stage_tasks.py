"""The messages of stage work: sent by a command, served by a function or a worker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from domain.errors import KeyshiftError
from domain.queues import Message, MessageQueue
from domain.runs.run import Run
from domain.runs.slices import Slice
from domain.runs.works import Work
from handlers.engine.dependencies import EngineDependencies
from handlers.engine.give_back import comes_again
from handlers.intake.stage_tasks import StageTask, encode_stage_task
from handlers.operations.stage_part import StagePart
from handlers.operations.stage_works import StageWorks, TaskEnd, Time

MOST_TASKS = 100
"""Messages of one run, and so how many functions work on it at once, at most."""
LATER_SECONDS = 30
"""After this time a message that found every slice claimed, or a pause, is received again."""
MUCH_LATER_SECONDS = 900
FAILED_SECONDS = 20
POLL_SECONDS = 2
LOOK_TASKS = 4
"""Messages of the looks for one run: so many functions at most look at once, and one that is killed is replaced."""
_DELAYS = {TaskEnd.AGAIN: 0, TaskEnd.LATER: LATER_SECONDS, TaskEnd.MUCH_LATER: MUCH_LATER_SECONDS}


@dataclass(frozen=True, slots=True)
class Engine:
    """The functions that do a run: their queue, and that of the functions that look at what holds its objects.

    Both are one queue where the functions that do the run look too.
    """

    queue: MessageQueue
    looking: MessageQueue | None = None

    def ask(self, run: Run, *, migration: str, slices: Sequence[Slice]) -> int:
        """Ask for the run, and for the looks that it needs; returns how many functions may work on it at once."""
        if self.looking is not None and self.looking is not self.queue:
            send_look_tasks(self.looking, run, migration=migration)
        return send_tasks(self.queue, run, migration=migration, slices=slices)


def send_look_tasks(queue: MessageQueue, run: Run, *, migration: str) -> None:
    """Ask functions to look at what holds the run's objects, until it is done; more messages than needed do no harm."""
    task = StageTask(migration, Work(run.work), run.run_id)
    queue.send_messages([encode_stage_task(replace(task, part=part)) for part in range(LOOK_TASKS)])


def send_tasks(queue: MessageQueue, run: Run, *, migration: str, slices: Sequence[Slice]) -> int:
    """Ask functions to work on the run, as many as it has slices to do; more messages than needed do no harm.

    Returns the number of messages.
    """
    task, left = StageTask(migration, Work(run.work), run.run_id), sum(not one.is_done for one in slices)
    parts = range(min(MOST_TASKS, left))
    queue.send_messages([encode_stage_task(replace(task, part=part)) for part in parts])
    return len(parts)


def serve_task(message: Message, works: StageWorks, dependencies: EngineDependencies, *, time: Time) -> bool:
    """Do the part of the run that a message asks for; whether the message is to be deleted, else it is given back."""
    observer = dependencies.observer
    try:
        end = StagePart(works, dependencies, time).do_part(message.body)
    except KeyshiftError as error:
        observer.count("StageWorkFailures")
        observer.fail("stage work failed", cause=error.cause, why=str(error), body=message.body[:500])
        end = TaskEnd.FAILED
    if end is TaskEnd.DONE:
        return True
    if end is TaskEnd.FAILED:
        works.queue.return_messages([message], delay=FAILED_SECONDS)
        return False
    return comes_again(message, works.queue, delay=_DELAYS[end])


def serve_queue(works: StageWorks, dependencies: EngineDependencies, *, stopping: Callable[[], bool]) -> bool:
    """Receive once from the queue, as a worker does, and work on the run; whether there was a message."""
    messages = works.queue.receive_messages(at_most=1, wait=POLL_SECONDS)
    monotonic = dependencies.ports.clock.monotonic
    ends = monotonic() + dependencies.settings.batch_seconds
    for message in messages:
        if serve_task(message, works, dependencies, time=Time(lambda: ends - monotonic(), stopping)):
            works.queue.delete_messages([message])
    return bool(messages)
