"""References, pins and the resolver: what holds URIs of the objects that move."""

import time
from uuid import uuid4

from adapters.aws_clients import AwsClients
from adapters.dynamodb_manifest import DynamoDbManifest
from adapters.dynamodb_references import DynamoDbReferences
from adapters.dynamodb_stage import DynamoDbStageBook
from adapters.s3_object_store import S3ObjectStore
from adapters.system_clock import SystemClock
from domain.references_rewriting import ReferencePorts
from domain.rules import CompiledRules
from handlers.bootstrap import clients_of, owners_of
from handlers.references import Rate, References
from handlers.resolver import Resolver
from handlers.rules_file import load_rules
from handlers.settings import Settings


def references_of(
    settings: Settings,
    *,
    rules: CompiledRules | None = None,
    clients: AwsClients | None = None,
    items_per_second: float | None = None,
) -> References:
    """The references in the tables that the rules file names; also the gates' ReferenceFinder."""
    rules = rules or load_rules(settings.rules_file)
    clients = clients or clients_of(settings)
    tables = DynamoDbReferences(clients, settings.table)
    clock = SystemClock()
    return References(
        rules,
        ReferencePorts(
            tables=tables,
            journal=tables,
            manifest=DynamoDbManifest(clients, settings.table),
            store=S3ObjectStore(clients, owners=owners_of(rules)),
            clock=clock,
        ),
        new_id=lambda: uuid4().hex,
        rate=Rate(items_per_second, monotonic=clock.monotonic, sleep=time.sleep),
    )


def resolver_of(
    settings: Settings, *, rules: CompiledRules | None = None, clients: AwsClients | None = None
) -> Resolver:
    """The resolver of one migration."""
    rules = rules or load_rules(settings.rules_file)
    clients = clients or clients_of(settings)
    return Resolver(
        rules,
        DynamoDbManifest(clients, settings.table),
        S3ObjectStore(clients, owners=owners_of(rules)),
        DynamoDbStageBook(clients, settings.table),
    )
