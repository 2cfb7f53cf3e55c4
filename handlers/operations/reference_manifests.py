"""The augmented manifests that the rules file declares: search them, or switch their references."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from domain.errors import ArchivedError
from domain.keys import Location, outermost
from domain.objects import ObjectState, is_other_version
from domain.planning.ports import ObjectListing
from domain.protocol.attempt import Attempt, MigrationPolicy
from domain.protocol.cleanup import DELETE_SOURCE
from domain.protocol.intents import Action
from domain.protocol.record import Mode, Origin, Record, State
from domain.references.holders import Reference
from domain.references.manifest_reading import ManifestPorts, read_copies, read_manifest
from domain.references.manifest_rewriting import ManifestRewriter, is_ours
from domain.references.reports import ReferenceOutcome, Reported, Wait, Waiting
from domain.rules.compiled import CompiledRules, MapOutcome
from domain.rules.references import ManifestReferences

Rewriting = Callable[[], list[Reported]]
_MOVED = (State.COPIED, State.CLEANED)
_NOT_MOVED = "the manifest is not moved by a rule, so it is not rewritten; write a new one, or add a rule for it"


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
        for step in self.steps(dry_run=dry_run):
            yield from step() if callable(step) else (step,)

    def steps(self, *, dry_run: bool) -> Iterator[Reported | Rewriting]:
        """The same in steps: what is only reported, and the rewriting of a manifest, which the caller begins.

        A rewriting raises TransientError when it is to be tried again.
        """
        if not self.rules.references.manifests:
            return
        known: set[Location] = set()
        for record in self._recorded(known):
            yield from self._steps_of(record, dry_run=dry_run)
        for location in self._unrecorded(known):
            yield from self.reports_at(location)

    def reports_of(self, record: Record) -> Iterator[Reported]:
        """What a dry run says of the manifest of this record.

        A manifest that is rolled back is left out: its objects' rollback needs its content.
        """
        for step in self._steps_of(record, dry_run=True):
            yield from step() if callable(step) else (step,)

    def _steps_of(self, record: Record, *, dry_run: bool) -> Iterator[Reported | Rewriting]:
        declared = self._declared(record.source, record.target)
        if not declared or record.mode is not Mode.FORWARD:
            return
        if wait := self._not_copied(record):
            yield from self._waiting((record.source,), declared, Waiting(wait))
        if record.state not in _MOVED:
            detail = record.state.value + (f": {record.why}" if record.why else "")
            yield from self._waiting(_places(record), declared, Waiting(Wait.MANIFEST_NOT_COPIED, detail))
        elif dry_run:
            yield from self._foretold(record, declared)
        else:
            yield partial(self._rewrite, record, declared)

    def reports_at(self, location: Location) -> Iterator[Reported]:
        """The same at a place of a bucket, if it is that of a declared manifest without a record."""
        declared = self._declared(location, location)
        if not declared:
            return
        moves = location.bucket == self.rules.source_bucket
        if moves and self.rules.map_key(location.key).outcome is MapOutcome.MOVE:
            yield from self._waiting((location,), declared, Waiting(Wait.MANIFEST_NOT_MIGRATED))
            return
        for one in self._read(location, declared):
            stays = replace(one, outcome=ReferenceOutcome.STAYS, why=_NOT_MOVED, new_uri="", wait=None)
            yield stays if _is_open(one) else one

    def find_references(self) -> Iterator[Reference]:
        """Every legacy URI in a line, and every text that may be one; a manifest with unknown content counts as one."""
        return self._found(of_copies=False)

    def find_copy_references(self) -> Iterator[Reference]:
        """References of manifests to the new layout.

        Manifests that are copies, and that a purge deletes, are left out.
        """
        return self._found(of_copies=True)

    def names(self, record: Record) -> bool:
        """Whether the record is that of a declared manifest."""
        return bool(self._declared(record.source, record.target))

    def references_of(self, record: Record, *, of_copies: bool) -> Iterator[Reference]:
        """What is found for the manifest of this record."""
        declared = self._declared(record.source, record.target)
        if of_copies:
            for place in (record.source, record.target):
                if place.key and not (place == record.target and self._is_purged(record)):
                    yield from self._copies(place, declared)
        elif record.mode is Mode.FORWARD:
            yield from self._legacy(record, declared)

    def references_at(self, location: Location, *, of_copies: bool) -> Iterator[Reference]:
        """What is found at a place of a bucket, if it is that of a declared manifest without a record."""
        declared = self._declared(location, location)
        if declared:
            yield from self._copies(location, declared) if of_copies else self._open(location, declared)

    def openings(self) -> Iterator[tuple[str, str]]:
        """The buckets, and the key prefixes of manifests in each; no prefix is part of another."""
        templates = [template for manifest in self.rules.references.manifests for template in manifest.keys]
        begun = {first if isinstance(first, str) else "" for template in templates for first in template.pieces[:1]}
        for bucket, prefixes in self.rules.prefixes.items():
            for one in outermost(prefix + opening for prefix in prefixes for opening in begun):
                yield bucket, one

    def _found(self, *, of_copies: bool) -> Iterator[Reference]:
        if not self.rules.references.manifests:
            return
        known: set[Location] = set()
        for record in self._recorded(known):
            yield from self.references_of(record, of_copies=of_copies)
        for location in self._unrecorded(known):
            yield from self.references_at(location, of_copies=of_copies)

    def _legacy(self, record: Record, declared: list[ManifestReferences]) -> Iterator[Reference]:
        # A cleanup changes only the source. If it counted here, one that was broken off or killed could never be
        # resumed.
        is_claimed = record.claim is not None and record.intent != DELETE_SOURCE
        doubts = record.maybe - {DELETE_SOURCE}
        if is_claimed or doubts:
            yield Reference(record.target.uri, "unfinished", record.source.uri, record.source)
        # A copy that runs, or may have been made, comes from the old key.
        efforts = {record.intent, *doubts} if is_claimed else doubts
        is_copied_again = any(effort is None or effort.action is not Action.REWRITE for effort in efforts)
        places = (*_places(record), *((record.source,) if is_copied_again or self._not_copied(record) else ()))
        for place in dict.fromkeys(places):
            yield from self._open(place, declared)

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

    def _rewrite(self, record: Record, declared: list[ManifestReferences]) -> list[Reported]:
        rewriter = ManifestRewriter(self.rules, self.ports, self.policy)
        attempt = Attempt(self.new_token(), self.attempt_seconds)
        # It may be begun long after the record was read, and again after an attempt that changed the record.
        now = self.ports.migration.manifest.read_record(record.record_id) or record
        return rewriter.rewrite_manifest(now, declared, attempt=attempt)

    def _foretold(self, record: Record, declared: list[ManifestReferences]) -> Iterator[Reported]:
        """What a rewriting would do; it leaves another writer's content alone."""
        seen = self.ports.migration.store.look_at_object(record.target)
        ours = seen is not None and is_ours(record, seen)
        for one in self._read(record.target, declared):
            is_left = one.outcome is ReferenceOutcome.READY and not ours
            yield one.put_off(Waiting(Wait.MANIFEST_REPLACED)) if is_left else one

    def _not_copied(self, record: Record) -> Wait | None:
        """Why the content at a moved manifest's old key exists nowhere else; ``None`` when it does.

        Both keys are read, because the record alone does not prove it.
        """
        if record.state not in _MOVED:
            return None
        look = self.ports.migration.store.look_at_object
        source, target = look(record.source), look(record.target)
        if source is None:
            return None
        if source.etag != record.source_etag or _is_put_again(source, record):
            return Wait.MANIFEST_WRITTEN_ANEW
        is_copied = target is not None and target.etag == record.target_etag
        return None if is_copied else Wait.MANIFEST_TAKEN_AWAY

    def _waiting(
        self, places: Iterable[Location], declared: list[ManifestReferences], why: Waiting
    ) -> Iterator[Reported]:
        """The references where applications still read the manifest, while it cannot be rewritten yet."""
        for place in places:
            for one in self._read(place, declared):
                yield one.put_off(why) if _is_open(one) else one

    def _read(self, location: Location, declared: list[ManifestReferences]) -> Iterator[Reported]:
        try:
            yield from read_manifest(location, declared, rules=self.rules, ports=self.ports)
        except ArchivedError as error:
            anything = Location(self.rules.source_bucket, "")
            reference = Reference(location.uri, "archived", location.uri, anything)
            yield Reported.waiting(reference, Waiting(Wait.MANIFEST_ARCHIVED, str(error)))

    def _recorded(self, known: set[Location]) -> Iterator[Record]:
        """Records of declared manifests; the places of each are added to ``known``."""
        for record in self.ports.migration.manifest.scan_records():
            if self.names(record):
                known |= {record.source, record.target}
                yield record

    def _unrecorded(self, known: set[Location]) -> Iterator[Location]:
        """Places on both sides that are not of a record among those that were read.

        A manifest that got its record after that read is included: no earlier step has read it.
        """
        for bucket, opening in self.openings():
            for listed in self.listing.list_objects(bucket, prefix=opening):
                location = Location(bucket, listed.key)
                if location not in known:
                    yield location

    def _declared(self, source: Location, target: Location) -> list[ManifestReferences]:
        """The declarations that name the manifest, at its old or its new key."""
        old = source.key.removeprefix(self.rules.source_prefix)
        new = target.key.removeprefix(self.rules.target_prefix)
        return [manifest for manifest in self.rules.references.manifests if manifest.names(old) or manifest.names(new)]


def _places(record: Record) -> tuple[Location, ...]:
    """Where applications read the manifest: at its new key, or at both keys while its move has not ended."""
    if record.state in _MOVED:
        return (record.target,)
    return (record.source, record.target) if record.target.key else (record.source,)


def _is_put_again(source: ObjectState, record: Record) -> bool:
    """Whether the same content was put again: its event lets it be copied again, over the switched references."""
    if is_other_version(record.source_version, source.version_id):
        return True
    return record.source_modified is not None and source.last_modified > record.source_modified


def _is_open(one: Reported) -> bool:
    return one.outcome in (ReferenceOutcome.READY, ReferenceOutcome.WAITING)
