"""What becomes of a reference, and why it waits for a later run: a code each, and a sentence for people."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.keys import Location
from domain.references.holders import Reference


class Wait(StrEnum):
    """Why a reference waits."""

    # The object that the reference names.
    OBJECT_NOT_MIGRATED = "object-not-migrated"
    OBJECT_ROLLED_BACK = "object-rolled-back"
    OBJECT_NOT_COPIED = "object-not-copied"
    OBJECT_UNSETTLED = "object-unsettled"
    OBJECT_REPLACED = "object-replaced"
    # The item that holds it.
    ITEM_CHANGES = "item-changes"
    # The augmented manifest that holds it.
    MANIFEST_ARCHIVED = "manifest-archived"
    MANIFEST_NOT_MIGRATED = "manifest-not-migrated"
    MANIFEST_ROLLED_BACK = "manifest-rolled-back"
    MANIFEST_NOT_COPIED = "manifest-not-copied"
    MANIFEST_NOT_KEPT = "manifest-not-kept"
    MANIFEST_UNSETTLED = "manifest-unsettled"
    MANIFEST_REPLACED = "manifest-replaced"
    MANIFEST_WRITTEN_ANEW = "manifest-written-anew"
    MANIFEST_TAKEN_AWAY = "manifest-taken-away"
    # A later run needs no help to continue.
    BUSY = "busy"
    ATTEMPT_RUNS = "attempt-runs"
    NO_TIME = "no-time"
    BROKEN_OFF = "broken-off"
    # The report stands for others that are not listed.
    MORE = "more"


_TEXTS: Mapping[Wait, str] = {
    Wait.OBJECT_NOT_MIGRATED: "the object is not migrated yet",
    Wait.OBJECT_ROLLED_BACK: "the object is rolled back",
    Wait.OBJECT_NOT_COPIED: "the object is {}",
    Wait.OBJECT_UNSETTLED: "an attempt at the object is under way or ended without a result",
    Wait.OBJECT_REPLACED: "{} no longer holds what was copied there",
    Wait.ITEM_CHANGES: "the item changed faster than it could be rewritten; run again",
    Wait.MANIFEST_ARCHIVED: "{}",
    Wait.MANIFEST_NOT_MIGRATED: "the manifest is not migrated yet: let its message come, or keyshift backfill, then run"
    " again",
    Wait.MANIFEST_ROLLED_BACK: "the manifest is rolled back",
    Wait.MANIFEST_NOT_COPIED: "the manifest is {}",
    Wait.MANIFEST_NOT_KEPT: "its old object is cleaned up and not kept as a version, so a rollback could not bring its"
    " content back",
    Wait.MANIFEST_UNSETTLED: "an attempt at the manifest ended without a result: it must be reconciled first",
    Wait.MANIFEST_REPLACED: "another writer changed the manifest at its new key",
    Wait.MANIFEST_WRITTEN_ANEW: "the manifest was written again at its old key: let its message come, or keyshift"
    " verify --requeue, then run again",
    Wait.MANIFEST_TAKEN_AWAY: "another writer replaced or deleted the manifest at its new key, and its old key still"
    " has what was moved: keyshift conflicts take-source copies it again, then run again",
    Wait.BUSY: "another worker has it",
    Wait.ATTEMPT_RUNS: "an attempt at the manifest is under way",
    Wait.NO_TIME: "no time left; run again",
    Wait.BROKEN_OFF: "no time left, or the upload was aborted; run again",
    Wait.MORE: "{} more references wait or stay",
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A code, and what differs from object to object."""

    wait: Wait
    detail: str = ""

    def told(self) -> str:
        """The sentence for people."""
        return _TEXTS[self.wait].format(self.detail)


class ReferenceOutcome(StrEnum):
    """What became, or would become, of one reference."""

    REWRITTEN = "rewritten"
    READY = "ready"
    """It would be rewritten: this run wrote nothing."""
    WAITING = "waiting"
    """The object is not migrated, or other work on it is not finished; a later run tries again."""
    STAYS = "stays"
    """It is not keyshift's to rewrite, and blocks nothing; ``why`` gives the reason."""
    HOLDS = "holds"
    """It cannot be rewritten, and may name objects that move.

    It blocks these objects and the cut-over until it is corrected.
    """
    RESTORED = "restored"
    LOST = "not-restored"


@dataclass(frozen=True, slots=True)
class Reported:
    """One reference and its outcome; ``new_uri`` is set where there is one.

    ``why`` is a text for people; ``wait`` is the code of a reference that waits.
    ``also`` are further objects that readers may take it for. ``is_gone`` means that nothing that keyshift wrote
    remains there, because another writer decided so.
    """

    reference: Reference
    outcome: ReferenceOutcome
    why: str = ""
    new_uri: str = ""
    also: tuple[Location, ...] = ()
    is_gone: bool = False
    wait: Wait | None = None

    @classmethod
    def waiting(
        cls, reference: Reference, why: Waiting, *, new_uri: str = "", also: tuple[Location, ...] = ()
    ) -> "Reported":
        """The report of a reference that waits."""
        return cls(reference, ReferenceOutcome.WAITING, why.told(), new_uri, also, wait=why.wait)

    def put_off(self, why: Waiting) -> "Reported":
        """The same report when the whole holder waits."""
        return self.waiting(self.reference, why, also=self.also)

    @property
    def held(self) -> Iterator[Reference]:
        """The same report for each object that the reference keeps at its old key.

        Empty where the reference is switched, or does not concern the migration.
        """
        if self.outcome in (ReferenceOutcome.READY, ReferenceOutcome.WAITING, ReferenceOutcome.HOLDS):
            yield self.reference
            yield from (replace(self.reference, source=one) for one in self.also)
