"""One key between people and a keyshift that does right or wrong, before the judge of the simulation."""

from typing import Any

from domain.keys import Location
from tests.fakes.buckets import Version
from tests.fakes.clock import FakeClock
from tests.fakes.object_store import InMemoryObjectStore
from tests.simulation.whole.history import KeyTruth, Writer
from tests.simulation.whole.rest import AtRest
from tests.simulation.whole.truth import Truth
from tests.worlds.presence import present

JUDGED_SOURCE, JUDGED_TARGET = Location("legacy", "old/a"), Location("renewed", "new/a")


class JudgedWorld:
    """One key between people and a keyshift that does what a test says, right or wrong."""

    def __init__(self, *, versioned: bool = False, versioned_target: bool = False, locks: bool = False) -> None:
        self.clock = FakeClock()
        self.store = InMemoryObjectStore(self.clock)
        self.store.create_bucket(JUDGED_SOURCE.bucket, versioned=versioned, locks=locks)
        self.store.create_bucket(JUDGED_TARGET.bucket, versioned=versioned_target, locks=locks)
        self.truth = Truth(self.store, self.clock.monotonic)
        self.key = KeyTruth(JUDGED_SOURCE, JUDGED_TARGET, versioned, mirrors=True)
        self.truth.add(self.key)

    def there(self, location: Location) -> Version:
        """What is there."""
        return present(self.store.buckets.current(location))

    # People
    def owner_puts(self, body: bytes, mark: str = "m") -> None:
        """At the source."""
        self.store.put(JUDGED_SOURCE, body, metadata={"put": mark})
        self.truth.owner_put(self.key, self.there(JUDGED_SOURCE))

    def owner_changes(self, **properties: Any) -> None:
        """The class, the key or the lock of what is at the source, without another version."""
        self.store.buckets.change(JUDGED_SOURCE, self.there(JUDGED_SOURCE), **properties)

    def owner_deletes(self) -> None:
        """At the source, whether anything is there or not."""
        was_there = self.store.buckets.current(JUDGED_SOURCE) is not None
        self.store.remove(JUDGED_SOURCE)
        self.truth.owner_deleted(self.key, self.store.buckets.top(JUDGED_SOURCE), was_there=was_there)

    def owner_erases(self, version_id: str, *, by: Writer = Writer.OWNER) -> None:
        """A version of the source, for good."""
        gone = present(self.store.buckets.find(JUDGED_SOURCE, version_id))
        self.store.buckets.remove_version(JUDGED_SOURCE, version_id)
        self.truth.owner_erased(self.key, gone, by=by)

    def stranger_puts(self, body: bytes, mark: str = "m") -> None:
        """At the target."""
        self.store.put(JUDGED_TARGET, body, metadata={"put": mark})
        self.truth.foreign_put(self.key, self.there(JUDGED_TARGET))

    def stranger_deletes(self) -> None:
        """At the target."""
        self.store.remove(JUDGED_TARGET)
        self.truth.foreign_deleted(self.key, self.store.buckets.top(JUDGED_TARGET))

    # keyshift
    def copy(self, *, by: str = "worker") -> None:
        """Source to target, on no condition at all."""
        self._copy(JUDGED_SOURCE, JUDGED_TARGET, by)

    def copy_back(self) -> None:
        """Target to source."""
        self._copy(JUDGED_TARGET, JUDGED_SOURCE, "rollback")

    def _copy(self, source: Location, target: Location, by: str) -> None:
        read, before = self.there(source), self.store.buckets.current(target)
        assert read.state is not None
        self.store.buckets.put(target, read.body, read.state)
        self.truth.written(target, read, before, by=by)

    def copies_and_writes(self, process: str = "worker") -> None:
        """A copy that the process can write down."""
        self.truth.doubts.asks(process, self.key)
        self.copy(by=process)
        self.look(process)
        self.truth.doubts.answered(process, "write_record")
        self.truth.doubts.asks(process, None)

    def delete(self, location: Location, *, by: str = "worker") -> None:
        """Whatever is there."""
        gone = self.there(location)
        self.store.remove(location)
        self.truth.deleted(location, gone, self.store.buckets.top(location), by=by)

    def clean(self, *, looks: bool = True, is_lock_hidden: bool = False) -> None:
        """Cleanup, with a look at both keys first."""
        self.truth.doubts.asks("cleanup", self.key)
        if looks:
            self.look("cleanup", is_lock_hidden=is_lock_hidden)
        self.truth.doubts.answered("cleanup", "write_record")
        self.delete(JUDGED_SOURCE, by="cleanup")
        self.truth.doubts.answered("cleanup", "write_record")

    def look(self, process: str, *, is_lock_hidden: bool = False) -> None:
        """At both keys."""
        for place in (JUDGED_TARGET, JUDGED_SOURCE):
            there = self.store.buckets.current(place)
            self.truth.doubts.shows(process, place, there)
            self.truth.doubts.saw(process, place, there, is_lock_hidden=is_lock_hidden)

    def cleanup_dies(self) -> None:
        """After it wrote to the manifest what it is about to do."""
        self.truth.doubts.asks("cleanup", self.key)
        self.truth.doubts.answered("cleanup", "write_record")
        self.truth.doubts.died("cleanup", "delete_object", JUDGED_SOURCE)

    # Judgement
    def broken(self, *, at_rest: bool = False, rolled_back: bool = False) -> list[str]:
        """The invariants found broken, by their first word."""
        if at_rest or rolled_back:
            AtRest(self.truth, self.store).check(self.key, rolled_back=rolled_back)
        return [text.split()[0] for _, text in self.truth.broken]

    def used(self) -> set[str]:
        """The excuses that were needed."""
        return set(self.truth.excused)
