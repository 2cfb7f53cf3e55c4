"""Wires references, pins and the resolver."""

import time
from collections.abc import Callable
from uuid import uuid4

from adapters.aws.clients import AwsClients
from adapters.dynamodb.manifest import DynamoDbManifest
from adapters.dynamodb.rates import DynamoDbRateLedger
from adapters.dynamodb.references import DynamoDbReferences
from adapters.dynamodb.stage import DynamoDbStageBook
from adapters.local.clock import SystemClock
from adapters.pins.elsewhere import PinsElsewhere
from adapters.pins.glue import GlueTables
from adapters.pins.greengrass import GreengrassComponents
from adapters.pins.sagemaker import SageMakerModels
from adapters.s3.listing import S3ObjectListing
from adapters.s3.manifest_contents import S3ManifestContents
from adapters.s3.multipart_store import S3MultipartStore
from adapters.s3.object_store import S3ObjectStore
from domain.protocol.attempt import MigrationPorts
from domain.references.item_rewriting import ReferencePorts
from domain.references.manifest_reading import ManifestPorts
from domain.references.ports import UriHolder
from handlers.bootstrap import annotations_of, policy_of
from handlers.bootstrap.process import Process
from handlers.operations.pins import Pins
from handlers.operations.reference_manifests import ManifestScan
from handlers.operations.reference_rates import ReadPace, ReadUnits, SharedReadUnits
from handlers.operations.references import References
from handlers.operations.resolve import Resolver


def shared_units(process: Process, per_second: float, seconds_left: Callable[[], float]) -> SharedReadUnits:
    """The rate at which all functions together read the application's tables."""
    ledger = DynamoDbRateLedger(process.clients, process.table)
    return SharedReadUnits(ledger, per_second, now=SystemClock().now, sleep=time.sleep, seconds_left=seconds_left)


def references_of(
    process: Process,
    *,
    read_units: float | None = None,
    pace: ReadPace | None = None,
) -> References:
    """The references in the tables that the rules file names; also the gates' ReferenceFinder.

    Tables are read at that ``pace``, else at ``read_units`` a second. Without either it reads as fast as DynamoDB
    allows.
    """
    rules, clients = process.rules, process.clients
    tables = DynamoDbReferences(clients, process.table)
    clock = SystemClock()
    return References(
        rules,
        ReferencePorts(
            tables=tables,
            journal=tables,
            manifest=DynamoDbManifest(clients, process.table),
            store=S3ObjectStore(clients, owners=process.owners),
            clock=clock,
        ),
        new_id=lambda: uuid4().hex,
        units=pace or ReadUnits(read_units, monotonic=clock.monotonic, sleep=time.sleep),
        manifests=manifests_of(process),
    )


def manifests_of(process: Process) -> ManifestScan:
    """The augmented manifests that the rules file names."""
    settings, rules, clients, owners = process.settings, process.rules, process.clients, process.owners
    migration = MigrationPorts(
        store=S3ObjectStore(clients, owners=owners),
        multipart=S3MultipartStore(clients, owners=owners, part_workers=1),
        manifest=DynamoDbManifest(clients, settings.table),
        clock=SystemClock(),
        annotations=annotations_of(process),
    )
    return ManifestScan(
        rules,
        ManifestPorts(migration, S3ManifestContents(clients, owners=owners)),
        policy_of(process),
        S3ObjectListing(clients, owners=owners),
        new_token=lambda: uuid4().hex,
        attempt_seconds=settings.attempt_seconds,
    )


def pins_of(process: Process) -> Pins:
    """The pins that keep legacy objects where they are; also the gates' PinFinder."""
    rules, clients = process.rules, process.clients
    makers: dict[str, Callable[[AwsClients], UriHolder]] = {
        "glue": GlueTables,
        "greengrass": GreengrassComponents,
        "sagemaker": SageMakerModels,
    }
    holders: list[UriHolder] = [makers[service](clients) for service in rules.pins]
    holders += [
        PinsElsewhere(clients, place, make=makers[service]) for place in rules.pin_places for service in rules.pins
    ]
    return Pins(rules, tuple(holders), S3ObjectListing(clients, owners=process.owners))


def resolver_of(process: Process) -> Resolver:
    """The resolver of one migration."""
    return Resolver(
        process.rules,
        DynamoDbManifest(process.clients, process.table),
        S3ObjectStore(process.clients, owners=process.owners),
        DynamoDbStageBook(process.clients, process.table),
    )
