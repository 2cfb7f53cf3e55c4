"""The same handlers outside Lambda: lanes that poll both queues, and one that follows the manifest's stream."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from domain.errors import KeyshiftError, PermanentError
from domain.queues import Message, MessageQueue
from handlers.engine import outbox
from handlers.engine.batch import handle_messages
from handlers.engine.dependencies import EngineDependencies
from handlers.engine.give_back import give_back
from handlers.engine.stream_lease import RENEW_SECONDS, kept_lease

MOST_RECEIVED = 10
"""Messages that SQS gives in one answer."""
EVENTS_AT_ONCE = MOST_RECEIVED
EVENTS_TOGETHER = 3 * MOST_RECEIVED
"""A full queue is received from again at once: 25 claims, and 25 commits, cost what one costs."""
BACKFILL_AT_ONCE = 2
"""A backfill message holds many objects, and live events must not wait behind them."""
LONG_POLL_SECONDS = 2
PAUSED_SECONDS = 1.0
MOST_WAIT_SECONDS = 3
"""Maximum seconds that a held-back message stays invisible.

A paused worker does not poll, so a resume acts immediately.
"""
IDLE_SECONDS = 0.2
HEARTBEAT_SECONDS = 30.0
FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.5, 10.0


class ChangeReader(Protocol):
    """The manifest's stream as the worker reads it; one reader at a time."""

    def read_changes(self) -> Mapping[str, Any] | None:
        """The next batch in Lambda's event shape; ``None`` when there is nothing new."""

    def confirm_changes(self, event: Mapping[str, Any], failed: str | None) -> None:
        """Continue after this batch, or from the record with the sequence number that failed."""

    def keep_changes(self) -> bool:
        """Keep the stream for a running batch; ``False`` when another process has it. Another thread calls it."""

    def release(self) -> None:
        """Let another process read the stream."""


