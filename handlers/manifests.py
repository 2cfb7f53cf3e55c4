"""The JSON Lines manifests that the rules file declares: look through them, or switch their references."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from domain.attempt import Attempt, MigrationPolicy
from domain.holders import Reference
from domain.keys import Location
from domain.ports import ObjectListing
from domain.record import Mode, Record, State
from domain.references import ManifestReferences
from domain.references_items import Outcome, Reported
from domain.references_manifests import ManifestPorts, read_manifest, rewrite_manifest
from domain.rules import CompiledRules, MapOutcome

_NOT_MOVED = "the manifest is not moved by a rule, so it is not rewritten; write it anew, or add a rule for it"


@dataclass(frozen=True, slots=True)
class ManifestScan:
    """Manifests that were moved, by their records; manifests that stay where they are, by a listing."""

    rules: CompiledRules
    ports: ManifestPorts
    policy: MigrationPolicy
    listing: ObjectListing
    new_token: Callable[[], str]
    attempt_seconds: float = 840.0

    def scan(self, *, dry_run: bool) -> Iterator[Reported]:
        """Judge every reference of every manifest; without ``dry_run`` switch what is verified."""
        if not self.rules.references.manifests:
            return
        for record, declared in self._moved():
            if dry_run:
                yield from self._read(record.target, record.target_etag or "", declared)
            else:
                yield from rewrite_manifest(
                    record,
                    declared,
                    rules=self.rules,
                    ports=self.ports,
                    policy=self.policy,
                    attempt=Attempt(self.new_token(), self.attempt_seconds),
                )
        for location, etag, declared in self._staying():
            for one in self._read(location, etag, declared):
                is_open = one.outcome in (Outcome.READY, Outcome.WAITING)
                yield Reported(one.reference, Outcome.STAYS, _NOT_MOVED) if is_open else one

    def find_references(self) -> Iterator[Reference]:
        """Every legacy URI in a line; a manifest of which nobody knows what it holds counts as one."""
        if not self.rules.references.manifests:
            return
        for record, declared in self._moved():
            if record.is_unfinished:
                yield Reference(record.target.uri, "unfinished", record.source.uri, record.source)
            yield from self._open(record.target, record.target_etag or "", declared)
        for location, etag, declared in self._staying():
            yield from self._open(location, etag, declared)

    def _open(self, location: Location, etag: str, declared: list[ManifestReferences]) -> Iterator[Reference]:
        for one in self._read(location, etag, declared):
            if one.outcome in (Outcome.READY, Outcome.WAITING):
                yield one.reference

    def _read(self, location: Location, etag: str, declared: list[ManifestReferences]) -> Iterator[Reported]:
        return read_manifest(location, etag, declared, rules=self.rules, ports=self.ports)

    def _moved(self) -> Iterator[tuple[Record, list[ManifestReferences]]]:
        for record in self.ports.migration.manifest.scan_records():
            is_copied = record.mode is Mode.FORWARD and record.state in (State.COPIED, State.CLEANED)
            declared = self._declared(record.source, record.target) if is_copied else []
            if declared:
                yield record, declared

    def _staying(self) -> Iterator[tuple[Location, str, list[ManifestReferences]]]:
        rules = self.rules
        if rules.source_bucket != rules.target_bucket:
            return
        moved = {record.target.key for record, _ in self._moved()}
        for listed in self.listing.list_objects(rules.target_bucket, prefix=rules.target_prefix):
            location = Location(rules.target_bucket, listed.key)
            declared = self._declared(location, location)
            if declared and listed.key not in moved and rules.map_key(listed.key).outcome is not MapOutcome.MOVE:
                yield location, listed.etag or "", declared

    def _declared(self, source: Location, target: Location) -> list[ManifestReferences]:
        """The declarations that name the manifest, at its old or its new key."""
        old = source.key.removeprefix(self.rules.source_prefix)
        new = target.key.removeprefix(self.rules.target_prefix)
        return [one for one in self.rules.references.manifests if one.names(old) or one.names(new)]
