"""Deliveries as bad as SQS may make them: twice, late and out of order."""

from random import Random

from domain.queues import Message, MessageQueue
from handlers.demo.actors import Background

HOLD_SECONDS = 1.0
LATEST_SECONDS = 4


class Troublemaker(Background):
    """Takes messages out of a queue now and then, and puts them back later, shuffled, some of them twice.

    Everything that it took is back when ``stop`` returns.
    """

    def __init__(self, queue: MessageQueue, *, seed: int) -> None:
        super().__init__()
        self._queue = queue
        self._random = Random(seed)
        self.duplicated = 0
        self.reordered = 0

    def _round(self) -> None:
        held: list[Message] = list(self._queue.receive_messages(at_most=10, wait=1))
        self._stopped.wait(HOLD_SECONDS)
        self._put_back(held)

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
