"""What the stream handler needs of the audit: the chain, and the events of what is no record."""

from collections.abc import Mapping
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.dynamodb.chain_head import DynamoDbChainHead
from adapters.dynamodb.control import control_of_item
from adapters.dynamodb.reference_items import entry_of_item
from adapters.dynamodb.stage import stage_of_item
from adapters.s3.segment_archive import Retention, S3SegmentArchive
from domain.audit.control_events import CONTROL_ID, control_event
from domain.audit.events import AuditEvent
from domain.audit.reference_events import JOURNAL_ID, references_event
from domain.audit.stage_events import STAGE_ID, stage_event
from domain.audit.writing import ChainWriter
from domain.rules.compiled import CompiledRules
from handlers.config.settings import Settings

Image = Mapping[str, Any]


def segment_archive(settings: Settings, rules: CompiledRules, clients: AwsClients) -> S3SegmentArchive:
    """The segments of this migration."""
    retention = None
    if settings.audit_retention_days is not None:
        retention = Retention(settings.audit_retention_days, settings.audit_lock_mode)
    return S3SegmentArchive(
        clients, settings.audit_bucket, prefix=settings.audit_prefix, migration=rules.migration, retention=retention
    )


def chain_writer(settings: Settings, rules: CompiledRules, clients: AwsClients) -> ChainWriter | None:
    """What appends to the chain; ``None`` without an audit bucket."""
    if not settings.audit_bucket:
        return None
    return ChainWriter(
        migration=rules.migration,
        archive=segment_archive(settings, rules, clients),
        head=DynamoDbChainHead(clients, settings.table),
    )


def event_of_item(item_id: str, old: Image | None, new: Image | None, migration: str) -> AuditEvent | None:
    """The event of a change of an item that is no record; ``None`` for counters, checkpoints and the like."""
    if item_id == CONTROL_ID:
        before, after = (control_of_item(image) if image else None for image in (old, new))
        return control_event(before, after, migration=migration)
    if item_id == STAGE_ID:
        earlier, later = (stage_of_item(image) if image else None for image in (old, new))
        return stage_event(earlier, later, migration=migration)
    if item_id.startswith(JOURNAL_ID):
        first, second = (entry_of_item(image) if image else None for image in (old, new))
        return references_event(item_id, first, second, migration=migration)
    return None
