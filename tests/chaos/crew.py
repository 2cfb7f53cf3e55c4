"""Worker processes with wrong clocks, and somebody who kills and stops them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
OFFSETS = (0.0, 0.45, -0.45)
"""Wall clocks differ by less than the margin of the demo's settings, one second: the assumption of protocol.md §6."""
STOPPED_SECONDS = 19.0
"""Longer than a claim of the demo's settings (8 + 6 + 1 seconds): others take over what the stopped one holds."""


@dataclass(slots=True)
class Crew:
    """So many workers; the ``environment`` says where AWS is."""

    environment: Mapping[str, str]
    folder: Path
    size: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    started: int = 0

    def fill(self) -> None:
        """Start workers until the crew is complete."""
        while len(self.processes) < self.size:
            offset = OFFSETS[self.started % len(OFFSETS)]
            self.started += 1
            environment = {**os.environ, **self.environment, "POWERTOOLS_LOG_LEVEL": "WARNING"}
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
            command = [sys.executable, "-m", "tests.chaos.skewed_worker", str(offset)]
            with (self.folder / f"worker-{self.started}.log").open("wb") as log:
                self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))  # noqa: S603

    def stop(self) -> None:
        """SIGTERM to all, SIGKILL to whoever does not listen."""
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def fallen(self) -> list[str]:
        """The last words of workers that ended by themselves."""
        return [
            (self.folder / f"worker-{number}.log").read_text(errors="replace")[-600:]
            for number in range(1, self.started + 1)
            if "Traceback" in (self.folder / f"worker-{number}.log").read_text(errors="replace")
        ]


class Tormentor:
    """Kills a worker, or stops it for longer than its claims and lets it go on, again and again."""

    def __init__(self, crew: Crew, *, seed: int, pause: float) -> None:
        self._crew = crew
        self._random = Random(seed)
        self._pause = pause
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._asleep: list[tuple[float, subprocess.Popen[bytes]]] = []
        self.deeds: Counter[str] = Counter()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Wake whoever still sleeps, and do no more."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        for _, process in self._asleep:
            process.send_signal(signal.SIGCONT)

    def _run(self) -> None:
        while not self._ended.wait(self._pause):
            self._wake()
            awake = [one for one in self._crew.processes if one not in [asleep for _, asleep in self._asleep]]
            if len(awake) < 2:
                continue
            victim = self._random.choice(awake)
            if self._random.random() < 0.5:
                victim.send_signal(signal.SIGSTOP)
                self._asleep.append((time.monotonic() + STOPPED_SECONDS, victim))
                self.deeds["SIGSTOP"] += 1
                continue
            victim.kill()
            victim.wait()
            self._crew.processes.remove(victim)
            self.deeds["SIGKILL"] += 1
            self._crew.fill()

    def _wake(self) -> None:
        due = [one for one in self._asleep if one[0] <= time.monotonic()]
        for one in due:
            one[1].send_signal(signal.SIGCONT)
            self._asleep.remove(one)
