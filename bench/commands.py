"""``python -m bench commands``: CPU and requests an object of the commands that look at every object, or undo it.

One migration with few and one with many objects; what an object costs is the slope between the two.
"""

import argparse
import re
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.dynamodb.stage import DynamoDbStageBook
from adapters.local.clock import SystemClock
from bench.counting import CountingServer
from bench.messages import rows
from bench.processes import ClientFailedError, Spent, run_to_end
from bench.results import write_result
from bench.site import Site, Sources, machine, prepared_site
from bench.workers import Migration, work_off
from domain.lifecycle.stages import Stage, advanced

FEWER = 10
COMMANDS = {
    "verify": ("verify", "--json"),
    "status": ("status", "--json"),
    "status --exact": ("status", "--exact", "--json"),
    "report": ("report", "--out", "/dev/null"),
    "cleanup": ("cleanup", "--soak", "0s", "--yes", "--json"),
    "rollback": ("rollback", "--yes", "--json"),
    "rollback --purge": ("rollback", "--purge", "--yes", "--json"),
}
RULES = "cleanup: {unversioned_source: accept}\n"
SHORT = {
    "KEYSHIFT_ATTEMPT_SECONDS": "8",
    "KEYSHIFT_BATCH_SECONDS": "15",
    "KEYSHIFT_REQUEST_SECONDS": "6",
    "KEYSHIFT_MARGIN_SECONDS": "1",
}
QUIET_SECONDS = 60
"""Cleanup leaves alone what changed lately: with these settings within less than so long."""
LEFT = {"cleanup": (0, 1), "rollback": (1, 1), "rollback --purge": (1, 0)}
"""Whether the sources and the targets are there after a command; without one both are."""
GRACE = re.compile(r"try again in (?P<seconds>\d+) s")
Counts = Mapping[str, tuple[Spent, Mapping[str, int]]]


def main(*arguments: str) -> None:
    """Measure, print, and write build/bench/commands.json."""
    parser = argparse.ArgumentParser(prog="python -m bench commands")
    parser.add_argument("--objects", type=int, default=2000)
    given = parser.parse_args(arguments)
    few, many = given.objects // FEWER, given.objects
    with prepared_site() as site, CountingServer(site.endpoint_url).running() as server:
        small, large = (life(site, server, site.put_sources(f"of-{count}", count)) for count in (few, many))
    table = {name: figures(small[name], large[name], many - few) for name in COMMANDS}
    for name, row in table.items():
        print(f"{name:<18}{row['cpu_ms']:>8.3f} ms  {row['requests']}")
    write_result("commands", {"objects": [few, many], "machine": machine(), "commands": table})


def life(site: Site, server: CountingServer, sources: Sources) -> Counts:
    """Move the objects, then run each command to its end through the counting server."""
    migration = Migration(site, sources, f"models/{sources.name}/", more_rules=RULES)
    environment = migration.create()
    work_off(migration, environment, rows, audit=True)
    environment |= {"AWS_ENDPOINT_URL": server.endpoint_url, **SHORT}
    found = {}
    for name, command in COMMANDS.items():
        if name == "cleanup":
            cut_over(site, migration)
            time.sleep(QUIET_SECONDS)
        found[name] = run(site, server, environment, command)
        held = tuple(len(site.list_keys(prefix)) for prefix in (sources.prefix, migration.target))
        if held != tuple(sources.count * side for side in LEFT.get(name, (1, 1))):
            raise RuntimeError(f"{name} left {held[0]} sources and {held[1]} targets of {sources.count} objects")
    site.delete_keys(sources.keys)
    return found


def run(
    site: Site, server: CountingServer, environment: Mapping[str, str], command: Sequence[str]
) -> tuple[Spent, Mapping[str, int]]:
    """One command and its requests; a refused rollback is begun again when earlier attempts cannot be under way."""
    empty = site.folder / "empty"
    empty.write_text("")
    whole = [sys.executable, "-m", "handlers.cli", *command]
    while True:
        counted = server.begin()
        try:
            spent = run_to_end(whole, environment, site.folder / "command.log", stdin=empty)
        except ClientFailedError as error:
            refused = GRACE.search(str(error))
            if refused is None:
                raise
            time.sleep(int(refused["seconds"]) + 1)
        else:
            return spent, dict(counted.requests)


def cut_over(site: Site, migration: Migration) -> None:
    """Enter the stage; the gates are not what is measured."""
    stages = DynamoDbStageBook(site.clients, migration.name)
    before = stages.read_stage()
    after = advanced(before, Stage.CUT_OVER, by="bench", why="", now=SystemClock().now())
    if not stages.write_stage(after, before=before):
        raise RuntimeError("another process changed the stage")


def figures(
    small: tuple[Spent, Mapping[str, int]], large: tuple[Spent, Mapping[str, int]], more: int
) -> dict[str, Any]:
    """What one object more costs."""
    names = sorted(large[1])
    slopes = {name: round((large[1][name] - small[1].get(name, 0)) / more, 1) for name in names}
    return {
        "cpu_ms": round(1000 * (large[0].cpu - small[0].cpu) / more, 3),
        "requests": {name: slope for name, slope in slopes.items() if slope > 0},
    }
