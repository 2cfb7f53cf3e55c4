"""The stage, probes, keys and live capture in memory."""

import json
from collections.abc import Iterator, Sequence

from domain.census import Expected, Role
from domain.control import Control
from domain.keys import Location
from domain.ports import Capture
from domain.stages import StageEntry
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
        unmet = (one for one in self._expected.values() if one.needs_object and one.place not in self._met)
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

    def find_fault(self, capture: Capture) -> str | None:
        """See the port."""
        with self._faulty("find_fault"):
            wanted = json.loads(capture.after).get("keyshift")
            return None if self.entries.get("keyshift") == wanted else f"{self.bucket} sends nothing any more"

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
