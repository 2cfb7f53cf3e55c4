"""What keyshift's records claim, compared with the world: I3, I4, and whether each record came to an end (I7).

Only here is a record read. Nothing that it says excuses the world: ``truth`` does not import this module.
"""

from collections.abc import Iterator

from domain.keys import Location
from domain.protocol.causes import Cause
from domain.protocol.intents import Action
from domain.protocol.record import Mode, Record, State
from tests.fakes.buckets import Version
from tests.fakes.object_store import InMemoryObjectStore
from tests.simulation.whole.excuses import (
    DELETE_IN_DOUBT,
    ERASED,
    MARKER_EXPIRED,
    PUT_AFTER_CLEANUP,
    why_gone,
    why_not_restored,
    why_unrecognised,
)
from tests.simulation.whole.history import KeyTruth, Writer, value_of
from tests.simulation.whole.losses import CLASS, is_archived, losses
from tests.simulation.whole.truth import Truth

ENDS = (State.COPIED, State.CLEANED, State.TOMBSTONE, State.GONE)
MOST_UNSETTLED = 12
"""Intents of a record that nobody holds: one that grows is refused by the audit's bus some day, and by its table."""
BACK = (State.ROLLED_BACK, State.PURGED)


class Claims:
    """The claims of all records; what is untrue is a fault of the same judge."""

    def __init__(self, truth: Truth, store: InMemoryObjectStore) -> None:
        self._truth = truth
        self._store = store
        self._announced: dict[Location, set[tuple[Action, str]]] = {}
        self._states: dict[Location, State] = {}

    # I4: announced before it happens
    def recorded(self, record: Record) -> None:
        """The manifest holds this record now."""
        key = self._truth.keys[record.source]
        if record.intent is not None:
            self._announced.setdefault(key.source, set()).add((record.intent.action, record.intent.etag))
        if record.claim is None and len(record.maybe) > MOST_UNSETTLED:
            self._truth.fault(key, f"I4 the record grows: it holds {len(record.maybe)} unsettled intents")
        self.check(key, record)
        before, self._states[key.source] = self._states.get(key.source), record.state
        # Said when it becomes so: what an owner does afterwards is told later.
        if record.state is State.CLEANED and before is not State.CLEANED and not record.is_unfinished:
            self._check_cleaned(key)

    def copied(self, location: Location, etag: str) -> None:
        """The source of this etag is copied to ``location``, by keyshift."""
        if location in self._truth.keys:
            self._want(self._truth.keys[location], "the copy back", (Action.ROLL_BACK, ""))
        else:
            self._want(self._truth.of_target(location), f"the copy of {etag[:6]}", (Action.COPY, etag))

    def deleted(self, location: Location) -> None:
        """It has deleted there."""
        if location in self._truth.keys:
            self._want(self._truth.keys[location], "the delete of the source", (Action.DELETE_SOURCE, ""))
        else:
            key = self._truth.of_target(location)
            self._want(key, "the delete of the copy", (Action.DELETE_TARGET, ""), (Action.PURGE, ""))

    def rewritten(self, key: KeyTruth, etag: str) -> None:
        """It has switched references in the manifest that had this etag."""
        self._want(key, "the rewriting", (Action.REWRITE, etag))

    def _want(self, key: KeyTruth, what: str, *intents: tuple[Action, str]) -> None:
        # The etag that a delete names, if any, says no more than its action.
        said = self._announced.get(key.source, set())
        named = said | {(action, "") for action, _ in said if action is not Action.COPY}
        if not named & set(intents):
            self._truth.fault(key, f"I4 {what} was not announced")

    # I3: at every moment
    def check(self, key: KeyTruth, record: Record | None) -> None:
        """Whether what a finished record says of the target is so."""
        if record is None or record.is_unfinished or record.mode is not Mode.FORWARD or key.is_foreign:
            return
        there = self._store.buckets.current(key.target)
        if record.state in (State.COPIED, State.CLEANED) and _etag(there) != record.target_etag:
            text = f"I3 the record says {record.state} {record.target_etag}, the target is {key.holds(there)}"
            self._truth.fault(key, text)
        if record.state is State.TOMBSTONE and there is not None:
            self._truth.fault(key, f"I3 the record says TOMBSTONE, the target is {key.holds(there)}")

    def _check_cleaned(self, key: KeyTruth) -> None:
        emptied_by_others = key.emptied_by not in (None, Writer.KEYSHIFT)
        why = key.unfollowed.get(len(key.words) - 1)
        if emptied_by_others and why not in (DELETE_IN_DOUBT, PUT_AFTER_CLEANUP, MARKER_EXPIRED):
            if key.is_erased and self._truth.excuses(ERASED):
                return
            self._truth.fault(key, f"I3 the record says CLEANED, the {key.emptied_by} deleted the source")

    # At rest
    def check_at_rest(self, key: KeyTruth, record: Record | None, *, rolled_back: bool) -> None:
        """I3 and I7 of one record when nothing happens any more."""
        if record is None:
            texts = iter(["I7 there is no record"] if key.owner is not None and not rolled_back else [])
        elif rolled_back or record.mode is Mode.ROLLED_BACK:
            texts = self._faults_after_rollback(key, record)
        else:
            texts = self._faults_at_rest(key, record)
        for text in texts:
            self._truth.fault(key, f"{text}: {record}")

    def _faults_at_rest(self, key: KeyTruth, record: Record) -> Iterator[str]:
        yield from _left_behind(record)
        there = self._store.buckets.current(key.target)
        if record.maybe:
            yield "I7 unfinished"
        if record.state is State.CONFLICT:
            in_doubt = key.doubled and record.cause is Cause.TARGET_IN_DOUBT
            blameless = not key.meddled and not in_doubt and not key.has_erased
            if blameless and not self._truth.excuses(why_unrecognised(key)):
                yield f"I7 CONFLICT ({record.cause}) with no writer to blame"
            names_another = record.cause in (Cause.TARGET_FOREIGN, Cause.TARGET_FOREIGN_SOURCE_GONE)
            is_ours = there is not None and self._truth.is_copy(key)
            if is_ours and names_another and not self._truth.excuses(why_unrecognised(key)):
                yield f"I3 CONFLICT ({record.cause}), and keyshift's own copy is at the target"
            return
        if record.state not in ENDS:
            yield f"I7 {record.state} does not end it"
        if record.state is State.CLEANED and not key.lost_deletes:
            self._check_cleaned(key)
        is_other = key.owner is not None and key.holds(there) != key.owner and why_gone(key) is None
        if record.state is State.COPIED and is_other and not key.is_foreign:
            yield f"I3 the record says COPIED, the target is {key.holds(there)}, the owner says {key.owner}"
        source = self._store.buckets.current(key.source)
        if source is not None and record.state is not State.COPIED and not key.is_erased:
            yield f"I3 the record says {record.state}, and {value_of(source)} is at the source"

    def check_carried(self, key: KeyTruth, record: Record, named: frozenset[str]) -> None:
        """At rest a copy has its source's class, key and lock; ``named`` is what verification says that it lacks."""
        places = (key.source, key.target)
        source, target = (self._store.buckets.current(place) for place in places)
        if record.state is not State.COPIED or value_of(source) != key.holds(target):
            return
        lost = losses(source, target, now=self._store.buckets.now())
        # What is at the target by another writer's hand, or by a proxy's, is not copied again.
        is_made_again = self._truth.is_copy(key) and not key.doubled
        # The class of an archived source cannot be copied.
        left = lost - {CLASS} if is_archived(source) else lost
        if lost - named:
            self._truth.fault(key, f"I3 verification does not say that the copy lacks {sorted(lost - named)}: {record}")
        elif left and is_made_again and not self._truth.excuses(why_unrecognised(key)):
            self._truth.fault(key, f"I7 the copy still lacks {sorted(left)}: {record}")

    def _faults_after_rollback(self, key: KeyTruth, record: Record) -> Iterator[str]:
        yield from _left_behind(record)
        if record.mode is Mode.FORWARD:
            yield "I6 it is migrated after the rollback"
            return
        there = self._store.buckets.current(key.target)
        source = value_of(self._store.buckets.current(key.source))
        if record.state is State.ROLLBACK_CONFLICT:
            in_doubt = key.doubled and record.cause is Cause.TARGET_IN_DOUBT
            blameless = not key.meddled and not in_doubt and not key.has_erased and None not in key.words[1:]
            if blameless and why_not_restored(key, there) is None and why_unrecognised(key) is None:
                yield f"I6 a rollback conflict ({record.cause}) with no writer to blame"
            return
        if record.state not in BACK:
            yield f"I7 {record.state} does not end a rollback"
        elif key.owner is not None and source is None and why_gone(key) is None:
            yield f"I6 the record says {record.state}, and the source of {key.owner} is not back"
        is_left = record.state is State.PURGED and there is not None and self._truth.is_copy(key)
        if is_left and not self._truth.excuses(why_unrecognised(key)):
            yield f"I6 the copy {value_of(there)} is left behind"


def _left_behind(record: Record) -> Iterator[str]:
    if record.claim is not None or record.upload is not None:
        yield "I7 a claim or an upload is left behind"


def _etag(version: Version | None) -> str | None:
    return version.state.etag if version is not None and version.state is not None else None
