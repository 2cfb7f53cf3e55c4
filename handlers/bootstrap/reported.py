"""The inventories of both sides by which a verification proves what they can prove."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime

from adapters.duckdb.reported_objects import ReportedObjectsFile
from adapters.inventory.files import opened_inventory
from domain.errors import InputError
from domain.lifecycle.ports import ReportedObjects
from domain.planning.inventory import PROOF_COLUMNS, Inventory, certain_until
from handlers.bootstrap.operations import check_inventory
from handlers.bootstrap.process import Process
from handlers.operations.operator import Operation
from handlers.operations.verify import CLOCKS_DIFFER_SECONDS

_FIELDS = (
    "ETag, Size, LastModifiedDate, StorageClass, EncryptionStatus, ObjectLockMode, ObjectLockRetainUntilDate and"
    " ObjectLockLegalHoldStatus"
)
_WITHOUT = "or omit --by-inventories"


@contextmanager
def reported_objects(process: Process, operation: Operation, places: Sequence[str]) -> Iterator[ReportedObjects]:
    """What the inventories of both sides name.

    Raises InputError where a side lacks its inventory, or where one cannot prove anything.
    """
    until = certain_until(_checked(process, operation, places), margin=CLOCKS_DIFFER_SECONDS)
    prefixes = operation.dependencies.rules.prefixes
    with closing(ReportedObjectsFile(until=until)) as reported:
        for place in places:
            with opened_inventory(place, process.clients) as local:
                reported.add_inventory(local, prefixes[local.inventory.source_bucket])
        yield reported


def _checked(process: Process, operation: Operation, places: Sequence[str]) -> list[Inventory]:
    """The inventory of each side; their data files are not read yet."""
    rules = operation.dependencies.rules
    if rules.carries_versions:
        raise InputError(
            "--by-inventories: the rules file says `versions: all`, and earlier versions are compared only by looks."
            " Omit --by-inventories"
        )
    wanted, found = set(rules.prefixes), []
    for place in places:
        with opened_inventory(place, process.clients, only="") as local:
            check_inventory(operation, local.inventory, place, wanted)
            wanted.remove(local.inventory.source_bucket)
            _check_proof(operation, local.inventory, place)
            found.append(local.inventory)
    if wanted:
        bucket = min(wanted)
        raise InputError(
            f"--by-inventories needs an inventory of bucket {bucket} too: name its manifest.json with --inventory,"
            f" {_WITHOUT}"
        )
    return found


def _check_proof(operation: Operation, inventory: Inventory, place: str) -> None:
    """Raise InputError for a report that lacks a column, or begins later than now."""
    missing = [column for column in PROOF_COLUMNS if column not in inventory.columns]
    if missing:
        raise InputError(
            f"{place} has no column {', '.join(missing)}, without which no object is proven: add {_FIELDS} to the"
            f" inventory's configuration, {_WITHOUT}"
        )
    if "version_id" not in inventory.columns and _keeps_versions(operation, inventory.source_bucket):
        raise InputError(
            f"{place} has no column version_id, and bucket {inventory.source_bucket} has had versioning: take an"
            f" inventory of all versions (IncludedObjectVersions: All), {_WITHOUT}"
        )
    if inventory.created_at > operation.dependencies.ports.clock.now() + CLOCKS_DIFFER_SECONDS:
        began = datetime.fromtimestamp(inventory.created_at, UTC)
        raise InputError(f"{place} began at {began:%Y-%m-%d %H:%M}Z, which is later than now: set this machine's clock")


def _keeps_versions(operation: Operation, bucket: str) -> bool:
    is_source = bucket == operation.dependencies.rules.source_bucket
    return (operation.versioning if is_source else operation.target_versioning)() != "Off"
