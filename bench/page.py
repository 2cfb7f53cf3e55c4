"""``python -m bench page``: docs/performance.md from the kept results; with ``--keep`` from those measured since."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench.aims import aims, moved_requests
from bench.dollars import batch_operations, bill, whole_log
from bench.processes import ROOT
from bench.results import KEPT, MEASURED, read_result

PAGE = ROOT / "docs" / "performance.md"
PARTS = ("compare", "requests", "chains", "profile", "growth", "latency", "commands", "imports")
BILLED = ("backfill row", "live event", "live event, promised")
HEAD = """# Performance

`make bench` measures. `make performance` keeps what was measured in `bench/kept/` and makes this page of it.
Change neither by hand.
"""


def main(*arguments: str) -> None:
    """Write the page."""
    if "--keep" in arguments:
        _keep()
    PAGE.write_text(page({name: read_result(name) for name in PARTS}), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written")


def _keep() -> None:
    KEPT.mkdir(exist_ok=True)
    for path in sorted(MEASURED.glob("*.json")):
        shutil.copyfile(path, KEPT / path.name)
        print(f"{path.name} is kept")


def page(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The page as Markdown."""
    sections = (
        HEAD,
        _aims(results),
        _clients(results["compare"]),
        _requests(results["requests"]["ways"]),
        _dollars(results["requests"]["ways"]),
        _chains(results["chains"]),
        _profile(results["profile"]),
        _growth(results["growth"]),
        _latency(results["latency"]),
        _commands(results["commands"]),
        _imports(results["imports"]),
    )
    return "\n".join(sections)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def _machine(machine: Mapping[str, Any]) -> str:
    return (
        f"Measured on {machine['cores']} cores ({machine['processor']}), Python {machine['python']}. "
        f"The load average was {machine['load']} at the end.\n"
    )


def _aims(results: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        (
            aim.what,
            f"{aim.figure:.2f}",
            f"at {'least' if aim.is_least else 'most'} {aim.limit:.2f}",
            _said(aim.is_reached),
        )
        for aim in aims(results)
    ]
    causes = dict.fromkeys(aim.why_missed for aim in aims(results) if not aim.is_reached)
    missed = {
        why: [aim.what for aim in aims(results) if not aim.is_reached and aim.why_missed == why] for why in causes
    }
    why_missed = "".join(f"- {'; '.join(names)}. {why}\n" for why, names in missed.items())
    table = _table(("Figure", "Measured", "Aim", ""), rows)
    return f"## Aims\n\n{table}\n### Why an aim is missed\n\n{why_missed}"


def _said(is_reached: bool) -> str:
    return "reached" if is_reached else "**missed**"


def _clients(compare: Mapping[str, Any]) -> str:
    few, many = compare["objects"]
    text = f"""## Beside other programs

`python -m bench compare`: every client copies the same objects of 1 KiB on one server ({compare["server"]}), one client
after the other. All take {_times(compare["repetitions"])}. {_machine(compare["machine"]).strip()}

The figures of an object are the slope between {few:,} and {many:,} objects, so the start of a process is not in them.
They are medians, with the smallest and the largest in brackets. CPU is user and system time of the client's processes.
Only ratios of one run can be compared with another run's. After each run every object must have its copy.

The server is one process and shares the cores with the client. A client that sends more requests for an object has
fewer objects a second for this reason alone.

"""
    rows = [
        (
            row["name"] if not row["version"] else f"{row['name']} ({row['version']})",
            row["does"],
            f"{row['cpu_ms']:.2f} ({row['cpu_ms_range'][0]:.2f} to {row['cpu_ms_range'][1]:.2f})",
            row.get("cpu_to_base", ""),
            f"{row['objects_per_second']:,}",
            row.get("rate_to_base", ""),
            f"{row['start_cpu_s']:.2f}",
        )
        for row in compare["clients"]
    ]
    head = ("Client", "Does", "CPU, ms an object", "to s5cmd's", "Objects/s", "to s5cmd's", "CPU of the start, s")
    absent = "".join(f"\n`{name}` was not on the machine.\n" for name in compare["absent"])
    return text + _table(head, rows) + absent


def _chains(chains: Mapping[str, Any]) -> str:
    segments = f"{chains['batches']} segments of {chains['events']} events"
    text = f"""## Audit events a second

`python -m bench chains`: writers in processes of their own append {segments} in all. All take
{_times(chains["repetitions"])}. {_machine(chains["machine"]).strip()} The server is one process and shares the cores
with the writers. So more writers than cores show what they cost each other, not what more machines would do.

With a chain for each shard a segment is stored by one PutObject, however many writers there are. In one chain for all,
a writer is refused and tries again because of the others. "Published" is the whole stream handler: bus, chains and
figures.

"""
    rows = [
        (
            chain["way"],
            chain["writers"],
            "each its own" if chain["is_apart"] else "one for all",
            f"{chain['events_per_second']:,}",
            "{:,} to {:,}".format(*chain["events_per_second_range"]),
            f"{chain['cpu_ms']:.3f}",
            f"{chain['calls_a_segment']['write_segment']:.2f}",
            f"{chain['longest_append_s']:.2f}",
        )
        for chain in chains["rows"]
    ]
    head = (
        "What",
        "Writers",
        "Chains",
        "Events/s",
        "Smallest to largest",
        "CPU, ms an event",
        "Writes a segment",
        "Longest batch, s",
    )
    return text + _table(head, rows)


def _times(repetitions: int) -> str:
    return "one turn" if repetitions == 1 else f"{repetitions} turns"


