"""The manifest, SQS and the hosts, as whole migrations need them."""

import io
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import cache
from random import Random
from typing import Any

from domain.keys import Location
from domain.protocol.record import Record
from domain.queues import Message, MoveTask
from handlers.engine.observability import Observer
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.queue import InMemoryQueue
from tests.fakes.steering import InMemoryDeadLetterQueue
from tests.simulation.whole.scheduler import EPOCH, Scheduler

VISIBILITY_SECONDS = 60.0
MOVE_SECONDS = 2.0
"""What SQS needs for each letter that it moves by itself, at most."""
MOST_MOVED = 1_000
"""Letters of one move: SQS ends it some day, also where what nobody can read dies faster than it is moved."""


class Watched(InMemoryManifest):
    """The manifest, which tells the truth of every change."""

    def __init__(self, told: Callable[[Record], None]) -> None:
        super().__init__()
        self._told = told

    def _put(self, record: Record) -> None:
        super()._put(record)
        self._told(record)


class Clocked:
    """The scheduler's time as a clock of the servers."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def now(self) -> float:
        """Seconds since 1970."""
        return EPOCH + self._scheduler.time

    def monotonic(self) -> float:
        """The same seconds."""
        return self._scheduler.time


class StandardQueue(InMemoryQueue):
    """SQS as it is at its worst: any order, and now and then a message that stays visible."""

    def __init__(self, clock: Any, random: Random, *, duplicates: float, max_receives: int) -> None:
        super().__init__(clock, visibility=VISIBILITY_SECONDS, max_receives=max_receives)
        self._random = random
        self._duplicates = duplicates
        self._died_at: dict[str, float] = {}
        self.died: list[Message] = []
        """Messages that were received too often."""

    def count_older(self, seconds: float) -> int:
        """Messages that were sent longer ago, in work or not."""
        return sum(1 for held in self._held.values() if self._clock.now() - held.message.sent_at > seconds)

    def died_at(self) -> list[float]:
        """When each message died that lies dead, in seconds since the simulation's begin."""
        return [self._died_at[one.message_id] for one in self.dead]

    def hand_out_again(self) -> None:
        """Whoever has a message is gone: it is visible again."""
        for held in self._held.values():
            held.visible_at = min(held.visible_at, self._clock.now())

    def receive_messages(self, *, at_most: int, wait: int) -> Any:
        """See the port."""
        mixed = list(self._held.items())
        self._random.shuffle(mixed)
        self._held = dict(mixed)
        before = len(self.dead)
        taken = super().receive_messages(at_most=at_most, wait=wait)
        self.died += self.dead[before:]
        self._note_deaths()
        for message in taken:
            if self._random.random() < self._duplicates:
                self._held[message.message_id].visible_at = self._clock.now()
        return taken

    def bury(self, body: str) -> None:
        """A message that nobody could work off for a day."""
        self.send_messages([body])
        message_id = next(reversed(self._held))
        self.dead.append(self._held.pop(message_id).message)
        self._note_deaths()

    def _note_deaths(self) -> None:
        for one in self.dead:
            self._died_at.setdefault(one.message_id, self._clock.monotonic())

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left, dead messages counted."""
        return not self._held and not self.dead


class InTurn(Executor):
    """Works on a batch's objects one after the other: a process of the simulation is one thread."""

    def __init__(self, _: int) -> None:
        pass

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it now."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  # a killed process is told by its future, as in a real pool
            future.set_exception(error)
        return future


class SilentObserver(Observer):
    """Says nothing; a fault of ours, which the handlers survive, is remembered."""

    def __init__(self) -> None:
        super().__init__(migration="whole", function="simulation", level="CRITICAL", stream=io.StringIO())
        self.crashes: dict[str, None] = {}

    def crash(self, text: str, *, source: Location | None = None, **fields: object) -> None:
        """Remember it."""
        self.crashes[f"{text} {source} {fields}"] = None


@cache
def observer() -> SilentObserver:
    """One for all plays: making it takes longer than a play."""
    return SilentObserver()


class DeadLetters(InMemoryDeadLetterQueue):
    """A dead-letter queue; SQS's own move takes its time."""

    def __init__(self, source: StandardQueue, scheduler: Scheduler, random: Random) -> None:
        super().__init__(source, now=Clocked(scheduler).now)
        self.source = source
        self._scheduler = scheduler
        self._random = random

    def move_all(self, *, rate: int | None) -> None:  # the port's
        """See the port; one letter after the other."""
        if not self._moves or self._moves[-1].status != "RUNNING":
            self._moves.append(MoveTask("RUNNING", 0, len(self.source.dead)))
            self._scheduler.at(self._random.random() * MOVE_SECONDS, self._move_one)

    def _move_one(self) -> None:
        task = self._moves[-1]
        if not self.source.dead or task.moved >= MOST_MOVED:
            self._moves[-1] = MoveTask("COMPLETED", task.moved, task.to_move)
            return
        self.source.send_messages([self.source.dead.pop(0).body])
        self._moves[-1] = MoveTask("RUNNING", task.moved + 1, task.to_move)
        self._scheduler.at(self._random.random() * MOVE_SECONDS, self._move_one)
