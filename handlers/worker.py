"""The same handlers outside Lambda: lanes that poll the queues, and one that follows the manifest's stream."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from domain.errors import KeyshiftError, PermanentError, TransientError
from domain.ports import Message, MessageQueue
from handlers import manifest_stream
from handlers.batch import Body, Handled, handle_messages
from handlers.dependencies import Dependencies

EVENTS_AT_ONCE = 10
BACKFILL_AT_ONCE = 2
"""A backfill message holds many objects, and live events must not wait behind them."""
LONG_POLL_SECONDS = 2
PAUSED_SECONDS = 1.0
HEARTBEAT_SECONDS = 30.0
LONGEST_BACK_OFF = 10.0


class ChangeReader(Protocol):
    """The manifest's stream as the worker reads it; one reader at a time."""

    def read_changes(self) -> Mapping[str, Any] | None:
        """The next batch in Lambda's event shape; ``None`` when there is nothing new."""

    def confirm_changes(self, event: Mapping[str, Any], failed: str | None) -> None:
        """Go on after this batch, or from the record with the sequence number that failed."""


class Lanes:
    """How many lanes may work: halved when a service asks us to slow down, and slowly more again."""

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._allowed = float(most)
        self._lock = threading.Lock()

    @property
    def allowed(self) -> int:
        """How many lanes may work now, at least one."""
        return int(self._allowed)

    def report(self, *, throttled: bool) -> None:
        """Take one batch's experience into account."""
        with self._lock:
            change = self._allowed / 2 if throttled else self._allowed + 0.1
            self._allowed = min(self._most, max(1.0, change))


@dataclass(slots=True)
class Tally:
    """What a worker has done since it started."""

    messages: int = 0
    returned: int = 0
    objects: int = 0


class Worker:
    """Polls until it is told to stop; what it has begun it finishes, the rest goes back to its queue."""

    def __init__(self, dependencies: Dependencies, *, lanes: int, changes: ChangeReader | None = None) -> None:
        self._dependencies = dependencies
        self._lanes = Lanes(lanes)
        self._count = lanes
        self._changes = changes
        self._stop = threading.Event()
        self._failure: KeyshiftError | None = None
        self.tally = Tally()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Begin nothing new; ``run`` returns when what was begun is done."""
        self._stop.set()

    def run(self) -> None:
        """Work until ``stop``; raises PermanentError when a queue, table or permission is missing."""
        threads = [
            threading.Thread(target=self._guarded, args=(self._lane, number), name=f"lane-{number}")
            for number in range(self._count)
        ]
        if self._changes is not None:
            threads.append(threading.Thread(target=self._guarded, args=(self._follow_changes, 0), name="changes"))
        for thread in threads:
            thread.start()
        while not self._stop.wait(HEARTBEAT_SECONDS):
            self._say("working")
        for thread in threads:
            thread.join()
        self._say("stopped")
        if self._failure is not None:
            raise self._failure

    def _say(self, what: str) -> None:
        tally = self.tally
        self._dependencies.observer.info(
            what, messages=tally.messages, returned=tally.returned, objects=tally.objects, lanes=self._lanes.allowed
        )

    def _guarded(self, step: Callable[[int], bool], number: int) -> None:
        """Repeat a step; a server that does not answer is asked again, more and more slowly."""
        back_off = 0.5
        while not self._stop.is_set():
            try:
                busy = step(number)
                back_off = 0.5
                if not busy:
                    self._stop.wait(0.05)
            except PermanentError as error:
                self._dependencies.observer.fail("the worker cannot go on", cause=error.cause, why=str(error))
                self._failure = error
                self._stop.set()
            except TransientError as error:
                self._dependencies.observer.warn("no answer, trying again", cause=error.cause, why=str(error))
                self._stop.wait(back_off)
                back_off = min(back_off * 2, LONGEST_BACK_OFF)

    def _lane(self, number: int) -> bool:
        control = self._dependencies.control.current()
        if control.paused or number >= self._lanes.allowed:
            self._stop.wait(PAUSED_SECONDS)
            return False
        # Live events go first: backfill is asked only when none is waiting.
        live, backfill = self._dependencies.events_queue, self._dependencies.backfill_queue
        if self._serve(live, at_most=EVENTS_AT_ONCE, wait=0):
            return True
        if self._serve(backfill, at_most=BACKFILL_AT_ONCE, wait=0):
            return True
        return self._serve(live, at_most=EVENTS_AT_ONCE, wait=LONG_POLL_SECONDS)

    def _serve(self, queue: MessageQueue, *, at_most: int, wait: int) -> bool:
        messages = queue.receive_messages(at_most=at_most, wait=wait)
        if not messages:
            return False
        with self._returned_on_error(queue, messages):
            bodies = [Body(message.message_id, message.body) for message in messages]
            handled = handle_messages(bodies, self._dependencies, seconds_left=self._seconds_left)
        self._settle(queue, messages, handled)
        return True

    @contextmanager
    def _returned_on_error(self, queue: MessageQueue, messages: Any) -> Iterator[None]:
        try:
            yield
        except KeyshiftError:
            queue.return_messages(messages, delay=5)
            raise

    def _seconds_left(self) -> float:
        """Nothing more to begin once we were told to stop."""
        return 0.0 if self._stop.is_set() else self._dependencies.settings.attempt_seconds

    def _settle(self, queue: MessageQueue, messages: Any, handled: list[Handled]) -> None:
        by_id: dict[str, Message] = {message.message_id: message for message in messages}
        done = [by_id[one.message_id] for one in handled if one.done]
        if done:
            queue.delete_messages(done)
        delays: dict[int, list[Message]] = {}
        for one in handled:
            if not one.done:
                delays.setdefault(one.retry_after, []).append(by_id[one.message_id])
        for delay, returned in delays.items():
            queue.return_messages(returned, delay=delay)
        throttled = any(one.throttled for one in handled)
        self._lanes.report(throttled=throttled)
        with self._lock:
            self.tally.messages += len(handled)
            self.tally.returned += len(handled) - len(done)
            self.tally.objects += sum(len(one.outcomes) for one in handled)
        if throttled:
            self._stop.wait(1.0)

    def _follow_changes(self, number: int) -> bool:  # noqa: ARG002  # a step like every other
        if self._changes is None:
            return False
        event = self._changes.read_changes()
        if event is None:
            return False
        failures = manifest_stream.respond(event, self._dependencies)["batchItemFailures"]
        self._changes.confirm_changes(event, failures[0]["itemIdentifier"] if failures else None)
        return not failures
