"""Turns a listing into backfill messages, no faster than they are worked off."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from domain.keys import Location
from domain.planning.ports import ObjectListing
from domain.queues import MessageQueue
from domain.rules.compiled import CompiledRules
from domain.rules.routing import ENQUEUED, is_refused, route_of
from handlers.intake.messages import BackfillRow, encode_backfill

MESSAGES_AT_ONCE = 10
BACKLOG_SECONDS = 1.0


@dataclass(slots=True)
class Enqueued:
    """How far a backfill has come; ``last_key`` and everything before it is enqueued or needs no move.

    ``refused`` are the unmapped keys that the rules call a mistake.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    last_key: str = ""
    refused: int = 0

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {"listed": self.outcomes.total(), **self.outcomes, "messages": self.messages, "last_key": self.last_key}


class Feeder:
    """Turns a listing into messages."""

    def __init__(self, rules: CompiledRules, listing: ObjectListing, queue: MessageQueue) -> None:
        self._rules = rules
        self._listing = listing
        self._queue = queue

    def enqueue(
        self, done: Enqueued, *, prefix: str = "", rows: int = 50, backlog: int = 200, dry_run: bool = False
    ) -> Iterator[None]:
        """Enqueue what moves, yielding now and then; ``done`` never runs ahead of what the queue has accepted."""
        waiting: list[BackfillRow] = []
        last_key = done.last_key
        for listed in self._listing.list_objects(
            self._rules.source_bucket, prefix=self._rules.source_prefix + prefix, after=done.last_key
        ):
            route = route_of(self._rules, Location(self._rules.source_bucket, listed.key), is_loop_rejected=False)
            done.outcomes[route.kind.value] += 1
            done.refused += is_refused(route)
            last_key = listed.key
            if isinstance(route, ENQUEUED):
                waiting.append(BackfillRow.of_listed(listed))
            if len(waiting) >= rows * MESSAGES_AT_ONCE:
                self._send(waiting, done, rows=rows, backlog=backlog, dry_run=dry_run)
                waiting, done.last_key = [], last_key
                yield
        self._send(waiting, done, rows=rows, backlog=backlog, dry_run=dry_run)
        done.last_key = last_key
        yield

    def _send(self, waiting: list[BackfillRow], done: Enqueued, *, rows: int, backlog: int, dry_run: bool) -> None:
        bodies = list(
            encode_backfill(
                waiting, migration=self._rules.migration, bucket=self._rules.source_bucket, at_most_rows=rows
            )
        )
        done.messages += len(bodies)
        if dry_run or not bodies:
            return
        # A short queue keeps live events quick and a pause effective.
        while sum(self._queue.count_messages()) > backlog:
            time.sleep(BACKLOG_SECONDS)
        self._queue.send_messages(bodies)
