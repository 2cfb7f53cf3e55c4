"""The audit for the stream handler: the chains, and the events of items that are not records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.dynamodb.chain_head import DynamoDbChainHead, DynamoDbHeadOfHeads
from adapters.dynamodb.control import control_of_item
from adapters.dynamodb.reference_items import entry_of_item
from adapters.dynamodb.shards import DynamoDbShardTree
from adapters.dynamodb.stage import stage_of_item
from adapters.s3.segment_archive import Retention, S3SegmentArchive
from domain.audit.events import AuditEvent
from domain.audit.item_events import CONTROL_ID, JOURNAL_ID, STAGE_ID, control_event, references_event, stage_event
from domain.audit.sharding import ChainsWriter
from domain.rules.compiled import CompiledRules
from handlers.config.settings import Settings

Image = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredChains:
    """Chains in S3 and DynamoDB; ``unsharded`` is the archive of the chain without a shard."""

    clients: AwsClients
    table: str
    unsharded: S3SegmentArchive

    def archive(self, shard: str) -> S3SegmentArchive:
        """See the port."""
        return replace(self.unsharded, shard=shard) if shard else self.unsharded

    def head(self, shard: str) -> DynamoDbChainHead:
        """See the port."""
        return DynamoDbChainHead(self.clients, self.table, shard)

    def stored_shards(self) -> Iterator[str]:
        """See the port."""
        return self.unsharded.stored_shards()


def stored_chains(settings: Settings, rules: CompiledRules, clients: AwsClients) -> StoredChains:
    """The chains of this migration."""
    retention = None
    if settings.audit_retention_days is not None:
        retention = Retention(settings.audit_retention_days, settings.audit_lock_mode)
    unsharded = S3SegmentArchive(
        clients, settings.audit_bucket, prefix=settings.audit_prefix, migration=rules.migration, retention=retention
    )
    return StoredChains(clients, settings.table, unsharded)


def chains_writer(settings: Settings, rules: CompiledRules, clients: AwsClients) -> ChainsWriter | None:
    """The writer of the chains; ``None`` without an audit bucket."""
    if not settings.audit_bucket:
        return None
    return ChainsWriter(
        migration=rules.migration,
        chains=stored_chains(settings, rules, clients),
        heads=DynamoDbHeadOfHeads(clients, settings.table),
        shards=DynamoDbShardTree(clients),
    )


def event_of_item(item_id: str, old: Image | None, new: Image | None, migration: str) -> AuditEvent | None:
    """The event for a change of an item that is not a record; ``None`` for counters, checkpoints and similar items.

    A change of the learned limits alone is not an event either: the fence is as it was.
    """
    if item_id == CONTROL_ID:
        before, after = (control_of_item(image) if image else None for image in (old, new))
        if after is not None and after.fence == (before.fence if before is not None else 0):
            return None
        return control_event(before, after, migration=migration)
    if item_id == STAGE_ID:
        earlier, later = (stage_of_item(image) if image else None for image in (old, new))
        return stage_event(earlier, later, migration=migration)
    if item_id.startswith(JOURNAL_ID):
        first, second = (entry_of_item(image) if image else None for image in (old, new))
        return references_event(item_id, first, second, migration=migration)
    return None
