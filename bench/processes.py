"""Child processes and what the system counted for them."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
POLL_SECONDS = 0.05
MOST_SECONDS = 4 * 3600.0


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU of a client's processes (user and system), and the time until its work was done, in seconds; peak memory."""

    cpu: float
    elapsed: float
    peak_mib: float = 0.0


class ClientFailedError(RuntimeError):
    """A client ended with an error; the text has its last words."""


def environment_for(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without anything of AWS's or ours, and ``more``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KEYSHIFT_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1,localhost", **more}


def run_to_end(command: Sequence[str], more: Mapping[str, str], log: Path, *, stdin: Path) -> Spent:
    """Run a command that ends by itself, with a file as its input; raises ClientFailedError."""
    begun = time.perf_counter()
    with log.open("wb") as output, stdin.open("rb") as given:
        child = subprocess.Popen(
            command, env=environment_for(more), stdin=given, stdout=output, stderr=output, cwd=ROOT
        )
    return _waited(child, command, log, ended=lambda: time.perf_counter() - begun)


def run_until(
    command: Sequence[str],
    more: Mapping[str, str],
    log: Path,
    *,
    is_done: Callable[[], bool],
    beside: Callable[[int], object] = lambda _: None,
) -> Spent:
    """Run a command until its work is done, then ask it to end; ``beside`` is called with its id once it runs.

    Raises ClientFailedError.
    """
    begun = time.perf_counter()
    with log.open("wb") as output:
        child = subprocess.Popen(command, env=environment_for(more), stdout=output, stderr=output, cwd=ROOT)
    try:
        beside(child.pid)
        while child.poll() is None and time.perf_counter() - begun < MOST_SECONDS and not is_done():
            time.sleep(POLL_SECONDS)
        elapsed = time.perf_counter() - begun
        if child.poll() is not None or elapsed >= MOST_SECONDS:
            raise ClientFailedError(f"{command[:4]} did not do its work: {_last_words(log)}")
    finally:
        child.terminate()
    return _waited(child, command, log, ended=lambda: elapsed)


def _waited(child: subprocess.Popen[bytes], command: Sequence[str], log: Path, *, ended: Callable[[], float]) -> Spent:
    _, status, usage = os.wait4(child.pid, 0)
    elapsed = ended()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise ClientFailedError(f"{command[:4]} ended with {child.returncode}: {_last_words(log)}")
    return Spent(usage.ru_utime + usage.ru_stime, elapsed, usage.ru_maxrss / 1024)


def _last_words(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-500:]
