"""The conditions for the migration's next stage; each closed gate names what is missing and what opens it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domain.lifecycle.census import Compared, Found
from domain.lifecycle.record_census import RecordCensus
from domain.lifecycle.stages import Stage, StageEntry, stage_fault, stage_remedy
from domain.protocol.seen_parts import NOT_IN_INVENTORIES

REFERENCE_REMEDY = (
    "keyshift references rewrite --yes; what it cannot rewrite, keyshift references scan lists with a remedy"
)
_WORK_OFF = "keyshift status --watch until the workers or functions have worked it off; keyshift throttle shows limits"
ACCEPTABLE = ("conflict", "parked", "gone", "unverified", "stale")
"""Gates that an operator may accept by name; live capture, references, queues and lag cannot be accepted."""


@dataclass(frozen=True, slots=True)
class GateLimits:
    """The operator's limits: live messages that wait, a live event's age and a verification's age (seconds).

    A copy that changed less than ``compare_younger`` seconds ago is compared by the command itself.
    """

    most_waiting: int = 10
    most_lag: float = 60.0
    most_age: float = 72 * 3600.0
    compare_younger: float = 15 * 60.0


DEFAULT_LIMITS = GateLimits()


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition; ``remedy`` is the command or act that opens it, ``accepted``: an operator accepted it."""

    name: str
    open: bool
    says: str
    remedy: str = ""
    accepted: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is closed, and so stops the migration."""
        return not self.open and not self.accepted


@dataclass(frozen=True, slots=True)
class Readiness:
    """Everything that a cut-over depends on; ``queues`` maps a queue to its messages waiting, in work and dead.

    Dead messages are ``None`` where a queue has no dead-letter queue to count. ``lag`` is the age (seconds) of the
    oldest recent live event, ``None`` where no worker measured it. ``capture`` is the fault of live capture, ``None``
    where it is on. ``compared`` is the result of a listing, ``None`` without one. ``fallen`` counts the records that
    have come under a record gate, by its name, since the census counted them.
    """

    entry: StageEntry
    census: RecordCensus
    queues: Mapping[str, tuple[int, int, int | None]]
    lag: float | None
    paused: str | None
    capture: str | None
    compared: Compared | None
    references: int
    reference_example: str
    now: float
    fallen: Mapping[str, int] = field(default_factory=dict)


def cutover_gates(seen: Readiness, *, limits: GateLimits, accepted: frozenset[str]) -> tuple[Gate, ...]:
    """Every gate of the cut-over, open or shut."""
    return (
        *state_gates(seen.entry, seen.paused, now=seen.now),
        _capture_gate(seen.capture),
        *queue_gates(seen.queues, limits.most_waiting),
        _lag_gate(seen, limits.most_lag),
        *_listing_gates(seen.compared),
        *_record_gates(seen, accepted),
        _reference_gate(seen),
    )


def state_gates(
    entry: StageEntry, paused: str | None, *, now: float, stage: Stage = Stage.CUT_OVER
) -> tuple[Gate, ...]:
    """The gates of a step to ``stage`` in the stage's entry and the control item, on which its write depends."""
    postponed = (_postponement_gate(entry, now),) if stage is Stage.CUT_OVER else ()
    return _stage_gate(entry, stage), *postponed, _pause_gate(paused)


def _stage_gate(entry: StageEntry, wanted: Stage) -> Gate:
    stage = entry.stage
    if stage is wanted:
        done = "cut over already" if stage is Stage.CUT_OVER else f"the migration is {stage.value} already"
        return Gate("stage", open=True, says=done)
    fault = stage_fault(stage, wanted)
    return Gate(
        "stage", open=fault is None, says=fault or f"the migration is {stage.value}", remedy=stage_remedy(stage)
    )


def _postponement_gate(entry: StageEntry, now: float) -> Gate:
    until = entry.postponed_until
    if until is None or until <= now:
        return Gate("postponed", open=True, says="not postponed")
    moment = f"{datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M}Z"
    says = f"postponed until {moment} (last change by {entry.by}: {entry.why})"
    return Gate("postponed", open=False, says=says, remedy="wait, or keyshift cutover --postpone never")


def _pause_gate(paused: str | None) -> Gate:
    if paused is None:
        return Gate("running", open=True, says="the migration runs")
    return Gate("running", open=False, says=f"it is paused: {paused}", remedy="keyshift resume")


def _capture_gate(fault: str | None) -> Gate:
    if fault is None:
        return Gate("capture", open=True, says="the bucket's events reach the events queue")
    remedy = "keyshift start --yes, then keyshift verify --requeue: what was written meanwhile has no event"
    return Gate("capture", open=False, says=fault, remedy=remedy)


