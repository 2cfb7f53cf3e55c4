"""The judge: what owners and strangers did and what S3 holds, against protocol.md §2.

It reads no record. What keyshift says of the world is compared with it in ``claims``; what nobody can decide is a
predicate of ``excuses``.
"""

from collections.abc import Iterator

from domain.keys import Location
from tests.fakes.buckets import Version
from tests.simulation.whole.chronicle import Chronicle
from tests.simulation.whole.excuses import (
    BOUND_NOW,
    LOCK_HIDDEN,
    PUT_AGAIN,
    REFUSED_COPY,
    SAME_BYTES_AGAIN,
    why_comes_back,
    why_goes,
    why_gone,
    why_lost,
)
from tests.simulation.whole.history import KeyTruth, Made, Value, Writer, value_of
from tests.simulation.whole.losses import KEY, LOCK, is_locked, losses

__all__ = ["KeyTruth", "Truth", "Value", "Writer", "value_of"]
PURGERS = "purge"
"""How the processes that purge copies after a rollback are named."""


class Truth(Chronicle):
    """Judges every write and delete of keyshift's at the moment of its effect."""

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
        key = self.of(location)
        if not whole and key is not None and all(self._has_bytes(number, value) for number in numbers):
            # The same bytes were put again between keyshift's look, of which the metadata is, and its parts.
            whole = [number for number in key.numbers if number is not None and self.made[number].value == value]
        self._copied(location, whole[0] if whole else -1, before, by=by)

    def _has_bytes(self, number: int, value: Value | None) -> bool:
        made = self.made[number].value
        return made is not None and value is not None and made[0] == value[0]

    def refused(self, location: Location, *, was_done: bool) -> None:
        """S3 has refused a copy to this target on a condition; ``was_done``: the same request had its effect before."""
        key = self._by_target.get(location)
        if key is not None:
            key.doubled |= was_done
            key.refused_at = self._now()
            self._doubt_whose(key)

    def _copied(self, location: Location, number: int, before: Version | None, *, by: str) -> None:
        made = self._store.buckets.current(location)
        if made is None:
            raise AssertionError(f"nothing is at {location.uri} after keyshift wrote it")
        if location in self.keys:
            self._copied_back(self.keys[location], made, before, number, by=by)
            return
        key = self._by_target[location]
        copy = self._note(made, Writer.KEYSHIFT, key.plain, of=number)
        if number < 0:
            self.fault(key, f"I1 torn or invented object {copy.value}")
            return
        word = key.word_of(number)
        is_given_up = key.given_up == (before.state.etag if before is not None and before.state is not None else "")
        if before is not None:
            self.note_same_again(key, before, by)
        for text in self._faults_of_copy(key, number, before, is_given_up=is_given_up):
            self.fault(key, text)
        self._copies.setdefault(location, []).append(copy)
        self._check_whole(key, number)
        if is_given_up:
            key.foreign_delete, key.decided = None, copy.number
        key.last_at_target, key.given_up = Writer.KEYSHIFT, None
        self._mirrored.pop(location, None)
        # What an operator gives up by its etag goes by his own decision.
        if not is_given_up:
            self._check_lost(key, before, f"I1 overwriting the target with word {word}", by=by)

    def _check_whole(self, key: KeyTruth, number: int) -> None:
        """I10: every version that lies below this one at the source was carried before it."""
        if not key.is_whole or key.meddled:
            return
        stored = self._store.buckets.bucket(key.source.bucket).versions.get(key.source.key, [])
        carried = {one.of for one in self._copies[key.target]}
        below = [one.written for one in stored if one.state is not None]
        below = below[: below.index(number)] if number in below else []
        for missing in [one for one in below if one not in carried]:
            self.fault(key, f"I10 word {key.word_of(missing)} is left out before word {key.word_of(number)}")

    def _faults_of_copy(self, key: KeyTruth, put: int, before: Version | None, *, is_given_up: bool) -> Iterator[str]:
        word = key.word_of(put)
        if before is not None:
            there = self.maker_of(before)
            if there.writer is Writer.KEYSHIFT:
                older = there.of is not None and word < key.word_of(there.of)
                is_other = older and not is_given_up and key.words[word] != key.holds(before)
                # The copy of what the owner put last and then removed for good may have been under way.
                if is_other and not (put > (there.of or 0) and self.excuses(why_gone(key))):
                    yield f"I2 word {word} is written over newer word {key.word_of(there.of)}"
            elif not is_given_up and key.number_of(there.value) < 0 and not self.excuses(self.why_ours(key, before)):
                # What is equal in everything to a word of the owner is adopted, and follows him (protocol.md §5).
                yield f"I2b the foreign object {there.value} is overwritten by word {word}"
            return
        if word < self._mirrored.get(key.target, 0):
            yield f"I2 word {word} is brought back after the owner's delete was mirrored"
        gone = key.foreign_delete
        # Where every version is carried, a word that was never there is history, and a later one follows it.
        latest = gone[0 if key.is_whole else 1] if gone else 0
        is_kept_away = gone and word <= latest and None not in key.words[gone[0] + 1 : word + 1]
        if is_kept_away and not is_given_up:
            yield "I2c what the new-layout owner deleted is brought back"

    def note_same_again(self, key: KeyTruth, there: Version, by: str) -> None:
        """S3's condition names an etag: the same bytes put since the process saw the copy, or what it adopted, pass."""
        seen = self.made.get(self.doubts.last_look(by, key.target) or -1)
        made = self.maker_of(there)
        if seen is None or seen.value is None or made.value is None:
            return
        # What equals a word of the owner in everything is adopted.
        if seen.writer is not Writer.KEYSHIFT and key.number_of(seen.value) < 0:
            return
        if made.number != seen.number and made.value[0] == seen.value[0]:
            key.indistinct.setdefault(there.written, SAME_BYTES_AGAIN)

    def rewritten(self, key: KeyTruth, made: Version, before: Version | None) -> None:
        """A rewriting of keyshift's has replaced ``before`` with the same content, its references switched.

        The content stays its writer's: what another writer made does not become keyshift's own.
        """
        maker = self.maker_of(before) if before is not None else None
        writer = maker.writer if maker is not None else Writer.KEYSHIFT
        copy = self._note(made, writer, key.plain, of=maker.of if maker is not None else None)
        self._copies.setdefault(key.target, []).append(copy)
        key.last_at_target = Writer.KEYSHIFT
        if before is not None and before.written in key.indistinct:
            # What may count as keyshift's copy may count as its rewriting of that copy.
            key.indistinct[made.written] = key.indistinct[before.written]

    def _copied_back(self, key: KeyTruth, made: Version, before: Version | None, number: int, *, by: str) -> None:
        value = self._note(made, Writer.KEYSHIFT, of=number).value
        target = self.doubts.last_shown(by, key.target)
        lost = losses(target.version, made, now=self._store.buckets.now()) if target is not None else frozenset[str]()
        is_excused = target is not None and target.is_lock_hidden and lost == {LOCK}
        if lost and not (is_excused and self.excuses(LOCK_HIDDEN)):
            self.fault(key, f"I6 the source comes back without {sorted(lost)} of its copy")
        if before is not None:
            self.fault(key, f"I6 the copy back overwrites {value_of(before)} at the source")
        if key.owner is None and not self.excuses(why_comes_back(key)):
            self.fault(key, f"I6 {value} is brought back, its owner deleted it")
        if key.owner is not None and key.owner != value and not key.is_erased:
            self.fault(key, f"I6 the source is restored as {value}, its owner's last word is {key.owner}")
        key.emptied_by = None

    def uncovered(self, key: KeyTruth, marker: Version) -> None:
        """A delete marker of the source is removed, by keyshift."""
        if self.maker_of(marker).writer is not Writer.KEYSHIFT and not self.excuses(why_comes_back(key)):
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
            self._check_bound(key, gone, by=by)
            self._check_lost(key, gone, "I5 deleting the source", by=by)
            return
        key, made = self._by_target[location], self.maker_of(gone)
        self.note_same_again(key, gone, by)
        why = self.why_ours(key, gone)
        # A copy that S3 refused is proof enough to go on over what is there, and never to delete it.
        if made.writer is not Writer.KEYSHIFT and not self.excuses(why if why != REFUSED_COPY else None):
            self.fault(key, f"I2b the foreign object {made.value} is deleted")
        if not key.mirrors and not by.startswith(PURGERS):
            self.fault(key, "I1 the copy is deleted, and deletes are not mirrored")
        self._check_lost(key, gone, "I1 deleting the copy", by=by)
        key.last_at_target = Writer.KEYSHIFT
        self._mirrored[location] = self._mirrored_word(key, made)

    def _mirrored_word(self, key: KeyTruth, gone: Made) -> int:
        """The owner's delete that keyshift mirrors: where every version is carried, the one after what is deleted."""
        if not key.is_whole or gone.of is None:
            return len(key.words) - 1
        after = range(key.word_of(gone.of) + 1, len(key.words))
        return next((word for word in after if key.words[word] is None), len(key.words) - 1)

    def forgotten(self, location: Location, gone: Version, *, by: str) -> None:
        """A version of a source is deleted for good, by keyshift."""
        key = self.keys[location]
        key.forgotten.add(gone.written)
        self._check_lost(key, gone, "I5 deleting the version for good", by=by)

    def _check_bound(self, key: KeyTruth, gone: Version, *, by: str) -> None:
        """No lock binds a source that is deleted, and the target has its KMS key, as cleanup saw both."""
        source, target = (self.doubts.last_shown(by, place) for place in (key.source, key.target))
        if source is None or source.version is None or target is None:
            return  # _check_lost judges a delete without a look
        now = self._store.buckets.now()
        was_locked = is_locked(source.version, now)
        lost_key = KEY in losses(source.version, target.version, now=now)
        if was_locked and not self.excuses(LOCK_HIDDEN if source.is_lock_hidden else None):
            self.fault(key, f"I5 a locked source is deleted: {_bound(source.version)}")
        if lost_key:
            self.fault(key, f"I5 deleting the source loses its KMS key: {_bound(source.version)}")
        is_bound_now = is_locked(gone, now) or KEY in losses(gone, target.version, now=now)
        if is_bound_now and not was_locked and not lost_key:
            self.excuses(BOUND_NOW)

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
        held = key.holds(self._store.buckets.current(key.target))
        if doing.startswith("I5"):
            seen = self.made.get(self.doubts.last_look(by, key.target) or -1)
            why = why_lost(key, gone, seen_at_source=self.doubts.last_look(by, key.source), seen=seen, held=held)
            key.has_lost_metadata = why == PUT_AGAIN
            if self.excuses(why):
                return
        if doing.startswith("I1 deleting") and self.excuses(why_goes(key)):
            return
        self.fault(key, f"{doing} loses {truth}, the target holds {held}")


def _bound(version: Version) -> str:
    state = version.state
    return f"{state.storage_class}, {state.encryption}, {state.lock}" if state is not None else "absent"
