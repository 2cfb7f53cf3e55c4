"""A function of stage work, and the command that asks it; what the command needs is not noted as the function's."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from adapters.dynamodb.runs import DynamoDbRunBook
from adapters.messaging.queue import SqsMessageQueue
from domain.runs.run import Run, RunState, ended
from domain.runs.slices import MOST_FAILURES, Slice, SliceClaim
from domain.runs.works import StageQueue, Work
from handlers import stage_work
from handlers.bootstrap import process_of
from handlers.intake.stage_tasks import StageTask, encode_stage_task
from tests.deployment.place import Place, forget_dependencies
from tests.servers import new_name
from tests.worlds.site import Context, lambda_event


class Options(Protocol):
    """What a run's processes do alike."""

    def as_options(self) -> Mapping[str, str]:
        """As a run keeps them."""


@contextmanager
def stage_function(place: Place, name: StageQueue) -> Iterator[None]:
    """The environment of the function of this queue: it has the URL of no other. Rules for removing name no holders."""
    rules = Path(os.environ["KEYSHIFT_RULES_FILE"])
    bare = rules.with_name("bare.yaml")
    bare.write_text(rules.read_text(encoding="utf-8").partition("\nreferences:")[0], encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(place.variable(name), place.queues[name].url)
        if name is StageQueue.REMOVING:
            patch.setenv("KEYSHIFT_RULES_FILE", str(bare))
        forget_dependencies()
        yield
    forget_dependencies()


def begun(place: Place, work: Work, options: Options, *, slices: int, lost: int | None = None) -> str:
    """Another run, and the message that asks for a part of it; a claim of the slice ``lost`` lapsed too often."""
    book = DynamoDbRunBook(place.clients, place.name)
    digest = process_of().rules.digest
    run = Run(work.value, new_name("run"), slices, options.as_options(), rules_digest=digest, by="ana")
    before = book.read_run(work)
    if before is not None and before.goes_on:
        over = ended(before, RunState.ENDED, by="ana", now=1.0)
        book.write_run(over, before=before)
        before = over
    if not book.write_run(run, before=before):
        raise LookupError(f"no run of {work} began")
    if lost is not None:
        tired = Slice(lost, failures=MOST_FAILURES - 1, claim=SliceClaim("killed", 1.0), revision=1)
        book.write_slice(run, tired, before=Slice(lost))
    return encode_stage_task(StageTask("deployed", work, run.run_id))


def ask(place: Place, name: StageQueue, body: str, *, seconds: float = 300.0, receive_count: int = 1) -> None:
    """The message arrives, and what the function leaves in the queue is taken away."""
    queue = SqsMessageQueue(place.clients, place.queues[name].url)
    queue.send_messages([body])
    (message,) = queue.receive_messages(at_most=1, wait=1)
    event = lambda_event([replace(message, receive_count=receive_count)])
    stage_work.handler(event, Context(seconds=seconds))
    while messages := queue.receive_messages(at_most=10, wait=0):
        queue.delete_messages(messages)
    queue.delete_messages([message])
