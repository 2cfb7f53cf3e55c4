"""Appends to the chain of each shard, and ties the chains together by the head of heads.

A shard's changes have one writer at a time, so writers of different shards share nothing but the head of heads. In it
each changes its own entry only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.audit.chain import MISSING_SHARD, NamedLink, is_shard_id, link_fields
from domain.audit.events import AuditEvent
from domain.audit.ports import Chains, HeadOfHeads, Shard, ShardTree
from domain.audit.writing import ChainWriter

NAMED_EVERY = 16
"""Segments from one entry in the head of heads to the next, so that ties cost a sixteenth of a chain's requests."""
MOST_ANCESTORS = 100
"""A shard lives about four hours and is listed for a day after its end."""
UNKNOWN = Shard()


def is_named(sequence: int) -> bool:
    """Whether the segment of this number tells of the other chains, and the head of heads tells of it."""
    return sequence % NAMED_EVERY == 1


def newest_named(sequence: int) -> int:
    """The newest segment up to this number that the head of heads is to tell, 0 where there is no segment."""
    return sequence - (sequence - 1) % NAMED_EVERY if sequence else 0


class ChainsWriter:
    """One process that appends to the chains of the shards that it is given."""

    def __init__(self, *, migration: str, chains: Chains, heads: HeadOfHeads, shards: ShardTree) -> None:
        self._migration = migration
        self._chains = chains
        self._heads = heads
        self._shards = shards
        self._unsharded = ChainWriter(
            migration=migration, archive=chains.archive(MISSING_SHARD), head=chains.head(MISSING_SHARD)
        )
        self._writers: dict[str, ShardWriter] = {}

    def append_events(self, events: Sequence[AuditEvent], *, shard: Shard = UNKNOWN) -> NamedLink | None:
        """Store the events as one segment of the shard's chain, as ``ChainWriter`` does.

        Events without a shard, or with a shard id that cannot be a key, are stored in the chain without a shard.
        """
        if not is_shard_id(shard.shard_id):
            link = self._unsharded.append_events(events)
            return None if link is None else NamedLink(MISSING_SHARD, link)
        writer = self._writers.get(shard.shard_id)
        if writer is None:
            writer = ShardWriter(shard, self._migration, self._chains, self._heads, self._shards)
            self._writers[shard.shard_id] = writer
        return writer.append_events(events)


class ShardWriter:
    """Appends to the chain of one shard."""

    def __init__(  # the shard, and the ports
        self, shard: Shard, migration: str, chains: Chains, heads: HeadOfHeads, shards: ShardTree
    ) -> None:
        self._shard = shard
        self._chains = chains
        self._heads = heads
        self._shards = shards
        self._writer = ChainWriter(
            migration=migration,
            archive=chains.archive(shard.shard_id),
            head=chains.head(shard.shard_id),
            shard=shard.shard_id,
            ties=self._ties,
        )
        self._before: NamedLink | None = None
        self._named = 0

    def append_events(self, events: Sequence[AuditEvent]) -> NamedLink | None:
        """Store the events as one segment.

        The link is named when one is due since this process last named one. Another process may have died before it
        did so, and this one before it heard that its segment was anchored.
        """
        link = self._writer.append_events(events)
        if link is None:
            return None
        if newest_named(link.sequence) > self._named:
            ends = self._before.shard if self._before is not None else MISSING_SHARD
            self._heads.name_chain(self._shard.shard_id, link, ends=ends)
            self._named = link.sequence
        return NamedLink(self._shard.shard_id, link)

    def _ties(self, sequence: int) -> Mapping[str, Any]:
        if not is_named(sequence):
            return {}
        heads = self._heads.read_heads()
        others = [NamedLink(shard, heads[shard]) for shard in sorted(heads) if shard != self._shard.shard_id]
        ties: dict[str, Any] = {"others": [link_fields(other) for other in others]}
        if sequence == 1:
            self._before = self._before or self._find_before()
            ties |= {"after": link_fields(self._before)} if self._before is not None else {}
        return ties

    def _find_before(self) -> NamedLink | None:
        """The end of the chain that continues here: the nearest ancestor's, or that of the changes without a shard."""
        shard_id: str | None = self._shard.shard_id
        for _ in range(MOST_ANCESTORS):
            shard_id = self._shards.find_parent(Shard(shard_id or "", self._shard.stream))
            if shard_id is None or not is_shard_id(shard_id):
                break
            head = self._chains.head(shard_id).read_head()
            if head is not None:
                return NamedLink(shard_id, head)
        head = self._chains.head(MISSING_SHARD).read_head()
        return NamedLink(MISSING_SHARD, head) if head is not None else None
