"""The rules of one migration, compiled: which key goes where, and where a key came from (docs/rules.md)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import islice, product

from domain.keys import Location, key_fault, outermost
from domain.rules.references import NO_REFERENCES, PinPlace, References
from domain.rules.template_filters import Effort, Filter, TooManyParsesError
from domain.rules.templates import Captures, Kind, Template

MAX_REVERSE = 64
"""Most legacy keys that are named for one target key, and most words of a dropped name that are tried."""
MAX_EFFORT = 2_000_000
"""Characters that may be looked at to turn one target key round: about two seconds."""


class MapOutcome(StrEnum):
    """What the rules say about one key."""

    MOVE = "move"
    KEEP = "keep"
    UNMAPPED = "unmapped"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class MappedKey:
    """The rules' answer for ``key``; ``target`` only for a move, ``reason`` for everything else."""

    outcome: MapOutcome
    key: str
    rule: str | None = None
    target: Location | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """One ``from`` of a rule with the rule's ``to``."""

    rule: str
    source: Template
    target: Template

    @property
    def dropped(self) -> tuple[str, ...]:
        """Names that ``to`` does not use."""
        return tuple(name for name in self.source.names if name not in self.target.names)


@dataclass(frozen=True, slots=True)
class Allowed:
    """An exception to the proofs: this finding of this rule (with that other rule, where given) is accepted."""

    rule: str
    finding: str
    why: str
    other_rule: str | None = None

    def covers(self, finding: str, rule: str, other_rule: str | None) -> bool:
        """Whether it accepts this finding of these rules; the order of two rules does not count."""
        if self.finding != finding:
            return False
        if self.other_rule is None:
            return self.rule in (rule, other_rule)
        return {self.rule, self.other_rule} == {rule, other_rule}