def _requests(ways: Mapping[str, Any]) -> str:
    rows = [
        (name, f"{moved_requests(way):.2f}", _kinds(way, "move"), _kinds(way, "audit")) for name, way in ways.items()
    ]
    text = """## Requests an object

`python -m bench requests` counts on the wire, and `tests/integration/test_requests_by_kind.py` pins the numbers.
Rows come 50 in a message and events 10 at once; changes are published 100 at once, in packs ([audit.md](audit.md)).
"Promised" means that the rules file promises class, encryption and locks ([rules.md](rules.md)). Requests by the clock
are left out: the control item and the figures of the circuit breaker. The statements of claims and commits are pinned;
into how many requests they go depends on when copies end.

"""
    return text + _table(("Way", "Requests", "By kind", "Publishing its changes"), rows)


def _kinds(way: Mapping[str, Any], part: str) -> str:
    requests = way[part]["requests"]
    return _listed({name: number / way["objects"] for name, number in requests.items()})


def _listed(requests: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {number:g}" for name, number in requests.items()) or "none"


def _dollars(ways: Mapping[str, Any]) -> str:
    bills = {f"keyshift, {name}": bill(ways[name]) for name in BILLED}
    bills["S3 Batch Operations with a function that only copies"] = batch_operations()
    items = list(dict.fromkeys(item for one in bills.values() for item in one))
    rows = [(item, *(f"{one[item]:.2f}" if item in one else "" for one in bills.values())) for item in items]
    rows.append(("**all**", *(f"**{sum(one.values()):.2f}**" for one in bills.values())))
    whole = whole_log(ways[BILLED[0]])
    text = f"""## Dollars a million objects

The counted requests by the prices of `keyshift plan` ([plan.md](plan.md)); logs at $0.50 a GB. The time of functions is
the plan's assumption: 0.15 seconds an object. A function of the stack has 16 objects at once and 1,024 MiB, one of S3
Batch Operations one object and 128 MiB. With `auditLog: everything` the audit log costs ${whole:.2f} more. What is
stored is left out: records, archive, segments and logs.

"""
    return text + _table(("Item", *bills), rows)


def _profile(profile: Mapping[str, Any]) -> str:
    text = f"""## Where the time goes

`python -m bench profile` samples a worker with the audit while it moves {profile["objects"]:,} objects. A sample counts
for the thread that holds the interpreter; the start of the process is left out. Left: the innermost function of a
service's adapter, else of keyshift. Right: the innermost package; the standard library counts for what called it.

"""
    return text + "\n".join(_profiled(name, profile[name]) for name in profile if isinstance(profile[name], dict))


def _profiled(name: str, told: Mapping[str, Any]) -> str:
    calls, libraries = list(told["by_call"].items()), list(told["by_package"].items())
    rows = []
    for number in range(max(len(calls), len(libraries))):
        left, right = ((*one[number : number + 1], ("", ""))[0] for one in (calls, libraries))
        rows.append((_code(left[0]), _share(left[1]), _code(right[0]), _share(right[1])))
    head = ("Function", "Share", "Package", "Share")
    return f"### {name.capitalize()}\n\n{told['samples']:,} samples.\n\n" + _table(head, rows)


def _code(name: str) -> str:
    return f"`{name}`" if "." in name or "/" in name else name


def _share(share: object) -> str:
    return f"{100 * share:.1f} %" if isinstance(share, float) else ""


def _growth(growth: Mapping[str, Any]) -> str:
    text = f"""## More objects

`python -m bench growth`: one worker with the audit, rows of the backfill queue, each size once.
{_machine(growth["machine"])}
"""
    rows = [(f"{row['objects']:,}", f"{row['cpu_ms']:.2f}", row["objects_per_second"]) for row in growth["sizes"]]
    return text + _table(("Objects", "CPU, ms an object", "Objects/s"), rows)


def _latency(latency: Mapping[str, Any]) -> str:
    text = f"""## A slow line

`python -m bench latency`: objects a second when every answer comes later, with so many objects at once.
The slope is over {latency["objects"]:,} objects, once. {_machine(latency["machine"])}
"""
    names = [name for name in latency["rows"][0] if name not in ("added_ms", "at_once")]
    rows = [(row["added_ms"], row["at_once"], *(row[name] for name in names)) for row in latency["rows"]]
    return text + _table(("Added, ms", "At once", *names), rows)


def _commands(commands: Mapping[str, Any]) -> str:
    few, many = commands["objects"]
    text = f"""## Commands that look at every object

`python -m bench commands`: the slope between {few:,} and {many:,} objects, once, of a whole life of a migration.
Requests are rounded to tenths, so those that a page or a batch of objects shares are left out. CPU that is lost in the
start of a process is 0.00.
{_machine(commands["machine"])}
"""
    rows = [
        (f"`{name}`", f"{max(0.0, row['cpu_ms']):.2f}", _listed(row["requests"]))
        for name, row in commands["commands"].items()
    ]
    return text + _table(("Command", "CPU, ms an object", "Requests an object"), rows)


def _imports(imports: Mapping[str, Any]) -> str:
    text = f"""## Imports

`python -m bench imports`: CPU and peak memory of importing each function's handler, medians of {imports["rounds"]}
processes. A package's figure is of its own modules, without what they import. {_machine(imports["machine"])}
"""
    rows = [
        (name if " " in name else f"`{name}`", row["cpu_ms"], f"{row['peak_mib']:.0f}", ", ".join(_packages(row)))
        for name, row in imports["rows"].items()
    ]
    return text + _table(("What", "CPU, ms", "Memory, MiB", "By package, ms"), rows)


def _packages(row: Mapping[str, Any]) -> Iterator[str]:
    for name, milliseconds in row["by_package_ms"].items():
        yield f"{name} {milliseconds:.0f}"
