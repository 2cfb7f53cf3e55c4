"""Operators who bring a migration from its start to its cut-over, and others who work at it at the same time."""

from domain.errors import KeyshiftError
from domain.lifecycle.gates import GateLimits
from domain.lifecycle.stages import CAPTURING, Stage
from handlers.operations.cutover import Terms, cut_over, look_for_cutover, postpone_cutover
from handlers.operations.lookout import Lookout
from handlers.operations.operator import Operation
from handlers.operations.start import Opened, Probing, start_capture
from tests.simulation.whole.actors import POLL_SECONDS
from tests.simulation.whole.operators import pauses, verify_once
from tests.simulation.whole.ports_manifest import SimulatedManifest
from tests.simulation.whole.ports_operations import SimulatedDeadLetters, SimulatedQueue
from tests.simulation.whole.reports import both_sides
from tests.simulation.whole.scheduler import EPOCH, Process
from tests.simulation.whole.site import Site

LIMITS = GateLimits()
START_SECONDS = 90.0
"""How long a start waits for its probes before its operator looks what is wrong, and starts again."""
LOOK_SECONDS = 60.0
ROW_SECONDS = 20.0
"""A look at millions takes hours: so long for one of a dozen, at most."""
ACCEPTED = frozenset({"conflict", "gone"})
MISSING = frozenset({"unverified"})
"""What a stranger deleted or replaced is never verified again: at the end its operator accepts that."""


def lookout_of(site: Site, process: Process, operation: Operation) -> Lookout:
    """What ``cutover`` looks at beside the records."""
    queues = {"events": site.events, "backfill": site.backfill}
    return Lookout(
        operation.dependencies,
        queues={name: SimulatedQueue(process, site, queue, name) for name, queue in queues.items()},
        dead={name: SimulatedDeadLetters(process, site, site.letters[name], name) for name in queues},
        pulse=site.asked(process, site.pulse, "pulse"),
        pages=SimulatedManifest(process, site),
        stage=lambda: operation.stages.read_stage().stage.value,
        monotonic=process.monotonic,
    )


# What an operator does once
def start_once(site: Site, process: Process) -> bool:
    """``keyshift start --yes``; whether events reach the queue."""
    operation = site.operation(process)
    opened = start_capture(operation, through="auto", probing=Probing(2, START_SECONDS), say=lambda _: None)
    return isinstance(opened, Opened)


def cut_over_once(site: Site, process: Process) -> set[str]:
    """``keyshift cutover --yes``; the gates that hold, none where it is cut over."""
    operation = site.operation(process)
    lookout = lookout_of(site, process, operation)
    slowness = site.random.random() * ROW_SECONDS * (not site.is_calm)
    accepted = ACCEPTED if site.is_calm or site.random.random() < 0.5 else frozenset()
    accepted |= MISSING if site.is_calm else frozenset()
    site.promises.accepted[process.name] = accepted

    def seen() -> None:
        if slowness:
            process.sleep(slowness * site.random.random())

    objects = both_sides(site, operation)
    look = look_for_cutover(operation, lookout, objects=objects, limits=LIMITS, seen=seen)
    terms = Terms(LIMITS, accepted, "whole" if accepted else "")
    gates, _ = cut_over(operation, lookout, look, terms=terms, wait=LOOK_SECONDS)
    return {gate.name for gate in gates if gate.holds}


# What he does until it is done
def starts(site: Site, process: Process) -> None:
    """Until events reach the queue, or the migration is at its end."""
    while site.stages.entry.stage in CAPTURING:
        try:
            if start_once(site, process):
                return
        except KeyshiftError:
            pass
        process.sleep(POLL_SECONDS)


def cuts_over(site: Site, process: Process) -> None:
    """Every gate that holds has its remedy, until none does."""
    while site.stages.entry.stage in (Stage.PREPARED, Stage.LIVE):
        try:
            held = cut_over_once(site, process)
            if "capture" in held or "stage" in held:
                start_once(site, process)
            if held:
                verify_once(site, process, requeue=True)
        except KeyshiftError:
            pass
        process.sleep(POLL_SECONDS * 4)


def migrates(site: Site, process: Process) -> None:
    """The operator whose migration it is."""
    process.sleep(site.random.random() * site.plan.seconds / 4)
    starts(site, process)
    process.sleep(site.random.random() * site.plan.seconds / 4)
    cuts_over(site, process)


def begins(site: Site, process: Process) -> None:
    """An operator who starts, and then leaves all to the backfill and the events."""
    process.sleep(site.random.random() * site.plan.seconds / 4)
    starts(site, process)


def interferes(site: Site, process: Process) -> None:
    """Another operator, who knows nothing of the first one."""
    while not site.is_calm:
        process.sleep(site.random.uniform(20, 200))
        act = site.random.choice((_postpones, _cuts_over, _starts, _verifies, pauses))
        try:
            act(site, process)
        except KeyshiftError:
            process.sleep(POLL_SECONDS)


def _postpones(site: Site, process: Process) -> None:
    until = process.now() + site.random.uniform(30, 600) if site.random.random() < 0.7 else None
    site.promises.postpones[process.name] = until - EPOCH if until is not None else None
    try:
        postpone_cutover(site.operation(process), until, why="whole")
    finally:
        del site.promises.postpones[process.name]


def _cuts_over(site: Site, process: Process) -> None:
    if site.stages.entry.stage is Stage.LIVE:
        cut_over_once(site, process)


def _starts(site: Site, process: Process) -> None:
    start_once(site, process)


def _verifies(site: Site, process: Process) -> None:
    verify_once(site, process, requeue=True)
