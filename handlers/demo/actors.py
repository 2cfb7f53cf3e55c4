"""The parts of the demo that run beside the workers: producers, a disturbed delivery, and a reader of the audit."""

import json
import threading
from collections.abc import Iterable, Sequence
from random import Random

from domain.audit.packs import events_of
from domain.keys import Location
from domain.protocol.record import Record
from domain.queues import Message, MessageQueue
from handlers.demo.checker import ProducersBook, ProducersBucket, write_object
from handlers.demo.objects import new_object

HOLD_SECONDS = 1.0
LATEST_SECONDS = 4


class Background:
    """A thread that repeats ``_round`` until it is stopped; an error ends it and is kept in ``failures``."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.failures: list[BaseException] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present round."""
        self._stopped.set()
        self._thread.join()

    def _round(self) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._round()
        except Exception as error:  # noqa: BLE001  # the demo then does not report success
            self.failures.append(error)


class Producers:
    """Threads with separate keys, so that the book knows the last write of each key for certain."""

    def __init__(self, bucket: ProducersBucket, bucket_name: str, book: ProducersBook, *, pause: float) -> None:
        self._bucket = bucket
        self._bucket_name = bucket_name
        self._book = book
        self._pause = pause
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self.failures: list[BaseException] = []

    def start(self, keys: Sequence[str], *, threads: int, seed: int) -> None:
        """Each thread takes every n-th key."""
        for number in range(threads):
            mine = list(keys[number::threads])
            thread = threading.Thread(target=self._guarded, args=(mine, Random(f"{seed}/{number}")), daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """No more writes after this returns."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _guarded(self, keys: list[str], random: Random) -> None:
        try:
            self._live(keys, random)
        except Exception as error:  # noqa: BLE001  # the demo then does not report success
            self.failures.append(error)

    def _live(self, keys: list[str], random: Random) -> None:
        born = 0
        while not self._stopped.wait(self._pause):
            key = random.choice(keys)
            deed = random.random()
            if deed < 0.15:
                self._delete(key)
            elif deed < 0.35:
                born += 1
                keys.append(f"datasets//training-output/live-{random.getrandbits(40):x}/output/part {born}.bin")
                self._write(keys[-1], random)
            elif deed < 0.45:
                # Two writes of one key: the second one overtakes the first event.
                self._write(key, random)
                self._write(key, random)
            else:
                self._write(key, random)

    def _write(self, key: str, random: Random) -> None:
        written = new_object(random)
        write_object(self._bucket, Location(self._bucket_name, key), written)
        self._book.note(key, written)

    def _delete(self, key: str) -> None:
        self._bucket.delete_object(Location(self._bucket_name, key))
        self._book.note(key, None)


class DisturbedDelivery(Background):
    """Delivers as badly as SQS may: takes messages out of a queue, and puts them back later, shuffled, some twice.

    All messages are back when ``stop`` returns.
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
                # New messages first: if this process were killed here, they would only be delivered once more.
                self._queue.send_messages([message.body], delay=self._random.randint(0, LATEST_SECONDS))
            self.duplicated += copies - 1
            self.reordered += 1
        if held:
            self._queue.delete_messages(held)


class Auditor(Background):
    """A thread that empties the audit queue."""

    def __init__(self, queue: MessageQueue) -> None:
        super().__init__()
        self._queue = queue
        self.event_ids: set[str] = set()
        self.repeated = 0

    def missing(self, records: Iterable[Record]) -> list[str]:
        """Ids of changes in the manifest without an event: every revision must have its event."""
        return [
            event_id
            for record in records
            for event_id in (f"{record.record_id}:{revision}" for revision in range(1, record.revision + 1))
            if event_id not in self.event_ids
        ]

    def _round(self) -> None:
        messages = self._queue.receive_messages(at_most=10, wait=1)
        for message in messages:
            for event in events_of(json.loads(message.body)):
                event_id = str(event["detail"]["event_id"])
                self.repeated += event_id in self.event_ids
                self.event_ids.add(event_id)
        if messages:
            self._queue.delete_messages(messages)
