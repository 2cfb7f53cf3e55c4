"""One source with a history, in a migration that carries every version."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from domain.errors import TransientError
from domain.keys import Location
from domain.protocol.attempt import MigrationPorts, Outcome, Verdict
from domain.protocol.notices import Notice
from tests.fakes.clock import FakeClock
from tests.fakes.object_store import InMemoryObjectStore
from tests.worlds.migration import BARE_ROW, SOURCE, TARGET, MigrationWorld

DELETED = None
"""In place of the bytes of a delete marker."""


class WatchedStore(InMemoryObjectStore):
    """A store in which something happens before or after each call."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None

    @contextmanager
    def _faulty(self, call: str) -> Iterator[None]:
        self.before(call)
        with super()._faulty(call):
            yield
        self.after(call)


class HistoryWorld(MigrationWorld):
    """One versioned bucket, in a migration that carries every version."""

    def __init__(self, *bodies: bytes | None) -> None:
        super().__init__(versioned=True)
        self.watched = self.store = WatchedStore(self.clock)
        self.store.create_bucket("line", versioned=True)
        self.ports = MigrationPorts(self.store, self.store, self.manifest, self.clock, self.store, self.store)
        self.write(*bodies)

    def write(self, *bodies: bytes | None) -> None:
        """The producer puts these bytes one after the other, or deletes the key."""
        for body in bodies:
            self.clock.advance(1)
            if body is DELETED:
                self.store.remove(SOURCE)
            else:
                self.store.put(SOURCE, body, metadata={"body": body.decode()})

    def history(self, location: Location) -> list[bytes | None]:
        """What is stored of a key, oldest first; ``None`` for a delete marker."""
        kept = self.store.buckets.bucket(location.bucket).versions.get(location.key, [])
        return [one.body if one.state is not None else DELETED for one in kept]

    def settle(self, notice: Notice = BARE_ROW, *, target: Location = TARGET, attempts: int = 12) -> Outcome:
        """Try until the message is done, an hour apart: whatever claim an attempt left has ended."""
        for _ in range(attempts):
            self.clock.advance(3600)
            try:
                outcome = self.migrate(notice, target=target)
            except TransientError:
                continue
            if outcome.verdict is Verdict.DONE:
                return outcome
        raise AssertionError(f"not settled after {attempts} attempts: {self.record}")


def with_effect(history: list[bytes | None]) -> list[bytes | None]:
    """Without the delete markers that hide nothing."""
    kept: list[bytes | None] = []
    for one in history:
        if one is not DELETED or (kept and kept[-1] is not DELETED):
            kept.append(one)
    return kept
