"""The rules of one migration, compiled: which key goes where, and where a key came from (docs/rules.md)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.keys import Location, key_fault, outermost
from domain.kms_keys import NO_KEYS, KeyMap
from domain.rules.branches import MAX_REVERSE, Branch, sources_of
from domain.rules.references import NO_REFERENCES, PinPlace, References
from domain.rules.restoring import RestoreRule
from domain.rules.template_filters import Effort, TooManyParsesError
from domain.rules.templates import Captures, Template

MAX_EFFORT = 2_000_000
"""Characters that may be read to find the sources of one target key: about two seconds."""


class MapOutcome(StrEnum):
    """The rules' decision on one key."""

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
    """One side of the migration; ``expected_owner`` is a 12-digit account, ``prefix`` stands before every template.

    ``requester_pays`` accepts that requests on the bucket are billed to keyshift's account.
    """

    bucket: str
    prefix: str = ""
    expected_owner: str | None = None
    region: str | None = None
    requester_pays: bool = False


@dataclass(frozen=True, slots=True)
class LegacyKeys:
    """The legacy keys of one target key; with a ``reason`` there may be more of them than ``keys``."""

    keys: tuple[MappedKey, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class CompiledRules:
    """One rules file, ready to map keys.

    ``unmapped`` is report, fail or keep; ``deletes`` is mirror, mirror-adopted (a source's delete also deletes a target
    that another writer made) or keep; ``promised_storage_class`` is the class that the rules file promises for
    every source, ``promised_plain`` says that none has a KMS key or an object lock, and ``promised_unannotated`` that
    none has annotations; ``pins`` are the services with unchangeable URIs to be searched, in this account and region
    and in ``pin_places``; ``digest`` names the content (SHA-256, hexadecimal).
    ``unversioned_source``, whether cleanup may delete from a bucket without versions, is refuse, accept or fenced.
    ``accepted_tables`` are the folders of data-lake tables whose sources cleanup may delete.
    ``single_events`` publishes each audit event by itself, also the routine ones. ``kms_keys`` names the KMS key that a
    copy gets where it is not its source's. ``grants_full_control`` gives the target bucket's account full control of
    every copy. ``follows_late_changes`` looks again at an object whose tags, annotations or class change later.
    ``restore`` says how archived sources are restored; without it keyshift restores none. ``carries_versions`` copies
    the whole history of a key, delete markers included, and not its current version alone.
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
    promised_unannotated: bool = False
    digest: str = ""
    unversioned_source: str = "refuse"
    accepted_tables: tuple[str, ...] = ()
    single_events: bool = False
    kms_keys: KeyMap = NO_KEYS
    grants_full_control: bool = False
    follows_late_changes: bool = False
    restore: RestoreRule | None = None
    carries_versions: bool = False

    @property
    def source_bucket(self) -> str:
        """The bucket that objects leave."""
        return self.source.bucket

    @property
    def source_prefix(self) -> str:
        """The prefix of every source key."""
        return self.source.prefix

    @property
    def target_bucket(self) -> str:
        """The bucket that objects go to."""
        return self.target.bucket

    @property
    def target_prefix(self) -> str:
        """The prefix of every target key."""
        return self.target.prefix

    @property
    def source_openings(self) -> frozenset[str]:
        """How the keys that move begin, as far as the rules say."""
        return _openings(self.source, (branch.source for branch in self.branches))

    @property
    def target_openings(self) -> frozenset[str]:
        """How their new keys begin, as far as the rules say."""
        return _openings(self.target, (branch.target for branch in self.branches))

    @property
    def prefixes(self) -> Mapping[str, tuple[str, ...]]:
        """The prefixes of each bucket that belong to the migration; a prefix below another one is part of it."""
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

        With an ``effort``, a key that needs more is rejected; a key that can be split in too many ways is always
        rejected.
        """
        try:
            return self._map(key, effort)
        except TooManyParsesError as error:
            return MappedKey(MapOutcome.REJECTED, key, reason=str(error))

    def _map(self, key: str, effort: Effort | None = None) -> MappedKey:
        fault = key_fault(key)
        if fault is not None:
            return MappedKey(MapOutcome.REJECTED, key, reason=f"it is not a valid S3 key: {fault}")
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
        """A worker's decision on the key: like ``map_key``, but a move to a key that would be moved again is rejected.

        Such a rule moves its own copies again and again; only a finding ``loop`` that the file allows permits it.
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

    def unmap_key(self, target_key: str) -> LegacyKeys:
        """The legacy keys that map to the raw ``target_key``, at most MAX_REVERSE; each is mapped again to prove it.

        A rule that drops or changes a text cannot be reversed and yields none, unless few texts are possible for it.
        """
        if not target_key.startswith(self.target.prefix):
            return LegacyKeys()
        rest = target_key[len(self.target.prefix) :]
        found: dict[str, MappedKey] = {}
        effort, reason = Effort(MAX_EFFORT), None
        try:
            for branch in self.branches:
                for number, key in enumerate(sources_of(branch, rest, effort)):
                    if number == MAX_REVERSE:
                        reason = _NOT_ALL + _MORE
                        break
                    mapped = self._map(self.source.prefix + key, effort)
                    if mapped.target is not None and mapped.target.key == target_key:
                        found.setdefault(mapped.key, mapped)
        except TooManyParsesError:
            reason = _NOT_ALL + _TOO_MANY
        if len(found) > MAX_REVERSE:
            reason = _NOT_ALL + _MORE
        return LegacyKeys(tuple(found.values())[:MAX_REVERSE], reason)

    def _moved(self, key: str, branch: Branch, captures: Captures) -> MappedKey:
        target = Location(self.target.bucket, self.target.prefix + branch.target.render(captures))
        fault = key_fault(target.key)
        if fault is not None:
            reason = f"its new key would not be a valid S3 key: {fault}"
            return MappedKey(MapOutcome.REJECTED, key, branch.rule, reason=reason)
        if target == Location(self.source.bucket, key):
            return MappedKey(MapOutcome.KEEP, key, branch.rule, reason="its new key is the one it has")
        return MappedKey(MapOutcome.MOVE, key, branch.rule, target)


_NOT_ALL = "its legacy keys cannot all be found: "
_MORE = f"at most {MAX_REVERSE} are looked for"
_TOO_MANY = "it can be taken apart in too many ways; make the rules' placeholders narrower"


def _openings(side: BucketSide, templates: Iterable[Template]) -> frozenset[str]:
    pieces = (template.pieces[0] for template in templates)
    return frozenset(side.prefix + (piece if isinstance(piece, str) else "") for piece in pieces)
