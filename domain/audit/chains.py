"""The chains of a migration as a verification reads them: each one after the chain that it continues."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from domain.audit.chain import MISSING_SHARD, NamedLink, header_of, is_shard_id, named_link
from domain.audit.ports import CHAIN_SPAN, ChainHead, Chains, SegmentArchive
from domain.audit.reading import ChainReader

Expected = Mapping[str, Mapping[int, str]]
"""Links that a person noted elsewhere: SHA-256 by number, by shard."""


@dataclass(slots=True)
class ReadChain:
    """One chain; ``after`` is the end of the chain that it continues.

    ``newest_at`` is the date of its newest segment, ``anchored`` the number in its head at the end.
    """

    shard: str
    number: int
    archive: SegmentArchive
    head: ChainHead
    reader: ChainReader
    after: NamedLink | None = None
    newest_at: float = 0.0
    anchored: int = 0
    is_begun: bool = False
    told_of: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The chain for a person."""
        return f"the chain {self.shard}" if self.shard else "the chain of changes without a shard"

    def place_of(self, sequence: int) -> int:
        """The book's number of a segment; in the chain without a shard it is the segment's own."""
        return self.number * CHAIN_SPAN + sequence


class ChainSet:
    """Every chain that is known so far: stored, named or expected."""

    def __init__(self, chains: Chains, migration: str, expected: Expected | None = None) -> None:
        self._chains = chains
        self._migration = migration
        self._expected = expected or {}
        self._strange: set[str] = set()
        self._known: dict[str, ReadChain] = {}
        self._numbered: list[ReadChain] = []
        for shard in (MISSING_SHARD, *self._expected):
            self.chain_of(shard)

    def chain_of(self, shard: str) -> ReadChain:
        """The chain of a shard, known from now on."""
        known = self._known.get(shard)
        if known is None:
            reader = ChainReader(self._migration, self._expected.get(shard, {}), shard)
            known = ReadChain(shard, len(self._numbered), self._chains.archive(shard), self._chains.head(shard), reader)
            self._known[shard] = known
            self._numbered.append(known)
        return known

    def discover(self) -> Iterator[str]:
        """Look at what is stored; returns names there that cannot be a shard's, each once."""
        for name in self._chains.stored_shards():
            if is_shard_id(name):
                self.chain_of(name)
            elif name not in self._strange:
                self._strange.add(name)
                yield name

    def in_order(self) -> list[ReadChain]:
        """The known chains, each one after the chain that it continues."""
        ordered: dict[str, ReadChain] = {}
        for shard in sorted(self._known):
            self._visit(shard, ordered, frozenset())
        return list(ordered.values())

    def find_after(self, chain: ReadChain) -> None:
        """Look into the first segment of a chain that is not read yet: which chain does it continue?"""
        if chain.shard and chain.after is None and not chain.reader.segments:
            first = chain.archive.read_original(1)
            chain.after = None if first is None else named_link(header_of(first).get("after"))

    def unread_before(self, chain: ReadChain) -> ReadChain | None:
        """The chain that this one continues, where its end is not read yet; it is returned once."""
        self.find_after(chain)
        if chain.after is None or chain.is_begun:
            return None
        chain.is_begun = True
        before = self.chain_of(chain.after.shard)
        return before if before.reader.at.sequence < chain.after.link.sequence else None

    def numbered(self, number: int) -> ReadChain:
        """The chain that the book counts so."""
        return self._numbered[number]

    def at(self, place: int) -> tuple[ReadChain, int]:
        """The chain and the number of a segment by the book's number of it."""
        number, sequence = divmod(place, CHAIN_SPAN)
        return self._numbered[number], sequence

    def comes_before(self, place: int, chain: ReadChain) -> bool:
        """Whether the segment stands in this chain, or in what this chain continues."""
        other, sequence = self.at(place)
        followed: set[str] = set()
        while chain is not other:
            after = chain.after
            if after is None or chain.shard in followed:
                return False
            if after.shard == other.shard:
                return sequence <= after.link.sequence
            followed.add(chain.shard)
            chain = self.chain_of(after.shard)
        return True

    def _visit(self, shard: str, ordered: dict[str, ReadChain], begun: frozenset[str]) -> None:
        chain = self._known[shard]
        if shard in ordered or shard in begun:
            return
        self.find_after(chain)
        if chain.after is not None and chain.after.shard in self._known:
            self._visit(chain.after.shard, ordered, begun | {shard})
        ordered[shard] = chain
