"""What doctor, status and the listing commands look at."""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.aws.clients import AwsClients
from adapters.doctor.conditions_probe import probe_conditions
from adapters.doctor.deployed_stack import DeployedStack
from adapters.doctor.inspector import AwsInspector
from adapters.inventory.files import opened_inventory
from adapters.inventory.rows import read_rows
from adapters.s3.listing import S3ObjectListing
from adapters.s3.requests import Owners
from domain.errors import InputError
from domain.keys import Location
from domain.lifecycle.inspection import Inspector, StackInspector, Tried
from domain.lifecycle.ports import UploadListing
from domain.planning.ports import ObjectListing
from domain.rules.compiled import CompiledRules
from handlers.bootstrap import clients_of, owners_of
from handlers.config.settings import Settings


def object_listing(settings: Settings, rules: CompiledRules) -> ObjectListing:
    """Listings of the source and target buckets."""
    return S3ObjectListing(clients_of(settings), owners=owners_of(rules))


def upload_listing(settings: Settings, rules: CompiledRules) -> UploadListing:
    """Multipart uploads of the target bucket."""
    return S3ObjectListing(clients_of(settings), owners=owners_of(rules))


def deployed_stack(settings: Settings, name: str) -> StackInspector:
    """What doctor looks at of a deployed stack."""
    return DeployedStack(clients_of(settings), name)


def inspector_of(settings: Settings) -> Inspector:
    """What doctor and status look at."""
    return AwsInspector(clients_of(settings))


def probe_of(settings: Settings, rules: CompiledRules) -> Iterator[Tried]:
    """Whether the target bucket honours each condition; writes and deletes small objects."""
    target = Location(rules.target_bucket, rules.target_prefix)
    return probe_conditions(clients_of(settings), target=target, owners=owners_of(rules))


@contextmanager
def sampled_keys(
    bucket: str, prefix: str, *, inventory: str | None, region: str | None, endpoint_url: str | None
) -> Iterator[Iterator[str]]:
    """The keys below the prefix, of an inventory or of a listing; raises InputError for another bucket's inventory."""
    clients = AwsClients(region=region, endpoint_url=endpoint_url)
    if inventory is None:
        listing = S3ObjectListing(clients, owners=Owners({}))
        yield (one.key for one in listing.list_objects(bucket, prefix=prefix))
        return
    with opened_inventory(inventory, clients) as local:
        if local.inventory.source_bucket != bucket:
            raise InputError(f"{inventory} is of bucket {local.inventory.source_bucket}, not of {bucket}")
        rows = (row for path in local.paths.values() for row in read_rows(path, local.inventory))
        yield (row.key for row in rows if row is not None and row.key.startswith(prefix))
