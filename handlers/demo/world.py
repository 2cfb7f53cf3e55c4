"""The world of the demo: an AWS stand-in with everything created, behind ports."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from domain.queues import MessageQueue
from domain.rules.compiled import CompiledRules
from handlers.config.settings import Settings
from handlers.demo.checker import ProducersBucket

OTHER_CREDENTIALS = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")
"""Variables that an SDK would read beside the stand-in's: a profile that is not there is an error."""


@dataclass(frozen=True, slots=True)
class DemoWorld:
    """Everything is created, but the bucket sends no events until ``begin_events``."""

    settings: Settings
    rules: CompiledRules
    environment: Mapping[str, str]
    producers_bucket: ProducersBucket
    events_queue: MessageQueue
    audit_queue: MessageQueue
    dead_queue: MessageQueue
    begin_events: Callable[[], None]
    write_uris: Callable[[Mapping[str, str]], None]
    """Creates a table of an application and writes these URIs into it, by the keys of their items."""


def own_command(*arguments: str) -> list[str]:
    """``keyshift`` of this installation."""
    return [sys.executable, "-m", "handlers.cli", *arguments]


def environment_on(world: DemoWorld) -> dict[str, str]:
    """The variables of a process that works in this world."""
    root = str(Path(__file__).resolve().parents[2])
    found = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return {**os.environ, **world.environment, "PYTHONPATH": found}


@dataclass(slots=True)
class Workers:
    """Worker processes of the demo; their logs go to files of their own.

    ``apart``: a terminal's Ctrl-C does not reach them, only ``stop`` ends them.
    """

    world: DemoWorld
    folder: Path
    lanes: int
    apart: bool = False
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    killed: int = 0
    started: int = 0

    def start(self, count: int) -> None:
        """Start so many more."""
        for _ in range(count):
            self.started += 1
            with (self.folder / f"worker-{self.started}.log").open("wb") as log:
                self.processes.append(self._spawn(log.fileno()))

    def _spawn(self, log: int) -> subprocess.Popen[bytes]:
        environment = {**environment_on(self.world), "POWERTOOLS_LOG_LEVEL": "INFO"}
        # Standard input is the leash: a worker ends when this process does, however that ends.
        command = own_command("worker", "--lanes", str(self.lanes), "--until-stdin-closes")
        return subprocess.Popen(  # noqa: S603  # ourselves
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=self.apart
        )

    def kill_one(self) -> None:
        """SIGKILL the oldest and start another one, which takes its objects over when the claims end."""
        victim = self.processes.pop(0)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        self.killed += 1
        self.start(1)

    def show_stacks(self) -> None:
        """Let each write to its log what its threads do."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGUSR1)

    def stop(self) -> None:
        """SIGTERM to all, SIGKILL to those that do not end."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def fallen(self) -> list[str]:
        """The ends of the logs of workers that ended by themselves."""
        return [
            path.read_text(errors="replace")[-500:]
            for path, process in zip(
                sorted(self.folder.glob("worker-*.log"))[-len(self.processes) :], self.processes, strict=False
            )
            if process.poll() is not None
        ]
