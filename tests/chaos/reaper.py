"""Workers that do runs, each forked from a process that has read the code, and what kills them one after the other."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.e2e.command_line import environment

COMMAND_SECONDS = 900.0
LOOK_SECONDS, MOMENT_SECONDS = 0.05, 0.2


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is done in one life of a migration; ``kills`` is the least number, over as many lives as that takes."""

    kills: int = 100
    objects: int = 150
    workers: int = 3
    changes: int = 6
    """Between two kills slices of the run change once, and at most so often, however slow the machine is."""
    seed: int = 1


class Nursery:
    """The process that forks commands and workers, and waits for them."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self._folder = folder
        self._variables = variables
        self._lock = threading.Lock()
        self._numbers = 0
        command = [sys.executable, "-m", "tests.chaos.nursery"]
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, env=environment(variables), **pipes)  # noqa: S603  # ourselves

    def start(self, *arguments: str) -> tuple[int, Path]:
        """A process with this command line: its number, and the stem of the files that it writes."""
        with self._lock:
            self._numbers += 1
            out = self._folder / f"{self._numbers:04d}-{arguments[0]}"
            return self._ask(arguments=arguments, environment=dict(self._variables), out=f"{out}.out"), out

    def kill(self, pid: int) -> bool:
        """SIGKILL; whether the process still ran."""
        with self._lock:
            return self._ask(kill=pid) == pid

    def _ask(self, **wanted: Any) -> int:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ValueError("the nursery has no pipes")
        stdin.write(json.dumps(wanted) + "\n")
        stdin.flush()
        return int(stdout.readline())

    def run(self, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        """A command to its end: its code, its lines, and what it said."""
        _, out = self.start(*arguments, "--json")
        ends = time.monotonic() + COMMAND_SECONDS
        while not out.with_suffix(".code").exists() or not out.with_suffix(".code").read_text():
            if time.monotonic() > ends:
                raise TimeoutError(f"{arguments} did not end")
            time.sleep(0.05)
        lines = [json.loads(line) for line in out.with_suffix(".out").read_text().splitlines()]
        return int(out.with_suffix(".code").read_text()), lines, out.with_suffix(".err").read_text()

    def close(self) -> None:
        """End it, and whatever still runs."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=60)
        if self._process.stdout is not None:
            self._process.stdout.close()


class Reaper:
    """Keeps so many workers at work, and kills one after the other while it is let.

    ``changes`` counts the changes of the slices of the run that goes on.
    """

    def __init__(self, nursery: Nursery, extent: Extent, random: Random, *, changes: Callable[[], int]) -> None:
        self._nursery = nursery
        self._extent = extent
        self._random = random
        self._changes = changes
        self._workers = [self._hire() for _ in range(extent.workers)]
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.kills = 0
        self.fallen = 0
        """Workers that had ended by themselves when their turn came."""

    def _hire(self) -> int:
        pid, _ = self._nursery.start("worker", "--lanes", "1", "--no-audit")
        return pid

    @contextmanager
    def killing(self) -> Iterator[None]:
        """Workers are killed while the block runs."""
        self._over.clear()
        self._thread = threading.Thread(target=self._reap)
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()

    def _reap(self) -> None:
        while self._await_changes(self._random.randint(1, self._extent.changes)):
            if self._over.wait(self._random.random() * MOMENT_SECONDS):
                return
            victim = self._random.randrange(len(self._workers))
            self.fallen += not self._nursery.kill(self._workers[victim])
            self.kills += 1
            self._workers[victim] = self._hire()

    def _await_changes(self, number: int) -> bool:
        """Whether slices have changed so often, before the run was over."""
        seen = self._changes()
        while not self._over.wait(LOOK_SECONDS):
            now = self._changes()
            seen = min(seen, now)  # another run
            if now - seen >= number:
                return True
        return False

    def dismiss(self) -> None:
        """All of them."""
        self.fallen += sum(not self._nursery.kill(pid) for pid in self._workers)
