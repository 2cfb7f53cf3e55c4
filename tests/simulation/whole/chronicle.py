"""What everybody but keyshift did to every key, noted as it happens; ``truth`` judges what keyshift did."""

from collections import Counter
from collections.abc import Callable, Iterator

from domain.keys import Location
from tests.fakes.buckets import Version
from tests.fakes.object_store import InMemoryObjectStore
from tests.simulation.whole.doubts import Doubts
from tests.simulation.whole.excuses import (
    AFTER_CLEANUP,
    AT_ONCE,
    COPY_IN_DOUBT,
    DELETE_IN_DOUBT,
    ERASED,
    MARKER_EXPIRED,
    PUT_AFTER_CLEANUP,
    REFUSED_COPY,
    keeps_markers,
    why_indistinct,
    why_unfollowed,
)
from tests.simulation.whole.history import NULL, KeyTruth, Made, Value, Writer, value_of


class Chronicle:
    """All keys, who made each version, and every broken invariant with the key it broke for."""

    def __init__(self, store: InMemoryObjectStore, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self.doubts = Doubts(now)
        self.keys: dict[Location, KeyTruth] = {}
        self.made: dict[int, Made] = {}
        self._by_target: dict[Location, KeyTruth] = {}
        self._mirrored: dict[Location, int] = {}
        self._copies: dict[Location, list[Made]] = {}
        self._etags: dict[int, str] = {}
        self._parts: dict[str, dict[int, int]] = {}
        self.broken: list[tuple[str, str]] = []
        self.excused: Counter[str] = Counter()
        """How often each excuse was needed."""

    def add(self, key: KeyTruth) -> None:
        """Watch one more key."""
        self.keys[key.source] = key
        self._by_target[key.target] = key

    def of_target(self, location: Location) -> KeyTruth:
        """The key whose target that is."""
        return self._by_target[location]

    def of(self, location: Location) -> KeyTruth | None:
        """The key whose source or target that is."""
        return self.keys.get(location) or self._by_target.get(location)

    def fault(self, key: KeyTruth, text: str) -> None:
        """Remember a broken invariant."""
        self.broken.append((key.source.key, text))

    def excuses(self, why: str | None) -> bool:
        """Whether there is an excuse, which is counted then."""
        if why is not None:
            self.excused[why] += 1
        return why is not None

    def maker_of(self, version: Version) -> Made:
        """Who made a stored version."""
        return self.made[version.written]

    def was_copied(self, key: KeyTruth) -> bool:
        """Whether keyshift ever wrote the target."""
        return bool(self._copies.get(key.target))

    def at_target(self, key: KeyTruth) -> Version | None:
        """What is there now."""
        return self._store.buckets.current(key.target)

    def is_copy(self, key: KeyTruth) -> bool:
        """Whether what is at the target now is keyshift's copy, and not its rewriting of what another writer put."""
        there = self._store.buckets.current(key.target)
        made = self.maker_of(there) if there is not None else None
        return made is not None and made.writer is Writer.KEYSHIFT and made.of is not None

    # Owners, at the source
    def owner_put(self, key: KeyTruth, version: Version) -> None:
        """An owner has put an object."""
        self._note(version, Writer.OWNER)
        key.shadow.put(version.version_id, version.written)
        key.emptied_by = None
        self._spoken(key)

    def owner_deleted(
        self, key: KeyTruth, marker: Version | None, *, was_there: bool, by: Writer = Writer.OWNER
    ) -> None:
        """An owner, or a rule of his, has deleted the key without naming a version."""
        why = self._why_unfollowed(key, keeps_markers=keeps_markers(marker))
        if marker is not None:
            self._note(marker, by)
        if was_there:
            key.emptied_by = by
        key.shadow.delete(marker.version_id if marker is not None else None)
        self._spoken(key)
        if why is not None:
            key.unfollowed[len(key.words) - 1] = why

    def owner_erased(self, key: KeyTruth, gone: Version, *, by: Writer = Writer.OWNER) -> None:
        """A version, or a marker, of the source is removed for good; a rule only takes what is not current."""
        versions = self._store.buckets.bucket(key.source.bucket).versions.get(key.source.key, [])
        makers = {self.maker_of(one).writer for one in (*versions, gone) if one.state is None}
        is_hidden = key.emptied_by is Writer.KEYSHIFT
        is_newest = key.shadow.top == (gone.version_id or NULL)
        if self._store.buckets.current(key.source) is not None:
            key.emptied_by = None
        elif gone.state is not None and is_newest and key.emptied_by is None:
            # What lay below comes up: a marker is its maker's.
            key.emptied_by = self.maker_of(versions[-1]).writer if versions else by
        key.has_erased |= by is Writer.OWNER
        if by is Writer.OWNER:
            # Under suspended versioning what he put had replaced keyshift's marker, both with the id "null".
            replaced_marker = gone.version_id in (None, NULL) and key.cleaned_at is not None
            key.is_erased |= Writer.KEYSHIFT in makers or replaced_marker
        is_owners_marker = gone.state is None and self.maker_of(gone).writer is not Writer.KEYSHIFT
        last = len(key.words) - 1
        if by is Writer.RULE and is_newest and is_owners_marker and key.unfollowed.get(last) == AFTER_CLEANUP:
            key.unfollowed[last] = MARKER_EXPIRED
        is_put_after = key.cleaned_at is not None and key.word_of(gone.written) > key.cleaned_at
        if (
            by is Writer.RULE
            and key.owner is None
            and is_put_after
            and max(self._known_words(key), default=0) < last - 1
        ):
            key.unfollowed.setdefault(last, MARKER_EXPIRED)
        if is_newest and (is_hidden or by is Writer.RULE):
            # Only keyshift's marker made it noncurrent: it stays the owner's word (see ERASED).
            key.taken |= {gone.written} if by is Writer.RULE else set()
            self._check_kept(key, by)
            return
        # The version "null" leaves nothing behind, like a delete where no versions are kept.
        keeps_markers = gone.version_id not in (None, NULL)
        before, why = key.shadow.current, self._why_unfollowed(key, keeps_markers=keeps_markers)
        key.shadow.erase(gone.version_id or NULL)
        # What would come up then, a cleanup of versions has removed, or a rule under keyshift's marker.
        key.is_erased |= by is Writer.OWNER and key.shadow.current in key.forgotten | key.taken
        if key.shadow.current != before:
            self._spoken(key)
            if key.owner is None and why in (DELETE_IN_DOUBT, PUT_AFTER_CLEANUP):
                key.unfollowed[len(key.words) - 1] = why

    def _check_kept(self, key: KeyTruth, by: Writer) -> None:
        truth = key.owner
        key.has_lost_version |= by is Writer.RULE
        is_lost = truth is not None and not key.is_foreign and not self.is_stored(key, truth)
        if by is Writer.RULE and is_lost and not self.excuses(ERASED if key.is_erased else None):
            self.fault(key, f"I1 a rule took {truth}, which only keyshift's marker had made noncurrent")

    def _spoken(self, key: KeyTruth) -> None:
        number, key.has_lost_metadata = key.shadow.current, False
        key.numbers.append(number)
        key.words.append(self.made[number].value if number is not None else None)

    # Everybody else, at the target
    def foreign_put(self, key: KeyTruth, version: Version, *, by: Writer = Writer.STRANGER) -> None:
        """Somebody else than keyshift has put an object at the target."""
        self._note(version, by, key.plain)
        key.last_at_target, key.meddled, key.meddled_at = by, True, self._now()
        self._doubt_whose(key)

    def foreign_deleted(self, key: KeyTruth, marker: Version | None, *, by: Writer = Writer.STRANGER) -> None:
        """Somebody else has deleted the target."""
        if marker is not None:
            self._note(marker, by)
        # What no process could write down was never known to keyshift: it cannot miss it (COPY_IN_DOUBT).
        words = list(self._known_words(key, since=key.decided))
        if any(word >= 0 for word in words):
            key.foreign_delete = (max(words), len(key.words) - 1)
        key.last_at_target, key.meddled, key.meddled_at = by, True, self._now()

    def gives_up(self, key: KeyTruth, etag: str) -> None:
        """An operator lets the source take the place of what has this etag, or of nothing (empty)."""
        key.given_up = etag

    def _why_unfollowed(self, key: KeyTruth, *, keeps_markers: bool) -> str | None:
        return why_unfollowed(
            key,
            is_being_cleaned=self.doubts.is_being_cleaned(key),
            keeps_markers=keeps_markers,
            settled=frozenset(self._known_words(key)),
        )

    def _known_words(self, key: KeyTruth, *, since: int = 0) -> Iterator[int]:
        """The words that processes of keyshift saw at the target and could write down, of writes from ``since`` on.

        What another writer put is adopted only beside a source that it equals.
        """
        for one in (self.made[number] for number in key.noted if number >= since):
            if one.of is not None:
                yield key.word_of(one.of)
            elif any(self.made[put].value == one.value for put in key.noted_beside.get(one.number, ())):
                yield self._word_then(key, one)

    def _word_then(self, key: KeyTruth, made: Made) -> int:
        """The word that a foreign version equalled when it was put: the owner may have said the same again since."""
        equal = [word for word, value in enumerate(key.words) if value == made.value]
        puts = [(word, key.numbers[word]) for word in equal]
        before = [word for word, number in puts if number is None or self.made[number].at <= made.at]
        return before[-1] if before else (equal[0] if equal else -1)

    def why_ours(self, key: KeyTruth, there: Version) -> str | None:
        """Why keyshift may take a foreign version at the target for its own, or ``None``."""
        made = self.maker_of(there)
        is_equal = made.value is not None and key.has_said_bytes(made.value[0])
        if is_equal and self.doubts.is_stopped_over(key, made.at):
            return COPY_IN_DOUBT
        return key.indistinct.get(there.written)

    # What follows from it
    def is_stored(self, key: KeyTruth, value: Value) -> bool:
        """Whether the source has a version of it, or the target holds it."""
        versions = self._store.buckets.bucket(key.source.bucket).versions.get(key.source.key, [])
        there = self._store.buckets.current(key.target)
        return any(value_of(one) == value for one in versions) or key.holds(there) == value

    def _note(
        self, version: Version, writer: Writer, plain: Callable[[bytes], bytes] = bytes, *, of: int | None = None
    ) -> Made:
        value = value_of(version)
        value = value if value is None else (plain(value[0]), value[1])
        self._etags[version.written] = version.state.etag if version.state is not None else ""
        made = self.made[version.written] = Made(version.written, writer, value, self._now(), of)
        return made

    def _doubt_whose(self, key: KeyTruth) -> None:
        """Whether anything tells the foreign object at the target from keyshift's copy."""
        there = self._store.buckets.current(key.target)
        if there is None or self.maker_of(there).writer is Writer.KEYSHIFT:
            return
        if key.indistinct.get(there.written, REFUSED_COPY) != REFUSED_COPY:
            return
        made = self.maker_of(there)
        is_refused = key.refused_at is not None and abs(made.at - key.refused_at) < AT_ONCE
        known = {one.number: one.at for one in self._copies.get(key.target, [])} | self.doubts.known_at_target(key)
        copies = [(at, self._etags.get(number, "")) for number, at in known.items()]
        why = why_indistinct(key, made, there, is_refused=is_refused, copies=copies)
        if why is not None:
            key.indistinct[there.written] = why

    def look_for_doubts(self, location: Location) -> None:
        """A request of keyshift's about this place had no answer: what is at the target may count as its work."""
        key = self.of(location)
        if key is not None:
            self._doubt_whose(key)
