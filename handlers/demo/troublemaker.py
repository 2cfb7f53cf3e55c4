"""Deliveries as bad as SQS may make them: twice, late and out of order."""

import threading
from random import Random

from domain.ports import Message, MessageQueue

HOLD_SECONDS = 1.0
LATEST_SECONDS = 4


class Troublemaker:
    """Takes messages out of a queue now and then, and puts them back later, shuffled, some of them twice."""

    def __init__(self, queue: MessageQueue, *, seed: int) -> None:
        self._queue = queue
        self._random = Random(seed)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.duplicated = 0
        self.reordered = 0
        self.failures: list[BaseException] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Everything that was taken is back when this returns."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                held: list[Message] = list(self._queue.receive_messages(at_most=10, wait=1))
                self._stopped.wait(HOLD_SECONDS)
                self._put_back(held)
        except Exception as error:  # noqa: BLE001  # told to the demo, which must not report success then
            self.failures.append(error)

    def _put_back(self, held: list[Message]) -> None:
        self._random.shuffle(held)
        for message in held:
            copies = 2 if self._random.random() < 0.5 else 1
            for _ in range(copies):
                # New messages first: were this process killed here, they would only be delivered once more.
                self._queue.send_messages([message.body], delay=self._random.randint(0, LATEST_SECONDS))
            self.duplicated += copies - 1
            self.reordered += 1
        if held:
            self._queue.delete_messages(held)
