"""The pages whose commands are run in order on a sandbox, each with what a person has done before."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import boto3

from handlers.demo.readings import reading_key
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.docs.citing import ROOT
from tests.docs.walkthrough import Step, follow, sandbox_options, steps_of
from tests.worlds.sandbox import PATIENCE_SECONDS, RunningSandbox

Act = Callable[[RunningSandbox], None]


def nothing(_running: RunningSandbox) -> None:
    """The page begins with a new sandbox."""


def begin(running: RunningSandbox) -> None:
    """Live capture is on, all objects are copied, and the sandbox's one conflict is decided."""
    done(running, "keyshift start --yes && keyshift backfill --list")
    ends = time.monotonic() + PATIENCE_SECONDS
    while not (found := running.shell("keyshift conflicts list --json").stdout.splitlines()):
        assert time.monotonic() < ends
        time.sleep(1)
    conflict = json.loads(found[0])
    etag = conflict["target_holds"]["etag"]
    done(running, f"keyshift conflicts take-source {conflict['key']} --replacing {etag} --why test --yes")


def leave_dead_letters(running: RunningSandbox) -> None:
    """Two rows of objects that no worker tried, and a message of another program."""
    lines = [line.partition("=") for line in running.shell("env").stdout.splitlines()]
    variables = {name: value for name, _, value in lines}
    sqs = boto3.client(
        "sqs",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
    for number in (9003, 9015):
        row = BackfillRow(key=reading_key(number), etag="0" * 32, size=1, storage_class="STANDARD")
        (body,) = encode_backfill([row], migration="flatten-dates", bucket="sensor-readings")
        sqs.send_message(QueueUrl=f"{variables['KEYSHIFT_BACKFILL_QUEUE_URL']}-dead", MessageBody=body)
    sqs.send_message(QueueUrl=f"{variables['KEYSHIFT_EVENTS_QUEUE_URL']}-dead", MessageBody='{"hello": "world"}')


def done(running: RunningSandbox, command: str) -> str:
    """A command that succeeds."""
    answer = running.shell(command)
    assert answer.returncode == 0, answer.stdout
    return answer.stdout


@dataclass(frozen=True, slots=True)
class WalkedPage:
    """A page; what was done before its first command, and what happens before the first of some others."""

    path: Path
    before: Act = nothing
    happens: Mapping[str, Act] = field(default_factory=dict)
    options: str = ""

    def walk(self, running: RunningSandbox, steps: list[Step], *, coloured: bool = False) -> Iterator[str]:
        """Follow the steps in order; what each printed."""
        waiting = dict(self.happens)
        self.before(running)
        for step in steps:
            waiting.pop(step.command, nothing)(running)
            yield follow(partial(running.shell, coloured=coloured), step)


DOCS = ROOT / "docs"
TUTORIAL = WalkedPage(
    DOCS / "tutorial" / "first-migration.md", options=sandbox_options(DOCS / "tutorial" / "first-migration.md")
)
RUNBOOK = WalkedPage(DOCS / "runbook.md", begin, {"keyshift dlq list": leave_dead_letters})
PLAN = WalkedPage(DOCS / "plan.md")
PAGES = (TUTORIAL, RUNBOOK, PLAN)


def steps_up_to(page: WalkedPage, commands: set[str]) -> list[Step]:
    """The steps of a page up to the last one of these commands, where each counts the first time."""
    steps = steps_of(page.path)
    last = max(next(at for at, step in enumerate(steps) if step.command == command) for command in commands)
    return steps[: last + 1]
