"""Carry the earlier versions of a source to its target, in their order (protocol.md §12)."""

from collections.abc import Mapping
from typing import Any

from domain.errors import ArchivedError
from domain.objects import ObjectState
from domain.protocol.attempt import MigrationPolicy, MigrationPorts
from domain.protocol.copying import HandedOn, SeenCopy, abort_upload, copy_seen
from domain.protocol.decisions import CarryVersions, Sight
from domain.protocol.deleting import delete_target
from domain.protocol.held_record import HeldRecord
from domain.protocol.intents import Action, Intent
from domain.protocol.known_target import date_after, is_as_recorded, is_known
from domain.protocol.ports import MustBeAbsent, MustMatch, Refused, StoredVersion, TargetCondition, Written
from domain.protocol.record import Origin, State
from domain.protocol.settling import NO_TARGET
from domain.protocol.versions import carried_versions

MORE_VERSIONS = frozenset({Intent(Action.CARRY_VERSIONS)})
"""What keeps a record unfinished until the current version is at the target too."""


class CarriedVersions:
    """The steps of one attempt: each is declared, done on the condition of the step before it, and recorded.

    The record then says of the target what it would say if keyshift had handled the event of that version in time.
    If an attempt ends between two steps, the next one sees a target that it knows, and copies the version after it.
    """

    def __init__(self, held: HeldRecord, ports: MigrationPorts, policy: MigrationPolicy) -> None:
        self._held = held
        self._ports = ports
        self._policy = policy

    def carry(self, decision: CarryVersions, sight: Sight) -> HandedOn | None:
        """Do the steps until S3 refuses one; HandedOn with the versions left when the attempt's time is over.

        Raises ArchivedError for a version that must be restored first, and what the ports raise.
        """
        self._note_unrecorded(sight)
        condition = decision.condition
        for at, version in enumerate(decision.versions):
            left = HandedOn(len(decision.versions) - at)
            # The first step is tried in any case, so that every attempt makes some progress.
            if at and not self._held.has_time_for(self._policy.request_seconds / 2):
                return left
            step = self._hide if version.is_marker else self._copy
            after = step(version, condition)
            if isinstance(after, HandedOn):
                return left
            if after is None:
                return None
            condition = after
        return None

    def _note_unrecorded(self, sight: Sight) -> None:
        """Record the copy of an earlier attempt whose answer was lost, so that an equal later copy is another one."""
        target, record = sight.target, sight.record
        if target is None or is_as_recorded(target, record) or not is_known(target, record):
            return
        carried = carried_versions(record, target)
        version = next((one for one in sight.versions or () if one.version_id in carried), None)
        if version is not None:
            self._record_copy(
                {
                    "upload": self._held.record.upload,
                    "source_etag": version.etag,
                    "source_version": version.version_id,
                    "source_modified": version.last_modified,
                    "size": version.size,
                    "target_etag": target.etag,
                    "target_version": target.version_id,
                    "copied_before": date_after(target),
                }
            )

    def _copy(self, version: StoredVersion, condition: TargetCondition) -> TargetCondition | HandedOn | None:
        held = self._held
        in_parts = self._policy.is_cut(version.size, held.record.target.bucket)  # only then the copy needs the tags
        source = held.record.source
        seen = self._ports.store.look_at_object(source, version_id=version.version_id, with_tags=in_parts)
        if seen is None:  # it was deleted for good, so it is not part of the history any more
            return condition
        answer = self._copy_seen(seen, version, condition)
        if isinstance(answer, HandedOn):
            return answer
        if isinstance(answer, Refused):
            return None
        self._record_copy(
            {
                "source_etag": seen.etag,
                "source_version": version.version_id,
                "source_modified": seen.last_modified,
                "size": seen.size,
                "target_etag": answer.etag,
                "target_version": answer.version_id,
                "copied_before": held.copied_before(),
            }
        )
        return MustMatch(answer.etag)

    def _copy_seen(
        self, seen: ObjectState, version: StoredVersion, condition: TargetCondition
    ) -> Written | Refused | HandedOn:
        held = self._held
        wanted = self._policy.kms_keys.as_copied(seen)
        copy = SeenCopy(held.record.source, held.record.target, wanted, condition, version.version_id)
        try:
            return copy_seen(held, copy, ports=self._ports, policy=self._policy)
        except ArchivedError as error:
            raise ArchivedError(f"version {version.version_id} of {error}", version=version.version_id) from error

    def _hide(self, _: StoredVersion, condition: TargetCondition) -> TargetCondition | None:
        """Delete the target, where the producer deleted the source between two versions."""
        held = self._held
        if isinstance(condition, MustBeAbsent):
            return condition
        abort_upload(held, self._ports.multipart)
        if not delete_target(held, self._ports.store, etag=condition.etag):
            return None
        held.advance(State.TOMBSTONE, maybe=MORE_VERSIONS, source_etag=None, origin=None, verified_at=None, **NO_TARGET)
        return MustBeAbsent()

    def _record_copy(self, copied: Mapping[str, Any]) -> None:
        self._held.advance(
            State.COPIED,
            maybe=MORE_VERSIONS,
            origin=Origin.CREATED,
            verified_at=None,
            seen=None,
            **copied,
        )
