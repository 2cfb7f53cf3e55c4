"""What an object costs after its copy: verify looks at it, cleanup looks again and deletes its source."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.planning.functions import Functions
from domain.planning.own_events import DELETE_EVENT, OwnEvents, cost_delete_events
from domain.planning.prices import CostLine, Prices, event_line

_MILLION = 1e6


@dataclass(frozen=True, slots=True)
class StageRequests:
    """Requests of one command for one object; ``lists`` are of its annotations, at both keys or at one."""

    looks: int
    lists: int
    table_writes: int
    table_reads: int


AFTERWARDS = {"verify": StageRequests(4, 1, 1, 0), "cleanup": StageRequests(4, 1, 2, 1)}
"""As docs/performance.md counts them ("Commands that look at every object"), for an object without annotations."""


def cost_afterwards(  # noqa: PLR0913  # what is cleaned, by which choices
    objects: int,
    prices: Prices,
    functions: Functions,
    own: OwnEvents,
    *,
    single_events: bool,
    promised_unannotated: bool,
    version_lists: int = 0,
) -> Iterator[CostLine]:
    """The items of the bill for one verify and one cleanup of every object; S3 deletes for nothing, but tells of it.

    ``version_lists`` are the ListObjectVersions requests of verify, where every version is carried.
    """
    writes = 0
    for command, each in AFTERWARDS.items():
        reads = objects * (each.looks + (0 if promised_unannotated else each.lists))
        table = objects * (each.table_writes + each.table_reads)
        dollars = objects * each.table_writes * prices.dynamodb_write_per_million
        dollars += objects * each.table_reads * prices.dynamodb_read_per_million
        writes += objects * each.table_writes
        yield CostLine(f"{command}: S3 reads", reads, reads * prices.read_per_million / _MILLION)
        if version_lists and command == "verify":
            dollars_of_lists = version_lists * prices.copy_per_million / _MILLION
            yield CostLine(f"{command}: S3 lists of versions", version_lists, dollars_of_lists)
        yield CostLine(f"{command}: DynamoDB", table, dollars / _MILLION)
    yield from cost_delete_events(objects, prices, functions, own)
    writes += objects * DELETE_EVENT.table_writes if own.of_deletes else 0
    yield event_line(writes, prices, single_events=single_events)
