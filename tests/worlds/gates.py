"""One live migration that could be cut over, in memory, and other parties who act meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, replace
from json import dumps
from typing import Any

from domain.keys import Location
from domain.lifecycle.gates import GateLimits
from domain.lifecycle.ports import Capture
from domain.lifecycle.stages import Stage, StageEntry, advanced
from domain.protocol.attempt import MigrationPorts
from domain.protocol.record import Record, State
from domain.references.holders import Reference
from domain.steering.control import paused
from handlers.engine.dependencies import CachedControl
from handlers.operations.cutover import Terms, cut_over, look_for_cutover
from handlers.operations.finish import Leftovers, finish_migration
from handlers.operations.lookout import Lookout
from handlers.operations.operator import Operation, Shut
from handlers.operations.verify import Verifier
from tests.fakes.clock import FakeClock
from tests.fakes.lifecycle import (
    InMemoryCensusBook,
    InMemoryKeyBook,
    InMemoryLiveCapture,
    InMemoryProbeBook,
    InMemoryStageBook,
)
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.object_store import InMemoryObjectStore
from tests.fakes.panel import InMemoryControlPanel, InMemoryProgressCounters
from tests.fakes.queue import InMemoryQueue
from tests.fakes.steering import InMemoryDeadLetterQueue, InMemoryMappings, InMemoryPulseBook
from tests.worlds.handlers import BUCKET, HANDLER_RULES, bench
from tests.worlds.presence import present

_HOUR = 3600.0
LIMITS = GateLimits()


class ProvingCapture(InMemoryLiveCapture):
    """Live capture whose probes' events arrive at once, as long as the bucket sends any and the way behind it works."""

    def __init__(self, probes: InMemoryProbeBook) -> None:
        super().__init__(BUCKET)
        self.arrived = probes
        self.works = True

    def write_probe(self, location: Location) -> None:
        """Its event is delivered and noted."""
        super().write_probe(location)
        if self.works and self.name in self.entries:
            self.arrived.note_arrival(location.key)


class Finder:
    """The last part of a look: what ``during`` does happens while tables are scanned."""

    def __init__(self) -> None:
        self.during: Callable[[], object] = lambda: None

    def find_references(self) -> Iterator[Reference]:
        """Nothing is found."""
        self.during()
        yield from ()

    def find_copy_references(self) -> Iterator[Reference]:
        """Nothing is found."""
        yield from ()


