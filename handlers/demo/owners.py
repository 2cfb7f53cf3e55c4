"""The owners go on as if nothing happened: they write, overwrite, re-write and delete while their bucket moves."""

import threading
from collections.abc import Sequence
from random import Random

from domain.keys import Location
from handlers.demo.checker import OwnersBucket, write_object
from handlers.demo.ledger import Ledger
from handlers.demo.objects import new_object


class Owners:
    """Threads that each own some of the keys, so that the book knows every key's last word for certain."""

    def __init__(self, bucket: OwnersBucket, bucket_name: str, ledger: Ledger, *, pause: float) -> None:
        self._bucket = bucket
        self._bucket_name = bucket_name
        self._ledger = ledger
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
        except Exception as error:  # noqa: BLE001  # told to the demo, which must not report success then
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
                # The same key twice at once: the first event is overtaken while it is on its way.
                self._write(key, random)
                self._write(key, random)
            else:
                self._write(key, random)

    def _write(self, key: str, random: Random) -> None:
        written = new_object(random)
        write_object(self._bucket, Location(self._bucket_name, key), written)
        self._ledger.note(key, written)

    def _delete(self, key: str) -> None:
        self._bucket.delete_object(Location(self._bucket_name, key))
        self._ledger.note(key, None)
