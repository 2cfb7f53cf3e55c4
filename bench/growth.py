"""``python -m bench growth``: CPU an object of one worker, with the audit, for 10,000 and 100,000 objects and more.

The start of the process is what a run with few objects spent beyond its objects; it is taken off.
"""

import argparse
from typing import Any

from bench.messages import rows
from bench.results import write_result
from bench.site import machine, prepared_site
from bench.workers import worker_run

FEW = 100
STREAM_SECONDS = 300
"""The worker reads each change within this time; a million objects' changes of a day do not fit into memory."""


def main(*arguments: str) -> None:
    """Measure each size once, print, and write build/bench/growth.json."""
    parser = argparse.ArgumentParser(prog="python -m bench growth")
    parser.add_argument("sizes", nargs="*", type=int, default=[10_000, 100_000], help="1,000,000 takes an hour or two")
    given = parser.parse_args(arguments)
    run = worker_run(rows, audit=True)
    measured: list[dict[str, Any]] = []
    with prepared_site(stream_seconds=STREAM_SECONDS) as site:
        few = site.put_sources("few", FEW)
        started = run(site, few, "models/few/")
        for size in given.sizes:
            sources = site.put_many_sources(f"size-{size}", size)
            spent = run(site, sources, f"models/size-{size}/")
            site.check_targets(sources, f"models/size-{size}/")
            site.delete_keys(sources.keys)
            row = {
                "objects": size,
                "cpu_ms": round(1000 * (spent.cpu - started.cpu) / (size - FEW), 3),
                "objects_per_second": round((size - FEW) / (spent.elapsed - started.elapsed)),
            }
            measured.append(row)
            print(row, flush=True)
            write_result("growth", {"machine": machine(), "sizes": measured})
