"""EventBridge's part: job-state events are delivered to the portal's function, at least once and in any order."""

import json

from domain.errors import KeyshiftError
from domain.queues import MessageQueue
from handlers.demo.actors import Background
from handlers.demo.portal.result import PortalResult
from handlers.portal import job_events
from handlers.portal.errors import HttpError

MOST_REFUSED = 20


class JobEvents(Background):
    """A thread that passes each event of the queue to the real handler; a refused event is delivered again.

    After more than ``MOST_REFUSED`` refusals the thread ends: the last error is among ``failures``.
    """

    def __init__(self, queue: MessageQueue, result: PortalResult) -> None:
        super().__init__()
        self._queue = queue
        self._result = result
        self.refused = 0

    def stop(self) -> None:
        """End, when the queue is empty."""
        while self._thread.is_alive() and any(self._queue.count_messages()):
            self._stopped.wait(0.3)
        super().stop()

    def _round(self) -> None:
        for message in self._queue.receive_messages(at_most=1, wait=1):
            try:
                answer = job_events.handler(json.loads(message.body), None)
            except (KeyshiftError, HttpError):
                self.refused += 1
                if self.refused > MOST_REFUSED:
                    raise
                continue
            self._queue.delete_messages([message])
            self._result.add("job_events")
            self._result.add("events_repeated", int(answer["outcome"] == "known"))
