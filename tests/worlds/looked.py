"""A cleanup, or its dry run, that functions do, of objects that a table, an augmented manifest or a pin holds."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from domain.keys import Location
from domain.protocol.record import Record
from domain.references.holders import Pin, Reference
from domain.references.pins import HeldUri
from domain.runs.run import Run
from domain.runs.works import StageQueue, Work
from handlers.operations.holder_looks import Look
from handlers.operations.look_at_holders import LookAtHolders, holders_of, look_at_holders
from handlers.operations.operator import Operation
from handlers.operations.pins import Pins
from handlers.operations.removal_run import CleanupOptions, RemovalWork, cleanup_options_of, removal_of
from handlers.operations.removals import Removal, Removed, held
from handlers.operations.runs import KeptRun, RunView, begin_run
from handlers.operations.slice_work import SliceWork
from handlers.operations.stage_tasks import Engine, serve_task
from handlers.operations.stage_works import StageWorks, Time
from handlers.operations.watched_holders import Holders
from tests.fakes.clock import FakeClock
from tests.fakes.queue import InMemoryQueue
from tests.fakes.runs import InMemoryRunBook
from tests.worlds.augmented_manifests import ManifestWorld
from tests.worlds.gates import Place
from tests.worlds.handlers import Bench, bench
from tests.worlds.referring import REFERRING_RULES

LOOK_SEGMENTS = 3
PINNED, NAMED, LISTED = "old//pinned", "old//named", "old//b.png"
HELD = {PINNED, NAMED, LISTED}
FREE = {f"old//free-{number}" for number in range(6)} | {"old//a.png", "old//set.manifest"}


@dataclass
class Published:
    """UriHolder of one component."""

    uris: tuple[str, ...]

    def list_uris(self) -> Iterator[HeldUri]:
        """See the port."""
        for uri in self.uris:
            yield HeldUri("component c 1.0.0", uri, "publish it again")


@dataclass
class Deleting:
    """Remover that deletes at once what nothing holds; ``before`` is called before each."""

    holders: Holders
    gone: dict[str, float]
    now: Callable[[], float]
    before: Callable[[], object]

    def find_candidates(self, records: Iterable[Record]) -> Iterator[Record]:
        """Those that are there."""
        return (record for record in records if record.source.key not in self.gone)

    def remove_object(self, record: Record, *, yes: bool) -> Removal:
        """Delete it, if nothing holds it."""
        self.before()
        holder = self.holders.holder_of(record.source)
        if holder is not None:
            return held(record.source, holder.hold, holder.text)
        if not yes:
            return Removal(record.source.uri, Removed.WOULD_GO)
        self.gone[record.source.key] = self.now()
        return Removal(record.source.uri, Removed.CLEANED)


@dataclass
class Cleaning:
    """A migration with references, a manifest and a pin, its cleanup as a run, and the functions of two queues."""

    world: ManifestWorld = field(default_factory=ManifestWorld)
    gone: dict[str, float] = field(default_factory=dict)
    before: Callable[[], object] = lambda: None
    time_left: Callable[[], float] = lambda: 300.0
    yes: bool = True

    def __post_init__(self) -> None:
        """Objects, what holds them, and the run that a command begins."""
        world = self.world
        for key in sorted((HELD | FREE) - {LISTED, "old//a.png", "old//set.manifest"}):
            world.put(key)
            world.migrate(key)
        world.migrate(LISTED)
        world.put_job("1", uri={"S": f"s3://line-1/{NAMED}"})
        world.put_job("2", uri={"S": "s3://line-1/new/free-0"})
        list(world.scan.scan(dry_run=False))  # what a rule moves; the application's own manifest stays as it is
        world.put("new/own.manifest", f'{{"source-ref":"s3://line-1/{LISTED}"}}\n'.encode())
        assert isinstance(world.clock, FakeClock)
        self.clock = world.clock
        self.clock.advance(3_600.0)
        self.made: Bench = bench(rules=REFERRING_RULES)
        self.dependencies = replace(
            self.made.dependencies, ports=world.migration_ports, sleep=self.clock.advance, rules=world.rules
        )
        self.published = Published((f"s3://line-1/{PINNED}",))
        self.bare = Place().operation()
        self.book = InMemoryRunBook()
        self.queues = {
            name: InMemoryQueue(self.clock, visibility=150, max_receives=20)
            for name in (StageQueue.LOOKING, StageQueue.REMOVING)
        }
        self.run = self.begun("r")

    def begun(self, run_id: str) -> Run:
        """What a command begins."""
        options = CleanupOptions(LOOK_SEGMENTS, yes=self.yes, soak=0.0, tables=()).as_options()
        digest, now = self.world.rules.digest, self.clock.now()
        work = Work.CLEANUP if self.yes else Work.CLEANUP_DRY
        run = Run(work.value, run_id, LOOK_SEGMENTS, options, rules_digest=digest, by="ana", begun_at=now)
        assert begin_run(self.book, run) is None
        return run

    @property
    def operation(self) -> Operation:
        """What finds holders."""
        references = replace(self.world.references, manifests=self.world.scan)
        pins = Pins(self.world.rules, (self.published,), self.world.store)
        return replace(self.bare, dependencies=self.dependencies, finders=(references,), pins=(pins,))

    def look(self, run: Run) -> LookAtHolders:
        """The look for the run."""
        kept, segments = KeptRun(self.book, run.work, run.run_id), cleanup_options_of(run.options).segments
        return look_at_holders(self.operation, kept, self.world.manifest, of_copies=False, segments=segments)

    def work(self, run: Run, *, looks_here: bool) -> RemovalWork:
        """A process's work of the run."""
        holders = holders_of(self.operation, self.look(run), looks_here=looks_here)
        remover = Deleting(holders, self.gone, self.clock.now, self.before)
        return RemovalWork(remover, self.world.manifest, cleanup_options_of(run.options), sleep=self.clock.advance)

    def works(self, name: StageQueue) -> StageWorks:
        """What the functions of a queue do."""

        def opened(run: Run, _: Callable[[], float]) -> AbstractContextManager[SliceWork[Any]]:
            return nullcontext(self.work(run, looks_here=False))

        return StageWorks(name, self.queues[name], lambda: None, self.book, opened, lambda *_: None, self.look)

    def ask(self) -> None:
        """What the command sends."""
        slices = self.book.read_slices(self.run)
        looking = self.queues[StageQueue.LOOKING]
        engine = Engine(self.queues[StageQueue.REMOVING] if self.yes else looking, looking)
        engine.ask(self.run, migration="line", slices=slices)

    def invoke(self, name: StageQueue) -> bool:
        """A function of this queue gets the next message; whether there was one."""
        queue, works = self.queues[name], self.works(name)
        messages = queue.receive_messages(at_most=1, wait=0)
        for message in messages:
            if serve_task(message, works, self.dependencies, time=Time(self.time_left)):
                queue.delete_messages([message])
        return bool(messages)

    def work_off(self, *names: StageQueue) -> None:
        """Functions of these queues work in turn, until no message is left in them."""
        for _ in range(2_000):
            for name in names:
                self.invoke(name)
            if not any(self.queues[name].bodies for name in names):
                return
            self.clock.advance(1.0)
        raise AssertionError({name: self.queues[name].bodies for name in names})

    def newest(self) -> Look | None:
        """The newest look."""
        return self.look(self.run).looks.newest()

    def removals(self) -> dict[str, str]:
        """The verdict for each source that the run kept."""
        lines = map(removal_of, RunView(self.book, self.run).look())
        return {line.source.removeprefix("s3://line-1/"): line.verdict.value for line in lines}


def found_at_once(cleaning: Cleaning, *, of_copies: bool) -> set[tuple[Location, str]]:
    """What a search that is not cut into parts finds."""
    operation = cleaning.operation
    found: list[Reference | Pin] = [*(operation.copy_references() if of_copies else operation.references())]
    found += [*(operation.find_copy_pins() if of_copies else operation.find_pins())]
    return {(one.source, one.holder) for one in found}
