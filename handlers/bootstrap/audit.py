"""What ``keyshift audit`` and the report look at: the whole chain, and the records it tells of."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.dynamodb.audited_items import DynamoDbAuditedItems
from adapters.dynamodb.chain_head import DynamoDbChainHead
from adapters.local.event_book import SqliteEventBook
from adapters.s3.segment_archive import S3SegmentArchive
from domain.audit.ports import AuditedItems, SegmentArchive
from domain.audit.reading import ChainReader
from domain.audit.verification import ChainVerifier
from domain.errors import InputError
from handlers.bootstrap.audit_chain import segment_archive
from handlers.bootstrap.process import Process


@dataclass(frozen=True, slots=True)
class AuditPlace:
    """Where the chain is; ``is_locked`` says whether the bucket has object lock."""

    bucket: str
    is_locked: bool


def audit_archive(process: Process) -> SegmentArchive:
    """The segments; InputError where the migration has no audit bucket."""
    return _archive(process)


def audit_place(process: Process) -> AuditPlace:
    """The bucket and what it promises; raises what AWS says when it cannot be used."""
    return AuditPlace(process.settings.audit_bucket, _archive(process).has_lock)


def audited_items(process: Process) -> AuditedItems:
    """The control, the stage and the journal of references."""
    return DynamoDbAuditedItems(process.clients, process.table)


@contextmanager
def chain_verifier(process: Process, *, expected: dict[int, str], started: float) -> Iterator[ChainVerifier]:
    """A verification of this migration's chain; its book is gone afterwards."""
    archive = _archive(process)
    with SqliteEventBook.opened() as book:
        head = DynamoDbChainHead(process.clients, process.table)
        yield ChainVerifier(archive, head, book, ChainReader(process.rules.migration, expected), started=started)


def _archive(process: Process) -> S3SegmentArchive:
    if not process.settings.audit_bucket:
        raise InputError(
            "there is no audit chain: set KEYSHIFT_AUDIT_BUCKET for the stream handler (and here), then every change "
            "from then on is in it"
        )
    return segment_archive(process.settings, process.rules, process.clients)
