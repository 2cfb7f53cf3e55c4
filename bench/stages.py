"""``python -m bench stages``: CPU and peak memory of the stages over 30,000 and 300,000 records, in one process.

The objects of both sides and the records are put as a worker leaves them, because copying takes longer than what is
measured.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from typing import Any

from adapters.dynamodb.record_item import to_item
from bench.commands import RULES, cut_over
from bench.processes import run_to_end
from bench.results import write_result
from bench.site import BODY_BYTES, BUCKET, Site, machine, prepared_site
from bench.workers import Migration
from domain.keys import Location
from domain.protocol.record import Origin, Record, State

STREAM_SECONDS = 60
"""No one reads the changes here."""
ITEMS_AT_ONCE = 25
STAGES = {
    "status --exact": ("status", "--exact", "--json", "--local"),
    "report": ("report", "--out", "/dev/null", "--local"),
    "verify": ("verify", "--json", "--local", "--no-keys"),
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
            put_copies(site, migration)
            for name, command in STAGES.items():
                if name.startswith("cleanup"):
                    cut_over(site, migration)
                measured.append({"objects": size, "stage": name, **figures(site, environment, command, size)})
                print(measured[-1], flush=True)
                write_result("stages", {"machine": machine(), "rows": measured})
            site.delete_keys(sources.keys)
            site.check_targets(sources, migration.target)
            migration.remove(environment)


def put_copies(site: Site, migration: Migration) -> None:
    """Put a copy of each source and its record."""
    sources, target = migration.sources, migration.target
    keys = sources.keys
    copies = [target + key.removeprefix(sources.prefix) for key in keys]
    site.put_bodies(copies)
    now = int(time.time())
    known = {"source_etag": sources.etag, "target_etag": sources.etag, "size": BODY_BYTES, "changed_at": float(now)}
    dates = {"source_modified": now, "copied_before": now + 60, "origin": Origin.CREATED, "rule": "move"}
    for first in range(0, sources.count, ITEMS_AT_ONCE):
        pairs = zip(keys[first : first + ITEMS_AT_ONCE], copies[first : first + ITEMS_AT_ONCE], strict=True)
        records = [
            Record(Location(BUCKET, key), Location(BUCKET, copy), state=State.COPIED, **known, **dates)  # type: ignore[arg-type]
            for key, copy in pairs
        ]
        puts: Any = [{"PutRequest": {"Item": to_item(record)}} for record in records]
        site.clients.dynamodb.batch_write_item(RequestItems={migration.name: puts})


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
