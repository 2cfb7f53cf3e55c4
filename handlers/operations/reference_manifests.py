"""The augmented manifests that the rules file declares: search them, or switch their references."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from domain.errors import ArchivedError
from domain.keys import Location, outermost
from domain.planning.ports import ObjectListing
from domain.protocol.attempt import Attempt, MigrationPolicy
from domain.protocol.cleanup import DELETE_SOURCE
from domain.protocol.record import Action, Mode, Origin, Record, State
from domain.references.holders import Reference
from domain.references.items import Outcome, Reported
from domain.references.manifest_rewriting import (
    CHANGED,
    ManifestPorts,
    ManifestRewriter,
    is_ours,
    read_copies,
    read_manifest,
)
from domain.rules.compiled import CompiledRules, MapOutcome
from domain.rules.references import ManifestReferences

_MOVED = (State.COPIED, State.CLEANED)
_NOT_MOVED = "the manifest is not moved by a rule, so it is not rewritten; write it anew, or add a rule for it"

NOT_MIGRATED = "the manifest is not migrated yet: let its message come, or keyshift backfill, then run again"
WRITTEN_ANEW = (
    "the manifest was written anew at its old key: let its message come, or keyshift verify --requeue, then run again"
)
TAKEN_AWAY = (
    "somebody replaced or deleted the manifest at its new key, and its old key still has what was moved: "
    "keyshift conflicts take-source copies it again, then run again"
)


@dataclass(frozen=True, slots=True)
class ManifestScan:
    """Manifests that a rule moves, by their records; manifests that stay where they are, by a listing."""

    rules: CompiledRules
    ports: ManifestPorts
    policy: MigrationPolicy
    listing: ObjectListing
    new_token: Callable[[], str]
    attempt_seconds: float = 840.0

    def scan(self, *, dry_run: bool) -> Iterator[Reported]:
        """Classify each reference of each manifest; without ``dry_run`` switch those to verified objects."""
        if not self.rules.references.manifests:
            return
        known: set[Location] = set()
        for record, declared in self._recorded(known):
            if why := self._not_copied(record):
                yield from self._waiting((record.source,), declared, why)
            if record.state not in _MOVED:
                why = f"the manifest is {record.state.value}" + (f": {record.why}" if record.why else "")
                yield from self._waiting(_places(record), declared, why)
            elif dry_run:
                yield from self._foretold(record, declared)
            else:
                rewriter = ManifestRewriter(self.rules, self.ports, self.policy)
                attempt = Attempt(self.new_token(), self.attempt_seconds)
                yield from rewriter.rewrite_manifest(record, declared, attempt=attempt)
        for location, declared, moves in self._unrecorded(known):
            outcome, why = (Outcome.WAITING, NOT_MIGRATED) if moves else (Outcome.STAYS, _NOT_MOVED)
            for one in self._read(location, declared):
                yield replace(one, outcome=outcome, why=why, new_uri="") if _is_open(one) else one

    def find_references(self) -> Iterator[Reference]:
        """Every legacy URI in a line, and every text that may be one; a manifest with unknown content counts as one."""
        if not self.rules.references.manifests:
            return
        known: set[Location] = set()
        for record, declared in self._recorded(known):
            # A cleanup changes only the source. If it counted here, one that was broken off or killed could never be
            # resumed.
            is_claimed = record.claim is not None and record.intent != DELETE_SOURCE
            doubts = record.maybe - {DELETE_SOURCE}
            if is_claimed or doubts:
                yield Reference(record.target.uri, "unfinished", record.source.uri, record.source)
            # A copy that runs, or may have been made, comes from the old key.
            efforts = {record.intent, *doubts} if is_claimed else doubts
            is_copied_again = any(one is None or one.action is not Action.REWRITE for one in efforts)
            places = (*_places(record), *((record.source,) if is_copied_again or self._not_copied(record) else ()))
            for place in dict.fromkeys(places):
                yield from self._open(place, declared)
        for location, declared, _ in self._unrecorded(known):
            yield from self._open(location, declared)

    def find_copy_references(self) -> Iterator[Reference]:
        """References of manifests to the new layout.

        Manifests that are copies, and that a purge deletes, are left out.
        """
        if not self.rules.references.manifests:
            return
        known: set[Location] = set()
        for record in self.ports.migration.manifest.scan_records():
            declared = self._declared(record.source, record.target)
            if not declared:
                continue
            known |= {record.source, record.target}
            for place in (record.source, record.target):
                if place.key and not (place == record.target and self._is_purged(record)):
                    yield from self._copies(place, declared)
        for location, declared, _ in self._unrecorded(known):
            yield from self._copies(location, declared)

    def _is_purged(self, record: Record) -> bool:
        if record.state is not State.ROLLED_BACK or record.origin is Origin.ADOPTED:
            return False
        seen = self.ports.migration.store.look_at_object(record.target)
        return seen is None or is_ours(record, seen)

    def _copies(self, location: Location, declared: list[ManifestReferences]) -> Iterator[Reference]:
        try:
            yield from read_copies(location, declared, rules=self.rules, ports=self.ports)
        except ArchivedError:
            yield Reference(location.uri, "archived", location.uri, Location(self.rules.target_bucket, ""))

    def _open(self, location: Location, declared: list[ManifestReferences]) -> Iterator[Reference]:
        for one in self._read(location, declared):
            yield from one.held

    def _foretold(self, record: Record, declared: list[ManifestReferences]) -> Iterator[Reported]:
        """What a rewriting would do; it leaves another writer's content alone."""
        seen = self.ports.migration.store.look_at_object(record.target)
        ours = seen is not None and is_ours(record, seen)
        for one in self._read(record.target, declared):
            is_left = one.outcome is Outcome.READY and not ours
            yield replace(one, outcome=Outcome.WAITING, why=CHANGED, new_uri="") if is_left else one

    def _not_copied(self, record: Record) -> str:
        """Why the content at a moved manifest's old key exists nowhere else; an empty text when it does.

        Both keys are read, because the record alone does not prove it.
        """
        if record.state not in _MOVED:
            return ""
        look = self.ports.migration.store.look_at_object
        source, target = look(record.source), look(record.target)
        if source is None:
            return ""
        if source.etag != record.source_etag:
            return WRITTEN_ANEW
        is_copied = target is not None and target.etag == record.target_etag
        return "" if is_copied else TAKEN_AWAY

    def _waiting(self, places: Iterable[Location], declared: list[ManifestReferences], why: str) -> Iterator[Reported]:
        """The references where applications still read the manifest, while it cannot be rewritten yet."""
        for place in places:
            for one in self._read(place, declared):
                yield replace(one, outcome=Outcome.WAITING, why=why, new_uri="") if _is_open(one) else one

    def _read(self, location: Location, declared: list[ManifestReferences]) -> Iterator[Reported]:
        try:
            yield from read_manifest(location, declared, rules=self.rules, ports=self.ports)
        except ArchivedError as error:
            anything = Location(self.rules.source_bucket, "")
            yield Reported(Reference(location.uri, "archived", location.uri, anything), Outcome.WAITING, str(error))

    def _recorded(self, known: set[Location]) -> Iterator[tuple[Record, list[ManifestReferences]]]:
        """Manifests that a rule moves.

        A manifest that is rolled back is left out: its objects' rollback needs its content.

        The places of every record that was read are added to ``known``.
        """
        for record in self.ports.migration.manifest.scan_records():
            declared = self._declared(record.source, record.target)
            if declared:
                known |= {record.source, record.target}
                if record.mode is Mode.FORWARD:
                    yield record, declared

    def _unrecorded(self, known: set[Location]) -> Iterator[tuple[Location, list[ManifestReferences], bool]]:
        """Manifests without a record among those that were read, on both sides, and whether a rule moves them.

        A manifest that got its record after that read is included: no earlier step has read it.
        """
        rules = self.rules
        for bucket, opening in self._openings():
            for listed in self.listing.list_objects(bucket, prefix=opening):
                location = Location(bucket, listed.key)
                moves = bucket == rules.source_bucket and rules.map_key(listed.key).outcome is MapOutcome.MOVE
                declared = self._declared(location, location)
                if declared and location not in known:
                    yield location, declared, moves

    def _openings(self) -> Iterator[tuple[str, str]]:
        """The key prefixes of manifests in each bucket; no prefix is part of another."""
        templates = [template for one in self.rules.references.manifests for template in one.keys]
        begun = {first if isinstance(first, str) else "" for template in templates for first in template.pieces[:1]}
        for bucket, prefixes in self.rules.prefixes.items():
            yield from (
                (bucket, one) for one in outermost(prefix + opening for prefix in prefixes for opening in begun)
            )

    def _declared(self, source: Location, target: Location) -> list[ManifestReferences]:
        """The declarations that name the manifest, at its old or its new key."""
        old = source.key.removeprefix(self.rules.source_prefix)
        new = target.key.removeprefix(self.rules.target_prefix)
        return [one for one in self.rules.references.manifests if one.names(old) or one.names(new)]


def _places(record: Record) -> tuple[Location, ...]:
    """Where applications read the manifest: at its new key, or at both keys while its move has not ended."""
    if record.state in _MOVED:
        return (record.target,)
    return (record.source, record.target) if record.target.key else (record.source,)


def _is_open(one: Reported) -> bool:
    return one.outcome in (Outcome.READY, Outcome.WAITING)