class Place:
    """One live migration that could be cut over: two copies, verified."""

    def __init__(self, rules: str = HANDLER_RULES) -> None:
        self.clock = FakeClock()
        self.store = InMemoryObjectStore(self.clock)
        self.store.create_bucket(BUCKET)
        self.manifest = InMemoryManifest()
        self.panel = InMemoryControlPanel()
        self.counters = InMemoryProgressCounters()
        self.probes = InMemoryProbeBook()
        self.capture = ProvingCapture(self.probes)
        self.events, self.backfill = InMemoryQueue(self.clock), InMemoryQueue(self.clock)
        self.finder = Finder()
        self.versioning = "Enabled"
        planned = self.capture.plan_capture(through="queue")
        assert isinstance(planned, Capture)
        self.capture.switch_on(planned)
        live = advanced(StageEntry(capture=dumps(asdict(planned))), Stage.LIVE, by="t", why="t", now=self.clock.now())
        self.stages = InMemoryStageBook(live, self.panel)
        made = bench(rules=rules)
        self.dependencies = replace(
            made.dependencies,
            ports=MigrationPorts(self.store, self.store, self.manifest, self.clock, self.store),
            events_queue=self.events,
            backfill_queue=self.backfill,
            progress=self.counters,
            control=CachedControl(self.panel, seconds=0, monotonic=self.clock.monotonic),
            probes=self.probes,
            sleep=self.clock.advance,
        )
        for name in ("a", "b"):
            self.move(name)
        self.clock.advance(_HOUR)
        self.verify()

    def move(self, name: str, **more: Any) -> Record:
        """An owner's object, its copy, and the record of that."""
        source, target = Location(BUCKET, f"old/{name}"), Location(BUCKET, f"new/{name}")
        for place in (source, target):
            self.store.put(place, name.encode())
        etags = [self.etag(place) for place in (source, target)]
        given: dict[str, Any] = {"source_etag": etags[0], "target_etag": etags[1], "changed_at": self.clock.now()}
        record = Record(source, target, State.COPIED, **(given | more))
        assert self.manifest.write_record(record, before=None)
        return record

    def etag(self, place: Location) -> str:
        """What is there."""
        seen = present(self.store.look_at_object(place))
        return seen.etag

    def record(self, name: str) -> Record:
        """The record of a source."""
        return present(self.manifest.read_record(Location(BUCKET, f"old/{name}").record_id))

    def change(self, name: str, **changes: Any) -> Record:
        """Another writer changes the record."""
        before = self.record(name)
        after = replace(before, revision=before.revision + 1, **changes)
        assert self.manifest.write_record(after, before=before)
        return after

    def verify(self, *, fresh_since: float = 0.0) -> None:
        """``keyshift verify``."""
        book = InMemoryKeyBook()
        verifier = Verifier(self.dependencies, book=book, reader=None, marks=True, fresh_since=fresh_since)
        for record in list(self.manifest.scan_records()):
            verifier.verify_record(record)

    def operation(self) -> Operation:
        """An operator's world."""
        return Operation(
            dependencies=self.dependencies,
            engine=lambda: self.dependencies,
            stages=self.stages,
            capture=self.capture,
            panel=self.panel,
            mappings=InMemoryMappings(events=True),
            reader=None,  # type: ignore[arg-type]  # nothing is read deep here
            versions=self.store,
            listing=self.store,
            versioning=lambda: self.versioning,
            target_versioning=lambda: self.versioning,
            key_book=lambda: nullcontext(InMemoryKeyBook()),
            census_book=lambda: nullcontext(InMemoryCensusBook()),
            by="operator",
            finders=(self.finder,),
        )

    def lookout(self) -> Lookout:
        """What status looks at."""
        queues = {"events": self.events, "backfill": self.backfill}
        return Lookout(
            self.dependencies,
            queues=queues,
            dead={name: InMemoryDeadLetterQueue(queue, now=self.clock.now) for name, queue in queues.items()},
            pulse=InMemoryPulseBook(),
            pages=self.manifest,
            stage=lambda: self.stages.read_stage().stage.value,
            monotonic=self.clock.monotonic,
        )

    def objects(self) -> Iterator[tuple[str, Any]]:
        """A listing."""
        for listed in self.store.list_objects(BUCKET):
            yield BUCKET, listed

    def cut(
        self,
        during: Callable[[], object] = lambda: None,
        *,
        accepted: frozenset[str] = frozenset(),
        limits: GateLimits = LIMITS,
    ) -> dict[str, str]:
        """``keyshift cutover --yes``, while another party does something; the gates that hold."""
        self.finder.during = during
        operation, lookout = self.operation(), self.lookout()
        look = look_for_cutover(operation, lookout, objects=self.objects(), limits=limits, seen=lambda: None)
        gates, entry = cut_over(operation, lookout, look, terms=Terms(limits, accepted, "test"))
        shut = {gate.name: gate.says for gate in gates if gate.holds}
        assert (entry is None) == bool(shut)
        assert (self.stages.read_stage().stage is Stage.CUT_OVER) == (not shut)
        return shut

    def finish(self, **more: Any) -> Shut | None:
        """``keyshift cleanup --finish``."""
        return finish_migration(self.operation(), self.lookout(), objects=self.objects(), allowed=Leftovers(**more))

    def say(self, change: Callable[..., StageEntry], *arguments: Any, **named: Any) -> None:
        """Another operator changes the stage's entry."""
        before = self.stages.read_stage()
        assert self.stages.write_stage(
            change(before, *arguments, by="other", now=self.clock.now(), **named), before=before
        )

    def pause(self) -> None:
        """Another operator, or the circuit breaker, pauses."""
        self.panel.control = paused(self.panel.control, reason="denied", by="breaker", now=self.clock.now())
