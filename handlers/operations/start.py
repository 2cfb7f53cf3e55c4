"""Start: switch live capture on, and prove it with probe objects, before a backfill may begin."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from domain.errors import KeyshiftError, UnavailableError
from domain.keys import Location, probe_location
from domain.lifecycle.ports import Capture, CaptureRefused
from domain.lifecycle.stages import CAPTURING, Stage, captured, stage_fault
from domain.rules.compiled import CompiledRules
from handlers.operations.operator import Operation, Shut
from handlers.operations.proof import refuse_rules

PROBE_SECONDS = 15.0
"""A probe written before the configuration is effective never has an event, so another one is written."""
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Opened:
    """Capture is effective, proven by so many ``probes`` in a row, ``seconds`` after it was switched on."""

    seconds: float
    probes: int
    changed: bool


def read_capture(text: str) -> Capture:
    """The configuration of capture that the stage's entry holds."""
    return Capture(**json.loads(text))


def plan_start(operation: Operation, *, through: str) -> Capture | Shut:
    """What start would change, or why it may not; nothing is written."""
    entry = operation.stages.read_stage()
    if entry.stage not in CAPTURING:
        return Shut(stage_fault(entry.stage, Stage.LIVE) or entry.stage.value)
    control = operation.control()
    if control.paused:
        return Shut(f"the migration is paused ({control.reason}), so no event would arrive: keyshift resume first")
    refused = refuse_rules(operation.dependencies.rules)
    if refused is not None:
        return Shut(refused)
    fault = target_versioning_fault(operation.dependencies.rules, operation.target_versioning)
    if fault is not None:
        return Shut(fault)
    planned = operation.capture.plan_capture(through=through)
    return Shut(planned.why) if isinstance(planned, CaptureRefused) else planned


def target_versioning_fault(rules: CompiledRules, versioning: Callable[[], str]) -> str | None:
    """Return why the target bucket cannot keep every version, or ``None``; its ``versioning`` is asked only then."""
    if not rules.carries_versions:
        return None
    status = versioning()
    if status == "Enabled":
        return None
    return (
        f"the rules file says versions: all, and versioning of target bucket {rules.target_bucket} is {status}: each"
        " version would replace the one before it. Enable versioning on the bucket (aws s3api put-bucket-versioning"
        f" --bucket {rules.target_bucket} --versioning-configuration Status=Enabled), or write versions: current"
    )


@dataclass(frozen=True, slots=True)
class Probing:
    """How many probes must arrive in a row, and within how many seconds; each is written again after ``interval``."""

    probes: int
    wait: float
    interval: float = PROBE_SECONDS


def start_capture(operation: Operation, *, through: str, probing: Probing, say: Callable[[str], None]) -> Opened | Shut:
    """Prove the rules, switch capture on, wait until the probes have arrived, then set the stage to LIVE.

    It is repeatable, also in later stages, which stay. Then it switches on again what another program removed, and
    proves other rules.
    """
    planned = plan_start(operation, through=through)
    if isinstance(planned, Shut):
        return planned
    clock, digest = operation.dependencies.ports.clock, operation.dependencies.rules.digest
    # The original configuration is stored before anything changes, so that a rollback can always restore it.
    operation.change_stage(
        lambda before: captured(
            before, _remembered(before.capture, planned), rules_digest=digest, by=operation.by, now=clock.now()
        )
    )
    operation.capture.switch_on(planned)
    begun = clock.monotonic()
    for number in range(1, probing.probes + 1):
        if not probe_arrives(operation, until=begun + probing.wait, probe_seconds=probing.interval):
            return Shut(
                f"no event of a probe arrived within {probing.wait:.0f} s: check the queue's policy and that"
                " `keyshift doctor` finds nothing, then start again with a longer --wait (AWS may take five minutes)"
            )
        say(f"probe {number} of {probing.probes} arrived after {clock.monotonic() - begun:.0f} s")
    seconds = clock.monotonic() - begun
    return _went_live(operation, planned, f"{probing.probes} probes arrived") or Opened(
        seconds, probing.probes, planned.before != planned.after
    )


def _went_live(operation: Operation, planned: Capture, why: str) -> Shut | None:
    """Set the stage to LIVE, unless it is later already; capture is removed again if a rollback began meanwhile."""
    try:
        operation.advance(Stage.LIVE, unless=CAPTURING[1:], why=why)
    except UnavailableError as error:
        entry = operation.stages.read_stage()
        if entry.stage in CAPTURING:
            raise
        operation.capture.restore(read_capture(_remembered(entry.capture, planned)))
        return Shut(f"{error}; live capture was taken away again")
    return None


def _remembered(before: str, planned: Capture) -> str:
    """Keep the configuration from before the first start; add a rule that a later start makes."""
    if not before:
        return json.dumps(asdict(planned))
    first = read_capture(before)
    is_known = planned.through == first.through and planned.rule in ("", first.rule)
    if is_known and planned.before == planned.after:
        return before
    return json.dumps(asdict(replace(planned, before=first.before, rule=planned.rule or first.rule)))


def probe_arrives(operation: Operation, *, until: float, probe_seconds: float) -> bool:
    """Write probes until the event of one has come through the events queue; all probes are deleted again."""
    rules, clock = operation.dependencies.rules, operation.dependencies.ports.clock
    # If functions poll the queue, this command must not: it may lack their permissions to move what it would receive.
    is_polled = bool(operation.mappings.list_enabled())
    written: list[Location] = []
    due = clock.monotonic()
    try:
        while clock.monotonic() < until:
            if clock.monotonic() >= due:
                probe = probe_location(rules.source_bucket, rules.source_prefix, _digits(operation))
                written.append(probe)
                operation.capture.write_probe(probe)
                due = clock.monotonic() + probe_seconds
            # The receiver of a probe's event notes its arrival. If no function or worker runs, this command works the
            # queue off.
            if is_polled:
                operation.dependencies.sleep(LOOK_SECONDS)
            else:
                operation.serve_events()
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
