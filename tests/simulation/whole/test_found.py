"""What the simulation found in our own code, one test for each, so that it stays found."""

from dataclasses import replace

from domain.attempt import Attempt, MigrationPolicy, MigrationPorts, Verdict
from domain.cleanup import clean_source
from domain.errors import ThrottledError, UnavailableError
from domain.keys import Location, Sequencer
from domain.migration import migrate_object
from domain.notices import Notice, NoticeKind
from domain.objects import ObjectState
from domain.record import State
from domain.rollback import roll_back_object
from tests.fakes.clock import FakeClock
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.object_store import InMemoryObjectStore

SOURCE, TARGET = Location("legacy", "old/a"), Location("renewed", "new/a")


class World:
    """One versioned key whose target may be encrypted."""

    def __init__(self, *, encrypted: bool = False) -> None:
        self.clock = FakeClock()
        self.store = InMemoryObjectStore(self.clock)
        self.store.create_bucket(SOURCE.bucket, versioned=True)
        self.store.create_bucket(TARGET.bucket, kms=encrypted)
        self.manifest = InMemoryManifest()
        self.ports = MigrationPorts(self.store, self.store, self.manifest, self.clock)
        self.policy = MigrationPolicy(encrypted_targets=encrypted)
        self._words = 0

    def attempt(self) -> Attempt:
        """An attempt that nobody else has."""
        self._words += 1
        return Attempt(f"t{self._words}", 60.0)

    def owner_puts(self, body: bytes) -> ObjectState:
        """An owner writes, and the event is handled."""
        state = self.store.put(SOURCE, body)
        self.notice(NoticeKind.CREATED, state.etag)
        return state

    def notice(self, kind: NoticeKind, etag: str | None = None) -> None:
        """Handle one event."""
        self._words += 1
        notice = Notice(kind, SOURCE, etag, sequencer=Sequencer(f"{self._words:018x}"))
        migrate_object(notice, target=TARGET, rule="r", attempt=self.attempt(), ports=self.ports, policy=self.policy)

    def clean(self) -> Verdict:
        """Clean up the source, as far as it goes."""
        try:
            return clean_source(
                SOURCE.record_id, attempt=self.attempt(), ports=self.ports, policy=self.policy, need_proof=False
            ).verdict
        except (ThrottledError, UnavailableError):
            return Verdict.RETURN

    def state(self) -> State:
        """What the record says."""
        return self.manifest.records[SOURCE.record_id].state


def test_cleanup_goes_on_with_what_an_earlier_cleanup_could_not_end() -> None:
    """The delete was done and its commit was not: the next cleanup says CLEANED, and nothing stays unfinished."""
    world = World()
    world.owner_puts(b"a")
    world.manifest.fail_next(ThrottledError("slow"), call="read_record")
    assert world.clean() is Verdict.RETURN
    world.store.fail_next(ThrottledError("slow"), call="delete_object", when="after")
    assert world.clean() is Verdict.RETURN
    assert world.manifest.records[SOURCE.record_id].maybe
    assert world.clean() is Verdict.DONE
    assert world.state() is State.CLEANED
    assert not world.manifest.records[SOURCE.record_id].is_unfinished


def test_a_cleanup_that_leaves_its_source_leaves_the_record_free() -> None:
    """A source that changed is kept, and nobody has to wait for the claim to end (a surviving mutant)."""
    world = World()
    world.owner_puts(b"a")
    world.store.put(SOURCE, b"b")
    assert world.clean() is Verdict.DONE
    record = world.manifest.records[SOURCE.record_id]
    assert record.claim is None
    assert record.intent is None
    assert world.store.body(SOURCE) == b"b"


def test_rollback_restores_a_source_that_was_cleaned_twice() -> None:
    """The marker of the first cleanup is not taken for that of the second, whose answer was lost."""
    world = World()
    world.owner_puts(b"a")
    assert world.clean() is Verdict.DONE
    world.owner_puts(b"b")
    world.store.fail_next(UnavailableError("lost"), call="delete_object", when="after")
    assert world.clean() is Verdict.RETURN
    world.clock.advance(10_000)
    roll_back_object(SOURCE, TARGET, attempt=world.attempt(), ports=world.ports, policy=world.policy)
    assert world.store.body(SOURCE) == b"b"
    assert world.state() is State.ROLLED_BACK


def test_a_hidden_version_is_recognised_at_an_encrypted_target() -> None:
    """Its copy landed and the answer was lost: the next attempt knows it by its checksum, and there is no conflict."""
    world = World(encrypted=True)
    world.owner_puts(b"a")
    state = world.store.put(SOURCE, b"b")  # its event comes late, after a cleanup that did not see it
    hidden = world.store.remove(SOURCE)
    record = world.manifest.records[SOURCE.record_id]
    world.manifest.records[SOURCE.record_id] = replace(record, state=State.CLEANED, marker_version=hidden)
    world.store.fail_next(UnavailableError("lost"), call="copy_object", when="after")
    try:
        world.notice(NoticeKind.CREATED, state.etag)
    except UnavailableError:
        world.clock.advance(10_000)
    world.notice(NoticeKind.CREATED, state.etag)
    assert world.store.body(TARGET) == b"b"
    assert world.state() is State.CLEANED
