"""A running ``keyshift sandbox``, and a shell that has read its settings."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.command_line import environment

READY = "Ctrl-C ends the sandbox"
PATIENCE_SECONDS = 120.0
WIDTH = 100
"""Columns of the terminal."""


@dataclass(frozen=True)
class RunningSandbox:
    """The process, the folder in which a person works, and what the sandbox has printed so far."""

    process: subprocess.Popen[bytes]
    folder: Path
    log: Path

    def printed(self) -> str:
        """Everything so far."""
        return self.log.read_text(encoding="utf-8")

    def await_line(self, text: str) -> None:
        """Until it has printed this; AssertionError when it ends before, or never does."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while text not in self.printed():
            assert self.process.poll() is None, self.printed()
            assert time.monotonic() < ends, self.printed()
            time.sleep(0.1)

    def shell(self, command: str, *, coloured: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a line in a shell that has read ``sandbox/settings.sh``; both streams in ``stdout``, as on a screen."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.run(  # noqa: S603  # our own documents
            ["/bin/sh", "-c", f". sandbox/settings.sh\n{command}"],
            cwd=self.folder,
            env=environment({"PATH": path, "COLUMNS": str(WIDTH)} | ({"FORCE_COLOR": "1"} if coloured else {})),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the signal, and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@contextmanager
def running_sandbox(folder: Path, options: str = "") -> Iterator[RunningSandbox]:
    """``keyshift sandbox`` with these options in ``folder``, ready; it is ended with the block."""
    log = folder.with_name(f"{folder.name}-sandbox.log")
    command = [sys.executable, "-m", "handlers.cli", "sandbox", *shlex.split(options)]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # ourselves
            command, cwd=folder, env=environment(), stdout=output, stderr=output, start_new_session=True
        )
    running = RunningSandbox(process, folder, log)
    try:
        running.await_line(READY)
        yield running
    finally:
        if process.poll() is None:
            running.end()
