"""Writers whose calls are made in a given order; each may die at any of them."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.audit.events import AuditEvent
from domain.audit.ports import Shard
from domain.audit.sharding import ChainsWriter
from domain.errors import UnavailableError
from tests.worlds.audited import MIGRATION, Audited


@dataclass(frozen=True)
class Waiting:
    """A port whose calls wait until their process is let go on."""

    turn: "Turn"
    port: Any

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self.turn.wait()
            return getattr(self.port, name)(*arguments, **named)

        return call


@dataclass
class Turn:
    """One process; each of its calls waits until it is let go on."""

    made: Audited
    shard: str
    events: Sequence[AuditEvent]
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    stands: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    is_done: bool = False
    dies: bool = False

    def begin(self) -> None:
        """Run up to the first call."""
        threading.Thread(target=self._run, daemon=True).start()
        self.stands.acquire()

    def step(self, *, dies: bool = False) -> None:
        """Make one call, and run up to the next; a process that dies makes no call any more."""
        self.dies = dies
        self.go.release()
        self.stands.acquire()

    def wait(self) -> None:
        """Stand before a call; raises UnavailableError in a process that dies there."""
        self.stands.release()
        self.go.acquire()
        if self.dies:
            raise UnavailableError("the process died")

    def archive(self, shard: str) -> Any:
        """See ``Chains``."""
        return Waiting(self, self.made.chains.archive(shard))

    def head(self, shard: str) -> Any:
        """See ``Chains``."""
        return Waiting(self, self.made.chains.head(shard))

    def stored_shards(self) -> Iterator[str]:
        """See ``Chains``; a writer does not ask."""
        raise NotImplementedError

    def _run(self) -> None:
        heads: Any = Waiting(self, self.made.heads)
        shards: Any = Waiting(self, self.made.shards)
        try:
            writer = ChainsWriter(migration=MIGRATION, chains=self, heads=heads, shards=shards)
            writer.append_events(self.events, shard=Shard(self.shard))
            self.is_done = True
        except UnavailableError:
            pass
        self.stands.release()


def run(
    made: Audited,
    batches: Sequence[Sequence[AuditEvent]],
    schedule: Sequence[tuple[int, int]],
    shards: Sequence[str] = (),
) -> None:
    """Let the processes call in this order, then each to its end; the batch of a dead one comes again.

    ``shards`` are those of the batches; without them all are of the layout's chain.
    """
    of = shards or [made.shard] * len(batches)
    turns = [Turn(made, shard, batch) for shard, batch in zip(of, batches, strict=True)]
    for turn in turns:
        turn.begin()

    def step(who: int, *, dies: bool) -> None:
        turns[who].step(dies=dies)
        if dies:
            turns[who] = Turn(made, of[who], batches[who])
            turns[who].begin()

    for number, luck in schedule:
        who = number % len(turns)
        if not turns[who].is_done:
            step(who, dies=luck == 0)
    for who, turn in enumerate(turns):
        while not turn.is_done:
            step(who, dies=False)
