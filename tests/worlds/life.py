"""A site on the stand-in and its operator, through the stages of a migration."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from adapters.dynamodb.manifest import DynamoDbManifest
from adapters.local.clock import SystemClock
from domain.lifecycle.gates import Gate, GateLimits, cutover_gates
from domain.lifecycle.stages import Stage, advanced
from domain.lifecycle.verification import Finding
from domain.protocol.ports import RecordPages
from domain.protocol.record import Record
from handlers.bootstrap import wire_command
from handlers.bootstrap.operations import objects_of_both_sides, operation_of
from handlers.bootstrap.runs import cleanup_work, verify_work
from handlers.bootstrap.steering import lookout_of
from handlers.engine.worker import Worker
from handlers.operations.cleanup import begin_cleaning
from handlers.operations.cutover import Terms, cut_over, look_for_cutover
from handlers.operations.finish import Leftovers, finish_migration
from handlers.operations.lookout import Lookout
from handlers.operations.operator import Operation, Shut
from handlers.operations.removal_run import CleanupOptions, removal_of
from handlers.operations.removals import Removal
from handlers.operations.start import Opened, Probing, start_capture
from handlers.operations.verify_run import VerifyOptions, finding_of
from tests.servers import Server
from tests.worlds.holders import kept_run
from tests.worlds.rolled_back import Rolled, purge_all, roll_back_all
from tests.worlds.runs import lines_of
from tests.worlds.site import SITE_RULES, Site

ACCEPTING = SITE_RULES + "cleanup: {{unversioned_source: accept}}\n"
SHORT_ATTEMPTS: dict[str, Any] = {"attempt_seconds": 20.0, "request_seconds": 5.0, "margin_seconds": 1.0}
HOUR = 3600.0
LIFE_LIMITS = GateLimits(most_waiting=5, most_lag=9 * HOUR, compare_younger=0)


class ShiftedClock(SystemClock):
    """The real time of day and then some; requests' deadlines are monotonic and stay real."""

    def __init__(self) -> None:
        self.shift = 0.0

    def now(self) -> float:
        """Seconds since 1970, shifted."""
        return super().now() + self.shift


@dataclass
class Life:
    """A site and its operator."""

    site: Site
    operation: Operation
    clock: ShiftedClock

    def let_time_pass(self) -> None:
        """Longer than any claim."""
        self.clock.shift += HOUR

    def work(self) -> None:
        """Workers work both queues off."""
        worker = Worker(self.site.dependencies, lanes=1)
        queues = (self.site.dependencies.events_queue, self.site.dependencies.backfill_queue)
        while sum(worker.serve(queue, at_most=10, wait=0) for queue in queues):
            pass

    def start(self) -> Opened | Shut:
        """Live capture goes on."""
        return start_capture(self.operation, through="queue", probing=Probing(1, 20, 1), say=lambda _: None)

    def lookout(self) -> Lookout:
        """What status looks at: the workers' figures are of their own time, not of the operator's."""
        return lookout_of(self.site.process, wire_command(self.site.process, function="status"))

    def verify(self, *, deep: bool = False, marks: bool = True) -> list[Finding]:
        """Every finding, those of no difference too."""
        options = VerifyOptions(segments=2, deep=deep, marks=marks, keeps_all=True)
        with verify_work(self.site.process, self.operation, options) as work:
            return [finding_of(line) for line in lines_of(work)]

    def records(self) -> Iterator[Record]:
        """The manifest."""
        return self.site.dependencies.ports.manifest.scan_records()

    def record(self, key: str) -> Record:
        """The record of a source key."""
        return next(one for one in self.records() if one.source.key == key)

    def shut_gates(self, **accept: Any) -> dict[str, str]:
        """What a cut-over now says no to, and the stage afterwards."""
        objects = objects_of_both_sides(self.site.process, self.operation, ())
        lookout, accepted = self.lookout(), frozenset(accept.pop("accept", ()))
        look = look_for_cutover(
            self.operation, lookout, objects=objects, limits=replace(LIFE_LIMITS, most_lag=0), seen=lambda: None
        )
        gates, _ = cut_over(self.operation, lookout, look, terms=Terms(LIFE_LIMITS, accepted, "test"), wait=20)
        return {gate.name: gate.says for gate in gates if gate.holds}

    def gates(self) -> dict[str, Gate]:
        """Each gate of a cut-over by its name; nothing is looked at twice."""
        objects = objects_of_both_sides(self.site.process, self.operation, ())
        look = look_for_cutover(self.operation, self.lookout(), objects=objects, limits=LIFE_LIMITS, seen=lambda: None)
        return {gate.name: gate for gate in cutover_gates(look.seen, limits=LIFE_LIMITS, accepted=frozenset())}

    def clean(self, *, yes: bool, soak: float = 0, versions: bool = False) -> dict[str, Removal]:
        """What became of each source."""
        work = cleanup_work(
            self.site.process, self.operation, CleanupOptions(2, yes, soak, versions), kept_run(), looks_here=True
        )
        if yes:
            begin_cleaning(self.operation)
        removals = map(removal_of, lines_of(work))
        return {one.source.rpartition("/")[2]: one for one in removals}

    def finish(self, **more: Any) -> Shut | None:
        """The end, or why not."""
        objects = objects_of_both_sides(self.site.process, self.operation, ())
        return finish_migration(self.operation, self.lookout(), objects=objects, allowed=Leftovers(**more))

    def pages(self) -> RecordPages:
        """The manifest, page by page."""
        return DynamoDbManifest(self.site.process.clients, self.site.process.table)

    def roll_back(self) -> Rolled:
        """Everything back."""
        rolled = roll_back_all(self.operation, self.pages())
        assert isinstance(rolled, Rolled), rolled
        return rolled

    def purge(self, *, yes: bool) -> list[Removal] | Shut:
        """What became of each copy."""
        return purge_all(self.operation, self.pages(), yes=yes)

    def at(self, stage: Stage) -> None:
        """Jump there over the stages before it."""
        order = [Stage.LIVE, Stage.CUT_OVER, Stage.CLEANING, Stage.DONE]
        for one in order[: order.index(stage) + 1]:
            before = self.operation.stages.read_stage()
            assert self.operation.stages.write_stage(advanced(before, one, by="t", why="t", now=1.0), before=before)


def life_on(server: Server, folder: Path, **more: Any) -> Life:
    """A site without live capture that was never started, and its operator."""
    given: dict[str, Any] = {"captured": False, "live": False, "rules_text": ACCEPTING, **SHORT_ATTEMPTS, **more}
    site = Site(server, folder, **given)
    clock = ShiftedClock()
    ports = replace(site.dependencies.ports, clock=clock)
    site.dependencies = replace(site.dependencies, ports=ports)
    return Life(site, operation_of(site.process, site.dependencies), clock)


@pytest.fixture
def life(credentials: Server, tmp_path: Path) -> Life:
    """A migration that has not begun."""
    return life_on(credentials, tmp_path)
