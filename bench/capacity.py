"""``python -m bench capacity``: the table of docs/scale.md, hours and dollars of each stage by number of objects."""

from collections.abc import Iterator

from domain.planning.capacity import STAGES, Limits, bottleneck, dollars
from domain.planning.prices import Prices

SIZES = (10**6, 10**9, 10**11)
DEPLOYMENTS = {
    "as deployed": Limits(),
    "raised": Limits(partitions=20, table_writes=40_000, table_reads=40_000, invocations=400, cores=64),
}


def main(*arguments: str) -> None:  # noqa: ARG001  # a bench
    """Print the table."""
    print("\n".join(table()))


def table() -> Iterator[str]:
    """The lines of the page."""
    yield "| Limits | Stage | Objects/s | Bound by | 10^6 | 10^9 | 10^11 |"
    yield "|---|---|---|---|---|---|---|"
    for name, limits in DEPLOYMENTS.items():
        for stage, needs in STAGES.items():
            resource, rate = bottleneck(needs, limits)
            sizes = (f"{_time(size / rate)}, ${dollars(needs, size, Prices()):,.0f}" for size in SIZES)
            yield f"| {name} | `{stage}` | {rate:,.0f} | {resource.value} | {' | '.join(sizes)} |"


def _time(seconds: float) -> str:
    """In the largest unit of which it is at least two."""
    for unit, length in (("days", 86_400.0), ("hours", 3_600.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds / 60:,.0f} minutes"
