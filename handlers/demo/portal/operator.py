"""The operator: the real commands of the runbook, each in its own process."""

import json
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from handlers.demo.world import DemoWorld, environment_on, own_command

LONGEST_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Told:
    """A command's result: its exit code and its JSON lines."""

    code: int
    rows: list[dict[str, Any]]
    errors: str


@dataclass(frozen=True, slots=True)
class Operator:
    """A person with the demo's environment and a shell."""

    world: DemoWorld
    say: Callable[[str], None]

    def run(self, *arguments: str) -> Told:
        """Run a command to its end."""
        command = own_command(*arguments, "--json")
        done = subprocess.run(  # noqa: S603  # ourselves
            command,
            env=environment_on(self.world),
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        self.say(f"$ keyshift {shlex.join(arguments)}   (exit code {done.returncode})")
        return Told(done.returncode, rows, done.stderr.strip())
