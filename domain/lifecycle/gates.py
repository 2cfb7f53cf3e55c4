"""What must be so before the migration goes on; each gate that is shut names what is missing and who fixes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.lifecycle.census import Compared, Found
from domain.lifecycle.stages import Stage, StageEntry, stage_fault
from domain.protocol.record import Mode, Record, State

REFERENCE_REMEDY = (
    "keyshift references rewrite --yes; what it cannot rewrite, keyshift references scan lists with a remedy"
)
ACCEPTABLE = ("conflict", "parked", "gone", "unverified", "stale")
"""Gates that an operator may accept by name; live capture, references, queues and lag are never accepted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an operator puts up with: live messages that wait, a live event's age, a verification's age (seconds)."""

    most_waiting: int = 10
    most_lag: float = 60.0
    most_age: float = 72 * 3600.0


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition; ``remedy`` is the command or act that opens it, ``accepted`` says that an operator did."""

    name: str
    open: bool
    says: str
    remedy: str = ""
    accepted: bool = False

    @property
    def holds(self) -> bool:
        """Whether it keeps the migration from going on."""
        return not self.open and not self.accepted


@dataclass(slots=True)
class RecordCensus:
    """Every record counted by what keeps it from being cut over, each with one example.

    A verification before ``verified_since`` (seconds since 1970) is too old to count.
    """

    verified_since: float = 0.0
    records: int = 0
    verified: int = 0
    unfinished: int = 0
    conflict: int = 0
    parked: int = 0
    gone: int = 0
    unverified: int = 0
    stale: int = 0
    rolled_back: int = 0
    examples: dict[str, str] | None = None

    def add(self, record: Record) -> None:
        """Count one record, under the first reason that applies."""
        self.records += 1
        name = _reason(record, self.verified_since)
        if name is None:
            self.verified += record.state in (State.COPIED, State.CLEANED)
            return
        setattr(self, name, getattr(self, name) + 1)
        self.examples = self.examples or {}
        self.examples.setdefault(name, record.source.uri)


def _reason(record: Record, verified_since: float) -> str | None:  # one row for each reason
    if record.mode is Mode.ROLLED_BACK:
        return "rolled_back"
    if record.is_unfinished or record.state is State.NEW:
        return "unfinished"
    if record.state is State.CONFLICT:
        return "conflict"
    if record.state is State.PARKED:
        return "parked"
    if record.state is State.GONE:
        return "gone"
    if record.state is State.COPIED and record.verified_at is None:
        return "unverified"
    if record.state is State.COPIED and record.verified_at is not None and record.verified_at < verified_since:
        return "stale"
    return None


@dataclass(frozen=True, slots=True)
class Readiness:
    """Everything that a cut-over asks; ``queues`` maps a queue to messages waiting, in work and dead.

    Dead messages are ``None`` where a queue has no dead-letter queue to count. ``lag`` is the age (seconds) of the
    oldest live event of late, ``None`` where no worker measured it. ``capture`` says what shuts live capture, ``None``
    where it is on. ``compared`` is what a listing said, ``None`` where there was none. ``fallen`` counts the records
    that have come under a record gate, by its name, since the census counted them.
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


def cutover_gates(seen: Readiness, *, limits: Limits, accepted: frozenset[str]) -> tuple[Gate, ...]:
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
    """What a step to ``stage`` asks of the stage's entry and of the control item, on which its write depends."""
    postponed = (_postponement_gate(entry, now),) if stage is Stage.CUT_OVER else ()
    return _stage_gate(entry, stage), *postponed, _pause_gate(paused)


def _stage_gate(entry: StageEntry, wanted: Stage) -> Gate:
    stage = entry.stage
    if stage is wanted:
        done = "cut over already" if stage is Stage.CUT_OVER else f"the migration is {stage.value} already"
        return Gate("stage", open=True, says=done)
    fault = stage_fault(stage, wanted)
    return Gate("stage", open=fault is None, says=fault or f"the migration is {stage.value}", remedy="keyshift start")


def _postponement_gate(entry: StageEntry, now: float) -> Gate:
    until = entry.postponed_until
    waits = until is not None and until > now
    says = f"postponed by {entry.by}: {entry.why}" if waits else "not postponed"
    return Gate("postponed", open=not waits, says=says, remedy="wait, or keyshift cutover --postpone never")


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
    """Two gates for each queue: what waits in it or is in work, and what died of it."""
    gates = []
    for name, (waiting, in_work, dead) in queues.items():
        allowed = most_waiting if name == "events" else 0
        busy = waiting + in_work
        says = f"{waiting} messages wait, {in_work} are in work"
        gates.append(Gate(f"queue {name}", open=busy <= allowed, says=says, remedy="run keyshift worker until it ends"))
        gates.append(_dead_gate(name, dead))
    return tuple(gates)


def _dead_gate(queue: str, dead: int | None) -> Gate:
    name = f"dead {queue}"
    if dead is None:
        says = f"queue {queue} has no dead-letter queue that can be counted: what it dropped is unknown"
        remedy = "give it a RedrivePolicy (docs/deploy.md), then keyshift verify --requeue"
        return Gate(name, open=False, says=says, remedy=remedy)
    remedy = f"keyshift dlq list --queue {queue}"
    return Gate(name, open=dead == 0, says=f"{dead} dead messages", remedy=remedy)


def _lag_gate(seen: Readiness, most_lag: float) -> Gate:
    if seen.lag is None:
        waiting, in_work, _ = seen.queues.get("events", (0, 0, 0))
        if waiting + in_work:
            says = "live events wait, and no worker has worked one off lately: their age is unknown"
            return Gate("lag", open=False, says=says, remedy="run keyshift worker until they are worked off")
        return Gate("lag", open=True, says="no live event was seen lately")
    says = f"the oldest live event of late was {seen.lag:.0f} s old, {most_lag:.0f} s are allowed"
    return Gate("lag", open=seen.lag <= most_lag, says=says, remedy="wait, or run more workers")


_LISTING_GATES = (
    ("uncopied", "source keys have no record", "keyshift backfill --list"),
    ("changed", "sources are not what their records say, and no event told of it", "keyshift verify --requeue"),
    ("replaced", "targets are not the copies that were verified", "keyshift verify says what became of each"),
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
    """Whether every source that the rules move has a record, and is what its record says."""
    return tuple(gate for gate in _listing_gates(compared) if gate.name != "replaced")


_RECORD_GATES = (
    ("unfinished", "attempts run or ended without saying what they did", "keyshift verify --requeue"),
    ("conflict", "objects are in conflict", "keyshift conflicts list says what to do about each"),
    ("parked", "objects are parked", "see each cause: keyshift verify --out parked.csv"),
    ("gone", "sources vanished and we cannot say why; their copies are kept", "keyshift verify --requeue"),
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
        says += f"; {since:,} more came while this command looked" if since else ""
        named = bool(count + since) and name in accepted and name in ACCEPTABLE
        gates.append(Gate(name.replace("_", "-"), open=not count + since, says=says, remedy=remedy, accepted=named))
    return tuple(gates)


def _reference_gate(seen: Readiness) -> Gate:
    if not seen.references:
        return Gate("references", open=True, says="nothing that was looked at holds a legacy URI")
    says = f"{seen.references:,} places hold a legacy URI, such as {seen.reference_example}"
    return Gate("references", open=False, says=says, remedy=REFERENCE_REMEDY)
