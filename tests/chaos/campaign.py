"""One campaign: owners write and delete, the backfill runs, and everything that may break, breaks; then compare."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from domain.keys import Location
from domain.planning.ports import ObjectListing
from domain.protocol.ports import Manifest
from domain.queues import MessageQueue
from domain.reporting.ports import ProgressCounters
from domain.reporting.progress import OBJECTS_COPIED
from handlers.bootstrap import bootstrap
from handlers.bootstrap.inspection import object_listing
from handlers.bootstrap.process import Process
from handlers.cli.demo import packaged_rules
from handlers.config.rules_file import load_rules
from handlers.demo.actors import Auditor, DisturbedDelivery, Producers
from handlers.demo.checker import ProducersBook, ProducersBucket, compare, write_object
from handlers.demo.objects import legacy_keys, new_object
from handlers.demo.wiring import demo_world
from handlers.demo.world import DemoWorld
from handlers.engine.dependencies import EngineDependencies
from handlers.operations.backfill import Fed, Feeder
from tests.chaos.crew import Crew, Tormentor
from tests.chaos.doubts import decide_doubts
from tests.chaos.on_call import somebody_on_call
from tests.chaos.proxy import QUIET, FaultProxy, Troubles

STORM = Troubles(
    reset_before=0.01,
    reset_after=0.015,
    held=0.01,
    late=0.01,
    doubled_request=0.01,
    doubled_answer=0.005,
    cut_off=0.01,
)
Say = Callable[[str], None]
_START_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Size:
    """How long and how large; times in seconds.

    The patience is for messages that were returned again and again: each time they wait longer, at most 15 minutes.
    """

    objects: int = 3_000
    large: int = 6
    workers: int = 4
    storm_seconds: float = 90.0
    patience_seconds: float = 900.0
    outages: int = 3
    least_troubles: int = 30
    torment_pause: float = 6.0
    seed: int = 1
    troubles: Troubles = STORM


@dataclass(slots=True)
class Figures:
    """What happened, and what is wrong in the end."""

    objects: int = 0
    writes: int = 0
    audit_events: int = 0
    deeds: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"objects compared: {self.objects:,} after {self.writes:,} writes and deletes of their owners"
        yield "done to the workers and their requests: " + ", ".join(
            f"{name} {count:,}" for name, count in sorted(self.deeds.items())
        )
        yield f"audit events: {self.audit_events:,}"
        yield f"wrong: {len(self.wrong)}"
        yield from self.wrong[:20]


@contextmanager
def storm(proxy: FaultProxy, size: Size, say: Say) -> Iterator[None]:
    """Troubles while the block runs, and none after it."""
    proxy.troubles = size.troubles
    say("the storm begins")
    try:
        yield
    finally:
        proxy.troubles = QUIET
        proxy.down = False


def run_on_standin(size: Size, say: Say) -> Figures:  # noqa: PLR0915  # one story, told in order
    """Everything on the stand-in, events included; its outages are the proxy's."""
    path = packaged_rules("edge-cv-portal.yaml")
    figures = Figures()
    with (
        demo_world(load_rules(path), path) as world,
        tempfile.TemporaryDirectory(prefix="keyshift-chaos-") as folder,
        somebody_on_call(world.settings) as on_call,
    ):
        proxy = FaultProxy(world.environment["AWS_ENDPOINT_URL"], seed=size.seed)
        crew = Crew({**world.environment, "AWS_ENDPOINT_URL": proxy.endpoint_url}, Path(folder), size.workers)
        process = Process(world.settings, rules=world.rules)
        dependencies = bootstrap(process, function="chaos")
        book, random = ProducersBook(), Random(size.seed)
        keys = seed_objects(world, book, random, size)
        world.begin_events()
        auditor = Auditor(world.audit_queue)
        trouble = DisturbedDelivery(world.events_queue, seed=size.seed)
        producers = Producers(world.producers_bucket, world.rules.source_bucket, book, pause=0.1)
        tormentor = Tormentor(crew, seed=size.seed, pause=size.torment_pause)
        try:
            auditor.start()
            crew.fill()
            trouble.start()
            producers.start(keys, threads=3, seed=size.seed)
            await_first_copies(dependencies.progress)
            with storm(proxy, size, say), ThreadPoolExecutor(1) as pool:
                tormentor.start()
                listing = object_listing(process)
                feeding = pool.submit(feed, world, listing, dependencies.backfill_queue)
                for _ in range(size.outages + 1):
                    time.sleep(size.storm_seconds / (size.outages + 1))
                    proxy.down = True
                    time.sleep(2.5)
                    proxy.down = False
                await_troubles(proxy, size)
                producers.stop()
                tormentor.stop()
                proxy.troubles = QUIET
                say("the storm is over")
                feeding.result()
            trouble.stop()
            figures.wrong += come_to_an_end(dependencies, auditor, size, figures)
        finally:
            producers.stop()
            tormentor.stop()
            trouble.stop()
            crew.stop()
            auditor.stop()
            proxy.close()
        figures.wrong += crew.fallen()
        faults = (*producers.failures, *trouble.failures, *auditor.failures, *on_call.failures)
        figures.wrong += [repr(error) for error in faults]
        beside = Counter({"doubled messages": trouble.duplicated, "breaker resumed": on_call.resumed})
        figures.deeds += tormentor.deeds + proxy.happened + beside
        figures.audit_events = len(auditor.event_ids)
        settle(figures, world, book, dependencies.ports.manifest, sent_twice=proxy.targets_sent_twice())
    return figures


