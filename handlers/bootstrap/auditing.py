"""What ``keyshift audit`` and the report look at: the whole chain, and the records it tells of."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.dynamodb_chain_head import DynamoDbChainHead
from adapters.dynamodb_control import DynamoDbControlPanel
from adapters.dynamodb_references import DynamoDbReferences
from adapters.dynamodb_stage import DynamoDbStageBook
from adapters.reference_items import journal_id
from adapters.s3_segment_archive import S3SegmentArchive
from adapters.sqlite_event_book import SqliteEventBook
from domain.audit_control import CONTROL_ID
from domain.audit_stage import STAGE_ID
from domain.chain_reading import ChainReader
from domain.chain_verification import ChainVerifier
from domain.errors import InputError
from domain.ports import Deferred, SegmentArchive
from domain.rules import CompiledRules
from handlers.bootstrap import clients_of
from handlers.bootstrap.audit_chain import segment_archive
from handlers.settings import Settings


@dataclass(frozen=True, slots=True)
class AuditPlace:
    """Where the chain is; ``is_locked`` says whether the bucket has object lock."""

    bucket: str
    is_locked: bool


def audit_archive(settings: Settings, rules: CompiledRules) -> SegmentArchive:
    """The segments; InputError where the migration has no audit bucket."""
    return _archive(settings, rules)


def audit_place(settings: Settings, rules: CompiledRules) -> AuditPlace:
    """The bucket and what it promises; raises what AWS says when it cannot be used."""
    return AuditPlace(settings.audit_bucket, _archive(settings, rules).has_lock)


def audited_items(settings: Settings) -> Iterator[Deferred]:
    """The control, the stage and the journal's open entries, as far as anybody ever changed them."""
    clients = clients_of(settings)
    control = DynamoDbControlPanel(clients, settings.table).read_control()
    if control.fence:
        yield Deferred(CONTROL_ID, "the control item", control.fence, "", control.changed_at)
    entry = DynamoDbStageBook(clients, settings.table).read_stage()
    if entry.revision:
        yield Deferred(STAGE_ID, "the stage", entry.revision, "", entry.changed_at)
    for one in DynamoDbReferences(clients, settings.table).scan_entries():
        place = f"the references of an item of {one.table}"
        yield Deferred(journal_id(one), place, one.revision, "", one.written_at)


@contextmanager
def chain_verifier(
    settings: Settings, rules: CompiledRules, *, expected: dict[int, str], started: float
) -> Iterator[ChainVerifier]:
    """A verification of this migration's chain; its book is gone afterwards."""
    archive = _archive(settings, rules)
    with SqliteEventBook.opened() as book:
        head = DynamoDbChainHead(clients_of(settings), settings.table)
        yield ChainVerifier(archive, head, book, ChainReader(rules.migration, expected), started=started)


def _archive(settings: Settings, rules: CompiledRules) -> S3SegmentArchive:
    if not settings.audit_bucket:
        raise InputError(
            "there is no audit chain: set KEYSHIFT_AUDIT_BUCKET for the stream handler (and here), then every change "
            "from then on is in it"
        )
    return segment_archive(settings, rules, clients_of(settings))
