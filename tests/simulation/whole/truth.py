"""What the owners really did, and the invariants of protocol.md §2, checked after every effect."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from domain.keys import Location
from domain.reconciling import NOBODY_KNOWS
from domain.record import Action, Mode, Record, State
from tests.fakes.buckets import Version
from tests.fakes.object_store import InMemoryObjectStore

ORDER = 16
"""Sequencers from one word of an owner to the next."""
Value = tuple[bytes, str]
"""The bytes, and the owner's metadata, which tells two puts of the same bytes apart."""


def value_of(version: Version | None) -> Value | None:
    """What a stored version holds."""
    if version is None or version.state is None:
        return None
    return version.body, version.state.metadata.get("put", "")


@dataclass
class KeyTruth:
    """The history of one source key and its target; ``words[n]`` is the owner's n-th word (``None``: a delete)."""

    source: Location
    target: Location
    versioned: bool
    mirrors: bool
    words: list[Value | None] = field(default_factory=lambda: [None])
    author: str = "nobody"
    """Who wrote or deleted the target last."""
    newest: int = 0
    seen: set[int] = field(default_factory=set)
    foreign_delete: tuple[int, int] | None = None
    """The newest word that a stranger's delete took away, and the owner's last word at that time."""
    meddled: bool = False
    lost_events: int = 0
    lost_deletes: bool = False
    announced: set[tuple[str, str]] = field(default_factory=set)
    cleaner: str = ""
    """The token of the cleanup that has, or had, the record."""
    copy_at_claim: bool = False
    """Whether the recorded copy was at the target when that cleanup began."""
    plain: Callable[[bytes], bytes] = bytes
    """What is at the target as the owner wrote it: a manifest's references may be switched there."""
    allowed: str | None = None
    """What an operator gives up at the target, until our next copy."""
    word: str | None = None
    """The same as the record has it."""
    doubted: bool = False
    """Whether S3 refused the second of two sendings of one copy: nobody can prove whose the first one's work is."""
    emptied: bool = False
    """Whether it was our cleanup that took the source away, and nobody has written or deleted it since."""

    @property
    def owner(self) -> Value | None:
        """The owner's last word."""
        return self.words[-1]

    def holds(self, version: Version | None) -> Value | None:
        """What a version at the target holds, as the owner wrote it."""
        value = value_of(version)
        return value if value is None else (self.plain(value[0]), value[1])

    def number_of(self, value: Value | None) -> int:
        """The last word that said this; -1 where the owner never did."""
        return next((n for n in range(len(self.words) - 1, -1, -1) if self.words[n] == value), -1)


