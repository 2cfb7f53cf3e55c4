"""The processes: functions and commands around the real handlers and use cases, each begun again when it dies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.errors import KeyshiftError
from domain.objects import ListedObject
from domain.protocol.attempt import Outcome, Verdict
from domain.protocol.cleanup import clean_source
from domain.protocol.record import Mode, State
from domain.protocol.rollback import purge_copy, roll_back_object
from handlers.engine import outbox
from handlers.engine.batch import respond_to_batch
from handlers.engine.dependencies import Dependencies
from handlers.operations.backfill import Fed, Feeder
from handlers.operations.rollback import BACKWARD
from tests.simulation.whole.scheduler import Process
from tests.simulation.whole.site import MARGIN_SECONDS, Site
from tests.worlds.site import lambda_event

Body = Callable[[Site, Process], None]
INVOCATION_SECONDS = 55.0
POLL_SECONDS = 5.0


def employ(site: Site, name: str, body: Body, *, again: bool = True) -> Process:
    """Run ``body`` in a process; killed, it begins again on another host after a while."""
    skew = site.random.uniform(-MARGIN_SECONDS / 2, MARGIN_SECONDS / 2)
    process = site.scheduler.spawn(name, lambda own: body(site, own), skew=skew)
    if again:
        process.on_death = lambda: (
            None if site.closing else site.scheduler.at(site.random.random() * 40, lambda: _again(site, name, body))
        )
    return process


def _again(site: Site, name: str, body: Body) -> None:
    employ(site, name, body)


def works_on(which: str) -> Body:
    """A Lambda function with its event source mapping, for one of the queues."""

    def body(site: Site, process: Process) -> None:
        dependencies = site.dependencies(process)
        controls = {rules.digest: site.control(process, rules) for rules in (site.rules, site.other_rules)}
        queue = dependencies.events_queue if which == "events" else dependencies.backfill_queue
        while not site.closing:
            if not site.mappings.enabled[which]:  # Lambda polls no more
                process.sleep(POLL_SECONDS)
                continue
            try:
                messages = queue.receive_messages(at_most=10 if which == "events" else 2, wait=0)
                if not messages:
                    process.sleep(POLL_SECONDS)
                    continue
                ends = process.monotonic() + INVOCATION_SECONDS
                answer = respond_to_batch(
                    lambda_event(messages),
                    replace(dependencies, rules=site.deployed, control=controls[site.deployed.digest]),
                    queue=queue,
                    seconds_left=lambda ends=ends: ends - process.monotonic(),  # type: ignore[misc]
                )
                kept = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
                done = [message for message in messages if message.message_id not in kept]
                if done:
                    queue.delete_messages(done)
            except KeyshiftError:
                process.sleep(POLL_SECONDS)

    return body


def follows_the_stream(site: Site, process: Process) -> None:
    """The manifest's stream with its one reader."""
    dependencies = site.dependencies(process)
    while not site.closing:
        batch = site.manifest.changes[site.published : site.published + 10]
        if not batch:
            process.sleep(POLL_SECONDS)
            continue
        first = site.published
        entries = [_entry(first + number, before, after) for number, (before, after) in enumerate(batch)]
        try:
            failures = outbox.respond({"Records": entries}, dependencies)["batchItemFailures"]
        except KeyshiftError:
            process.sleep(POLL_SECONDS)
            continue
        process.sleep(0.01)  # a crash here makes the batch come again
        site.published = int(failures[0]["itemIdentifier"]) if failures else first + len(batch)


def _entry(number: int, before: Any, after: Any) -> Mapping[str, Any]:
    images = {"Keys": {"pk": {"S": after.record_id}}, "SequenceNumber": str(number), "NewImage": {"record": after}}
    if before is not None:
        images["OldImage"] = {"record": before}
    return {"eventID": f"e{number}", "dynamodb": images}


