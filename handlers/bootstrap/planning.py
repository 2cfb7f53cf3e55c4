"""Plans of an inventory or of a listing, and the parts of a saved plan that a backfill and a report read."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.duckdb.saved_plan import shares_of_plan
from adapters.inventory.files import content_file, opened_inventory
from adapters.inventory.rows import plan_inventory, read_rows
from adapters.s3.bucket_encryption import BucketEncryption
from adapters.s3.listing import S3ObjectListing
from adapters.s3.version_listing import S3VersionListing
from domain.errors import InputError, KeyshiftError
from domain.planning.estimate import estimate
from domain.planning.figures import Cutting, PlanFigures
from domain.planning.history import History
from domain.planning.inventory import Inventory, versions_fault
from domain.planning.own_events import Notifications, OwnEvents
from domain.planning.prices import prices_from
from domain.planning.shares import Share
from domain.planning.total import Total
from domain.reporting.costs import Planned
from domain.rules.compiled import CompiledRules
from handlers.bootstrap.inventories import total_book_of
from handlers.bootstrap.process import Process, owners_of
from handlers.operations.backfill import Rows

CONCURRENCY = 100


def read_plan(path: Path, rules: CompiledRules) -> Planned:
    """A plan of ``keyshift plan --json``, or of ``--out``, which has no prices: today's are used."""
    if path.suffix == ".parquet":
        figures = shares_of_plan(path, rules)
        cost = estimate(
            figures,
            prices_from({}),
            concurrency=CONCURRENCY,
            single_events=rules.single_events,
            promised_unannotated=rules.promised_unannotated,
            own=OwnEvents.of(rules, Notifications.EVENTBRIDGE),
        )
        return Planned.of(figures, cost)
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return _planned(said)
    except OSError as error:
        raise InputError(f"the plan {path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a plan of 'keyshift plan --json' or '--out': {error}") from error


def write_total_of(process: Process, path: Path) -> Total:
    """Store what a plan says moves as the total of the migration. Raises InputError where the file is not a plan."""
    planned = read_plan(path, process.rules)
    total = Total(path.name, planned.rows, planned.size, is_complete=True)
    total_book_of(process).write_total(total)
    return total


def _planned(said: Mapping[str, Any]) -> Planned:
    rules = {str(name): Share(int(one["objects"]), int(one["size"])) for name, one in said["rules"].items()}
    moving, cost = said["moving"], said["cost"]
    history = History.from_json(said["history"]) if said.get("history") is not None else None
    return Planned(
        int(moving["objects"]), int(moving["size"]), rules, float(cost["dollars"]), float(cost["seconds"]), history
    )


def plan_objects(  # noqa: PLR0913  # the place of the objects, and the limits of the plan
    rules: CompiledRules,
    *,
    inventory: str | None,
    out: Path | None,
    memory: str,
    region: str,
    endpoint_url: str | None,
    cutting: Cutting,
    say: Callable[[str], object],
) -> PlanFigures:
    """The figures of an inventory, or without one of a listing of the source bucket.

    ``say`` is told what is not known.
    """
    from adapters.duckdb.plan import DuckDbPlanner  # it takes time to load

    clients = AwsClients(region=region, endpoint_url=endpoint_url)
    if inventory is None or inventory.startswith("s3://"):  # a plan of local files needs no account
        cutting = _with_encryption(cutting, rules, clients, say)
    planner = DuckDbPlanner(rules, memory=memory)
    if inventory is None and rules.carries_versions:
        return planner.plan_versions(S3VersionListing(clients, owners=owners_of(rules)), cutting=cutting, out=out)
    if inventory is None:
        listing = S3ObjectListing(clients, owners=owners_of(rules))
        return planner.plan_listing(listing, cutting=cutting, out=out)
    with opened_inventory(inventory, clients) as local:
        if rules.carries_versions and (fault := versions_fault(local.inventory)) is not None:
            say(f"warning: {inventory} {fault}")
        return planner.plan_inventory(local, cutting=cutting, out=out)


def _with_encryption(
    cutting: Cutting, rules: CompiledRules, clients: AwsClients, say: Callable[[str], object]
) -> Cutting:
    bucket = rules.target_bucket
    encryption = BucketEncryption(clients, bucket, monotonic=clients.monotonic, owners=owners_of(rules))
    try:
        return replace(cutting, encrypts_targets=encryption.is_kms())
    except KeyshiftError as error:
        say(f"the bill takes the target bucket for one that does not encrypt with a KMS key by default: {error}")
        return cutting


@contextmanager
def plan_rows(path: Path, bucket: str, *, with_deleted: bool = False) -> Iterator[tuple[Inventory, Mapping[str, Rows]]]:
    """A saved plan as an inventory of one file, identified by its content: many plans are saved under one name.

    ``with_deleted``: a key that is deleted now has a row too, if the plan is of rules that carry every version.
    """
    inventory = plan_inventory(path, bucket)
    inventory = replace(inventory, files=(content_file(path),))
    yield inventory, {path.name: lambda start: read_rows(path, inventory, start=start, with_deleted=with_deleted)}