def seed_objects(world: DemoWorld, book: ProducersBook, random: Random, size: Size) -> list[str]:
    """Write the first objects; the keys that live owners may go on with."""
    keys = list(legacy_keys(random, size.objects))
    large = set(keys[-size.large :])
    write_all(world.producers_bucket, world.rules.source_bucket, keys, large=large, book=book, random=random)
    return [key for key in keys if key not in large]


def write_all(  # where, what, and who keeps the book
    bucket: ProducersBucket,
    name: str,
    keys: Sequence[str],
    *,
    large: Container[str],
    book: ProducersBook,
    random: Random,
) -> None:
    """An object for each key, noted in the owners' book."""
    made = {key: new_object(random, large=key in large) for key in keys}

    def write(key: str) -> None:
        write_object(bucket, Location(name, key), made[key])
        book.note(key, made[key])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, keys))


def feed(world: DemoWorld, listing: ObjectListing, queue: MessageQueue) -> None:
    """The backfill, slow enough to last through the storm."""
    Feeder(world.rules, queue, backlog=40, rows_per_message=20).feed_listing(listing, Fed())


def await_first_copies(progress: ProgressCounters) -> None:
    """Until the workers are at work: a storm over a crew that still starts troubles nobody."""
    ends = time.monotonic() + _START_SECONDS
    while progress.read_progress().get(OBJECTS_COPIED, 0) < 5 and time.monotonic() < ends:
        time.sleep(0.2)


def await_troubles(proxy: FaultProxy, size: Size) -> None:
    """Until so many requests were spoiled; a slow machine needs longer for that."""
    ends = time.monotonic() + 3 * size.storm_seconds
    while proxy.happened.total() < size.least_troubles and time.monotonic() < ends:
        time.sleep(0.2)


def come_to_an_end(dependencies: EngineDependencies, auditor: Auditor, size: Size, figures: Figures) -> list[str]:
    """Rest, and once more after somebody has decided what nobody can tell from S3; what is not so in the end."""
    queues = (dependencies.events_queue, dependencies.backfill_queue)
    wrong = come_to_rest(queues, dependencies.ports.manifest, auditor, size)
    if not wrong and (doubts := decide_doubts(dependencies, dependencies.backfill_queue)):
        figures.deeds["doubts decided"] += doubts
        wrong = come_to_rest(queues, dependencies.ports.manifest, auditor, size)
    return wrong


def come_to_rest(queues: tuple[MessageQueue, ...], manifest: Manifest, auditor: Auditor, size: Size) -> list[str]:
    """Wait until nothing waits, nothing is unfinished and everything is audited; what is not so in the end."""
    ends = time.monotonic() + size.patience_seconds
    while True:
        waiting = sum(sum(queue.count_messages()) for queue in queues)
        records = list(manifest.scan_records()) if not waiting else []
        unfinished = [record.source.uri for record in records if record.is_unfinished]
        unaudited = auditor.missing(records)
        if not (waiting or unfinished or unaudited):
            return []
        if time.monotonic() > ends:
            return [f"not at rest: {waiting} messages, unfinished {unfinished[:3]}, not audited {len(unaudited)}"]
        time.sleep(0.5)


def settle(
    figures: Figures,
    world: DemoWorld,
    book: ProducersBook,
    manifest: Manifest,
    *,
    bucket: ProducersBucket | None = None,
    sent_twice: frozenset[Location] = frozenset(),
) -> None:
    """Compare the buckets with the owners' book, and look for dead messages.

    A copy that the proxy sent twice may count as another writer's: docs/reliability.md excuses by name that an owner's
    delete leaves it. Only the proxy says which copies these are.
    """
    entries = book.entries()
    figures.objects, figures.writes = len(entries), book.writes
    records: Mapping[str, str] = {
        one.source.key: f"{one.state} {one.origin} {one.cause}" for one in manifest.scan_records()
    }
    for one in compare(entries, world.rules, bucket or world.producers_bucket):
        if one.kind == "stale" and one.target in sent_twice:
            figures.deeds["copies sent twice that outlived their source"] += 1
            continue
        record = records.get(one.source.key)
        figures.wrong.append(f"{one.kind}: {one.source.uri!r} -> {one.target.uri!r}: {one.why} (record: {record})")
    if dead := sum(world.dead_queue.count_messages()):
        figures.wrong.append(f"{dead} messages are in the dead-letter queue")
