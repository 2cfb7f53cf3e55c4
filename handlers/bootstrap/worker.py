"""Wires the manifest's stream and stage work for a worker."""

from collections.abc import Callable
from functools import partial

from adapters.dynamodb.stream import DynamoDbChangeReader
from handlers.bootstrap.process import Process
from handlers.bootstrap.stage_tasks import stage_works
from handlers.engine.dependencies import EngineDependencies
from handlers.engine.worker import ChangeReader
from handlers.operations.stage_tasks import serve_queue
from handlers.operations.stage_works import StageWorks


def change_reader(process: Process) -> ChangeReader:
    """The manifest's stream for a worker; one of several workers reads it at a time."""
    return DynamoDbChangeReader(process.clients, process.table)


def stage_steps(process: Process, dependencies: EngineDependencies) -> tuple[Callable[[Callable[[], bool]], bool], ...]:
    """A worker's step for each queue of stage work that the settings name."""

    def step(works: StageWorks, stopping: Callable[[], bool]) -> bool:
        return serve_queue(works, dependencies, stopping=stopping)

    return tuple(partial(step, works) for works in stage_works(process, dependencies))
