"""The play itself: seed, switch events on, backfill, live, kill, wait, compare."""

import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Protocol

from domain.keys import Location
from domain.planning.ports import ObjectListing
from domain.protocol.ports import Manifest
from domain.queues import MessageQueue
from handlers.demo.auditor import Auditor
from handlers.demo.checker import Difference, compare, target_of, write_object
from handlers.demo.ledger import Ledger
from handlers.demo.objects import legacy_keys, new_object
from handlers.demo.owners import Owners
from handlers.demo.troublemaker import Troublemaker
from handlers.demo.world import Stage, Workers
from handlers.operations.backfill import Fed, Feeder

LEAST_LIVE_SECONDS = 12.0
PATIENCE_SECONDS = 70.0
"""Without any progress; a claim that a killed worker leaves has to run out by itself."""
SEEDING_THREADS = 8
OWNERS_PAUSE_SECONDS = 0.1
"""Live events go first: owners as fast as the workers would leave the backfill nothing."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """How large the play is."""

    objects: int = 2_000
    large: int = 5
    workers: int = 3
    owners: int = 3
    kills: int = 2
    seed: int = 1


@dataclass(slots=True)
class Result:
    """The figures of one play."""

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
    owners_writes: int = 0
    differences: list[Difference] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Nothing lost, wrong, stale or unaudited, and everything came to rest."""
        return not (self.lost or self.wrong or self.stale or self.audit_missing or self.troubles)

    def figures(self) -> dict[str, float]:
        """For machines."""
        names = (
            *("objects", "migrated", "lost", "wrong", "stale", "duplicates_delivered", "workers_killed"),
            *("audit_events", "audit_missing", "seconds"),
        )
        return {name: getattr(self, name) for name in names}


Say = Callable[[str], None]


class Act(Protocol):
    """Something else that goes on while the bucket moves, with a judge of its own."""

    def prepare(self, ledger: Ledger) -> None:
        """Before the bucket tells of its changes; what it writes for good it notes in the book."""

    def begin(self) -> None:
        """The workers run."""

    def end(self) -> None:
        """Returns when nothing of it writes any more; the workers still run."""

    def conclude(self) -> None:
        """Every queue is empty and every record at rest; the workers still run."""


@dataclass(frozen=True)
class Play:
    """One run on a prepared stage."""

    stage: Stage
    manifest: Manifest
    listing: ObjectListing
    backfill_queue: MessageQueue
    parameters: Parameters
    say: Say
    acts: Sequence[Act] = ()
    ledger: Ledger = field(default_factory=Ledger)

    @cached_property
    def random(self) -> Random:
        """The dice."""
        return Random(self.parameters.seed)

    def run(self) -> Result:
        """Play it to its end; the result is good or says what is not."""
        started, parameters, stage = time.monotonic(), self.parameters, self.stage
        keys = self._seed()
        for act in self.acts:
            act.prepare(self.ledger)
        stage.begin_events()
        auditor = Auditor(stage.audit_queue)
        trouble = Troublemaker(stage.events_queue, seed=parameters.seed)
        owners = Owners(stage.owners_bucket, stage.rules.source_bucket, self.ledger, pause=OWNERS_PAUSE_SECONDS)
        result = Result()
        with tempfile.TemporaryDirectory(prefix="keyshift-demo-") as folder:
            workers = Workers(stage, Path(folder), lanes=2)
            try:
                auditor.start()
                workers.start(parameters.workers)
                trouble.start()
                owners.start(keys, threads=parameters.owners, seed=parameters.seed)
                self.say(
                    f"{parameters.workers} workers run, the owners go on writing and deleting, deliveries are shuffled"
                )
                for act in self.acts:
                    act.begin()
                self._backfill_and_kill(workers)
                owners.stop()
                trouble.stop()
                self.say(f"the owners are done after {self.ledger.writes:,} writes, waiting for the last messages")
                for act in self.acts:
                    act.end()
                self._come_to_rest(auditor, result)
                for act in self.acts:
                    act.conclude()
                    self._come_to_rest(auditor, result)
                result.troubles += [f"a worker ended by itself: {words}" for words in workers.fallen()]
            finally:
                owners.stop()
                trouble.stop()
                workers.stop()
                auditor.stop()
        self._compare(result, auditor)
        result.troubles += [repr(error) for error in (*owners.failures, *trouble.failures, *auditor.failures)]
        result.duplicates_delivered = trouble.duplicated
        result.workers_killed = workers.killed
        result.owners_writes = self.ledger.writes
        result.seconds = round(time.monotonic() - started, 1)
        return result

    def _seed(self) -> list[str]:
        parameters, bucket = self.parameters, self.stage.rules.source_bucket
        keys = list(legacy_keys(self.random, parameters.objects))
        large = set(keys[-parameters.large :] if parameters.large else ())
        written = [(key, new_object(self.random, large=key in large)) for key in keys]
        self.say(
            f"seeding {len(written):,} objects in the portal's legacy layouts, {len(large)} of them uploaded in parts"
        )

        def seed(item: tuple[str, object]) -> None:
            key, made = item
            write_object(self.stage.owners_bucket, Location(bucket, key), made)  # type: ignore[arg-type]
            self.ledger.note(key, made)  # type: ignore[arg-type]

        with ThreadPoolExecutor(SEEDING_THREADS, thread_name_prefix="seed") as pool:
            list(pool.map(seed, written))
        # The large ones have no live owner: rewriting 11 MiB again and again would only test this machine's memory.
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
        feeder = Feeder(self.stage.rules, self.backfill_queue, backlog=60, rows_per_message=20)
        feeder.feed_listing(self.listing, fed)
        self.say(f"the backfill has enqueued {fed.outcomes['move']:,} objects in {fed.messages} messages")

    def _come_to_rest(self, auditor: Auditor, result: Result) -> None:
        """Until every queue is empty, every record is finished and every change is audited."""
        shown, ends, least = time.monotonic(), time.monotonic() + PATIENCE_SECONDS, None
        while True:
            queues = (self.stage.events_queue, self.backfill_queue)
            waiting = sum(sum(queue.count_messages()) for queue in queues)
            # Reading the whole manifest costs the stand-in more than the workers do: only when the queues are empty.
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
        """What is left when patience ends."""
        left = [record.source.uri for record in self.manifest.scan_records() if record.is_unfinished]
        if not (waiting or left):
            return []
        such = f", such as {left[0]}" if left else ""
        what = f"{waiting} messages waiting, {len(left)} records unfinished{such}"
        return [
            f"no progress for {PATIENCE_SECONDS:.0f} s: {what}; on a busy machine run it again with fewer --objects"
        ]

    def _compare(self, result: Result, auditor: Auditor) -> None:
        stage, entries = self.stage, self.ledger.entries()
        result.differences = compare(entries, stage.rules, stage.owners_bucket)
        kinds = [difference.kind for difference in result.differences]
        result.lost, result.wrong, result.stale = (kinds.count(kind) for kind in ("lost", "wrong", "stale"))
        records = list(self.manifest.scan_records())
        result.objects = len(entries)
        different = {difference.source.key for difference in result.differences}
        moving = {key for key in entries if target_of(stage.rules, key).key != key}
        result.migrated = sum(entries[key].last is not None for key in moving - different)
        result.audit_events = len(auditor.event_ids)
        # A key that moves and has no record at all was never audited either.
        unrecorded = moving - {record.source.key for record in records}
        result.audit_missing = len(auditor.missing(records)) + len(unrecorded)
        dead = sum(stage.dead_queue.count_messages())
        if dead:
            result.troubles.append(f"{dead} messages are in the dead-letter queue")
