"""EventBridge's part: job-state events are delivered to the portal's function, at least once and in any order."""

import json
import threading

from domain.ports import MessageQueue
from handlers.portal import job_events
from handlers.portal_demo.result import PortalResult


class JobEvents:
    """A thread that hands each event of the queue to the real handler; what it refuses is delivered again."""

    def __init__(self, queue: MessageQueue, result: PortalResult) -> None:
        self._queue = queue
        self._result = result
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.failures: list[BaseException] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, when the queue is empty."""
        while self._thread.is_alive() and any(self._queue.count_messages()):
            self._stopped.wait(0.3)
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                for message in self._queue.receive_messages(at_most=1, wait=1):
                    answer = job_events.handler(json.loads(message.body), None)
                    self._queue.delete_messages([message])
                    self._result.add("job_events")
                    self._result.add("events_repeated", int(answer["outcome"] == "known"))
        except Exception as error:  # noqa: BLE001  # told to the demo, which must not report success then
            self.failures.append(error)
