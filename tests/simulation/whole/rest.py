"""What must hold of the world when nothing happens any more: I6 and I7, without a look at any record."""

from collections.abc import Iterator

from domain.keys import Location
from tests.fakes.object_store import InMemoryObjectStore
from tests.simulation.whole.excuses import why_comes_back, why_gone, why_not_restored, why_other, why_outlives
from tests.simulation.whole.history import KeyTruth, Writer, value_of
from tests.simulation.whole.truth import Truth


class AtRest:
    """Compares what S3 holds at rest with the owners' last words."""

    def __init__(self, truth: Truth, store: InMemoryObjectStore) -> None:
        self._truth = truth
        self._store = store
        self._excuses = truth.excuses

    def check(self, key: KeyTruth, *, rolled_back: bool) -> None:
        """I6 and I7 of one key when nothing happens any more."""
        for text in self._faults_after_rollback(key) if rolled_back else self._faults_at_rest(key):
            self._truth.fault(key, text)

    def faults(self, key: KeyTruth) -> Iterator[str]:
        """What is not so of one key of a migration that goes forward."""
        return self._faults_at_rest(key)

    def _faults_at_rest(self, key: KeyTruth) -> Iterator[str]:
        yield from self._faults_of_history(key)
        truth, target = key.owner, self._store.buckets.current(key.target)
        held = key.holds(target)
        if truth is None:
            if target is not None and self._truth.is_copy(key) and key.mirrors and not self._excuses(why_outlives(key)):
                yield f"I7 its owner deleted it, keyshift's copy {held} is still at the target"
            return
        if held != truth and not key.is_foreign and not self._excuses(why_other(key)):
            yield f"I7 not converged: the owner says {truth}, the target is {held}"
        source = value_of(self._store.buckets.current(key.source))
        if source != truth and key.emptied_by is not Writer.KEYSHIFT and not self._excuses(why_gone(key)):
            yield f"I1 the owner says {truth}, the source is {source}, and keyshift did not clean it"

    def _faults_of_history(self, key: KeyTruth) -> Iterator[str]:
        """I10: what the target holds of the source's versions and delete markers has no gap, and their order."""
        if not key.is_whole or key.meddled:
            return
        there = self._marks(key.target)
        copied = [one for one in there if one is not None]
        wanted = self._marks(key.source)
        ends = [at for at, one in enumerate(wanted) if one is not None and one in copied]
        rest = iter(there)
        for at, one in enumerate(wanted[: max(ends, default=-1) + 1]):
            if one not in rest:
                what = "a delete" if one is None else f"word {key.word_of(one)}"
                yield f"I10 the target lacks {what}, number {at} of its source, or has another order"
                return

    def _marks(self, location: Location) -> list[int | None]:
        """What is stored of a key, oldest first: the number of each put, ``None`` for a delete that hides one.

        Cleanup's own markers at a source do not count.
        """
        marks: list[int | None] = []
        for version in self._store.buckets.bucket(location.bucket).versions.get(location.key, []):
            made = self._truth.maker_of(version)
            if version.state is not None:
                marks.append(made.of if made.of is not None else made.number)
            elif marks and marks[-1] is not None and not self._is_cleanups(location, made.writer):
                marks.append(None)
        return marks

    def _is_cleanups(self, location: Location, writer: Writer) -> bool:
        return location in self._truth.keys and writer is Writer.KEYSHIFT

    def _faults_after_rollback(self, key: KeyTruth) -> Iterator[str]:
        truth, source = key.owner, value_of(self._store.buckets.current(key.source))
        if truth is None:
            if source is not None and not self._excuses(why_comes_back(key)):
                yield f"I6 its owner deleted it, and {source} is at the source"
        elif source != truth and self.can_restore(key):
            if self._excuses(why_not_restored(key, self._store.buckets.current(key.target))):
                return
            yield f"I6 the source is {source}, its owner's last word is {truth}"

    def can_restore(self, key: KeyTruth) -> bool:
        """Whether the owner's last word is still where a rollback can take it from."""
        versions = self._store.buckets.bucket(key.source.bucket).versions.get(key.source.key, [])
        # An older version that is equal is not the one that he put last: nothing in the record leads to it.
        if any(one.written == key.numbers[-1] for one in versions):
            return True
        there = self._store.buckets.current(key.target)
        if there is None or key.holds(there) != key.owner:
            return not key.is_foreign
        # What lay there before keyshift, equal in everything, was adopted: keyshift cleaned the source because of it.
        return not key.is_foreign or not self._truth.was_copied(key)
