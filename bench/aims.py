"""What the figures are to be: each aim beside what was measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.dollars import bill

Results = Mapping[str, Mapping[str, Any]]
FLAT = 0.1
"""The share by which the cost of an object may differ from few to many."""


@dataclass(frozen=True, slots=True)
class Aim:
    """A figure that is to be at most, or at least, a limit."""

    what: str
    figure: float
    limit: float
    is_least: bool = False

    @property
    def is_reached(self) -> bool:
        """Whether the figure keeps the limit."""
        return self.figure >= self.limit if self.is_least else self.figure <= self.limit

    @property
    def why_missed(self) -> str:
        """The cause; raises StopIteration for an aim without one."""
        return next(why for begin, why in WHY_MISSED.items() if self.what.startswith(begin))


WHY_MISSED: Mapping[str, str] = {
    "rows: CPU": "Two fifths are claims and commits (attributes, statements, JSON), a tenth is the rules' mapping, the"
    " rest is the copy call and what hands work to threads. No function alone takes a tenth (*Where the time goes*)."
    " s5cmd writes no record.",
    "rows with the audit: CPU": "A worker reads the table's stream itself, makes two events of an object and digests"
    " both states of its record. In AWS the stream's function does this.",
    "rows: objects a second": "The server shares the cores with the client, and has three requests to answer for each"
    " object. The floor sends the same requests, does nothing else, and is not as fast as s5cmd, either.",
    "the copy call alone": "The lane signs the request, reads the answer's headers and document, and refuses foreign"
    " and repeated answers. The floor believes each answer.",
    "live event": "SQS gives a worker ten messages at once. So beside its copy an object costs at least 0.4 requests: a"
    " tenth of each receive, claim, commit and delete.",
    "duplicate event": "SQS gives a worker ten messages at once.",
    "listing row": "Commits are written as copies end, so more requests than the least carry them.",
    "backfill row: dollars": "The copies alone are five of them.",
    "import of the heaviest": "Most of keyshift's own share is the standard library's making of about 200 frozen"
    " dataclasses. The SDK, which the aim is compared with, is imported as well.",
    "CPU an object,": "The first objects pay for connections and for what is compiled once.",
    "audit events a second": "Writers share the cores with the server.",
}
"""Why an aim is missed, by how its figure's name begins."""


def aims(results: Results) -> Iterator[Aim]:
    """Every aim that the results can answer; without s5cmd there is nothing to compare with."""
    clients = {row["name"]: row for row in results["compare"]["clients"]}
    if "s5cmd" in clients:
        rows, audited = clients["keyshift rows"], clients["keyshift rows, audited"]
        yield Aim("rows: CPU an object, times s5cmd's", rows["cpu_to_base"], 0.5)
        yield Aim("rows with the audit: CPU an object, times s5cmd's", audited["cpu_to_base"], 0.7)
        yield Aim("rows: objects a second, times s5cmd's", rows["rate_to_base"], 1.0, is_least=True)
    one_copy = clients["keyshift's copy call"]["cpu_ms"] / clients["floor: copies"]["cpu_ms"]
    yield Aim("the copy call alone: CPU, times the floor's", round(one_copy, 2), 1.5)
    ways = results["requests"]["ways"]
    for name in ("backfill row", "listing row, promised", "live event, promised"):
        yield Aim(f"{name}: requests an object", moved_requests(ways[name]), 1.2)
    for name in ("listing row", "live event"):
        yield Aim(f"{name}: requests an object", moved_requests(ways[name]), 2.2)
    yield Aim("duplicate event: requests an object", moved_requests(ways["duplicate event"]), 1.0)
    yield Aim("backfill row: dollars a million objects", round(sum(bill(ways["backfill row"]).values()), 2), 7.0)
    for result in results["chains"]["rows"]:
        if result["way"] == "chains" and result["is_apart"]:
            writers = "1 writer" if result["writers"] == 1 else f"{result['writers']} writers, each its own chain"
            yield Aim(f"audit events a second, {writers}", result["events_per_second"], 2000, is_least=True)
            yield Aim(f"writes a segment, {writers}", result["calls_a_segment"]["write_segment"], 1.0)
    sizes = results["growth"]["sizes"]
    if len(sizes) > 1:
        most = max(abs(row["cpu_ms"] / sizes[0]["cpu_ms"] - 1) for row in sizes)
        span = f"{sizes[0]['objects']:,} to {sizes[-1]['objects']:,} objects"
        yield Aim(f"CPU an object, {span}: largest difference", round(most, 2), FLAT)
    imports = results["imports"]["rows"]
    bare = imports["a bare boto3 S3 client"]["cpu_ms"]
    heaviest = max(row["cpu_ms"] for name, row in imports.items() if name != "a bare boto3 S3 client")
    yield Aim("import of the heaviest handler, times a bare boto3 client", round(heaviest / bare, 2), 1.0)


def moved_requests(way: Mapping[str, Any]) -> float:
    """Requests an object, but for what publishes its changes."""
    return round(float(sum(way["move"]["requests"].values()) / way["objects"]), 2)
