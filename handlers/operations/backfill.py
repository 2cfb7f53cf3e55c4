"""Turns the rows of a listing or an inventory into backfill messages, no faster than they are worked off."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol

from domain.keys import Location
from domain.objects import ListedObject
from domain.planning.inventory import Inventory
from domain.planning.ports import BackfillJournal, ObjectListing
from domain.planning.shares import Share
from domain.planning.total import FileProgress
from domain.queues import MessageQueue
from domain.rules.compiled import CompiledRules
from domain.rules.routing import ENQUEUED, Moved, is_refused, route_of
from handlers.intake.messages import BackfillRow, encode_backfill

ROWS_PER_MESSAGE = 50
MESSAGES_AT_ONCE = 10
LOOK_ROWS = 20_000
"""Maximum number of rows between two checkpoints, however few of them move."""
DELETED = "deleted"
"""The outcome of a key that moves and is deleted now."""
BACKLOG = 200
BACKLOG_SECONDS = 1.0

Rows = Callable[[int], Iterator[ListedObject | None]]
"""Returns the rows of one data file from a given row on; ``None`` for one that gives no key to enqueue."""


class OpenFiles(Protocol):
    """Opens an inventory."""

    def __call__(
        self, place: str, *, only: str | None = None
    ) -> AbstractContextManager[tuple[Inventory, Mapping[str, Rows]]]:
        """The inventory and, for each data file (or the one named ``only``), its rows; all verified."""


@dataclass(slots=True)
class Fed:
    """The result of one run; ``rows`` read, and ``skipped``, which an earlier run read.

    ``last_key`` and everything before it is enqueued or needs no move. ``refused`` are the unmapped keys that the rules
    treat as a mistake. ``enqueued`` counts the rows that were sent, and ``size`` their bytes. ``earlier`` are those of
    the skipped rows; ``is_counted`` is false if the earlier run stored no figures.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    skipped: int = 0
    earlier: Share = field(default_factory=Share)
    is_counted: bool = True
    messages: int = 0
    refused: int = 0
    enqueued: int = 0
    size: int = 0
    last_key: str = ""

    def as_json(self) -> dict[str, int]:
        """As JSON, for an inventory's or a plan's files."""
        return {"rows": self.rows, "skipped": self.skipped, "messages": self.messages, **self.outcomes}

    def listed_json(self) -> dict[str, int | str]:
        """As JSON, for a listing."""
        return {"listed": self.rows, **self.outcomes, "messages": self.messages, "last_key": self.last_key}


def content_id_of(content: str, rules: CompiledRules) -> str:
    """The id of a checkpoint: the bytes that were read, and the rules by which they were read."""
    return f"{content} by {rules.digest}"


@dataclass(frozen=True, slots=True)
class DataFile:
    """One data file of an inventory, or a saved plan: the name of its bytes, its own key, and its rows."""

    content: str
    key: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Feeder:
    """Enqueues rows; two feeders on the same rows only enqueue some of them twice.

    Without a ``queue`` it is a dry run, which counts the same and sends nothing. With ``waits`` off, a queue of more
    than ``backlog`` messages ends the run; otherwise the run waits.
    """

    rules: CompiledRules
    queue: MessageQueue | None
    backlog: int = BACKLOG
    rows_per_message: int = ROWS_PER_MESSAGE
    waits: bool = True
    sleep: Callable[[float], None] = time.sleep

    def feed_listing(
        self, listing: ObjectListing, fed: Fed, *, prefix: str = "", go_on: Callable[[], bool] = lambda: True
    ) -> bool:
        """Enqueue the keys after ``fed.last_key`` that move; see ``feed``."""
        source = self.rules.source
        rows = listing.list_objects(source.bucket, prefix=source.prefix + prefix, after=fed.last_key)
        return self.feed(rows, fed, go_on=go_on)

    def feed_file(
        self,
        file: DataFile,
        fed: Fed,
        *,
        journal: BackfillJournal | None,
        again: bool = False,
        go_on: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Enqueue the rows of one data file that move; see ``feed``.

        It resumes a run that read the same bytes by the same rules; with ``again`` it begins at the first row. Without
        a ``journal`` it begins at the first row too, and stores no progress.
        """
        if journal is None:
            return self.feed(file.rows(0), fed, go_on=go_on)
        content_id = content_id_of(file.content, self.rules)
        if again:
            journal.forget_progress(content_id, file.key)
        (done,) = journal.read_progress([(content_id, file.key)])
        fed.skipped += done.rows
        fed.earlier = Share(fed.earlier.objects + done.objects, fed.earlier.size + done.size)
        fed.is_counted &= done.is_counted
        before = replace(fed)

        def progress() -> FileProgress:
            rows, objects = fed.rows - before.rows, fed.enqueued - before.enqueued
            size = done.size + fed.size - before.size
            return replace(done, rows=done.rows + rows, objects=done.objects + objects, size=size)

        def remember() -> bool:
            journal.write_progress(content_id, file.key, progress())
            return go_on()

        is_read = self.feed(file.rows(done.rows), fed, go_on=remember)
        if is_read:
            journal.write_progress(content_id, file.key, replace(progress(), is_read=True))
        return is_read

    def feed(self, rows: Iterable[ListedObject | None], fed: Fed, *, go_on: Callable[[], bool] = lambda: True) -> bool:
        """Enqueue the rows that move; ``False`` when stopped before their end.

        ``go_on`` is called from time to time, and at the end, always when the queue has accepted everything that was
        read. So a checkpoint that it writes never runs ahead.
        """
        waiting: list[BackfillRow] = []
        last_key, checkpoint = fed.last_key, fed.rows
        for row in rows:
            fed.rows += 1
            if row is None:
                fed.outcomes["not_current"] += 1
            else:
                last_key = row.key
                route = route_of(self.rules, Location(self.rules.source_bucket, row.key), is_loop_rejected=False)
                is_deleted = row.is_marker and isinstance(route, Moved)
                fed.outcomes[DELETED if is_deleted else route.kind.value] += 1
                fed.refused += is_refused(route)
                if isinstance(route, ENQUEUED):
                    waiting.append(BackfillRow.of_listed(row))
                    fed.enqueued += 1
                    fed.size += row.size or 0
            if len(waiting) >= self.rows_per_message * MESSAGES_AT_ONCE or fed.rows - checkpoint >= LOOK_ROWS:
                if not self._send(waiting, fed):
                    return False
                waiting, fed.last_key, checkpoint = [], last_key, fed.rows
                if not go_on():
                    return False
        if not self._send(waiting, fed):
            return False
        fed.last_key = last_key
        go_on()
        return True

    def _send(self, waiting: list[BackfillRow], fed: Fed) -> bool:
        migration, bucket = self.rules.migration, self.rules.source_bucket
        bodies = list(encode_backfill(waiting, migration=migration, bucket=bucket, at_most_rows=self.rows_per_message))
        if bodies and self.queue is not None:
            # A short queue keeps live events fast and a pause effective.
            while sum(self.queue.count_messages()) > self.backlog:
                if not self.waits:
                    return False
                self.sleep(BACKLOG_SECONDS)
            self.queue.send_messages(bodies)
        fed.messages += len(bodies)
        return True
