"""Turns an inventory's rows into backfill messages, restartable at any row, no faster than they are worked off."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from domain.keys import Location
from domain.objects import ListedObject
from domain.planning.ports import BackfillJournal
from domain.queues import Message, MessageQueue
from domain.rules.compiled import CompiledRules
from domain.rules.routing import ENQUEUED, is_refused, route_of
from handlers.intake.messages import BackfillRow, encode_backfill

ROWS_PER_MESSAGE = 50
MESSAGES_AT_ONCE = 10
LOOK_ROWS = 20_000
"""So many rows at most between two checkpoints, however few of them move."""
BACKLOG_SECONDS = 1.0

Rows = Callable[[int], Iterator[ListedObject | None]]
"""The rows of one data file from a given row on."""


@dataclass(slots=True)
class Fed:
    """What one run has done; ``rows`` read, ``skipped`` of them by an earlier run.

    ``refused`` are the unmapped keys that the rules call a mistake.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    skipped: int = 0
    messages: int = 0
    refused: int = 0

    def as_json(self) -> dict[str, int]:
        """For machines."""
        return {"rows": self.rows, "skipped": self.skipped, "messages": self.messages, **self.outcomes}


def content_id_of(content: str, rules: CompiledRules) -> str:
    """What a checkpoint is kept under: the bytes that were read, and the rules that they were read by."""
    return f"{content} by {rules.digest}"


class InventoryFeeder:
    """Feeds the data files of one inventory; two feeders on one file only enqueue some rows twice."""

    def __init__(
        self,
        rules: CompiledRules,
        queue: MessageQueue,
        journal: BackfillJournal,
        *,
        backlog: int,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rules = rules
        self._queue = queue
        self._journal = journal
        self._backlog = backlog
        self._sleep = sleep

    def feed(  # noqa: PLR0913  # which file, its rows, the tally and when to stop
        self,
        content: str,
        file_key: str,
        rows: Rows,
        fed: Fed,
        *,
        again: bool = False,
        stopping: Callable[[], bool] = lambda: False,
        waits: bool = True,
    ) -> bool:
        """Enqueue what moves of one data file, whose bytes ``content`` names; ``False`` when stopped before its end.

        It goes on where a run stopped that read the same bytes by the same rules, but at the first row ``again``.
        The checkpoint is written after the queue has accepted everything before it, never ahead. With ``waits`` off
        a full queue ends the run instead of making it wait.
        """
        content_id = content_id_of(content, self._rules)
        if again:
            self._journal.forget_rows_done(content_id, file_key)
        done = self._journal.read_rows_done(content_id, file_key)
        fed.skipped += done
        waiting: list[BackfillRow] = []
        number = checkpoint = done
        for row in rows(done):
            number += 1
            fed.rows += 1
            if row is None:
                fed.outcomes["not_current"] += 1
            else:
                route = route_of(self._rules, Location(self._rules.source_bucket, row.key), is_loop_rejected=False)
                fed.outcomes[route.kind.value] += 1
                fed.refused += is_refused(route)
                if isinstance(route, ENQUEUED):
                    waiting.append(BackfillRow.of_listed(row))
            if len(waiting) >= ROWS_PER_MESSAGE * MESSAGES_AT_ONCE or number - checkpoint >= LOOK_ROWS:
                if not self._send(waiting, fed, waits=waits):
                    return False
                waiting, checkpoint = [], number
                self._journal.write_rows_done(content_id, file_key, number)
                if stopping():
                    return False
        if not self._send(waiting, fed, waits=waits):
            return False
        self._journal.write_rows_done(content_id, file_key, number)
        return True

    def _send(self, waiting: list[BackfillRow], fed: Fed, *, waits: bool) -> bool:
        bodies = list(
            encode_backfill(
                waiting,
                migration=self._rules.migration,
                bucket=self._rules.source_bucket,
                at_most_rows=ROWS_PER_MESSAGE,
            )
        )
        while bodies and sum(self._queue.count_messages()) > self._backlog:
            # A short queue keeps live events quick and a pause effective.
            if not waits:
                return False
            self._sleep(BACKLOG_SECONDS)
        self._queue.send_messages(bodies)
        fed.messages += len(bodies)
        return True


class NoQueue:
    """A queue for a dry run: it takes everything and keeps nothing."""

    def send_messages(self, bodies: Sequence[str], *, delay: int = 0) -> None:
        """Nothing is sent."""

    def receive_messages(self, *, at_most: int, wait: int) -> Sequence[Message]:  # noqa: ARG002  # the port's
        """There is nothing."""
        return ()

    def delete_messages(self, messages: Sequence[Message]) -> None:
        """Nothing to delete."""

    def return_messages(self, messages: Sequence[Message], *, delay: int) -> None:
        """Nothing to return."""

    def count_messages(self) -> tuple[int, int]:
        """Always empty."""
        return 0, 0


class NoJournal:
    """A journal for a dry run: every file begins at its first row."""

    def read_rows_done(self, content_id: str, file_key: str) -> int:  # noqa: ARG002  # the port's
        """Nothing is done."""
        return 0

    def write_rows_done(self, content_id: str, file_key: str, rows: int) -> None:
        """Nothing is remembered."""

    def forget_rows_done(self, content_id: str, file_key: str) -> None:
        """Nothing is known."""