class Truth:
    """All keys, and every broken invariant with the key it broke for."""

    def __init__(self, store: InMemoryObjectStore) -> None:
        self._store = store
        self.keys: dict[Location, KeyTruth] = {}
        self._by_target: dict[Location, KeyTruth] = {}
        self._by_record: dict[str, KeyTruth] = {}
        self.broken: list[tuple[str, str]] = []

    def add(self, key: KeyTruth) -> None:
        """Watch one more key."""
        self.keys[key.source] = key
        self._by_target[key.target] = key
        self._by_record[key.source.record_id] = key

    def of_target(self, location: Location) -> KeyTruth:
        """The key whose target that is."""
        return self._by_target[location]

    def fault(self, key: KeyTruth, text: str) -> None:
        """Remember a broken invariant."""
        self.broken.append((key.source.key, text))

    # What happened
    def recorded(self, record: Record) -> None:
        """The manifest holds this record now."""
        key = self._by_record[record.record_id]
        if record.replaceable_etag != key.word:
            key.word = key.allowed = record.replaceable_etag
        if record.intent is not None:
            key.announced.add((record.intent.action.value, record.intent.etag))
            if record.intent.action is Action.DELETE_SOURCE and record.claim and record.claim.token != key.cleaner:
                key.cleaner = record.claim.token
                key.copy_at_claim = self._etag(key.target) == record.target_etag
        if record.claim is None and record.sequencer is not None:
            vanished = record.state is State.GONE and record.target_etag is None
            if record.state in (State.COPIED, State.CLEANED, State.TOMBSTONE) or vanished:
                key.newest = max(key.newest, min(record.sequencer.value // ORDER, len(key.words) - 1))

    def written(self, location: Location, read: Version, before: Version | None) -> None:
        """One of our copies has written ``location``, where ``before`` was."""
        if location in self.keys:
            self._copied_back(self.keys[location], read)
            return
        key = self._by_target[location]
        value = value_of(read)
        number = key.number_of(value)
        there = key.holds(before)
        is_given_up = key.allowed == (before.state.etag if before is not None and before.state is not None else "")
        if number < 0:
            self.fault(key, f"I1 torn or invented object {value}")
        if key.author == "foreign" and there is not None and key.number_of(there) < 0 and not is_given_up:
            self.fault(key, f"I2b the foreign object {there} is overwritten by word {number}")
        gone = key.foreign_delete
        is_kept_away = gone and number <= gone[1] and None not in key.words[gone[0] + 1 : number + 1]
        if there is None and is_kept_away and not is_given_up:
            self.fault(key, "I2c what the new-layout owner deleted is brought back")
        if 0 <= number < key.newest and key.words[key.newest] != value:
            self.fault(key, f"I2 word {number} {value} is written over newer word {key.newest}")
        state = read.state
        if state is None or (Action.COPY.value, state.etag) not in key.announced:
            self.fault(key, f"I4 the copy of {value} was not announced")
        key.author, key.allowed = "us", None
        key.foreign_delete = None if is_given_up else gone
        key.newest = max(key.newest, number)
        key.seen.add(number)

    def refused_after_success(self, location: Location) -> None:
        """A copy to ``location`` was done, and its sender is told that it was not."""
        if location in self._by_target:
            self._by_target[location].doubted = True

    def _copied_back(self, key: KeyTruth, read: Version) -> None:
        value = value_of(read)
        if key.owner is not None and key.owner != value:
            self.fault(key, f"I6 the source is restored as {value}, its owner's last word is {key.owner}")
        if (Action.ROLL_BACK.value, "") not in key.announced:
            self.fault(key, "I4 the copy back was not announced")
        key.words.append(value)
        key.emptied = False

    def deleted(self, location: Location, gone: Version) -> None:
        """One of our deletes has removed ``gone``."""
        if location in self.keys:
            self._source_deleted(self.keys[location], gone)
            return
        key = self._by_target[location]
        value = key.holds(gone)
        if key.author == "foreign" and key.number_of(value) < 0:
            self.fault(key, f"I2b the foreign object {value} is deleted")
        if key.owner is not None and key.owner not in self._at_source(key):
            self.fault(key, f"I1 the copy {value} is deleted while the source does not hold {key.owner}")
        if not {(Action.DELETE_TARGET.value, ""), (Action.PURGE.value, "")} & key.announced:
            self.fault(key, "I4 the delete of the copy was not announced")
        key.author = "us"
        if key.owner is None:
            key.newest = max(key.newest, len(key.words) - 1)

    def _source_deleted(self, key: KeyTruth, gone: Version) -> None:
        if (Action.DELETE_SOURCE.value, "") not in key.announced:
            self.fault(key, "I4 the delete of the source was not announced")
        key.emptied = key.owner is not None
        target = value_of(self._store.buckets.current(key.target))
        if key.owner is not None and not key.versioned and target != key.owner and not self._taken_over_since(key):
            self.fault(key, f"I5 the source {value_of(gone)} is deleted, the target holds {target}")

    def forgotten(self, location: Location, gone: Version) -> None:
        """A version of a source is deleted for good."""
        key, target = self.keys[location], value_of(self._store.buckets.current(self.keys[location].target))
        is_newest = key.owner is not None and value_of(gone) == key.owner and key.owner not in self._at_source(key)
        if is_newest and target != key.owner and not self._taken_over_since(key):
            self.fault(key, f"I5 the last version {value_of(gone)} is deleted for good, the target holds {target}")

    def _taken_over_since(self, key: KeyTruth) -> bool:
        """Whether somebody took the target over after cleanup began: what was there before, cleanup had to see."""
        return key.copy_at_claim and self._taken_over(key)

    def _etag(self, location: Location) -> str | None:
        there = self._store.buckets.current(location)
        return there.state.etag if there is not None and there.state is not None else None

    def _taken_over(self, key: KeyTruth) -> bool:
        return key.author == "foreign" and any(key.words[number] == key.owner for number in key.seen)

    def _at_source(self, key: KeyTruth) -> set[Value | None]:
        versions = self._store.buckets.bucket(key.source.bucket).versions.get(key.source.key, [])
        return {value_of(one) for one in versions}

    # What must hold at every moment
    def check(self, key: KeyTruth, record: Record | None) -> None:
        """I1 and I3 of one key now."""
        there = self._store.buckets.current(key.target)
        target, truth = key.holds(there), key.owner
        if truth is not None and target != truth and truth not in self._at_source(key) and not self._taken_over(key):
            self.fault(key, f"I1 {truth} is nowhere, the target holds {target}")
        if record is None or record.is_unfinished or record.mode is not Mode.FORWARD or key.author == "foreign":
            return
        etag = self._etag(key.target)
        if record.state in (State.COPIED, State.CLEANED) and etag != record.target_etag:
            self.fault(key, f"I3 the record says {record.state} {record.target_etag}, the target is {target} {etag}")
        if record.state is State.TOMBSTONE and target is not None:
            self.fault(key, f"I3 the record says TOMBSTONE, the target is {target}")

    # What must hold at rest
    def check_at_rest(self, key: KeyTruth, record: Record | None) -> None:
        """I3, I6 and I7 of one key when nothing happens any more."""
        for text in self._faults_at_rest(key, record):
            self.fault(key, text)

    def _faults_at_rest(  # noqa: C901  # a list of what must hold
        self, key: KeyTruth, record: Record | None
    ) -> Iterator[str]:
        truth, target = key.owner, self._store.buckets.current(key.target)
        if record is None:
            if truth is not None:
                yield "I7 there is no record"
            return
        if record.claim is not None or record.upload is not None:
            yield f"I7 a claim or an upload is left behind: {record}"
        if record.mode is Mode.ROLLED_BACK:
            yield from self._faults_after_rollback(key, record)
            return
        if record.maybe:
            yield f"I7 unfinished: {record}"
        if record.state is State.CONFLICT:
            if not key.meddled and not (key.doubted and record.cause == NOBODY_KNOWS):
                yield f"I7 CONFLICT ({record.cause}) with nobody to blame"
            return
        held = key.holds(target)
        if truth is None:
            ours = held is not None and key.author != "foreign"
            if ours and key.mirrors and not key.lost_deletes and record.state is not State.CLEANED:
                yield f"I7 its owner deleted it, the target still holds {held}: {record}"
        elif key.author != "foreign" and held != truth:
            yield f"I7 not converged: the owner says {truth}, the target is {held}: {record}"
        if record.state not in (State.COPIED, State.CLEANED, State.TOMBSTONE, State.GONE):
            yield f"I7 {record.state} is no end: {record}"

    def _faults_after_rollback(self, key: KeyTruth, record: Record) -> Iterator[str]:
        truth, source = key.owner, value_of(self._store.buckets.current(key.source))
        if record.state is State.ROLLBACK_CONFLICT:
            in_doubt = key.doubted and record.cause == NOBODY_KNOWS
            if not key.meddled and not in_doubt and None not in key.words[1:]:
                yield f"I6 a rollback conflict ({record.cause}) with nobody to blame"
            return
        if record.state not in (State.ROLLED_BACK, State.PURGED):
            yield f"I7 {record.state} is no end of a rollback"
        if key.emptied and source is None:
            yield f"I6 the record says {record.state}, and the source that cleanup deleted is not back: {record}"
        if truth is not None and source != truth and not self._taken_over(key):
            yield f"I6 the source is {source}, its owner's last word is {truth}"
        target = self._store.buckets.current(key.target)
        if record.state is State.PURGED and target is not None and key.author == "us":
            yield f"I6 the copy is left behind: {value_of(target)}"
