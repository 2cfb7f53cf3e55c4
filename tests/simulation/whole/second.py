"""Another migration of the same bucket, of other keys: it starts and rolls back, and has an end of its own."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from domain.errors import KeyshiftError
from domain.lifecycle.stages import Stage
from domain.rules.compiled import CompiledRules
from handlers.config.rules_file import read_rules
from handlers.engine.dependencies import CachedControl
from handlers.operations.operator import Operation
from handlers.operations.start import Probing, start_capture
from tests.fakes.lifecycle import InMemoryLiveCapture, InMemoryProbeBook, InMemoryStageBook
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.panel import InMemoryControlPanel
from tests.fakes.steering import InMemoryMappings
from tests.simulation.whole.asking import Asked
from tests.simulation.whole.capturing import SimulatedCapture
from tests.simulation.whole.ports_operations import SimulatedQueue
from tests.simulation.whole.scheduler import Process
from tests.simulation.whole.servers import Clocked, StandardQueue
from tests.simulation.whole.stages import SimulatedStages
from tests.worlds.rolled_back import roll_back_all

if TYPE_CHECKING:
    from tests.simulation.whole.site import Site

PREFIX = "other/"
WAIT_SECONDS = 120.0


def rules_of_second(bucket: str) -> CompiledRules:
    """One rule for other keys of the same bucket."""
    return read_rules(
        f"version: 1\nmigration: second\nsource: {{bucket: {bucket}, prefix: {PREFIX}}}\ntarget: {{bucket: {bucket}}}\n"
        f'rules:\n  - {{name: move, from: "{{rest...}}", to: "fresh/{{rest...}}"}}\n'
    )


class Second:
    """Its books and queues; it has no functions, so its commands work its queue off."""

    def __init__(self, site: "Site", bucket: str) -> None:
        self.rules = rules_of_second(bucket)
        self.capture = InMemoryLiveCapture(bucket, site.notifications, migration="second", prefix=PREFIX)
        self.panel = InMemoryControlPanel()
        self.stages = InMemoryStageBook(panel=self.panel)
        self.probes = InMemoryProbeBook()
        self.manifest = InMemoryManifest()
        self.events = StandardQueue(Clocked(site.scheduler), site.random, duplicates=0.0, max_receives=50)

    def operation(self, site: "Site", process: Process) -> Operation:
        """Its operator's world."""
        asked: Any = partial(Asked, process, site)
        first, panel = site.operation(process), asked(self.panel, "of the second")
        stages = SimulatedStages(process, site, self.stages, judges=False)
        dependencies = replace(
            first.engine(),
            rules=self.rules,
            ports=replace(first.dependencies.ports, manifest=asked(self.manifest, "of the second")),
            events_queue=SimulatedQueue(process, site, self.events, "events of the second"),
            control=CachedControl(panel, seconds=0.0, monotonic=process.monotonic, stages=stages),
            probes=asked(self.probes, "probes"),
        )
        return replace(
            first,
            dependencies=dependencies,
            engine=lambda: dependencies,
            stages=stages,
            capture=SimulatedCapture(process, site, self.capture),
            panel=panel,
            mappings=InMemoryMappings(),
            finders=(),
            undo=None,
        )


def lives_and_goes_back(site: "Site", process: Process) -> None:
    """Start it, and take it back some time later; killed, its operator does both again."""
    operation = site.second.operation(site, process)
    manifest: Any = operation.dependencies.ports.manifest
    process.sleep(site.random.uniform(0, site.plan.seconds / 2))
    while site.second.stages.entry.stage in (Stage.PREPARED, Stage.LIVE):
        try:
            if site.second.stages.entry.stage is Stage.PREPARED:
                start_capture(operation, through="queue", probing=Probing(1, WAIT_SECONDS), say=lambda _: None)
            process.sleep(site.random.uniform(10, site.plan.seconds / 2))
            if site.random.random() < 0.7:
                roll_back_all(operation, manifest)
        except KeyshiftError:
            process.sleep(20.0)
    while site.second.stages.entry.stage is Stage.ROLLING_BACK:
        try:
            roll_back_all(operation, manifest)
        except KeyshiftError:
            process.sleep(20.0)
