"""The stage, probes, keys and live capture in memory."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from domain.keys import Location
from domain.lifecycle.census import Expected, Role
from domain.lifecycle.ports import Capture, CaptureRefused, Restored
from domain.lifecycle.reported import ReportedObject
from domain.lifecycle.stages import StageEntry
from domain.steering.control import Control
from tests.fakes.faults import ScriptedFaults
from tests.fakes.panel import InMemoryControlPanel


class InMemoryStageBook(ScriptedFaults):
    """StageBook in memory."""

    def __init__(self, entry: StageEntry | None = None, panel: InMemoryControlPanel | None = None) -> None:
        super().__init__()
        self.entry = entry or StageEntry()
        self.panel = panel or InMemoryControlPanel()

    def read_stage(self) -> StageEntry:
        """See the port."""
        with self._faulty("read_stage"):
            return self.entry

    def write_stage(self, entry: StageEntry, *, before: StageEntry, control: Control | None = None) -> bool:
        """See the port."""
        with self._faulty("write_stage"):
            moved = control is not None and self.panel.control.fence != control.fence
            if moved or self.entry.revision != before.revision:
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


class InMemoryCensusBook:
    """CensusBook in memory."""

    def __init__(self) -> None:
        self._expected: dict[tuple[Location, Role], Expected] = {}
        self._met: set[Location] = set()

    def add_expected(self, expected: Iterator[Expected]) -> None:
        """See the port."""
        self._expected |= {(one.place, one.role): one for one in expected}

    def meet(self, place: Location) -> Sequence[Expected]:
        """See the port."""
        self._met.add(place)
        known = (self._expected.get((place, role)) for role in Role)
        return [one for one in known if one is not None]

    def find_unmet(self) -> Iterator[tuple[str, Role]]:
        """See the port."""
        unmet = (one for one in self._expected.values() if one.etag and one.place not in self._met)
        yield from ((one.record_id, one.role) for one in unmet)


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


class InMemoryReportedObjects:
    """ReportedObjects of given rows; a place that is given twice is left out."""

    def __init__(self, until: float, rows: Iterable[tuple[Location, ReportedObject]]) -> None:
        self.until = until
        given = list(rows)
        times = Counter(place for place, _ in given)
        self._rows = {place: row for place, row in given if times[place] == 1}

    def find_objects(self, places: Sequence[Location]) -> Mapping[Location, ReportedObject]:
        """See the port."""
        return {place: self._rows[place] for place in places if place in self._rows}


def entry_name(migration: str) -> str:
    """What a migration calls its entry among the bucket's."""
    return f"keyshift-{migration}"


class InMemoryLiveCapture(ScriptedFaults):
    """LiveCapture in memory: one bucket's entries by name, each with its prefix; probes are written and removed.

    Several captures of one bucket share ``entries``. Entries whose name begins with ``keyshift`` are of migrations.
    """

    def __init__(
        self, bucket: str, entries: dict[str, str] | None = None, *, migration: str = "m", prefix: str = "old/"
    ) -> None:
        super().__init__()
        self.bucket = bucket
        self.entries = {} if entries is None else entries
        self.prefix = prefix
        self.name = entry_name(migration)
        self.probes: set[Location] = set()

    def read_configuration(self) -> str:
        """See the port."""
        with self._faulty("read_configuration"):
            return json.dumps(self.entries, sort_keys=True)

    def plan_capture(self, *, through: str) -> Capture | CaptureRefused:
        """See the port."""
        with self._faulty("plan_capture"):
            for name, prefix in self.entries.items():
                is_near = prefix.startswith(self.prefix) or self.prefix.startswith(prefix)
                if name.startswith("keyshift") and name != self.name and is_near:
                    return CaptureRefused(f"'{name}' is another migration's")
            added = {"EventBridge": ""} if through == "eventbridge" else {}
            after = json.dumps(self.entries | {self.name: self.prefix} | added, sort_keys=True)
            way = "eventbridge" if added else "queue"
            return Capture(self.bucket, json.dumps(self.entries, sort_keys=True), after, through=way)

    def find_fault(self, capture: Capture) -> str | None:
        """See the port."""
        with self._faulty("find_fault"):
            wanted = {self.name} | ({"EventBridge"} if capture.through == "eventbridge" else set())
            return f"{self.bucket} sends nothing any more" if wanted - set(self.entries) else None

    def switch_on(self, capture: Capture) -> None:
        """See the port."""
        with self._faulty("switch_on"):
            self.entries[self.name] = self.prefix
            if capture.through == "eventbridge":
                self.entries["EventBridge"] = ""

    def restore(self, capture: Capture) -> Restored:
        """See the port."""
        with self._faulty("restore"):
            before = json.loads(capture.before)
            if self.name not in before:
                self.entries.pop(self.name, None)
            stays = {"EventBridge": ""} if "EventBridge" in self.entries and "EventBridge" not in before else {}
            is_as_before = self.entries == before | stays
            return Restored(json.dumps(self.entries, sort_keys=True), is_as_before, "EventBridge" if stays else "")

    def write_probe(self, location: Location) -> None:
        """See the port."""
        with self._faulty("write_probe"):
            self.probes.add(location)

    def remove_probe(self, location: Location) -> None:
        """See the port."""
        with self._faulty("remove_probe"):
            self.probes.discard(location)
