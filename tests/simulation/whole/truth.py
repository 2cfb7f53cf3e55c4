"""The judge: what owners and strangers did and what S3 holds, against protocol.md §2.

It reads no record. What keyshift says of the world is compared with it in ``claims``; what nobody can decide is a
predicate of ``excuses``.
"""

from collections.abc import Callable, Iterator

from domain.keys import Location
from tests.fakes.buckets import Version
from tests.fakes.object_store import InMemoryObjectStore
from tests.simulation.whole.doubts import Doubts
from tests.simulation.whole.excuses import REFUSED_COPY, may_come_back, why_indistinct, why_unfollowed
from tests.simulation.whole.history import NULL, KeyTruth, Made, Value, Writer, value_of

__all__ = ["KeyTruth", "Truth", "Value", "Writer", "value_of"]
PURGERS = "purge"
"""How the processes that purge copies after a rollback are named."""
LONGEST_ATTEMPT = 90.0
"""Seconds: an attempt, its last request and the margins of the clocks."""


class Truth:
    """All keys, and every broken invariant with the key it broke for."""

    def __init__(self, store: InMemoryObjectStore, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self.doubts = Doubts(now)
        self.keys: dict[Location, KeyTruth] = {}
        self.made: dict[int, Made] = {}
        self._by_target: dict[Location, KeyTruth] = {}
        self._mirrored: dict[Location, int] = {}
        self._copies: dict[Location, list[tuple[Made, str]]] = {}
        self._parts: dict[str, dict[int, int]] = {}
        self.broken: list[tuple[str, str]] = []

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

    def maker_of(self, version: Version) -> Made:
        """Who made a stored version."""
        return self.made[version.written]

    def was_copied(self, key: KeyTruth) -> bool:
        """Whether keyshift ever wrote the target."""
        return bool(self._copies.get(key.target))

    def is_copy(self, key: KeyTruth) -> bool:
        """Whether keyshift made what is at the target now."""
        there = self._store.buckets.current(key.target)
        return there is not None and self.maker_of(there).writer is Writer.KEYSHIFT

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
        why = why_unfollowed(
            key, is_being_cleaned=self.doubts.is_being_cleaned(key), keeps_markers=keeps_markers(marker)
        )
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
            key.emptied_by = by
        if by is Writer.OWNER:
            key.is_erased |= Writer.KEYSHIFT in makers
        if is_newest and (is_hidden or by is Writer.RULE):
            # Only keyshift's marker made it noncurrent: it stays the owner's word (see ERASED).
            self._check_kept(key, by)
            return
        before = key.shadow.current
        key.shadow.erase(gone.version_id or NULL)
        if key.shadow.current != before:
            self._spoken(key)

    def _check_kept(self, key: KeyTruth, by: Writer) -> None:
        truth = key.owner
        if by is Writer.RULE and truth is not None and not key.is_foreign and not self.is_stored(key, truth):
            self.fault(key, f"I1 a rule took {truth}, which only keyshift's marker had made noncurrent")

    def _spoken(self, key: KeyTruth) -> None:
        number = key.shadow.current
        key.numbers.append(number)
        key.words.append(self.made[number].value if number is not None else None)

    # Everybody else, at the target
    def foreign_put(self, key: KeyTruth, version: Version, *, by: Writer = Writer.STRANGER) -> None:
        """Somebody else than keyshift has put an object at the target."""
        self._note(version, by, key.plain)
        key.last_at_target, key.meddled = by, True
        self._doubt_whose(key, None)

    def foreign_deleted(self, key: KeyTruth, marker: Version | None, *, by: Writer = Writer.STRANGER) -> None:
        """Somebody else has deleted the target."""
        if marker is not None:
            self._note(marker, by)
        # What no process could write down was never known to keyshift: it cannot miss it (COPY_IN_DOUBT).
        known = [self.made[number] for number in key.noted]
        words = [key.word_of(one.of) if one.of is not None else key.number_of(one.value) for one in known]
        if any(word >= 0 for word in words):
            key.foreign_delete = (max(words), len(key.words) - 1)
        key.last_at_target, key.meddled = by, True

    def gives_up(self, key: KeyTruth, etag: str) -> None:
        """An operator lets the source take the place of what has this etag, or of nothing (empty)."""
        key.given_up = etag

    # keyshift
    def written(self, location: Location, read: Version, before: Version | None, *, by: str) -> None:
        """One of keyshift's copies has written ``location``, where ``before`` was."""
        origin = self.maker_of(read)
        self._copied(location, origin.of if origin.of is not None else origin.number, before, by=by)

    def part_read(self, upload_id: str, part: int, read: Version | None) -> None:
        """A part of an upload was copied from this version."""
        if read is not None:
            origin = self.maker_of(read)
            self._parts.setdefault(upload_id, {})[part] = origin.of if origin.of is not None else origin.number

    def completed(self, location: Location, upload_id: str, before: Version | None, *, by: str) -> None:
        """One of keyshift's copies in parts has written ``location``."""
        value = value_of(self._store.buckets.current(location))
        numbers = sorted(set(self._parts.pop(upload_id, {}).values()), reverse=True)
        whole = [number for number in numbers if self.made[number].value == value]
        self._copied(location, whole[0] if whole else -1, before, by=by)

    def refused(self, location: Location, *, was_done: bool) -> None:
        """S3 has refused a copy to this target on a condition; ``was_done``: the same request had its effect before."""
        key = self._by_target.get(location)
        if key is not None:
            key.doubled |= was_done
            self._doubt_whose(key, LONGEST_ATTEMPT)

    def _copied(self, location: Location, number: int, before: Version | None, *, by: str) -> None:
        made = self._store.buckets.current(location)
        if made is None:
            raise AssertionError(f"nothing is at {location.uri} after keyshift wrote it")
        if location in self.keys:
            self._copied_back(self.keys[location], made, before, number)
            return
        key = self._by_target[location]
        copy = self._note(made, Writer.KEYSHIFT, key.plain, of=number)
        if number < 0:
            self.fault(key, f"I1 torn or invented object {copy.value}")
            return
        word = key.word_of(number)
        is_given_up = key.given_up == (before.state.etag if before is not None and before.state is not None else "")
        for text in self._faults_of_copy(key, word, before, is_given_up=is_given_up):
            self.fault(key, text)
        self._copies.setdefault(location, []).append((copy, made.state.etag if made.state else ""))
        key.foreign_delete = None if is_given_up else key.foreign_delete
        key.last_at_target, key.given_up = Writer.KEYSHIFT, None
        key.carried.add(word)
        self._mirrored.pop(location, None)
        self._check_lost(key, before, f"I1 overwriting the target with word {word}", by=by)

    def _faults_of_copy(self, key: KeyTruth, word: int, before: Version | None, *, is_given_up: bool) -> Iterator[str]:
        if before is not None:
            there = self.maker_of(before)
            if there.writer is Writer.KEYSHIFT:
                older = there.of is not None and word < key.word_of(there.of)
                if older and key.words[word] != key.holds(before):
                    yield f"I2 word {word} is written over newer word {key.word_of(there.of)}"
            elif not is_given_up and key.number_of(there.value) < 0 and before.written not in key.indistinct:
                # What is equal in everything to a word of the owner is adopted, and follows him (protocol.md §5).
                yield f"I2b the foreign object {there.value} is overwritten by word {word}"
            return
        if word < self._mirrored.get(key.target, 0):
            yield f"I2 word {word} is brought back after the owner's delete was mirrored"
        gone = key.foreign_delete
        is_kept_away = gone and word <= gone[1] and None not in key.words[gone[0] + 1 : word + 1]
        if is_kept_away and not is_given_up:
            yield "I2c what the new-layout owner deleted is brought back"

    def rewritten(self, key: KeyTruth, made: Version, before: Version | None) -> None:
        """A rewriting of keyshift's has replaced ``before`` with the same content, its references switched."""
        of = self.maker_of(before).of if before is not None else None
        copy = self._note(made, Writer.KEYSHIFT, key.plain, of=of)
        self._copies.setdefault(key.target, []).append((copy, made.state.etag if made.state else ""))
        key.last_at_target = Writer.KEYSHIFT

    def _copied_back(self, key: KeyTruth, made: Version, before: Version | None, number: int) -> None:
        value = self._note(made, Writer.KEYSHIFT, of=number).value
        if before is not None:
            self.fault(key, f"I6 the copy back overwrites {value_of(before)} at the source")
        if key.owner is None and not may_come_back(key):
            self.fault(key, f"I6 {value} is brought back, its owner deleted it")
        if key.owner is not None and key.owner != value and not key.is_erased:
            self.fault(key, f"I6 the source is restored as {value}, its owner's last word is {key.owner}")
        key.emptied_by = None

    def uncovered(self, key: KeyTruth, marker: Version) -> None:
        """A delete marker of the source is removed, by keyshift."""
        if self.maker_of(marker).writer is not Writer.KEYSHIFT and not may_come_back(key):
            self.fault(key, "I6 the delete marker of the owner is removed")
        if self._store.buckets.current(key.source) is not None:
            key.emptied_by = None

    def deleted(self, location: Location, gone: Version, marker: Version | None, *, by: str) -> None:
        """One of keyshift's deletes has removed ``gone``."""
        if marker is not None:
            self._note(marker, Writer.KEYSHIFT)
        if location in self.keys:
            key = self.keys[location]
            key.emptied_by, key.cleaned_at = Writer.KEYSHIFT, len(key.words) - 1
            self._check_lost(key, gone, "I5 deleting the source", by=by)
            return
        key, made = self._by_target[location], self.maker_of(gone)
        # A copy that S3 refused is proof enough to go on over what is there, and never to delete it.
        if made.writer is not Writer.KEYSHIFT and key.indistinct.get(gone.written) in (None, REFUSED_COPY):
            self.fault(key, f"I2b the foreign object {made.value} is deleted")
        if not key.mirrors and not by.startswith(PURGERS):
            self.fault(key, "I1 the copy is deleted, and deletes are not mirrored")
        self._check_lost(key, gone, "I1 deleting the copy", by=by)
        key.last_at_target = Writer.KEYSHIFT
        self._mirrored[location] = len(key.words) - 1

    def forgotten(self, location: Location, gone: Version, *, by: str) -> None:
        """A version of a source is deleted for good, by keyshift."""
        self._check_lost(self.keys[location], gone, "I5 deleting the version for good", by=by)

    def _check_lost(self, key: KeyTruth, gone: Version | None, doing: str, *, by: str) -> None:
        """The owner's newest bytes were in what keyshift took away, and are nowhere else."""
        truth = key.owner
        if (
            truth is None
            or gone is None
            or truth not in (value_of(gone), key.holds(gone))
            or self.is_stored(key, truth)
        ):
            return
        seen = self.made.get(self.doubts.last_look(by, key.target) or -1)
        if seen is not None and seen.value == truth and key.is_foreign and doing.startswith("I5"):
            return  # a stranger took the copy away after cleanup's last look at it: that is his own decision
        self.fault(key, f"{doing} loses {truth}, the target holds {key.holds(self._store.buckets.current(key.target))}")

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
        made = self.made[version.written] = Made(version.written, writer, value, self._now(), of)
        return made

    def _doubt_whose(self, key: KeyTruth, refused_within: float | None) -> None:
        """Whether anything tells the foreign object at the target from keyshift's copy."""
        there = self._store.buckets.current(key.target)
        if there is None or self.maker_of(there).writer is Writer.KEYSHIFT or there.written in key.indistinct:
            return
        made = self.maker_of(there)
        recent = refused_within is not None and self._now() - made.at < refused_within
        why = why_indistinct(
            key, made, there, refused_within=refused_within if recent else None, copies=self._copies.get(key.target, [])
        )
        if why is not None:
            key.indistinct[there.written] = why

    def look_for_doubts(self, location: Location) -> None:
        """A request of keyshift's about this place had no answer: what is at the target may count as its work."""
        key = self.of(location)
        if key is not None:
            self._doubt_whose(key, None)


def keeps_markers(marker: Version | None) -> bool:
    """Whether a delete left a marker with an id of its own."""
    return marker is not None and marker.version_id not in (None, NULL)
