"""Collects the audit events as they come off the bus, and says which are missing."""

import json
import threading
from collections.abc import Iterable

from domain.ports import MessageQueue
from domain.record import Record


class Auditor:
    """A thread that empties the audit queue."""

    def __init__(self, queue: MessageQueue) -> None:
        self._queue = queue
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.event_ids: set[str] = set()
        self.repeated = 0
        self.failures: list[BaseException] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        self._thread.join()

    def missing(self, records: Iterable[Record]) -> list[str]:
        """Ids of changes that the manifest has seen and nobody was told of: every revision must have its event."""
        return [
            event_id
            for record in records
            for event_id in (f"{record.record_id}:{revision}" for revision in range(1, record.revision + 1))
            if event_id not in self.event_ids
        ]

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                messages = self._queue.receive_messages(at_most=10, wait=1)
                for message in messages:
                    event_id = str(json.loads(message.body)["detail"]["event_id"])
                    self.repeated += event_id in self.event_ids
                    self.event_ids.add(event_id)
                if messages:
                    self._queue.delete_messages(messages)
        except Exception as error:  # noqa: BLE001  # told to the demo, which must not report success then
            self.failures.append(error)
