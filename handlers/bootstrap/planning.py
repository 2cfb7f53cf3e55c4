"""Plans: of an inventory or of a listing, and what a backfill and a report read of a plan that was saved."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.duckdb.saved_plan import shares_of_plan
from adapters.inventory.files import content_file, opened_inventory
from adapters.inventory.rows import plan_inventory, read_rows
from adapters.s3.listing import S3ObjectListing
from domain.errors import InputError
from domain.planning.estimate import estimate, prices_from
from domain.planning.figures import Cutting, PlanFigures, Share
from domain.planning.inventory import Inventory
from domain.reporting.costs import Planned
from domain.rules.compiled import CompiledRules
from handlers.bootstrap.process import owners_of
from handlers.operations.backfill import Rows

CONCURRENCY = 100


def read_plan(path: Path, rules: CompiledRules) -> Planned:
    """A plan of ``keyshift plan --json``, or of ``--out``, which holds no prices: today's are taken."""
    if path.suffix == ".parquet":
        figures = shares_of_plan(path, [branch.rule for branch in rules.branches])
        return Planned.of(figures, estimate(figures, prices_from({}), concurrency=CONCURRENCY))
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return _planned(said)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no plan of 'keyshift plan --json' or '--out': {error!r}") from error


def _planned(said: Mapping[str, Any]) -> Planned:
    rules = {str(name): Share(int(one["objects"]), int(one["size"])) for name, one in said["rules"].items()}
    moving, cost = said["moving"], said["cost"]
    return Planned(int(moving["objects"]), int(moving["size"]), rules, float(cost["dollars"]), float(cost["seconds"]))


def plan_objects(  # noqa: PLR0913  # where the objects are, and what the plan may use
    rules: CompiledRules,
    *,
    inventory: str | None,
    out: Path | None,
    memory: str,
    region: str,
    endpoint_url: str | None,
    cutting: Cutting,
) -> PlanFigures:
    """The figures of an inventory, or without one of a listing of the source bucket."""
    from adapters.duckdb.plan import DuckDbPlanner  # it takes time to load

    clients = AwsClients(region=region, endpoint_url=endpoint_url)
    planner = DuckDbPlanner(rules, memory=memory)
    if inventory is None:
        listing = S3ObjectListing(clients, owners=owners_of(rules))
        return planner.plan_listing(listing, cutting=cutting, out=out)
    with opened_inventory(inventory, clients) as local:
        return planner.plan_inventory(local, cutting=cutting, out=out)


@contextmanager
def plan_rows(path: Path, bucket: str) -> Iterator[tuple[Inventory, Mapping[str, Rows]]]:
    """A saved plan as an inventory of one file, known by its content: many plans are saved under one name."""
    inventory = plan_inventory(path, bucket)
    inventory = replace(inventory, files=(content_file(path),))
    yield inventory, {path.name: lambda start: read_rows(path, inventory, start=start)}