@dataclass(frozen=True, slots=True)
class Reported:
    """ObjectListing of what an inventory report says."""

    rows: Sequence[tuple[str, ListedObject]]

    def list_objects(self, bucket: str, *, prefix: str = "", after: str = "") -> Iterator[ListedObject]:
        """See the port."""
        for place, row in self.rows:
            if place == bucket and row.key.startswith(prefix) and row.key > after:
                yield row


def _must_wait(dependencies: Dependencies) -> bool:
    try:
        return dependencies.control.feeding_fault() is not None
    except KeyshiftError:
        return True


def fills_back(site: Site, process: Process) -> None:
    """The backfill command, begun again from the start when it dies; it waits for the start of the migration."""
    dependencies = site.dependencies(process)
    listing: Any = Reported(site.reports[-1].rows) if site.reports else dependencies.ports.store
    feeder = Feeder(dependencies.rules, dependencies.backfill_queue, backlog=1_000_000, rows_per_message=2)
    while _must_wait(dependencies):
        process.sleep(POLL_SECONDS)
        if site.stages.entry.stage in BACKWARD:
            return
    fed = Fed()

    def rest() -> bool:
        process.sleep(1.0)
        return True

    while True:
        try:
            feeder.feed_listing(listing, fed, go_on=rest)
        except KeyshiftError:
            process.sleep(POLL_SECONDS)
        else:
            site.filled.append(process.name)
            return


def cleans_up(site: Site, process: Process) -> None:
    """The cleanup command, pass after pass."""
    dependencies = site.dependencies(process)
    while not site.closing:
        for _ in over_all(process, lambda: _clean_once(site, dependencies)):
            pass
        process.sleep(60.0)


def over_all(process: Process, once: Callable[[], Iterator[Outcome]]) -> Iterator[Outcome]:
    """The outcomes of one pass; a pass that gets no answer ends."""
    try:
        yield from once()
    except KeyshiftError:
        process.sleep(POLL_SECONDS)


def _clean_once(site: Site, dependencies: Dependencies) -> Iterator[Outcome]:
    for record in dependencies.ports.manifest.scan_records():
        if record.mode is not Mode.FORWARD or record.state not in (State.COPIED, State.CLEANED):
            continue
        if record.state is State.CLEANED and not record.is_unfinished:
            continue
        yield clean_source(
            record.record_id,
            attempt=site.attempt(),
            ports=dependencies.ports,
            policy=dependencies.policy,
            need_proof=False,
        )


def finishes_cleanup(site: Site, process: Process) -> None:
    """Cleanup until nothing has to be tried again."""
    dependencies = site.dependencies(process)
    while True:
        outcomes = list(over_all(process, lambda: _clean_once(site, dependencies)))
        if all(outcome.verdict is Verdict.DONE for outcome in outcomes):
            return
        process.sleep(30.0)


def rolls_back(site: Site, process: Process) -> None:
    """The rollback command for every key, until each has its end; begun again it goes on."""
    dependencies = site.dependencies(process)
    left = list(site.truth.keys.values())
    while left:
        for key in list(left):
            try:
                outcome = roll_back_object(
                    key.source,
                    key.target,
                    attempt=site.attempt(),
                    ports=dependencies.ports,
                    policy=dependencies.policy,
                )
            except KeyshiftError:
                continue
            if outcome.verdict is Verdict.DONE:
                left.remove(key)
        process.sleep(20.0)


def purges(site: Site, process: Process) -> None:
    """The purge of our copies after a rollback."""
    dependencies = site.dependencies(process)
    left = [key.source.record_id for key in site.truth.keys.values()]
    while left:
        for record_id in list(left):
            try:
                outcome = purge_copy(
                    record_id, attempt=site.attempt(), ports=dependencies.ports, policy=dependencies.policy
                )
            except KeyshiftError:
                continue
            if outcome.verdict is Verdict.DONE:
                left.remove(record_id)
        process.sleep(20.0)
