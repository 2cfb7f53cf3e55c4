"""Wires doctor, status and the listing commands."""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.aws.clients import AwsClients
from adapters.conformance.bench import Options
from adapters.conformance.run import ConformanceRun
from adapters.doctor.conditions_probe import probe_conditions
from adapters.doctor.deployed_stack import DeployedStack
from adapters.doctor.inspector import AwsInspector
from adapters.doctor.user_pool import CognitoUserPool
from adapters.inventory.files import opened_inventory
from adapters.inventory.rows import read_rows
from adapters.s3.listing import S3ObjectListing
from adapters.s3.requests import Owners
from adapters.s3.restore_store import S3RestoreStore
from adapters.s3.version_listing import S3VersionListing
from domain.errors import InputError
from domain.keys import Location
from domain.lifecycle.archives import RestoreStore
from domain.lifecycle.conformance import Conformance
from domain.lifecycle.inspection import Inspector, StackInspector, Tried, UserPool
from domain.lifecycle.ports import UploadListing
from domain.planning.ports import ObjectListing
from handlers.bootstrap.process import Process


def object_listing(process: Process) -> ObjectListing:
    """Listings of the source and target buckets."""
    return S3ObjectListing(process.clients, owners=process.owners)


def backfill_listing(process: Process) -> ObjectListing:
    """What a backfill reads of the source bucket: also deleted keys where the rules carry every version."""
    listing = S3VersionListing if process.rules.carries_versions else S3ObjectListing
    return listing(process.clients, owners=process.owners)


def upload_listing(process: Process) -> UploadListing:
    """Multipart uploads of the target bucket."""
    return S3ObjectListing(process.clients, owners=process.owners)


def restore_store(process: Process) -> RestoreStore:
    """Restores of archived sources."""
    return S3RestoreStore(process.clients, owners=process.owners)


def deployed_stack(process: Process, name: str) -> StackInspector:
    """Doctor's view of a deployed stack."""
    return DeployedStack(process.clients, name)


def user_pool(process: Process, name: str) -> UserPool:
    """What doctor looks at of the portal's user pool, by id or ARN; raises InputError for another text."""
    return CognitoUserPool(process.clients, name)


def inspector_of(process: Process) -> Inspector:
    """Doctor's and status's view of buckets, queues and table."""
    return AwsInspector(process.clients, process.owners)


def probe_of(process: Process) -> Iterator[Tried]:
    """The test of each condition at the target bucket; writes and deletes small objects."""
    target = Location(process.rules.target_bucket, process.rules.target_prefix)
    in_parts = process.settings.multipart_above == 0
    return probe_conditions(process.clients, target=target, owners=process.owners, in_parts=in_parts)


def conformance_of(process: Process, *, prefix: str, wait: float, kms_key: str) -> Conformance:
    """The facts of the protocol on the process's servers; ``wait`` in seconds. Only boto3 sends the requests."""
    clients = AwsClients(connections=64, endpoint_url=process.settings.endpoint_url, region=process.settings.region)
    return ConformanceRun(clients, Options(prefix, wait, kms_key))


def server_of(process: Process) -> str:
    """The URL of S3, as the SDK resolves it."""
    return str(process.clients.s3.meta.endpoint_url)


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
