"""``python -m bench chains``: audit events a second through the chains, with one writer and with several.

Each writer is a process with a shard of its own, as the function of the manifest's stream is. For comparison the same
writers append to the one chain without a shard, as all did before. Of every call it is counted how often a segment
needs it: a writer that waits for another one, or tries again because of it, makes more calls.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from bench.processes import ClientFailedError, environment_for
from bench.results import write_result
from bench.site import Site, Sources, machine, prepared_site
from bench.workers import Migration
from domain.audit.chain import MISSING_SHARD

AUDIT_BUCKET = "bench-audit"
WAYS = ("chains", "published")


@dataclass(frozen=True, slots=True)
class Case:
    """So many writers; ``apart`` means that each has a shard of its own."""

    way: str
    is_apart: bool
    writers: int

    @property
    def shards(self) -> list[str]:
        """The shard of each writer."""
        return [f"shardId-{number:020d}-00000000" if self.is_apart else MISSING_SHARD for number in range(self.writers)]


def main(*arguments: str) -> None:
    """Measure, print, and write build/bench/chains.json."""
    parser = argparse.ArgumentParser(prog="python -m bench chains")
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--batches", type=int, default=96, help="Batches of all writers together.")
    parser.add_argument("--events", type=int, default=100, help="Events of a batch.")
    parser.add_argument("--repetitions", type=int, default=3)
    given = parser.parse_args(arguments)
    cases = [Case(way, apart, number) for way in WAYS for apart in (True, False) for number in given.writers]
    runs: dict[Case, list[dict[str, Any]]] = {case: [] for case in cases}
    with prepared_site() as site:
        site.clients.s3.create_bucket(Bucket=AUDIT_BUCKET)
        for _ in range(given.repetitions):
            for case in cases:
                runs[case].append(run(site, case, max(1, given.batches // case.writers), given.events))
    rows = [row(case, found) for case, found in runs.items()]
    for one in rows:
        chains = f"{one['chains']} chains" if one["chains"] > 1 else "1 chain"
        print(
            f"{one['way']:<10}{one['writers']:>3} writers, {chains:<9}{one['events_per_second']:>8,} events/s "
            f"{one['cpu_ms']:>7.3f} ms CPU an event  {one['calls_a_segment']}"
        )
    told = {"batches": given.batches, "events": given.events, "repetitions": given.repetitions}
    write_result("chains", {**told, "machine": machine(), "rows": rows})


def run(site: Site, case: Case, batches: int, events: int) -> dict[str, Any]:
    """Let the writers append at the same time; each its own batches."""
    migration = Migration(site, Sources("none", 0), "models/none/")
    environment = migration.create() | {"KEYSHIFT_AUDIT_BUCKET": AUDIT_BUCKET, "KEYSHIFT_AUDIT_PREFIX": migration.name}
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.chain_writer", shard, str(batches), str(events), case.way],
            env=environment_for(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for shard in case.shards
    ]
    for child in children:
        _line(child)
    begun = time.perf_counter()
    for child in children:
        _tell(child)
    told = [json.loads(_line(child)) for child in children]
    elapsed = time.perf_counter() - begun
    for child in children:
        child.wait()
    migration.remove(environment)
    calls = Counter[str]()
    for one in told:
        calls.update(one["calls"])
    segments = case.writers * batches
    return {
        "rate": segments * events / elapsed,
        "cpu": sum(one["cpu"] for one in told) / (segments * events),
        "longest_append": max(one["longest_append"] for one in told),
        "calls": {name: count / segments for name, count in sorted(calls.items())},
    }


def row(case: Case, found: list[dict[str, Any]]) -> dict[str, Any]:
    """The medians of the repetitions; of the calls the most."""
    names = sorted({name for one in found for name in one["calls"]})
    return {
        "way": case.way,
        "writers": case.writers,
        "chains": case.writers if case.is_apart else 1,
        "is_apart": case.is_apart,
        "events_per_second": round(statistics.median(one["rate"] for one in found)),
        "events_per_second_range": [round(pick(one["rate"] for one in found)) for pick in (min, max)],
        "cpu_ms": round(1000 * statistics.median(one["cpu"] for one in found), 3),
        "longest_append_s": round(max(one["longest_append"] for one in found), 3),
        "calls_a_segment": {name: round(max(one["calls"].get(name, 0) for one in found), 2) for name in names},
    }


def _line(child: "subprocess.Popen[str]") -> str:
    """What the writer says next; raises ClientFailedError when it ended."""
    line = child.stdout.readline() if child.stdout is not None else ""
    if not line:
        raise ClientFailedError(f"a writer ended with {child.wait()}")
    return line


def _tell(child: "subprocess.Popen[str]") -> None:
    """Let a writer begin."""
    if child.stdin is not None:
        child.stdin.write("go\n")
        child.stdin.flush()
