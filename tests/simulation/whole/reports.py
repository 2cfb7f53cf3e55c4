"""Inventory reports, and what commands that may use one read instead of a listing."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.errors import InputError
from domain.objects import ListedObject
from domain.planning.inventory import Inventory
from handlers.bootstrap import operations
from handlers.bootstrap.process import Process
from handlers.operations.operator import Operation
from tests.simulation.whole.scheduler import EPOCH
from tests.simulation.whole.site import Site


@dataclass(frozen=True, slots=True)
class Report:
    """An inventory report: what S3 says of both buckets, and when its scan began."""

    inventory: Inventory
    rows: tuple[tuple[str, ListedObject], ...]


def deliver_report(site: Site) -> None:
    """S3 delivers a report of what there is now."""
    rows = tuple(
        (bucket, row)
        for bucket, prefixes in site.rules.prefixes.items()
        for row in site.store.list_objects(bucket)
        if row.key.startswith(prefixes)
    )
    bucket, now = site.rules.source_bucket, EPOCH + site.scheduler.time
    site.reports.append(Report(Inventory(bucket, bucket, "CSV", operations.COMPARED, (), now), rows))
    site.say("S3", "delivers an inventory report", len(rows))


def both_sides(site: Site, operation: Operation) -> Iterator[tuple[str, ListedObject]]:
    """Every object, from a report where there is one that keyshift takes, else listed."""
    for report in site.reports[-1:]:
        try:
            operations.check_inventory(
                operation, report.inventory, "the report", site.rules.prefixes, operations.COMPARED
            )
        except InputError:
            break
        yield from report.rows
        return
    wired = Process(operation.dependencies.settings, rules=operation.dependencies.rules)
    yield from operations.objects_of_both_sides(wired, operation, ())
