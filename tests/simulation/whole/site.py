"""A whole migration in memory: S3 with its notifications, the manifest with its stream, queues, bus and hosts."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

from domain.keys import Location
from domain.lifecycle.stages import Stage, StageEntry
from domain.lifecycle.verification import Finding
from domain.protocol.attempt import Attempt, MigrationPolicy, MigrationPorts
from domain.protocol.parts import MIB, MIN_PART_BYTES
from domain.protocol.record import Record
from domain.references.item_rewriting import ReferencePorts
from domain.references.manifest_reading import ManifestPorts
from domain.rules.compiled import CompiledRules
from domain.runs.works import StageQueue
from domain.steering.breaker import BreakerPolicy
from domain.steering.learned import LEARNING
from domain.steering.places import PlaceNames
from handlers.bootstrap.operations import UndoneReferences
from handlers.config.rules_file import read_rules
from handlers.config.settings import Settings
from handlers.engine.circuit_breaker import Breaker, CircuitBreaker
from handlers.engine.concurrency import Pace
from handlers.engine.dependencies import CachedControl, EngineDependencies
from handlers.engine.learned_gate import LearnedGate, LearnedLimits
from handlers.operations.operator import Operation
from handlers.operations.reference_manifests import ManifestScan
from handlers.operations.reference_rates import ReadUnits
from handlers.operations.references import References
from tests.fakes.buckets import Version
from tests.fakes.bus import InMemoryEventBus
from tests.fakes.engine import NoBreaker, NothingLearned, OpenGate, no_item_event
from tests.fakes.lifecycle import (
    InMemoryCensusBook,
    InMemoryKeyBook,
    InMemoryLiveCapture,
    InMemoryProbeBook,
    InMemoryStageBook,
)
from tests.fakes.object_store import InMemoryObjectStore
from tests.fakes.panel import InMemoryControlPanel, InMemoryProgressCounters
from tests.fakes.runs import InMemoryRunBook
from tests.fakes.steering import InMemoryMappings, InMemoryPulseBook, InMemoryRateLedger
from tests.simulation.whole.application import DECLARED, Application
from tests.simulation.whole.asking import Asked
from tests.simulation.whole.capturing import SimulatedCapture, Wire
from tests.simulation.whole.claims import Claims
from tests.simulation.whole.manifests import DECLARED as MANIFESTS
from tests.simulation.whole.manifests import Manifests
from tests.simulation.whole.plans import Plan
from tests.simulation.whole.ports import SCALE, SimulatedStore
from tests.simulation.whole.ports_manifest import SimulatedManifest
from tests.simulation.whole.ports_operations import (
    SimulatedContents,
    SimulatedOperations,
    SimulatedQueue,
    SimulatedTables,
)
from tests.simulation.whole.promises import Promises
from tests.simulation.whole.properties import Properties
from tests.simulation.whole.run_promises import RunPromises
from tests.simulation.whole.scheduler import Dice, Process, Scheduler
from tests.simulation.whole.second import Second
from tests.simulation.whole.servers import Clocked, DeadLetters, InTurn, StandardQueue, Watched, observer
from tests.simulation.whole.service import OURS, Service
from tests.simulation.whole.stages import SimulatedStages
from tests.simulation.whole.truth import KeyTruth, Truth

ATTEMPT_SECONDS, REQUEST_SECONDS, MARGIN_SECONDS = 40.0, 20.0, 10.0
LONGEST_CLAIM = MigrationPolicy(request_seconds=REQUEST_SECONDS, margin_seconds=MARGIN_SECONDS).longest_claim(
    ATTEMPT_SECONDS
)
CONTROL_SECONDS = 5.0
LEGACY = "legacy"
TOO_LONG = "x" * 1022 + "/"
"""A prefix under which every key is too long for S3."""


@cache
def rules_of(  # a rules file with all that it may say
    deletes: str,
    target: str,
    manifests: str,
    *,
    kind: str = "usual",
    has_prefix: bool = False,
    has_region: bool = False,
    promise: str = "",
) -> CompiledRules:
    """One rule, and a table and manifests that refer to what it moves; with a prefix as two migrations need it."""
    prefix = TOO_LONG if kind == "impossible" else "new/"
    source = "elsewhere/" if kind == "unmapped" else "" if has_prefix else "old/"
    kept = f'keep: ["{source}{{rest...}}"]\n' if kind == "keep" else ""
    side = f"{{bucket: {LEGACY}{', prefix: old/' if has_prefix else ''}{promise}}}"
    other = f"{{bucket: {target}{', region: eu-west-1' if has_region else ''}}}"
    return read_rules(
        f"version: 1\nmigration: whole\nsource: {side}\ntarget: {other}\n"
        f'rules:\n  - {{name: move, from: "{source}{{rest...}}", to: "{prefix}{{rest...}}"}}\n'
        f"{kept}deletes: {deletes}\ncleanup: {{unversioned_source: fenced}}\n{DECLARED}{manifests}"
    )


def promise_of(plan: Plan) -> str:
    """What the rules file promises of every source, as a part of its ``source``."""
    promises = ", encryption: AES256, object_lock: none" if plan.promised else ""
    return f", storage_class: STANDARD{promises}" if plan.promised or plan.promises_class else ""


class Site:
    """Everything that there is, for one plan."""

    def __init__(self, plan: Plan, dice: Dice, random: Random) -> None:
        self.plan = plan
        self.random = random
        self.scheduler = Scheduler(dice)
        clock = Clocked(self.scheduler)
        self.store = InMemoryObjectStore(clock, min_part=MIN_PART_BYTES // SCALE)
        self.target_bucket = "renewed" if plan.other_bucket else LEGACY
        self.store.create_bucket(LEGACY, versioned=plan.versioned, locks=plan.locks)
        if plan.other_bucket:
            self.store.create_bucket(
                self.target_bucket,
                versioned=plan.versioned_target,
                kms=plan.encrypted,
                locks=plan.locks and not plan.locks_later,
            )
        if plan.enforces:
            self.store.enforcing.add(self.target_bucket)
        self.truth = Truth(self.store, clock.now)
        self.claims = Claims(self.truth, self.store)
        self.manifest = Watched(self._recorded)
        self.events, self.backfill = (
            StandardQueue(clock, random, duplicates=plan.duplicates / 2, max_receives=plan.max_receives)
            for _ in range(2)
        )
        self.bus = InMemoryEventBus()
        self.counters = InMemoryProgressCounters()
        self.panel = InMemoryControlPanel()
        self.mappings = InMemoryMappings(events=True, backfill=True)
        self._queue_stage_work(clock)
        self._share_the_bucket()
        self.service = Service(self)
        self.promises = Promises(
            self.truth, lambda: self.scheduler.time, self.service.is_on_its_way, has_started=not plan.gated
        )
        self.filled: list[str] = []
        """The backfills that have ended."""
        self.knows_itself = plan.knows_itself
        self.together = defaultdict[str, set[Location]](set)
        """The sources that each process has claimed together with others, and has not done with."""
        self.application = Application(self, target_bucket=self.target_bucket)
        self.manifests = Manifests(self, target_bucket=self.target_bucket)
        self.looks: dict[tuple[str, Location], str | None] = {}
        """What each process saw last at each place: the etag."""
        self.passes: dict[Process, float] = {}
        """When each process began its pass of cleanup."""
        self.findings: list[Finding] | None = None
        """What the last verification of all said."""
        declared = MANIFESTS if plan.manifests else ""
        deletes = "mirror" if plan.mirrors else "keep"
        self.rules, self.other_rules = (
            rules_of(
                deletes,
                self.target_bucket,
                declared,
                kind=kind,
                has_prefix=plan.gated,
                has_region=plan.forms,
                promise=promise_of(plan),
            )
            for kind in ("usual", plan.other_rules)
        )
        self.deployed = self.rules
        self.lost: tuple[tuple[str, str], ...] = ()
        """The places that the last undo could not put back, and why."""
        self.published, self.followed, self.heard = 0, 0, 0
        """How far the readers of the manifest's stream, of the application's, and of the bus are."""
        self.closing = False
        self._numbers = 0
        self.properties = Properties(self) if plan.properties else None
        for number in range(plan.keys):
            self._add_key(f"k{number}")
        for number in range(plan.manifests):
            self._add_key(f"m{number}.manifest", plain=self.manifests.plain)

    def _queue_stage_work(self, clock: Clocked) -> None:
        """The book of runs, the queues of stage work where functions do it, and every queue's dead letters."""
        plan, random = self.plan, self.random
        self.runs = InMemoryRunBook()
        self.run_promises = RunPromises(self.truth, lambda: self.scheduler.time)
        self.stage_queues = {
            name: StandardQueue(clock, random, duplicates=plan.duplicates / 2, max_receives=plan.max_receives)
            for name in (StageQueue if plan.engine else ())
        }
        queues: dict[str, StandardQueue] = {"events": self.events, "backfill": self.backfill}
        queues |= {name.value: queue for name, queue in self.stage_queues.items()}
        self.letters = {name: DeadLetters(queue, self.scheduler, random) for name, queue in queues.items()}

    def _share_the_bucket(self) -> None:
        """The migration's stage, live capture, and another migration of the same bucket."""
        plan = self.plan
        begun = StageEntry() if plan.gated else StageEntry(stage=Stage.CUT_OVER)
        self.stages = InMemoryStageBook(begun, self.panel)
        self.notifications: dict[str, str] = {}
        self.capture = InMemoryLiveCapture(LEGACY, self.notifications, migration="whole")
        if plan.sends_already:
            self.notifications[self.capture.name] = self.capture.prefix
        self.wire = Wire(self, self.notifications)
        self.second = Second(self, LEGACY)
        self.captures = (self.capture, self.second.capture)
        self.probes, self.pulse, self.lines = InMemoryProbeBook(), InMemoryPulseBook(), InMemoryRateLedger()
        self.reports: list[Any] = []
        """Inventory reports, the oldest first."""

    def _add_key(self, name: str, **more: Any) -> None:
        source, target = Location(LEGACY, f"old/{name}"), Location(self.target_bucket, f"new/{name}")
        self.truth.add(
            KeyTruth(source, target, self.plan.versioned, self.plan.mirrors, is_whole=self.plan.histories, **more)
        )

    @property
    def healthy(self) -> bool:
        """Whether no invariant is broken yet."""
        return not self.truth.broken

    def there(self, location: Location) -> Version:
        """What has just been written there."""
        found = self.store.buckets.current(location)
        if found is None:
            raise LookupError(f"nothing is at {location.uri}")
        return found

    def say(self, who: str, what: str, how: Any = "") -> None:
        """A line of the trace."""
        self.scheduler.trace.add(self.scheduler.time, who, what, how)

    def next_number(self) -> int:
        """A number nobody else has."""
        self._numbers += 1
        return self._numbers

    def bus_refuses(self) -> Callable[[], bool]:
        """Whether an entry is not accepted."""
        calm = getattr(self.scheduler.dice, "calm", True)
        return lambda: not calm and self.random.random() < self.plan.fault_rate

    def check(self, key: KeyTruth) -> None:
        """The invariants of one key now."""
        self.claims.check(key, self.manifest.records.get(key.source.record_id))

    def _recorded(self, record: Record) -> None:
        self.claims.recorded(record)

    def attempt(self) -> Attempt:
        """A new attempt."""
        return Attempt(f"t{self.next_number()}", ATTEMPT_SECONDS)

    def _policy(self) -> MigrationPolicy:
        return MigrationPolicy(
            mirror_deletes=self.plan.mirrors,
            multipart_above=6 * MIB,
            part_size=MIN_PART_BYTES,
            parts_at_once=self.plan.parts_at_once,
            request_seconds=REQUEST_SECONDS,
            margin_seconds=MARGIN_SECONDS,
            promised_storage_class=self.rules.promised_storage_class,
            promised_plain=self.rules.promised_plain,
            encrypts_targets=lambda: self.plan.encrypted,
            rules_digest=self.rules.digest,
        )

    def enable_locks(self) -> None:
        """An operator gives the target bucket the Object Lock that its sources need."""
        self.store.buckets.enable_locks(self.target_bucket)
        self.say("operator", f"enables Object Lock on {self.target_bucket}")

    def hides_locks_from(self, process: Process) -> bool:
        """Whether S3 leaves the lock out of what it shows this process: its role lacks the permission to see it."""
        lacks: Callable[[Process, str], bool] | None = getattr(self.scheduler.dice, "lacks", None)
        return lacks is not None and lacks(process, "see-lock")

    @property
    def is_calm(self) -> bool:
        """Whether nothing fails any more."""
        return bool(getattr(self.scheduler.dice, "calm", True))

    def asked(self, process: Process, port: Any, name: str) -> Any:
        """A port of which every call is a request of that process."""
        return Asked(process, self, port, name)

    def control(self, process: Process, rules: CompiledRules) -> CachedControl:
        """What functions with these rules obey; in a plan without a start they look at no stage."""
        stages = SimulatedStages(process, self, self.stages) if self.plan.gated else None
        return CachedControl(
            SimulatedOperations(process, self),
            seconds=CONTROL_SECONDS,
            monotonic=process.monotonic,
            stages=stages,
            rules_digest=rules.digest,
        )

    def _breaker(self, process: Process, panel: Any, control: CachedControl) -> Breaker:
        """It measures how old live events are, for the gate of that name; it never trips."""
        if not self.plan.gated:
            return NoBreaker()
        return CircuitBreaker(
            BreakerPolicy(0.0, 20, 0, window_seconds=Settings.model_fields["breaker_seconds"].default),
            panel=panel,
            pulse=self.asked(process, self.pulse, "pulse"),
            current=control.current,
            refresh=control.refresh,
            now=process.now,
            observer=observer(),
        )

    def _learned(self, process: Process, panel: Any, control: CachedControl) -> LearnedGate:
        """Limits that bite: the migration is taken for slow, so that a first throttled answer leaves one a second."""
        if not self.plan.learns:
            return NothingLearned()
        return LearnedLimits(
            LEARNING,
            PlaceNames({}, table="manifest"),
            panel=panel,
            ledger=self.asked(process, self.lines, "lines"),
            current=control.current,
            refresh=control.refresh,
            now=process.now,
            measured=lambda: 2.0,
            observer=observer(),
        )

    def dependencies(self, process: Process) -> EngineDependencies:
        """What the handlers are given in this process."""
        store = SimulatedStore(process, self)
        operations = SimulatedOperations(process, self)
        control = self.control(process, self.rules)
        return EngineDependencies(
            settings=Settings(
                rules_file=Path("rules.yaml"),
                table="manifest",
                attempt_seconds=ATTEMPT_SECONDS,
                request_seconds=REQUEST_SECONDS,
                margin_seconds=MARGIN_SECONDS,
                concurrency=4,
                control_seconds=CONTROL_SECONDS,
                own_principals=(OURS,) if self.knows_itself else (),
            ),
            rules=self.rules,
            policy=self._policy(),
            ports=MigrationPorts(
                store,
                store,
                SimulatedManifest(process, self),
                process,
                history=store if self.plan.histories else None,
            ),
            batches=SimulatedManifest(process, self),
            events_queue=SimulatedQueue(process, self, self.events, "events"),
            backfill_queue=SimulatedQueue(process, self, self.backfill, "backfill"),
            bus=operations,
            progress=operations,
            control=control,
            probes=self.asked(process, self.probes, "probes"),
            breaker=self._breaker(process, operations, control),
            record_of_item=lambda item: item["record"],
            new_token=lambda: f"t{self.next_number()}",
            observer=observer(),
            event_of_item=no_item_event,
            chains=None,
            gate=OpenGate(),
            learned=self._learned(process, operations, control),
            pace=Pace(4, monotonic=process.monotonic),
            sleep=process.sleep,
            objects_at_once=InTurn,
            pool=InTurn(0),
        )

    def crashes(self) -> dict[str, None]:
        """Exceptions that no handler expected, each once."""
        return observer().crashes

    def references(self, process: Process) -> References:
        """What rewrites references in this process."""
        tables: Any = SimulatedTables(process, self)
        manifest, store = SimulatedManifest(process, self), SimulatedStore(process, self)
        manifests = ManifestScan(
            self.rules,
            ManifestPorts(MigrationPorts(store, store, manifest, process), SimulatedContents(process, self)),
            self._policy(),
            store,
            lambda: f"t{self.next_number()}",
            ATTEMPT_SECONDS,
        )
        return References(
            self.rules,
            ReferencePorts(tables, tables, manifest, store, process),
            manifests=manifests,
            new_id=lambda: f"e{self.next_number()}",
            units=ReadUnits(None, monotonic=process.monotonic, sleep=process.sleep),
        )

    def operation(self, process: Process) -> Operation:
        """An operator's world in this process."""
        references, store = self.references(process), SimulatedStore(process, self)
        asked: Callable[..., Any] = partial(self.asked, process)
        dependencies = self.dependencies(process)
        return Operation(
            dependencies=dependencies,
            engine=lambda: dependencies,
            stages=SimulatedStages(process, self, self.stages),
            capture=SimulatedCapture(process, self, self.capture),
            panel=SimulatedOperations(process, self),
            mappings=asked(self.mappings, "mappings"),
            reader=asked(self.store, "bytes"),
            versions=store,
            listing=store,
            versioning=lambda: self.store.buckets.bucket(LEGACY).versioning.value,
            target_versioning=lambda: self.store.buckets.bucket(LEGACY).versioning.value,
            key_book=lambda: nullcontext(InMemoryKeyBook()),
            census_book=lambda: nullcontext(InMemoryCensusBook()),
            by="operator",
            finders=(references,),
            undo=UndoneReferences(references),
        )
