"""A run of the demo: seed, switch events on, backfill, live writes, kills, wait, compare."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Protocol

from domain.keys import Location
from domain.planning.ports import ObjectListing
from domain.protocol.ports import Manifest
from domain.queues import MessageQueue
from handlers.demo.actors import Auditor, DisturbedDelivery, Producers
from handlers.demo.checker import Difference, ProducersBook, compare, target_of, write_object
from handlers.demo.objects import legacy_keys, new_object
from handlers.demo.world import DemoWorld, Workers
from handlers.operations.backfill import Fed, Feeder

LEAST_LIVE_SECONDS = 12.0
PATIENCE_SECONDS = 200.0
"""Seconds without any progress.

The claim of a killed worker has to end first. A copy in parts without an answer holds its claim for 39 seconds, and on
a busy machine for several times in a row.
"""
SEEDING_THREADS = 8
PRODUCERS_PAUSE_SECONDS = 0.1
"""Live events go first: if the producers were as fast as the workers, the backfill would never begin."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """The size of a run."""

    objects: int = 2_000
    large: int = 5
    workers: int = 3
    producers: int = 3
    kills: int = 2
    seed: int = 1


@dataclass(slots=True)
class Result:
    """The figures of one run."""

    objects: int = 0
    migrated: int = 0
    lost: int = 0
    wrong: int = 0
    stale: int = 0
    duplicates_delivered: int = 0
    workers_killed: int = 0
    audit_events: int = 0
    audit_missing: int = 0
    seconds: float = 0.0
    producers_writes: int = 0
    differences: list[Difference] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Nothing is lost, wrong, stale or unaudited, and everything has ended."""
        return not (self.lost or self.wrong or self.stale or self.audit_missing or self.troubles)

    def figures(self) -> dict[str, float]:
        """For machines."""
        names = (
            *("objects", "migrated", "lost", "wrong", "stale", "duplicates_delivered", "workers_killed"),
            *("audit_events", "audit_missing", "seconds"),
        )
        return {name: getattr(self, name) for name in names}


Say = Callable[[str], None]


class Activity(Protocol):
    """Something else that happens while the bucket moves, with its own checks."""

    def prepare(self, book: ProducersBook) -> None:
        """Before the bucket sends events; permanent writes go into the book."""

    def begin(self) -> None:
        """Called when the workers run."""

    def end(self) -> None:
        """Returns after its last write; the workers still run."""

    def conclude(self) -> None:
        """Called when every queue is empty and no record is unfinished; the workers still run."""


