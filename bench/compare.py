"""``python -m bench compare``: CPU an object and objects a second of keyshift and its peers, on one server in one run.

Each repetition runs every client once with few and once with many objects, one client after the other. What an object
costs is the slope between the two, so that the start of a process does not count; medians are over the repetitions.
"""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from bench.clients import Client
from bench.peers import peer_clients
from bench.processes import Spent
from bench.results import write_result
from bench.site import Site, Sources, machine, prepared_site
from bench.workers import worker_clients

BASE = "s5cmd"
"""The client that ratios are to."""
FEWER = 10
"""The larger set has so many times the objects of the smaller one."""
Pair = tuple[Spent, Spent]


def main(*arguments: str) -> None:
    """Measure, print the table, and write build/bench/compare.json."""
    parser = argparse.ArgumentParser(prog="python -m bench compare")
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument(
        "--endpoint", help="an emulator beside the embedded stand-in, with the environment's credentials"
    )
    parser.add_argument("--only", nargs="*", default=[], help="names of clients")
    given = parser.parse_args(arguments)
    peers, absent = peer_clients()
    clients = [one for one in (*peers, *worker_clients()) if not given.only or one.name in given.only]
    with prepared_site(given.endpoint) as site:
        few = site.put_sources("few", given.objects // FEWER)
        many = site.put_sources("many", given.objects)
        runs = measured(site, clients, few, many, repetitions=given.repetitions)
    result = {
        "objects": [few.count, many.count],
        "repetitions": given.repetitions,
        "server": given.endpoint or "the embedded stand-in",
        "machine": machine(),
        "absent": absent,
        "clients": list(figures(clients, runs, few.count, many.count)),
    }
    write_result("compare", result)
    report(result)


def measured(
    site: Site, clients: Sequence[Client], few: Sources, many: Sources, *, repetitions: int
) -> dict[str, list[Pair]]:
    """What each client spent on each set, for each repetition."""
    runs: dict[str, list[Pair]] = {client.name: [] for client in clients}
    for repetition in range(repetitions):
        # The order turns round, so that no client always follows the same one.
        for client in clients if repetition % 2 == 0 else reversed(clients):
            pair = []
            for sources in (few, many):
                target = f"models/{sources.name}-{repetition}-{client.name.translate(_PLAIN)}/"
                pair.append(client.run(site, sources, target))
                site.check_targets(sources, target)
            runs[client.name].append((pair[0], pair[1]))
            print(f"{repetition + 1} {client.name}: {pair[1].cpu:.2f} s CPU, {pair[1].elapsed:.2f} s", flush=True)
    return runs


_PLAIN = str.maketrans({" ": "-", ",": None, ":": None})


def figures(clients: Sequence[Client], runs: dict[str, list[Pair]], few: int, many: int) -> Iterator[dict[str, Any]]:
    """One row for each client."""
    rows = {client.name: row_of(client, runs[client.name], few, many) for client in clients}
    base = rows.get(BASE)
    for row in rows.values():
        if base is not None:
            row["cpu_to_base"] = round(row["cpu_ms"] / base["cpu_ms"], 2)
            row["rate_to_base"] = round(row["objects_per_second"] / base["objects_per_second"], 2)
        yield row


def row_of(client: Client, pairs: Sequence[Pair], few: int, many: int) -> dict[str, Any]:
    """Medians and ranges: milliseconds of CPU an object, objects a second, seconds of CPU before the first object."""
    cpu = [1000 * (two.cpu - one.cpu) / (many - few) for one, two in pairs]
    rate = [(many - few) / (two.elapsed - one.elapsed) for one, two in pairs]
    start = [one.cpu - few * (two.cpu - one.cpu) / (many - few) for one, two in pairs]
    return {
        "name": client.name,
        "version": client.version,
        "does": client.does,
        "cpu_ms": round(statistics.median(cpu), 3),
        "cpu_ms_range": [round(min(cpu), 3), round(max(cpu), 3)],
        "objects_per_second": round(statistics.median(rate)),
        "objects_per_second_range": [round(min(rate)), round(max(rate))],
        "start_cpu_s": round(statistics.median(start), 2),
    }


def report(result: dict[str, Any]) -> None:
    """Print what was measured."""
    print(f"\n{'client':<26}{'CPU ms/object':>14}{'to s5cmd':>10}{'objects/s':>11}{'to s5cmd':>10}{'start s':>9}")
    for row in result["clients"]:
        print(
            f"{row['name']:<26}{row['cpu_ms']:>14.3f}{row.get('cpu_to_base', ''):>10}{row['objects_per_second']:>11}"
            f"{row.get('rate_to_base', ''):>10}{row['start_cpu_s']:>9}"
        )
    for name in result["absent"]:
        print(f"{name:<26}not here")