@dataclass(frozen=True, slots=True)
class BucketSide:
    """One side of the migration; ``expected_owner`` is a 12-digit account, ``prefix`` stands before every template."""

    bucket: str
    prefix: str = ""
    expected_owner: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class TurnedRound:
    """The legacy keys of one target key; with a ``reason`` there may be more of them than ``keys``."""

    keys: tuple[MappedKey, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class CompiledRules:
    """One rules file, ready to map keys.

    ``unmapped`` is report, fail or keep; ``deletes`` is mirror, mirror-adopted (a source's delete takes along also a
    target that another writer made) or keep; ``promised_storage_class`` is the class that the rules file promises for
    every source, and ``promised_plain`` says that none has a KMS key or an object lock; ``pins`` are the services that
    keep URIs for good and are to be asked, in our account and region and in ``pin_places``; ``digest`` names the
    content (SHA-256, hexadecimal).
    ``unversioned_source`` says whether cleanup may delete from a bucket without versions: refuse, accept or fenced.
    """

    migration: str
    source: BucketSide
    target: BucketSide
    branches: tuple[Branch, ...]
    keep: tuple[Template, ...] = ()
    unmapped: str = "report"
    deletes: str = "mirror"
    allow: tuple[Allowed, ...] = ()
    references: References = NO_REFERENCES
    pins: tuple[str, ...] = ()
    pin_places: tuple[PinPlace, ...] = ()
    promised_storage_class: str | None = None
    promised_plain: bool = False
    digest: str = ""
    unversioned_source: str = "refuse"

    @property
    def source_bucket(self) -> str:
        """The bucket that objects leave."""
        return self.source.bucket

    @property
    def source_prefix(self) -> str:
        """What every source key begins with."""
        return self.source.prefix

    @property
    def target_bucket(self) -> str:
        """The bucket that objects go to."""
        return self.target.bucket

    @property
    def target_prefix(self) -> str:
        """What every target key begins with."""
        return self.target.prefix

    @property
    def prefixes(self) -> Mapping[str, tuple[str, ...]]:
        """What of each bucket belongs to the migration; a prefix under another one is part of it."""
        sides: dict[str, list[str]] = {}
        for side in (self.source, self.target):
            sides.setdefault(side.bucket, []).append(side.prefix)
        return {bucket: outermost(found) for bucket, found in sides.items()}

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules' names, in their order."""
        return tuple(dict.fromkeys(branch.rule for branch in self.branches))

    def map_key(self, key: str, effort: Effort | None = None) -> MappedKey:
        """What happens to the object at the raw ``key`` of the source bucket: ``keep`` first, then the first rule.

        With an ``effort`` a key that needs more is rejected, as one that can be split in too many ways always is.
        """
        try:
            return self._map(key, effort)
        except TooManyParsesError as error:
            return MappedKey(MapOutcome.REJECTED, key, reason=str(error))

    def _map(self, key: str, effort: Effort | None = None) -> MappedKey:
        fault = key_fault(key)
        if fault is not None:
            return MappedKey(MapOutcome.REJECTED, key, reason=f"it is no S3 key: {fault}")
        if not key.startswith(self.source.prefix):
            return MappedKey(MapOutcome.UNMAPPED, key, reason=f"it does not begin with '{self.source.prefix}'")
        rest = key[len(self.source.prefix) :]
        for template in self.keep:
            if template.match(rest, effort) is not None:
                return MappedKey(MapOutcome.KEEP, key, reason=f"keep '{template.text}'")
        for branch in self.branches:
            captures = branch.source.match(rest, effort)
            if captures is not None:
                return self._moved(key, branch, captures)
        if self.unmapped == "keep":
            return MappedKey(MapOutcome.KEEP, key, reason="no rule matches it")
        return MappedKey(MapOutcome.UNMAPPED, key, reason="no rule matches it")

    def map_once(self, key: str) -> MappedKey:
        """What a worker does with the key: as ``map_key``, but a move into what is moved again is rejected.

        Such a rule feeds itself with its own copies, and each costs a copy more; only an allowed ``loop`` may.
        """
        mapped = self.map_key(key)
        if mapped.target is None or mapped.rule is None or mapped.target.bucket != self.source.bucket:
            return mapped
        again = self.map_key(mapped.target.key)
        if again.outcome is not MapOutcome.MOVE or again.rule is None:
            return mapped
        if any(entry.covers("loop", mapped.rule, again.rule) for entry in self.allow):
            return mapped
        reason = (
            f"its new key {mapped.target.key!r} would be moved again by the rule '{again.rule}': a loop. Correct the"
            " rules, or allow the finding 'loop' by name"
        )
        return MappedKey(MapOutcome.REJECTED, key, mapped.rule, reason=reason)

    def unmap_key(self, target_key: str) -> tuple[MappedKey, ...]:
        """The legacy keys that map to the raw ``target_key``, at most MAX_REVERSE; each is mapped again to prove it.

        A rule that drops or changes a text cannot be turned round and names none, unless what it drops has few words.
        """
        return self.turn_round(target_key).keys

    def turn_round(self, target_key: str) -> TurnedRound:
        """The legacy keys of the raw ``target_key``, and why they may not be all where looking on takes too long."""
        if not target_key.startswith(self.target.prefix):
            return TurnedRound()
        rest = target_key[len(self.target.prefix) :]
        found: dict[str, MappedKey] = {}
        effort = Effort(MAX_EFFORT)
        try:
            for branch in self.branches:
                for key in islice(_sources(branch, rest, effort), MAX_REVERSE):
                    mapped = self._map(self.source.prefix + key, effort)
                    if mapped.target is not None and mapped.target.key == target_key:
                        found.setdefault(mapped.key, mapped)
        except TooManyParsesError:
            return TurnedRound(tuple(found.values())[:MAX_REVERSE], "its legacy keys cannot all be told: " + _TOO_MANY)
        return TurnedRound(tuple(found.values())[:MAX_REVERSE])

    def _moved(self, key: str, branch: Branch, captures: Captures) -> MappedKey:
        target = Location(self.target.bucket, self.target.prefix + branch.target.render(captures))
        fault = key_fault(target.key)
        if fault is not None:
            reason = f"its new key would be no S3 key: {fault}"
            return MappedKey(MapOutcome.REJECTED, key, branch.rule, reason=reason)
        if target == Location(self.source.bucket, key):
            return MappedKey(MapOutcome.KEEP, key, branch.rule, reason="its new key is the one it has")
        return MappedKey(MapOutcome.MOVE, key, branch.rule, target)


_TOO_MANY = "it can be taken apart in too many ways; make the rules' placeholders narrower"


def _sources(branch: Branch, target: str, effort: Effort) -> Iterator[str]:
    """Candidates for what ``branch`` could have mapped to ``target``, not proven; raises TooManyParsesError."""
    kinds = branch.source.kinds
    filters = branch.target.filters
    words = [_words(kinds[name]) for name in branch.dropped]
    if any(len(options) > MAX_REVERSE for options in words):
        return
    for captures in branch.target.parses(target, effort):
        names = [*branch.dropped, *filters]
        origins = [_origins(kinds[name], chosen, captures[name], effort) for name, chosen in filters.items()]
        for choice in product(*words, *origins):
            source = branch.source.render({**captures, **dict(zip(names, choice, strict=True))})
            effort.spend(len(source))
            yield source


@lru_cache(maxsize=256)
def _words(kind: Kind) -> tuple[str, ...]:
    """The kind's texts, one more than are tried at most: counting them for every key would take far too long."""
    return tuple(kind.dfa.texts(MAX_REVERSE + 1))


def _origins(kind: Kind, chosen: Filter, text: str, effort: Effort) -> list[str]:
    """The kind's texts that the filter turns into ``text``; none where there are too many to try."""
    tried = list(islice(chosen.origins(text, kind.dfa, effort), 64 * MAX_REVERSE))
    return tried if len(tried) < 64 * MAX_REVERSE else []
