"""Collects the audit events as they come off the bus, and says which are missing."""

import json
from collections.abc import Iterable

from domain.protocol.record import Record
from domain.queues import MessageQueue
from handlers.demo.actors import Background


class Auditor(Background):
    """A thread that empties the audit queue."""

    def __init__(self, queue: MessageQueue) -> None:
        super().__init__()
        self._queue = queue
        self.event_ids: set[str] = set()
        self.repeated = 0

    def missing(self, records: Iterable[Record]) -> list[str]:
        """Ids of changes that the manifest has seen and nobody was told of: every revision must have its event."""
        return [
            event_id
            for record in records
            for event_id in (f"{record.record_id}:{revision}" for revision in range(1, record.revision + 1))
            if event_id not in self.event_ids
        ]

    def _round(self) -> None:
        messages = self._queue.receive_messages(at_most=10, wait=1)
        for message in messages:
            event_id = str(json.loads(message.body)["detail"]["event_id"])
            self.repeated += event_id in self.event_ids
            self.event_ids.add(event_id)
        if messages:
            self._queue.delete_messages(messages)
