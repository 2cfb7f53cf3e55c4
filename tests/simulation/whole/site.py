"""A whole migration in memory: S3 with its notifications, the manifest with its stream, queues, bus and hosts."""

import io
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from domain.attempt import Attempt, MigrationPolicy, MigrationPorts
from domain.keys import Location
from domain.parts import MIB, MIN_PART_BYTES
from domain.record import Record
from domain.rules import CompiledRules
from handlers.dependencies import CachedControl, Dependencies
from handlers.observability import Observer
from handlers.pacing import Pace
from handlers.rules_file import read_rules
from handlers.settings import Settings
from tests.fakes.bus import InMemoryEventBus
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.object_store import InMemoryObjectStore
from tests.fakes.panel import InMemoryControlPanel, InMemoryProgressCounters
from tests.fakes.queue import InMemoryQueue
from tests.simulation.whole.plans import Plan
from tests.simulation.whole.ports import (
    SCALE,
    SimulatedManifest,
    SimulatedOperations,
    SimulatedQueue,
    SimulatedStore,
)
from tests.simulation.whole.scheduler import EPOCH, Dice, Process, Scheduler
from tests.simulation.whole.truth import ORDER, KeyTruth, Truth

ATTEMPT_SECONDS, REQUEST_SECONDS, MARGIN_SECONDS = 40.0, 20.0, 10.0
LONGEST_CLAIM = ATTEMPT_SECONDS + REQUEST_SECONDS + MARGIN_SECONDS
VISIBILITY_SECONDS = 60.0
OURS = "AWS:AROAKEYSHIFT"
LEGACY = "legacy"


class Watched(InMemoryManifest):
    """The manifest, which tells the truth of every change."""

    def __init__(self, told: Callable[[Record], None]) -> None:
        super().__init__()
        self._told = told

    def _put(self, record: Record) -> None:
        super()._put(record)
        self._told(record)


class Clocked:
    """The scheduler's time as a clock of the servers."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def now(self) -> float:
        """Seconds since 1970."""
        return EPOCH + self._scheduler.time

    def monotonic(self) -> float:
        """The same seconds."""
        return self._scheduler.time


class StandardQueue(InMemoryQueue):
    """SQS as it is at its worst: any order, and now and then a message that stays visible."""

    def __init__(self, clock: Any, random: Random, *, duplicates: float, max_receives: int) -> None:
        super().__init__(clock, visibility=VISIBILITY_SECONDS, max_receives=max_receives)
        self._random = random
        self._duplicates = duplicates

    def receive_messages(self, *, at_most: int, wait: int) -> Any:
        """See the port."""
        mixed = list(self._held.items())
        self._random.shuffle(mixed)
        self._held = dict(mixed)
        taken = super().receive_messages(at_most=at_most, wait=wait)
        for message in taken:
            if self._random.random() < self._duplicates:
                self._held[message.message_id].visible_at = self._clock.now()
        return taken

    def replay_dead(self) -> int:
        """What an operator's replay does."""
        bodies = [message.body for message in self.dead]
        self.dead.clear()
        self.send_messages(bodies)
        return len(bodies)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left, dead messages counted."""
        return not self._held and not self.dead


class InTurn(Executor):
    """Works on a batch's objects one after the other: a process of the simulation is one thread."""

    def __init__(self, _: int) -> None:
        pass

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it now."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  # a killed process is told by its future, as in a real pool
            future.set_exception(error)
        return future


class SilentObserver(Observer):
    """Says nothing; a fault of ours, which the handlers survive, is remembered."""

    def __init__(self) -> None:
        super().__init__(migration="whole", function="simulation", level="CRITICAL", stream=io.StringIO())
        self.crashes: dict[str, None] = {}

    def crash(self, text: str, *, source: Location | None = None, **fields: object) -> None:
        """Remember it."""
        self.crashes[f"{text} {source} {fields}"] = None


@cache
def _observer() -> SilentObserver:
    return SilentObserver()


@cache
def rules_of(deletes: str, target: str) -> CompiledRules:
    """One rule."""
    return read_rules(
        f"version: 1\nmigration: whole\nsource: {{bucket: {LEGACY}}}\ntarget: {{bucket: {target}}}\n"
        f'rules:\n  - {{name: move, from: "old/{{rest...}}", to: "new/{{rest...}}"}}\ndeletes: {deletes}\n'
    )


