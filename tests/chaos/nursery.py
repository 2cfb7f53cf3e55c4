"""``python -m tests.chaos.nursery``: forks processes that run the command line, so that each starts at once.

A line of the standard input is a command: its arguments, its variables and the file of its output. The answer is the
number of its process. Its exit code is written beside its output when it ends. A line may also name a process to kill;
the answer is 0 where it had ended by itself: only this process knows whether the number is still its own.
"""

import json
import os
import select
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from domain.runs import slices as domain_slices
from handlers.bootstrap import operations, runs, stage_tasks, worker  # noqa: F401  # read before the first fork
from handlers.cli import cleanup, cutover, purge, rollback, start, verify  # noqa: F401  # as above
from handlers.cli import worker as worker_command  # noqa: F401  # as above
from handlers.cli.app import run
from handlers.operations import segments, slices
from handlers.operations import stage_tasks as tasks

RECORDS_AT_ONCE, SEGMENTS = 4, 6
CLAIM_SECONDS, RENEW_SECONDS = 6.0, 1.0


def shorten() -> None:
    """Runs in small: a claim that a killed process leaves lapses soon, and a slice has many pages."""
    slices.CLAIM_SECONDS, slices.RENEW_SECONDS = CLAIM_SECONDS, RENEW_SECONDS
    segments.RECORDS_AT_ONCE, segments.LEAST_SEGMENTS = RECORDS_AT_ONCE, SEGMENTS
    tasks.LATER_SECONDS = tasks.FAILED_SECONDS = tasks.POLL_SECONDS = 1
    if domain_slices.MOST_FAILURES != 5:
        raise ValueError("a slice is lost after five failures, in small too")


def main() -> None:
    """Until the standard input closes; processes that still run are killed then."""
    shorten()
    living: dict[int, Path] = {}
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], 0.05)
        for pid in list(living):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                living.pop(pid).with_suffix(".code").write_text(str(os.waitstatus_to_exitcode(status)))
        if not ready:
            continue
        line = sys.stdin.readline()
        if not line:
            break
        wanted = json.loads(line)
        if "kill" in wanted:
            pid = wanted["kill"] if wanted["kill"] in living else 0
            if pid:
                os.kill(pid, signal.SIGKILL)
        else:
            pid = os.fork()
            if not pid:
                _live(wanted)
            living[pid] = Path(wanted["out"])
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for pid in living:
        os.kill(pid, signal.SIGKILL)


def _live(wanted: dict[str, Any]) -> None:
    """Be the command: as the shell would have started it."""
    code = 70
    try:
        for number, suffix in ((1, ".out"), (2, ".err")):
            there = os.open(Path(wanted["out"]).with_suffix(suffix), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(there, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(wanted["environment"])
        code = run(wanted["arguments"])
    except BaseException:  # noqa: BLE001  # the process ends here, whatever it was
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
