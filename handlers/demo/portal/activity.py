"""The portal's part of the demo: used while its bucket moves, then cut over, cleaned up and checked."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from domain.keys import Location
from domain.protocol.causes import Cause
from domain.references.resolver import ResolveFault as ResolverFault
from handlers.demo.actors import DisturbedDelivery
from handlers.demo.checker import ProducersBook
from handlers.demo.jobs import JobRunner
from handlers.demo.portal.comparison import UNREADABLE, Items, byte_faults, item_faults
from handlers.demo.portal.events import JobEvents
from handlers.demo.portal.operator import Operator, Told
from handlers.demo.portal.records import (
    PINNED_MODEL,
    PINNED_PACKAGE,
    PINNED_ZIP,
    PUBLISHED,
    PUBLISHED_ZIP,
    RUNNING,
    RUNNING_COMPILATION,
    RUNNING_JOB,
)
from handlers.demo.portal.result import COMMAND, GONE, LEFT, PINS, WORKFLOW, PortalResult
from handlers.demo.portal.setup import PortalSetup
from handlers.demo.portal.workflow import Workflow, WorkflowError
from handlers.demo.portal.world import TABLES, PortalWorld
from handlers.operations.removals import Hold, Removed
from handlers.portal.wiring import portal_of

READ_PAUSE_SECONDS = 2.0
CLEANUP_TRIES = 4


class PortalActivity:
    """See the protocol Activity."""

    def __init__(self, on: PortalSetup, *, seed: int, say: Callable[[str], None]) -> None:
        self._on = on
        self._say = say
        self.result = PortalResult()
        self.world = PortalWorld(on)
        self._operator = Operator(on.demo, say)
        self._workflow = Workflow(on.layout, self.result, self.world.read, self.world.note_package)
        self._runner = JobRunner(on.cloud.jobs, read=self._read_uri, write=self.world.write, tell=self._tell)
        self._events = JobEvents(on.jobs_queue, self.result)
        self._trouble = DisturbedDelivery(on.jobs_queue, seed=seed)
        self._people: list[threading.Thread] = []
        self._ended = threading.Event()
        self._first: dict[str, Items] = {}
        self._made: list[str] = []

    def begin_events(self) -> None:
        """Live capture as an operator switches it on, so that the migration may be cut over later."""
        self._must_do(self._operator.run("start", "--yes", "--probes", "1"), "start")

    def prepare(self, book: ProducersBook) -> None:
        """See Activity."""
        self.world.write_past(book)
        self._first = {kind: self.world.items(kind) for kind in TABLES}
        # Clients are made here, in one thread.
        portal_of().workplaces.open_workplace(self._on.use_case)
        self._say(
            f"the portal's past is written: {len(self.world.past.objects)} objects, {len(self._first['training'])}"
            " records; SageMaker and Greengrass are simulated, all else is the real code on the stand-in"
        )

    def begin(self) -> None:
        """See Activity."""
        for part in (self._runner, self._events, self._trouble):
            part.start()
        self._person(self._new_model)
        self._person(lambda: self._workflow.from_the_past(RUNNING, "cookie-of-old"))
        self._person(lambda: self._workflow.republished(PUBLISHED))
        self._person(self._readers)
        self._say("the portal trains, compiles, packages and publishes; old jobs end, old URIs are resolved")

    def end(self) -> None:
        """See Activity."""
        *working, reader = self._people
        for thread in working:
            thread.join()
        for name in (RUNNING_JOB, RUNNING_COMPILATION):
            self._runner.tell_again(name)
        self._ended.set()
        reader.join()
        self._runner.stop()
        self._trouble.stop()
        self._events.stop()
        for part in (self._runner, self._events, self._trouble):
            for error in part.failures:
                self.result.fail(WORKFLOW, repr(error))
        self._say("the portal's people are done: " + _listed(self.result.counts.items()))

    def conclude(self) -> None:
        """See Activity."""
        before = {kind: self.world.items(kind) for kind in TABLES}
        self._rewrite()
        self._check(before)
        self._must_do(self._operator.run("verify", "--deep"), "verify")
        verified = time.monotonic()
        self._look_at_pins()
        self._must_do(self._operator.run("cutover", "--yes"), "cutover")
        self._guarded(self._read_everything)
        self._clean_up(verified)
        self._guarded(self._read_everything)
        self._check(before)

    # While the bucket moves.
    def _new_model(self) -> None:
        self._made.append(self._workflow.from_the_beginning("biscuit"))

    def _readers(self) -> None:
        while not self._ended.wait(READ_PAUSE_SECONDS):
            self._read_everything()

    def _read_everything(self) -> None:
        """Every record through the API, every old URI through the resolver."""
        for training_id in (*self._first["training"], *self._made):
            for tail in ("", "/compile"):
                self._workflow.read_back(training_id, tail)
        uris = [self.world.uri(key) for key in self.world.old_keys()]
        for uri, answer in zip(uris, self._on.resolver().resolve_all(uris), strict=True):
            self._check_answer(uri, answer.location, answer.fault)

    def _check_answer(self, uri: str, location: str | None, fault: ResolverFault | None) -> None:
        place = self.world.location_of(location) if location is not None else None
        body = self.world.read(place) if place is not None else None
        key = uri.removeprefix(self.world.uri(""))
        if body is None or body not in self.world.bodies_of(key, rewritten=False):
            self.result.fail(UNREADABLE, f"{uri!r} resolves to {location!r} ({fault}), not to its bytes")
        else:
            self.result.add("old_uris_read")

    def _read_uri(self, uri: str) -> bytes | None:
        place = self.world.location_of(uri)
        return self.world.read(place) if place is not None else None

    def _tell(self, event: dict[str, Any]) -> None:
        self._on.jobs_queue.send_messages([json.dumps(event)])

    def _person(self, does: Callable[[], object]) -> None:
        thread = threading.Thread(target=self._guarded, args=(does,), daemon=True)
        thread.start()
        self._people.append(thread)

    def _guarded(self, does: Callable[[], object]) -> None:
        try:
            does()
        except WorkflowError as error:
            self.result.fail(WORKFLOW, str(error))
        except Exception as error:  # noqa: BLE001  # the demo then does not report success
            self.result.fail(WORKFLOW, repr(error))

    # When everything is at rest.
    def _rewrite(self) -> None:
        told = self._operator.run("references", "rewrite", "--yes")
        outcomes = [row["outcome"] for row in told.rows if "outcome" in row]
        self.result.add("references_rewritten", outcomes.count("rewritten"))
        self._must_do(told, "references rewrite")

    def _check(self, before: dict[str, Items]) -> None:
        """Compare both tables and both augmented manifests with their content before."""
        touched = {RUNNING, PUBLISHED, *self._made}
        moved = self.world.moved()
        for kind in TABLES:
            after = self.world.items(kind)
            first = {key: item for key, item in self._first[kind].items() if key not in touched}
            wanted = {**before[kind], **first}
            faults = [*item_faults(kind, wanted, after, moved)]
            faults += byte_faults(kind, after, location_of=self.world.location_of, is_good=self.world.is_good)
            self.result.faults += [fault for fault in faults if fault not in self.result.faults]
        for key in self.world.past.manifests:
            place = self.world.target(key)
            if self.world.read(place) not in self.world.bodies_of(place.key, rewritten=True):
                self.result.fail(UNREADABLE, f"{place.uri} does not name its images at their new keys")

    def _look_at_pins(self) -> None:
        kept = {self.world.uri(key) for key in (PINNED_ZIP, PINNED_MODEL, PINNED_PACKAGE)}
        self._expect_pins(kept | {self.world.uri(PUBLISHED_ZIP)})
        components = self._on.cloud.components
        name = next(name for name, key in self.world.past.components.items() if key == PUBLISHED_ZIP)
        components.deployments[f"line with {name}"] = {name: "2.0.0"}
        components.delete_version(f"{components.component_arn(name)}:versions:1.0.0")
        self._say(f"{name} 2.0.0 is deployed and 1.0.0 deleted: nothing pins its old zip any more")
        self._expect_pins(kept)
        self.result.add("pins", len(kept))

    def _expect_pins(self, wanted: set[str]) -> None:
        told = self._operator.run("pins")
        found = {str(row["source"]) for row in told.rows}
        if found != wanted:
            self.result.fail(PINS, f"pins are {sorted(found)}, not {sorted(wanted)} {told.errors}")

    def _clean_up(self, changed: float) -> None:
        """Everything except pinned objects; records that changed a moment ago have to wait."""
        kept = {self.world.uri(key) for key in (PINNED_ZIP, PINNED_MODEL, PINNED_PACKAGE)}
        held: dict[str, str] = {}
        for _ in range(CLEANUP_TRIES):
            time.sleep(max(0.0, changed + self._quiet_seconds() - time.monotonic()))
            changed = time.monotonic()
            told = self._operator.run("cleanup", "--soak", "0s", "--yes")
            rows = [row for row in told.rows if "verdict" in row]
            self.result.add("sources_cleaned", sum(row["verdict"] == Removed.CLEANED for row in rows))
            held = {str(row["source"]): str(row["reason"]) for row in rows if row["verdict"] != Removed.CLEANED}
            if not {Hold.QUIET_TIME, Cause.ATTEMPT_RUNS} & set(held.values()):
                break
        self._must_do(told, "cleanup")
        if set(held) != kept:
            self.result.fail(PINS, f"cleanup held {held}, not exactly {sorted(kept)}")
        for key in self.world.old_keys():
            there = self.world.read(Location(self.world.bucket, key))
            pinned = self.world.uri(key) in kept
            if pinned and there not in self.world.bodies_of(key, rewritten=False):
                self.result.fail(GONE, f"{self.world.uri(key)!r} is pinned, and its bytes are gone")
            elif not pinned and there is not None:
                self.result.fail(LEFT, f"{self.world.uri(key)!r} is still there")

    def _quiet_seconds(self) -> float:
        """Cleanup leaves alone what changed within the longest life of an attempt."""
        settings = self._on.demo.settings
        return settings.attempt_seconds + 5 * settings.request_seconds + settings.margin_seconds

    def _must_do(self, told: Told, name: str) -> None:
        if told.code:
            said = [json.dumps(row) for row in told.rows if row.get("open") is not True][-3:]
            self.result.fail(COMMAND, f"keyshift {name} ended with {told.code}: {told.errors} {' '.join(said)}")


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {number:,}" for name, number in counts)
