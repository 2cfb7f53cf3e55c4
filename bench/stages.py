"""``python -m bench stages``: CPU and peak memory of the stages over 30,000 and 300,000 records, in one process.

A worker copies the objects first. The records are then read as an operator's command reads them.
"""

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from bench.commands import RULES, cut_over
from bench.messages import rows
from bench.processes import run_to_end
from bench.results import write_result
from bench.site import Site, machine, prepared_site
from bench.workers import Migration, work_off

STREAM_SECONDS = 60
"""No one reads the changes here."""
STAGES = {
    "status --exact": ("status", "--exact", "--json", "--local"),
    "report": ("report", "--out", "/dev/null"),
    "verify": ("verify", "--json", "--local"),
    "cleanup, dry run": ("cleanup", "--soak", "0s", "--json", "--local"),
}


def main(*arguments: str) -> None:
    """Measure each size once, print, and write build/bench/stages.json."""
    parser = argparse.ArgumentParser(prog="python -m bench stages")
    parser.add_argument("sizes", nargs="*", type=int, default=[30_000, 300_000])
    given = parser.parse_args(arguments)
    measured: list[dict[str, Any]] = []
    with prepared_site(stream_seconds=STREAM_SECONDS) as site:
        for size in given.sizes:
            sources = site.put_many_sources(f"size-{size}", size)
            migration = Migration(site, sources, f"models/size-{size}/", more_rules=RULES)
            environment = migration.create()
            work_off(migration, environment, rows, audit=False)
            for name, command in STAGES.items():
                if name.startswith("cleanup"):
                    cut_over(site, migration)
                measured.append({"objects": size, "stage": name, **figures(site, environment, command, size)})
                print(measured[-1], flush=True)
                write_result("stages", {"machine": machine(), "rows": measured})
            site.delete_keys(sources.keys)
            site.check_targets(sources, migration.target)
            migration.remove(environment)


def figures(site: Site, environment: Mapping[str, str], command: tuple[str, ...], size: int) -> dict[str, Any]:
    """One command over all records."""
    empty = site.folder / "empty"
    empty.write_text("")
    spent = run_to_end([sys.executable, "-m", "handlers.cli", *command], environment, site.folder / "log", stdin=empty)
    return {
        "cpu_ms": round(1000 * spent.cpu / size, 3),
        "objects_per_second": round(size / spent.elapsed),
        "peak_mib": round(spent.peak_mib),
    }
