"""Real worker processes, waiting for what they do, and commands run in this process to save their start."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from handlers.cli.app import run
from tests.e2e.command_line import environment


@contextmanager
def running_workers(count: int, *, more: Mapping[str, str], folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many ``keyshift worker`` processes; the first publishes the stream. Logs are in ``folder``."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(count):
            audit = "--audit" if number == 0 else "--no-audit"
            command = [sys.executable, "-m", "handlers.cli", "worker", "--lanes", "2", audit]
            with Path(folder, f"worker-{number}.log").open("wb") as log:
                process = subprocess.Popen(command, env=environment(more), stdout=log, stderr=log)  # noqa: S603 - ours
            started.append(process)
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until(is_so: Callable[[], bool], *, seconds: float = 60, every: float = 0.2) -> None:
    """Wait generously; AssertionError when it is never so."""
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends, f"not so after {seconds} s"
        time.sleep(every)


class RunHere(Protocol):
    """Runs the command line in this process, with an operator's environment."""

    def __call__(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        """Its exit code and what it wrote."""


def run_here(more: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunHere:
    """The command line as a function: most of a command's time is its start."""
    for name, value in more.items():
        monkeypatch.setenv(name, value)

    def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        code = run([str(one) for one in arguments])
        said = capsys.readouterr()
        return subprocess.CompletedProcess([], code, said.out, said.err)

    return call
