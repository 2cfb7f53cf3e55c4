"""Start: live capture is switched on, and proven effective by objects of our own, before a backfill may begin."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass

from domain.errors import KeyshiftError
from domain.keys import Location
from domain.ports import Capture
from domain.probing import probe_location
from domain.stages import Stage, advanced, captured, stage_fault
from handlers.lifecycle import Operation, Shut
from handlers.worker import EVENTS_AT_ONCE, Worker

PROBE_SECONDS = 15.0
"""A probe written before the configuration is effective never has an event, so another one is written."""
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Opened:
    """Capture is effective; ``seconds`` after it was switched on, shown by so many ``probes`` in a row."""

    seconds: float
    probes: int
    changed: bool


def read_capture(text: str) -> Capture:
    """What the stage's entry remembers."""
    return Capture(**json.loads(text))


def plan_start(operation: Operation, *, through: str) -> Capture | Shut:
    """What start would change, or why it may not; nothing is written."""
    entry = operation.stages.read_stage()
    fault = stage_fault(entry.stage, Stage.LIVE)
    if fault is not None:
        return Shut(fault)
    control = operation.control()
    if control.paused:
        return Shut(f"the migration is paused ({control.reason}), so no event would arrive: keyshift resume first")
    return read_capture(entry.capture) if entry.capture else operation.capture.plan_capture(through=through)


def start_capture(  # noqa: PLR0913  # how, how long, and what to say meanwhile
    operation: Operation,
    *,
    through: str,
    wait: float,
    probes: int,
    say: Callable[[str], None],
    probe_seconds: float = PROBE_SECONDS,
) -> Opened | Shut:
    """Switch capture on, wait until ``probes`` probes in a row have arrived, then the stage is LIVE; repeatable."""
    planned = plan_start(operation, through=through)
    if isinstance(planned, Shut):
        return planned
    clock, text = operation.dependencies.ports.clock, json.dumps(asdict(planned))
    # What was before is durable before anything changes, so that a rollback can restore it whatever happens.
    operation.change_stage(lambda before: captured(before, text, by=operation.by, now=clock.now()))
    operation.capture.switch_on(planned)
    begun = clock.monotonic()
    for number in range(1, probes + 1):
        if not probe_arrives(operation, until=begun + wait, probe_seconds=probe_seconds):
            return Shut(
                f"no event of a probe arrived within {wait:.0f} s: check the queue's policy and that"
                " `keyshift doctor` finds nothing, then start again with a longer --wait (AWS may take five minutes)"
            )
        say(f"probe {number} of {probes} arrived after {clock.monotonic() - begun:.0f} s")
    seconds = clock.monotonic() - begun
    why = f"{probes} probes arrived"
    operation.change_stage(
        lambda before: (
            before
            if before.stage is Stage.LIVE
            else advanced(before, Stage.LIVE, by=operation.by, why=why, now=clock.now())
        )
    )
    return Opened(seconds, probes, planned.before != planned.after)


def probe_arrives(operation: Operation, *, until: float, probe_seconds: float) -> bool:
    """Write probes until one of them has come all the way through the events queue; all are deleted again."""
    rules, clock = operation.dependencies.rules, operation.dependencies.ports.clock
    # Where functions poll the queue this command must not: it may lack their permissions to move what it would receive.
    worker = None if operation.mappings.list_enabled() else Worker(operation.dependencies, lanes=1)
    written: list[Location] = []
    due = clock.monotonic()
    try:
        while clock.monotonic() < until:
            if clock.monotonic() >= due:
                probe = probe_location(rules.source_bucket, rules.source_prefix, _digits(operation))
                written.append(probe)
                operation.capture.write_probe(probe)
                due = clock.monotonic() + probe_seconds
            # Whoever receives it notes it; with nobody about, this command works the queue off itself.
            if worker is None:
                operation.dependencies.sleep(LOOK_SECONDS)
            else:
                worker.serve(operation.dependencies.events_queue, at_most=EVENTS_AT_ONCE, wait=1)
            if any(_arrived(operation, written)):
                return True
        return False
    finally:
        for probe in written:
            with suppress(KeyshiftError):
                operation.capture.remove_probe(probe)


def _arrived(operation: Operation, written: list[Location]) -> Iterator[bool]:
    for probe in written:
        yield operation.dependencies.probes.has_arrived(probe.key)


def _digits(operation: Operation) -> str:
    return f"{int(operation.dependencies.ports.clock.now() * 1000):012x}{time.monotonic_ns() % 16**20:020x}"
