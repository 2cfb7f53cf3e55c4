"""``python -m bench joined``: seconds of one shared verification, worked on by one, two and four processes.

Each answer of the stand-in waits 20 ms, and each process works on one object at a time, so that waiting decides.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from adapters.dynamodb.runs import DynamoDbRunBook
from adapters.standin import Fault, FaultKind
from bench.messages import rows
from bench.processes import ROOT, environment_for
from bench.results import write_result
from bench.site import Site, machine, prepared_site
from bench.workers import Migration, work_off
from domain.runs.run import Run, RunState

PROCESSES = (1, 2, 4)
ADDED_SECONDS = 0.02
POLL_SECONDS = 0.1
VERIFY = ("verify", "--no-keys", "--json")


def main(*arguments: str) -> None:
    """Measure, print, and write build/bench/joined.json."""
    parser = argparse.ArgumentParser(prog="python -m bench joined")
    parser.add_argument("--objects", type=int, default=400)
    given = parser.parse_args(arguments)
    measured: list[dict[str, Any]] = []
    with prepared_site() as site:
        if site.standin is None:
            raise SystemExit("only the stand-in can be slow")
        sources = site.put_sources("joined", given.objects)
        migration = Migration(site, sources, f"models/{sources.name}/")
        environment = environment_for(migration.create())
        work_off(migration, environment, rows, audit=False)
        keyshift(environment, *VERIFY, "--local").wait()  # marks the records: later runs find nothing to write
        site.standin.inject(Fault("", kind=FaultKind.DELAY, seconds=ADDED_SECONDS, count=10**9))
        for processes in PROCESSES:
            seconds = run_together(site, migration, environment, processes)
            measured.append({"processes": processes, "seconds": round(seconds, 1)})
            print(measured[-1], flush=True)
    write_result("joined", {"objects": given.objects, "machine": machine(), "rows": measured})


def run_together(site: Site, migration: Migration, environment: Mapping[str, str], processes: int) -> float:
    """Seconds from the beginning of a run to its end, by the run's own figures."""
    book = DynamoDbRunBook(site.clients, migration.name)
    before = book.read_run("verify")
    running = [keyshift(environment, *VERIFY, "--shared", "--threads", "1")]
    run = before
    while run == before and running[0].poll() is None:
        time.sleep(POLL_SECONDS)
        run = book.read_run("verify")
    running += [keyshift(environment, "verify", "--join", "--json", "--threads", "1") for _ in range(processes - 1)]
    for one in running:
        one.wait()
    return _seconds(book.read_run("verify"))


def _seconds(run: Run | None) -> float:
    if run is None or run.state is not RunState.ENDED:
        raise RuntimeError("the run did not end")
    return run.ended_at - run.begun_at


def keyshift(environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    """A command, begun."""
    command = [sys.executable, "-m", "handlers.cli", *arguments]
    return subprocess.Popen(command, env=dict(environment), stdout=subprocess.DEVNULL, cwd=ROOT)
