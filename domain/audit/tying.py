"""What the chains and the head of heads tell of each other: a chain that is gone, cut off or replaced is told there."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from domain.audit.chain import Link, NamedLink
from domain.audit.chains import ChainSet, ReadChain
from domain.audit.findings import Fault, Finding
from domain.audit.ports import EventBook, UnmetName
from domain.audit.reading import Told
from domain.audit.sharding import newest_named

HEADS = "the head of heads"


@dataclass(frozen=True, slots=True)
class Tying:
    """The links that were told, in the book, beside the chains that were read."""

    chains: ChainSet
    book: EventBook

    def book_told(self, told: Told, by: ReadChain) -> None:
        """Book a link that a segment's header tells."""
        self._book(told.named, f"segment {told.segment} of {by.name}")

    def book_heads(self, heads: Mapping[str, Link]) -> None:
        """Book what the head of heads tells."""
        for shard, link in heads.items():
            self._book(NamedLink(shard, link), HEADS)

    def _book(self, named: NamedLink, by: str) -> None:
        place = self.chains.chain_of(named.shard).place_of(named.link.sequence)
        self.book.book_name(place, named.link.sha256, by)

    def differences(self, unmet: Iterable[UnmetName]) -> Iterator[Finding]:
        """The told links that are not those of segments now."""
        for one in unmet:
            chain, sequence = self.chains.at(one.segment)
            found = self.book.segment_sha256(one.segment)
            if found == one.sha256:
                continue
            if found is not None:
                text = f"{one.by} tells of segment {sequence} of {chain.name} with SHA-256 {one.sha256}, it has {found}"
                fault = Fault.HEAD_REPLACED if one.by == HEADS else Fault.SEGMENT_ALTERED
            elif chain.reader.segments:
                text = f"{one.by} tells of segment {sequence} of {chain.name}, which is not there"
                fault = Fault.CHAIN_TRUNCATED
            else:
                text = f"{one.by} tells of {chain.name} up to segment {sequence}, and nothing of it is there"
                fault = Fault.CHAIN_MISSING
            yield Finding(fault, text, sequence, shard=chain.shard)

    def unnamed(self, heads: Mapping[str, Link]) -> Iterator[tuple[Finding, float]]:
        """The chains that the head of heads must tell of and does not, each with the date of its newest segment.

        It need not tell of a chain that another one continues.
        """
        handed_on = {chain.after.shard for chain in self.chains.in_order() if chain.after is not None}
        for chain in self.chains.in_order():
            due = newest_named(chain.anchored)
            if not chain.shard or not chain.reader.segments:
                continue
            if chain.shard not in heads:
                if chain.shard not in handed_on:
                    text = f"{HEADS} does not tell of {chain.name}, and no other chain continues it"
                    yield Finding(Fault.CHAIN_UNNAMED, text, shard=chain.shard), chain.newest_at
            elif heads[chain.shard].sequence < due:
                told = heads[chain.shard].sequence
                text = f"{HEADS} tells of segment {told} of {chain.name}, and must tell of {due}: it was set back"
                yield Finding(Fault.HEAD_REPLACED, text, due, shard=chain.shard), chain.newest_at

    def ends(self) -> Iterator[NamedLink]:
        """The newest link of each chain that no other chain continues."""
        ordered = self.chains.in_order()
        handed_on = {chain.after.shard for chain in ordered if chain.after is not None}
        for chain in ordered:
            if chain.reader.segments and chain.shard not in handed_on:
                yield NamedLink(chain.shard, chain.reader.at)