class Service:
    """S3's notifications: late, twice, out of order, or lost."""

    def __init__(self, site: "Site") -> None:
        self._site = site
        self.under_way = 0

    def object_written(self, location: Location) -> None:
        """A PUT or COPY has happened."""
        version = self._site.store.buckets.current(location)
        if version is None or version.state is None:
            return
        state, key = version.state, self._site.truth.keys.get(location)
        seen = {"size": state.size * SCALE, "eTag": state.etag, "versionId": version.version_id}
        number = ORDER * (len(key.words) - 1) if key is not None else self._site.next_number()
        self._notify("ObjectCreated:Put", location, number, seen, "AWS:OWNER")

    def object_deleted(self, location: Location, *, by_us: bool = False) -> None:
        """A DELETE has happened."""
        key = self._site.truth.keys.get(location)
        # Our own delete comes after the owner's last word and before his next one.
        number = ORDER * (len(key.words) - 1) + by_us if key is not None else self._site.next_number()
        name = "ObjectRemoved:DeleteMarkerCreated" if key is not None and key.versioned else "ObjectRemoved:Delete"
        self._notify(name, location, number, {}, OURS if by_us else "AWS:OWNER")

    def _notify(self, name: str, location: Location, number: int, seen: Mapping[str, Any], who: str) -> None:
        plan, random, key = self._site.plan, self._site.random, self._site.truth.keys.get(location)
        if key is not None and random.random() < plan.lost_events:
            key.lost_events += 1
            key.lost_deletes |= name.startswith("ObjectRemoved")
            self._site.say("S3", f"loses {name} {location.key}")
            return
        told = {"key": location.key, "sequencer": f"{number:018x}", **seen}
        entry = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": name,
            "userIdentity": {"principalId": who},
            "s3": {"bucket": {"name": location.bucket}, "object": told},
        }
        body = json.dumps({"Records": [entry]})
        for _ in range(2 if random.random() < plan.duplicates else 1):
            self.under_way += 1
            late = random.choice((0.1, 2.0, 30.0, plan.latest_event))
            self._site.scheduler.at(random.random() * late, lambda: self._arrive(body))

    def _arrive(self, body: str) -> None:
        self.under_way -= 1
        self._site.events.send_messages([body])


class Site:
    """Everything that there is, for one plan."""

    def __init__(self, plan: Plan, dice: Dice, random: Random) -> None:
        self.plan = plan
        self.random = random
        self.scheduler = Scheduler(dice)
        clock = Clocked(self.scheduler)
        self.store = InMemoryObjectStore(clock, min_part=MIN_PART_BYTES // SCALE)
        self.target_bucket = "renewed" if plan.other_bucket else LEGACY
        self.store.create_bucket(LEGACY, versioned=plan.versioned)
        if plan.other_bucket:
            self.store.create_bucket(self.target_bucket, kms=plan.encrypted)
        self.truth = Truth(self.store)
        self.manifest = Watched(self._recorded)
        self.events, self.backfill = (
            StandardQueue(clock, random, duplicates=plan.duplicates / 2, max_receives=plan.max_receives)
            for _ in range(2)
        )
        self.bus = InMemoryEventBus()
        self.counters = InMemoryProgressCounters()
        self.panel = InMemoryControlPanel()
        self.service = Service(self)
        self.rules = rules_of("mirror" if plan.mirrors else "keep", self.target_bucket)
        self.published = 0
        self.closing = False
        self._numbers = 0
        for number in range(plan.keys):
            source = Location(LEGACY, f"old/k{number}")
            target = Location(self.target_bucket, f"new/k{number}")
            self.truth.add(KeyTruth(source, target, plan.versioned, plan.mirrors))

    @property
    def healthy(self) -> bool:
        """Whether no invariant is broken yet."""
        return not self.truth.broken

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
        self.truth.check(key, self.manifest.records.get(key.source.record_id))

    def _recorded(self, record: Record) -> None:
        self.truth.recorded(record)
        self.check(self.truth.keys[record.source])

    def attempt(self) -> Attempt:
        """A new attempt."""
        return Attempt(f"t{self.next_number()}", ATTEMPT_SECONDS)

    def dependencies(self, process: Process) -> Dependencies:
        """What the handlers are given in this process."""
        policy = MigrationPolicy(
            mirror_deletes=self.plan.mirrors,
            multipart_above=6 * MIB,
            part_size=MIN_PART_BYTES,
            parts_at_once=self.plan.parts_at_once,
            request_seconds=REQUEST_SECONDS,
            margin_seconds=MARGIN_SECONDS,
            promised_storage_class="STANDARD" if self.plan.promised else None,
            encrypted_targets=self.plan.encrypted,
            rules_digest=self.rules.digest,
        )
        store = SimulatedStore(process, self)
        operations = SimulatedOperations(process, self)
        return Dependencies(
            settings=Settings(
                rules_file=Path("rules.yaml"),
                table="manifest",
                attempt_seconds=ATTEMPT_SECONDS,
                request_seconds=REQUEST_SECONDS,
                margin_seconds=MARGIN_SECONDS,
                concurrency=4,
                own_principals=(OURS,) if self.plan.knows_itself else (),
            ),
            rules=self.rules,
            policy=policy,
            ports=MigrationPorts(store, store, SimulatedManifest(process, self), process),
            events_queue=SimulatedQueue(process, self, self.events, "events"),
            backfill_queue=SimulatedQueue(process, self, self.backfill, "backfill"),
            bus=operations,
            progress=operations,
            control=CachedControl(operations, seconds=5, monotonic=process.monotonic),
            record_of_item=lambda item: item["record"],
            new_token=lambda: f"t{self.next_number()}",
            observer=_observer(),
            pace=Pace(4, monotonic=process.monotonic),
            sleep=process.sleep,
            objects_at_once=InTurn,
        )

    def crashes(self) -> dict[str, None]:
        """Exceptions that no handler expected, each once."""
        return _observer().crashes
