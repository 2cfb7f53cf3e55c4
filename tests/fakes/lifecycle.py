"""The stage, probes, keys and live capture in memory."""

import json
from collections.abc import Iterator

from domain.keys import Location
from domain.ports import Capture
from domain.stages import StageEntry
from tests.fakes.faults import ScriptedFaults


class InMemoryStageBook(ScriptedFaults):
    """StageBook in memory."""

    def __init__(self, entry: StageEntry | None = None) -> None:
        super().__init__()
        self.entry = entry or StageEntry()

    def read_stage(self) -> StageEntry:
        """See the port."""
        with self._faulty("read_stage"):
            return self.entry

    def write_stage(self, entry: StageEntry, *, before: StageEntry) -> bool:
        """See the port."""
        with self._faulty("write_stage"):
            if self.entry.revision != before.revision:
                return self.entry == entry
            self.entry = entry
            return True


class InMemoryProbeBook(ScriptedFaults):
    """ProbeBook in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._arrived: set[str] = set()

    def note_arrival(self, key: str) -> None:
        """See the port."""
        with self._faulty("note_arrival"):
            self._arrived.add(key)

    def has_arrived(self, key: str) -> bool:
        """See the port."""
        with self._faulty("has_arrived"):
            return key in self._arrived


class InMemoryKeyBook:
    """KeyBook in memory."""

    def __init__(self) -> None:
        self._sources: set[Location] = set()
        self._targets: set[Location | None] = set()

    def add_pairs(self, pairs: Iterator[tuple[Location, Location | None]]) -> None:
        """See the port."""
        for source, target in pairs:
            self._sources.add(source)
            self._targets.add(target)

    def has_source(self, location: Location) -> bool:
        """See the port."""
        return location in self._sources

    def has_target(self, location: Location) -> bool:
        """See the port."""
        return location in self._targets


class InMemoryLiveCapture(ScriptedFaults):
    """LiveCapture in memory: a configuration of named entries; probes are written and removed."""

    def __init__(self, bucket: str, entries: dict[str, str] | None = None) -> None:
        super().__init__()
        self.bucket = bucket
        self.entries = entries or {}
        self.probes: set[Location] = set()

    def read_configuration(self) -> str:
        """See the port."""
        with self._faulty("read_configuration"):
            return json.dumps(self.entries, sort_keys=True)

    def plan_capture(self, *, through: str) -> Capture:
        """See the port."""
        with self._faulty("plan_capture"):
            after = json.dumps(self.entries | {"keyshift": through}, sort_keys=True)
            return Capture(self.bucket, json.dumps(self.entries, sort_keys=True), after)

    def switch_on(self, capture: Capture) -> None:
        """See the port."""
        with self._faulty("switch_on"):
            self.entries |= {"keyshift": json.loads(capture.after)["keyshift"]}

    def restore(self, capture: Capture) -> str:
        """See the port."""
        with self._faulty("restore"):
            before = json.loads(capture.before)
            self.entries.pop("keyshift", None)
            if "keyshift" in before:
                self.entries["keyshift"] = before["keyshift"]
            return json.dumps(self.entries, sort_keys=True)

    def write_probe(self, location: Location) -> None:
        """See the port."""
        with self._faulty("write_probe"):
            self.probes.add(location)

    def remove_probe(self, location: Location) -> None:
        """See the port."""
        with self._faulty("remove_probe"):
            self.probes.discard(location)
