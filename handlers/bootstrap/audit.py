"""The audit as ``keyshift audit`` and the report read it: the whole chain, and the records that it describes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.dynamodb.audited_items import DynamoDbAuditedItems
from adapters.dynamodb.chain_head import DynamoDbHeadOfHeads
from adapters.local.event_book import SqliteEventBook
from domain.audit.chains import ChainSet, Expected
from domain.audit.ports import AuditedItems
from domain.audit.verification import ChainVerifier
from domain.errors import InputError
from handlers.bootstrap.audit_chain import StoredChains, stored_chains
from handlers.bootstrap.process import Process


@dataclass(frozen=True, slots=True)
class AuditPlace:
    """The place of the chains; ``is_locked`` means that the bucket has object lock."""

    bucket: str
    is_locked: bool


def audit_chains(process: Process) -> ChainSet:
    """The chains; InputError where the migration has no audit bucket."""
    return ChainSet(_chains(process), process.rules.migration)


def audit_place(process: Process) -> AuditPlace:
    """The bucket and its protection; raises the error for AWS's answer when it cannot be used."""
    return AuditPlace(process.settings.audit_bucket, _chains(process).unsharded.has_lock)


def audited_items(process: Process) -> AuditedItems:
    """The control, the stage and the journal of references."""
    return DynamoDbAuditedItems(process.clients, process.table)


@contextmanager
def chain_verifier(process: Process, *, expected: Expected, started: float) -> Iterator[ChainVerifier]:
    """A verification of this migration's chains; its book is deleted afterwards."""
    chains = ChainSet(_chains(process), process.rules.migration, expected)
    with SqliteEventBook.opened() as book:
        yield ChainVerifier(chains, DynamoDbHeadOfHeads(process.clients, process.table), book, started=started)


def _chains(process: Process) -> StoredChains:
    if not process.settings.audit_bucket:
        raise InputError(
            "there is no audit chain: set KEYSHIFT_AUDIT_BUCKET for the stream handler (and here), then every change "
            "from then on is in it"
        )
    return stored_chains(process.settings, process.rules, process.clients)
