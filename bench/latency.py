"""``python -m bench latency``: objects a second with 5, 20 and 50 ms added to each answer, and growing concurrency.

The stand-in waits before it works on a request, so that requests wait beside each other as they do on a long line.
"""

import argparse
from collections.abc import Callable
from typing import Any

from adapters.standin import Fault, FaultKind
from bench.messages import created_events, rows
from bench.peers import peer_clients
from bench.processes import Spent
from bench.results import write_result
from bench.site import Site, Sources, machine, prepared_site
from bench.workers import worker_run

LATENCIES = (5, 20, 50)
AT_ONCE = (4, 16, 64)
FEWER = 10
Run = Callable[[Site, Sources, str], Spent]


def main(*arguments: str) -> None:
    """Measure, print, and write build/bench/latency.json."""
    parser = argparse.ArgumentParser(prog="python -m bench latency")
    parser.add_argument("--objects", type=int, default=500)
    given = parser.parse_args(arguments)
    measured: list[dict[str, Any]] = []
    with prepared_site() as site:
        few, many = site.put_sources("few", given.objects // FEWER), site.put_sources("many", given.objects)
        for milliseconds in LATENCIES:
            for at_once in AT_ONCE:
                row: dict[str, Any] = {"added_ms": milliseconds, "at_once": at_once}
                for name, run in runs(at_once).items():
                    row[name] = rate(site, run, few, many, milliseconds=milliseconds)
                measured.append(row)
                print(row, flush=True)
    write_result("latency", {"objects": many.count, "machine": machine(), "rows": measured})


def runs(at_once: int) -> dict[str, Run]:
    """What is measured, each with so many objects at once."""
    more = {"KEYSHIFT_CONCURRENCY": str(at_once)}
    worker = {
        "keyshift rows": worker_run(rows, audit=False, more=more),
        "keyshift events": worker_run(created_events, audit=False, more=more),
    }
    peers, _ = peer_clients(at_once)
    return {peer.name: peer.run for peer in peers if peer.name == "s5cmd"} | worker


def rate(site: Site, run: Run, few: Sources, many: Sources, *, milliseconds: int) -> int:
    """Objects a second, from the difference between few and many."""
    spent = []
    for sources in (few, many):
        target = f"models/{sources.name}/"
        delay = Fault("", kind=FaultKind.DELAY, seconds=milliseconds / 1000, count=10**9)
        spent.append(run_delayed(site, run, sources, target, delay))
        site.check_targets(sources, target)
    return round((many.count - few.count) / (spent[1].elapsed - spent[0].elapsed))


def run_delayed(site: Site, run: Run, sources: Sources, target: str, delay: Fault) -> Spent:
    """Run while the stand-in is slow."""
    if site.standin is None:
        raise SystemExit("only the stand-in can be slow")
    site.standin.inject(delay)
    try:
        return run(site, sources, target)
    finally:
        site.standin.clear_faults()