class Worker:
    """One process that works the queues off until it is stopped; if it is killed, nothing is lost (protocol.md §6)."""

    def __init__(
        self,
        dependencies: EngineDependencies,
        *,
        lanes: int = 4,
        changes: ChangeReader | None = None,
        heartbeat: float = HEARTBEAT_SECONDS,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        self._dependencies = dependencies
        self._steps: list[Callable[[], bool]] = [self._work] * lanes
        self._changes = changes
        if changes is not None:
            self._steps.append(lambda: self._publish(changes))
        self._heartbeat = heartbeat
        self._renew_seconds = renew_seconds
        self._stopped = threading.Event()
        self._failure: PermanentError | None = None

    def also_serve(self, step: Callable[[Callable[[], bool]], bool]) -> None:
        """Serve another queue in a lane of its own: ``step`` is given what says whether the worker is stopping.

        It returns whether there was anything to do. To be called before ``run``.
        """
        self._steps.append(partial(step, self._stopped.is_set))

    def stop(self) -> None:
        """Begin no other object; ``run`` returns when the running ones are done and the rest is back in its queue."""
        self._stopped.set()

    def run(self) -> None:
        """Work until ``stop``; raises PermanentError when a queue, table or permission is missing."""
        threads = [
            threading.Thread(target=self._repeat, args=(step,), name=f"lane-{number}")
            for number, step in enumerate(self._steps)
        ]
        self._say("worker started")
        for thread in threads:
            thread.start()
        while not self._stopped.wait(self._heartbeat):
            self._say("working")
        for thread in threads:
            thread.join()
        self._let_others_read()
        self._say("worker stopped")
        if self._failure is not None:
            raise self._failure

    def _say(self, what: str) -> None:
        observer = self._dependencies.observer
        observer.info(what, limit=self._dependencies.pace.limit, totals=observer.totals())

    def _repeat(self, step: Callable[[], bool]) -> None:
        """Repeat a step; while a server does not answer, wait longer before each retry."""
        observer, back_off = self._dependencies.observer, FIRST_BACK_OFF
        while not self._stopped.is_set():
            try:
                if not step():
                    self._stopped.wait(IDLE_SECONDS)
                back_off = FIRST_BACK_OFF
                continue
            except PermanentError as error:
                observer.fail("the worker cannot go on", cause=error.cause, why=str(error))
                self._failure = error
                self._stopped.set()
                return
            except KeyshiftError as error:
                observer.warn("no answer, trying again", cause=error.cause, why=str(error))
            except Exception as error:  # noqa: BLE001 # a bug must not end a lane in silence
                observer.crash("unexpected", cause=type(error).__name__, why=str(error))
            self._stopped.wait(back_off)
            back_off = min(back_off * 2, LONGEST_BACK_OFF)

    def _work(self) -> bool:
        """Work one batch off: live events go first, backfill is received only when no live event is waiting."""
        if self._dependencies.control.current().paused:
            self._stopped.wait(PAUSED_SECONDS)
            return False
        live, backfill = self._dependencies.events_queue, self._dependencies.backfill_queue
        if self.serve(live, at_most=EVENTS_AT_ONCE, wait=0):
            return True
        if self.serve(backfill, at_most=BACKFILL_AT_ONCE, wait=0):
            return True
        return self.serve(live, at_most=EVENTS_AT_ONCE, wait=LONG_POLL_SECONDS)

    def serve(self, queue: MessageQueue, *, at_most: int, wait: int) -> bool:
        """Receive once and work the messages off; returns whether there was anything to do.

        If everything waits because AWS throttled it, that is nothing to do: the lane idles before it receives more.
        """
        messages = self._receive(queue, at_most, wait)
        if not messages:
            return False
        ends = time.monotonic() + self._dependencies.settings.batch_seconds
        try:
            handled = handle_messages(
                messages,
                self._dependencies,
                seconds_left=lambda: ends - time.monotonic(),
                stopping=self._stopped.is_set,
            )
        except PermanentError:
            self._return_quietly(queue, messages)
            raise
        done = [one.message for one in handled if one.done]
        if done:
            queue.delete_messages(done)
        returned = [one for one in handled if not one.done]
        renewed = give_back(returned, queue, self._dependencies, most_wait=MOST_WAIT_SECONDS)
        if renewed:
            queue.delete_messages([one.message for one in returned if one.message.message_id in renewed])
        return not all(one.is_throttled for one in handled)

    def _receive(self, queue: MessageQueue, at_most: int, wait: int) -> list[Message]:
        """The messages of one receive, and of others while each brings as many as SQS gives at once."""
        messages = received = list(queue.receive_messages(at_most=at_most, wait=wait))
        try:
            while len(received) == MOST_RECEIVED and len(messages) < EVENTS_TOGETHER and not self._stopped.is_set():
                received = list(queue.receive_messages(at_most=at_most, wait=0))
                messages = messages + received
        except KeyshiftError as error:
            # The first ones are in hand; the next receive says whether the queue is gone.
            self._dependencies.observer.info("fewer messages at once", cause=error.cause, why=str(error))
        return messages

    def _return_quietly(self, queue: MessageQueue, messages: Sequence[Message]) -> None:
        try:
            queue.return_messages(messages, delay=0)
        except KeyshiftError as error:
            self._dependencies.observer.info("messages come back after their visibility time-out", why=str(error))

    def _let_others_read(self) -> None:
        if self._changes is None:
            return
        try:
            self._changes.release()
        except KeyshiftError as error:
            self._dependencies.observer.info("another worker reads the stream a little later", why=str(error))

    def _publish(self, changes: ChangeReader) -> bool:
        event = changes.read_changes()
        if event is None:
            return False
        with kept_lease(changes.keep_changes, self._dependencies.observer, every=self._renew_seconds):
            failures = outbox.respond(event, self._dependencies)["batchItemFailures"]
        changes.confirm_changes(event, failures[0]["itemIdentifier"] if failures else None)
        return not failures