@dataclass(frozen=True)
class DemoRun:
    """One run in a prepared world."""

    world: DemoWorld
    manifest: Manifest
    listing: ObjectListing
    backfill_queue: MessageQueue
    parameters: Parameters
    say: Say
    activities: Sequence[Activity] = ()
    book: ProducersBook = field(default_factory=ProducersBook)

    @cached_property
    def random(self) -> Random:
        """The random choices."""
        return Random(self.parameters.seed)

    def run(self) -> Result:
        """Run it to its end; the result has everything that is wrong."""
        started, parameters, world = time.monotonic(), self.parameters, self.world
        keys = self._seed()
        for activity in self.activities:
            activity.prepare(self.book)
        world.begin_events()
        auditor = Auditor(world.audit_queue)
        trouble = DisturbedDelivery(world.events_queue, seed=parameters.seed)
        producers = Producers(
            world.producers_bucket, world.rules.source_bucket, self.book, pause=PRODUCERS_PAUSE_SECONDS
        )
        result = Result()
        with self._logs(result) as folder:
            workers = Workers(world, folder, lanes=2)
            try:
                auditor.start()
                workers.start(parameters.workers)
                trouble.start()
                producers.start(keys, threads=parameters.producers, seed=parameters.seed)
                self.say(f"{parameters.workers} workers run, producers write and delete, deliveries are shuffled")
                for activity in self.activities:
                    activity.begin()
                self._backfill_and_kill(workers)
                producers.stop()
                trouble.stop()
                self.say(f"the producers are done after {self.book.writes:,} writes, waiting for the last messages")
                for activity in self.activities:
                    activity.end()
                self._come_to_rest(auditor, result)
                for activity in self.activities:
                    activity.conclude()
                    self._come_to_rest(auditor, result)
                result.troubles += [f"a worker ended by itself: {words}" for words in workers.fallen()]
                if result.troubles:
                    workers.show_stacks()
            finally:
                producers.stop()
                trouble.stop()
                workers.stop()
                auditor.stop()
        self._compare(result, auditor)
        result.troubles += [repr(error) for error in (*producers.failures, *trouble.failures, *auditor.failures)]
        result.duplicates_delivered = trouble.duplicated
        result.workers_killed = workers.killed
        result.producers_writes = self.book.writes
        result.seconds = round(time.monotonic() - started, 1)
        return result

    @contextmanager
    def _logs(self, result: Result) -> Iterator[Path]:
        """A folder for the workers' logs; it is left, and named, if the run met trouble."""
        folder = Path(tempfile.mkdtemp(prefix="keyshift-demo-"))
        try:
            yield folder
        finally:
            if not result.troubles:
                shutil.rmtree(folder, ignore_errors=True)
        if result.troubles:
            result.troubles.append(f"the workers' logs are in {folder}")

    def _seed(self) -> list[str]:
        parameters, bucket = self.parameters, self.world.rules.source_bucket
        keys = list(legacy_keys(self.random, parameters.objects))
        large = set(keys[-parameters.large :] if parameters.large else ())
        written = [(key, new_object(self.random, large=key in large)) for key in keys]
        self.say(
            f"seeding {len(written):,} objects in the portal's legacy layouts, {len(large)} of them uploaded in parts"
        )

        def seed(item: tuple[str, object]) -> None:
            key, made = item
            write_object(self.world.producers_bucket, Location(bucket, key), made)  # type: ignore[arg-type]
            self.book.note(key, made)  # type: ignore[arg-type]

        with ThreadPoolExecutor(SEEDING_THREADS, thread_name_prefix="seed") as pool:
            list(pool.map(seed, written))
        # Large objects are not rewritten: 11 MiB again and again would only test this machine's memory.
        return [key for key in keys if key not in large]

    def _backfill_and_kill(self, workers: Workers) -> None:
        begun, parameters = time.monotonic(), self.parameters
        moments = [LEAST_LIVE_SECONDS * (number + 1) / (parameters.kills + 1) for number in range(parameters.kills)]
        with ThreadPoolExecutor(1, thread_name_prefix="feed") as pool:
            feeding = pool.submit(self._feed)
            while moments or not feeding.done() or time.monotonic() - begun < LEAST_LIVE_SECONDS:
                time.sleep(0.2)
                if moments and time.monotonic() - begun >= moments[0]:
                    moments.pop(0)
                    workers.kill_one()
                    self.say("a worker was killed (SIGKILL) in the middle of its work, another one starts")
            feeding.result()

    def _feed(self) -> None:
        fed = Fed()
        feeder = Feeder(self.world.rules, self.backfill_queue, backlog=60, rows_per_message=20)
        feeder.feed_listing(self.listing, fed)
        self.say(f"the backfill has enqueued {fed.outcomes['move']:,} objects in {fed.messages} messages")

    def _come_to_rest(self, auditor: Auditor, result: Result) -> None:
        """Until every queue is empty, every record is finished and every change is audited."""
        shown, ends, least = time.monotonic(), time.monotonic() + PATIENCE_SECONDS, None
        while True:
            queues = (self.world.events_queue, self.backfill_queue)
            waiting = sum(sum(queue.count_messages()) for queue in queues)
            # The whole manifest is read only when the queues are empty: it costs the stand-in more than the workers do.
            records = list(self.manifest.scan_records()) if not waiting else []
            unfinished = sum(record.is_unfinished for record in records)
            unaudited = len(auditor.missing(records))
            if not (waiting or unfinished or unaudited):
                return
            if least is None or (waiting, unfinished + unaudited) < least:
                least, ends = (waiting, unfinished + unaudited), time.monotonic() + PATIENCE_SECONDS
            if time.monotonic() > ends:
                result.troubles += self._restless(waiting)
                return
            if time.monotonic() - shown > 3.0:
                shown = time.monotonic()
                left = f"{unfinished} records unfinished, {unaudited} changes not audited yet"
                self.say(f"{waiting} messages left" if waiting else left)
            time.sleep(0.5)

    def _restless(self, waiting: int) -> list[str]:
        """What is left when the time is up."""
        left = [record.source.uri for record in self.manifest.scan_records() if record.is_unfinished]
        if not (waiting or left):
            return []
        such = f", such as {left[0]}" if left else ""
        what = f"{waiting} messages waiting, {len(left)} records unfinished{such}"
        return [
            f"no progress for {PATIENCE_SECONDS:.0f} s: {what}; on a busy machine run it again with fewer --objects"
        ]

    def _compare(self, result: Result, auditor: Auditor) -> None:
        world, entries = self.world, self.book.entries()
        result.differences = compare(entries, world.rules, world.producers_bucket)
        kinds = [difference.kind for difference in result.differences]
        result.lost, result.wrong, result.stale = (kinds.count(kind) for kind in ("lost", "wrong", "stale"))
        records = list(self.manifest.scan_records())
        result.objects = len(entries)
        different = {difference.source.key for difference in result.differences}
        moving = {key for key in entries if target_of(world.rules, key).key != key}
        result.migrated = sum(entries[key].last is not None for key in moving - different)
        result.audit_events = len(auditor.event_ids)
        # A key that moves and has no record was never audited either.
        unrecorded = moving - {record.source.key for record in records}
        result.audit_missing = len(auditor.missing(records)) + len(unrecorded)
        dead = sum(world.dead_queue.count_messages())
        if dead:
            result.troubles.append(f"{dead} messages are in the dead-letter queue")