def queue_gates(queues: Mapping[str, tuple[int, int, int | None]], most_waiting: int) -> tuple[Gate, ...]:
    """Two gates for each queue: its messages that wait or are in work, and its dead-letter messages."""
    gates = []
    for name, (waiting, in_work, dead) in queues.items():
        allowed = most_waiting if name == "events" else 0
        busy = waiting + in_work
        says = f"{waiting} messages wait, {in_work} are in work"
        gates.append(Gate(f"queue {name}", open=busy <= allowed, says=says, remedy=_WORK_OFF))
        gates.append(_dead_gate(name, dead))
    return tuple(gates)


def _dead_gate(queue: str, dead: int | None) -> Gate:
    name = f"dead {queue}"
    if dead is None:
        says = f"queue {queue} has no dead-letter queue that can be counted: what it lost is unknown"
        remedy = "give it a RedrivePolicy (docs/deploy.md), then keyshift verify --requeue"
        return Gate(name, open=False, says=says, remedy=remedy)
    remedy = f"keyshift dlq list --queue {queue}"
    return Gate(name, open=dead == 0, says=f"{dead} dead messages", remedy=remedy)


def _lag_gate(seen: Readiness, most_lag: float) -> Gate:
    if seen.lag is None:
        waiting, in_work, _ = seen.queues.get("events", (0, 0, 0))
        if waiting + in_work:
            says = "live events wait, and no worker has handled one recently: their age is unknown"
            return Gate("lag", open=False, says=says, remedy="run keyshift doctor --stack, or start a keyshift worker")
        return Gate("lag", open=True, says="no live event was handled recently")
    says = f"the oldest recent live event was {seen.lag:.0f} s old, {most_lag:.0f} s are allowed"
    return Gate("lag", open=seen.lag <= most_lag, says=says, remedy="wait, or run more workers")


_LISTING_GATES = (
    ("uncopied", "source keys have no record", "keyshift backfill --list"),
    ("changed", "sources are not what their records say, and no event reported it", "keyshift verify --requeue"),
    ("replaced", "targets are not the copies that were verified", "keyshift verify shows each of them"),
)


def _listing_gates(compared: Compared | None) -> tuple[Gate, ...]:
    if compared is None:
        return tuple(
            Gate(name, open=False, says="the buckets were not listed", remedy="list them")
            for name, *_ in _LISTING_GATES
        )
    return tuple(_listing_gate(getattr(compared, name), name, what, remedy) for name, what, remedy in _LISTING_GATES)


def _listing_gate(found: Found, name: str, what: str, remedy: str) -> Gate:
    says = f"{found.count:,} {what}" + (f", such as {found.example}" if found.count else "")
    return Gate(name, open=not found.count, says=says, remedy=remedy)


def source_gates(compared: Compared) -> tuple[Gate, ...]:
    """The gates for sources: each source that the rules move has a record, and is what its record says."""
    return tuple(gate for gate in _listing_gates(compared) if gate.name != "replaced")


_RECORD_GATES = (
    ("unfinished", "attempts are still running, or ended without a recorded result", "keyshift verify --requeue"),
    ("conflict", "objects are in conflict", "keyshift conflicts list shows what to do about each"),
    ("parked", "objects are parked", "see each cause: keyshift verify --out parked.csv"),
    ("gone", "sources vanished for an unknown reason; their copies are kept", "keyshift verify --requeue"),
    ("unverified", "copies are not verified since they changed", "keyshift verify"),
    ("stale", "copies were verified too long ago (--most-age)", "keyshift verify --unverified"),
    ("rolled_back", "objects are rolled back", "keyshift rollback (it cannot be cut over any more)"),
)


def _record_gates(seen: Readiness, accepted: frozenset[str]) -> tuple[Gate, ...]:
    gates = []
    for name, what, remedy in _RECORD_GATES:
        since = seen.fallen.get(name, 0)
        count = getattr(seen.census, name)
        example = (seen.census.examples or {}).get(name, "")
        says = f"{count:,} {what}" + (f", such as {example}" if example else "")
        says += f"; {since:,} more were added while this command ran" if since else ""
        if name == "unverified" and seen.census.compared:
            says += f"; {seen.census.compared:,} that changed lately were compared by this command"
        if name == "unverified" and seen.census.by_inventories:
            parts = ", ".join(NOT_IN_INVENTORIES)
            says += f"; {seen.census.by_inventories:,} were verified by inventories only, without {parts}"
        named = bool(count + since) and name in accepted and name in ACCEPTABLE
        gates.append(Gate(name.replace("_", "-"), open=not count + since, says=says, remedy=remedy, accepted=named))
    return tuple(gates)


def _reference_gate(seen: Readiness) -> Gate:
    if not seen.references:
        return Gate("references", open=True, says="no reference holder that was read holds a legacy URI")
    says = f"{seen.references:,} places hold a legacy URI, such as {seen.reference_example}"
    return Gate("references", open=False, says=says, remedy=REFERENCE_REMEDY)
