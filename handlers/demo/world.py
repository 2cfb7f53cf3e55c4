"""What the demo plays on: an AWS stand-in with everything created, seen through ports."""

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
from handlers.demo.checker import OwnersBucket


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything is there, but the bucket is still silent: ``begin_events`` makes it tell of its changes."""

    settings: Settings
    rules: CompiledRules
    environment: Mapping[str, str]
    owners_bucket: OwnersBucket
    events_queue: MessageQueue
    audit_queue: MessageQueue
    dead_queue: MessageQueue
    begin_events: Callable[[], None]


def own_command(*arguments: str) -> list[str]:
    """``keyshift`` of this installation."""
    return [sys.executable, "-m", "handlers.cli", *arguments]


def environment_on(stage: Stage) -> dict[str, str]:
    """The variables of a process that works on this stage."""
    root = str(Path(__file__).resolve().parents[2])
    found = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return {**os.environ, **stage.environment, "PYTHONPATH": found}


@dataclass(slots=True)
class Workers:
    """Worker processes of the demo; their logs go to files of their own."""

    stage: Stage
    folder: Path
    lanes: int
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
        environment = {**environment_on(self.stage), "POWERTOOLS_LOG_LEVEL": "INFO"}
        command = own_command("worker", "--lanes", str(self.lanes))
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment)  # noqa: S603  # ourselves

    def kill_one(self) -> None:
        """SIGKILL the oldest and start another: whatever it held is taken over when its claims end."""
        victim = self.processes.pop(0)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        self.killed += 1
        self.start(1)

    def stop(self) -> None:
        """SIGTERM to all, SIGKILL to whoever does not listen."""
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
        """The last words of workers that ended by themselves."""
        return [
            path.read_text(errors="replace")[-500:]
            for path, process in zip(
                sorted(self.folder.glob("worker-*.log"))[-len(self.processes) :], self.processes, strict=False
            )
            if process.poll() is not None
        ]
