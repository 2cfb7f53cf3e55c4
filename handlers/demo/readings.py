"""The sandbox's bucket: sensors' readings in year/month/day folders, and producers who go on writing them."""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path

from domain.keys import Location
from domain.rules.compiled import CompiledRules
from handlers.demo.actors import Background
from handlers.demo.checker import ProducersBucket, target_of, write_object
from handlers.demo.objects import ProducedObject, object_of

PAUSE_SECONDS = 2.0
OLD, NEW, STOP = "old", "new", "stop"
MODES = (OLD, NEW, STOP)
"""Words of the producers' file: write old keys, write new keys, do not write."""
UNMAPPED = "in/README.txt"
"""A key that no rule maps."""
REFERRED = 4
"""So many of the first readings have their URIs in the table; producers do not delete them."""
URI_TABLE, URI_TABLE_KEY, URI_ATTRIBUTE = "inspections", "inspection", "reading"
REFERENCES = f"""references:
  - table: {URI_TABLE}
    key: {URI_TABLE_KEY}
    attributes: [{URI_ATTRIBUTE}]
"""
"""What the sandbox's rules file declares beside the example's rules."""
_SENSORS, _DAYS, _LAST_DAY = 3, 4, 29


def reading_key(number: int) -> str:
    """The old key of the reading with this number."""
    day = _LAST_DAY - number % _DAYS
    return f"in/line-{number % _SENSORS + 1}/2026/11/{day:02}/{number:05}.json"


def reading(number: int, *, value: int) -> ProducedObject:
    """A reading: its number makes its bytes differ from every other one's."""
    content = json.dumps({"reading": number, "value": value}).encode()
    return object_of(content, content_type="application/json")


class Readings:
    """Who writes the sandbox's bucket."""

    def __init__(self, bucket: ProducersBucket, rules: CompiledRules) -> None:
        self._bucket = bucket
        self._rules = rules
        self._numbers = count(1)
        self._there: list[int] = []
        self._changes = 0

    def seed(self, objects: int) -> None:
        """Write so many readings, one object that no rule maps, and another writer's object at a new key."""
        for _ in range(objects):
            self.write_new(OLD)
        self._write(UNMAPPED, object_of(b"written by hand\n", content_type="text/plain"))
        taken = self._rules.map_key(reading_key(self._there[0])).target
        if taken is not None:
            self._write(taken.key, object_of(b'{"by": "another writer"}', content_type="application/json"))

    def referred(self) -> Mapping[str, str]:
        """The items of the application's table: the URI of each reading in it, by its item's key."""
        bucket = self._rules.source_bucket
        return {f"inspection-{number}": Location(bucket, reading_key(number)).uri for number in self._there[:REFERRED]}

    def write_new(self, mode: str) -> None:
        """One more reading, at its old or at its new key."""
        number = next(self._numbers)
        key = reading_key(number)
        if mode == NEW:
            key = target_of(self._rules, key).key
        else:
            self._there.append(number)
        self._write(key, reading(number, value=number % 100))

    def change(self, mode: str) -> None:
        """The next deed of the producers: they create, overwrite and delete old keys, but only create new ones."""
        self._changes += 1
        deed = self._changes % 4
        if mode == NEW or deed in (1, 3) or len(self._there) <= REFERRED + 1:
            self.write_new(mode)
        elif deed == 2:
            number = self._there[-2]
            self._write(reading_key(number), reading(number, value=100 + self._changes))
        else:  # the oldest one that no item names; the first one's new key is another writer's, too
            self._bucket.delete_object(Location(self._rules.source_bucket, reading_key(self._there.pop(REFERRED))))

    def _write(self, key: str, written: ProducedObject) -> None:
        write_object(self._bucket, Location(self._rules.source_bucket, key), written)


class SandboxProducers(Background):
    """A thread that changes one object every two seconds, in the way that the producers' file says at that time."""

    def __init__(self, readings: Readings, mode_file: Path, say: Callable[[str], None]) -> None:
        super().__init__()
        self._readings = readings
        self._modes = modes_of(mode_file, say)

    def _round(self) -> None:
        if self._stopped.wait(PAUSE_SECONDS):
            return
        mode = next(self._modes)
        if mode != STOP:
            self._readings.change(mode)


def modes_of(mode_file: Path, say: Callable[[str], None]) -> Iterator[str]:
    """The present word of the file, again and again; a change is said once, and another word means ``stop``."""
    before = OLD
    while True:
        try:
            word = mode_file.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            word = ""
        if word != before:
            before = word
            say(_SAID.get(word, f"{mode_file} holds {word[:20]!r}: write {OLD}, {NEW} or {STOP}; until then: {STOP}"))
        yield word if word in MODES else STOP


_SAID = {
    OLD: "the producers write old keys",
    NEW: "the producers write new keys",
    STOP: "the producers do not write",
}
