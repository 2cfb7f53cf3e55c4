"""What must be so before the migration goes on; each gate that is shut names what is missing and who fixes it."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.record import Mode, Record, State
from domain.stages import Stage, StageEntry, stage_fault

ACCEPTABLE = ("conflict", "parked", "gone", "unverified")
"""Gates that an operator may accept by name; references, queues and lag are never accepted."""
REFERENCE_REMEDY = (
    "keyshift references rewrite --yes; what it cannot rewrite, keyshift references scan lists with a remedy"
)


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
    """Every record counted by what keeps it from being cut over, each with one example."""

    records: int = 0
    verified: int = 0
    unfinished: int = 0
    conflict: int = 0
    parked: int = 0
    gone: int = 0
    unverified: int = 0
    rolled_back: int = 0
    examples: dict[str, str] | None = None

    def add(self, record: Record) -> None:
        """Count one record, under the first reason that applies."""
        self.records += 1
        name = _reason(record)
        if name is None:
            self.verified += record.state in (State.COPIED, State.CLEANED)
            return
        setattr(self, name, getattr(self, name) + 1)
        self.examples = self.examples or {}
        self.examples.setdefault(name, record.source.uri)


def _reason(record: Record) -> str | None:
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
    return None


@dataclass(frozen=True, slots=True)
class Readiness:
    """Everything that a cut-over asks; ``queues`` maps a queue to messages waiting, in work and dead.

    ``lag`` is the age (seconds) of the oldest live event that was seen lately, ``None`` where nobody measured it.
    ``uncopied`` counts source keys that the rules move and no record is of; ``None``: nobody looked.
    """

    entry: StageEntry
    census: RecordCensus
    queues: Mapping[str, tuple[int, int, int]]
    lag: float | None
    paused: str | None
    uncopied: int | None
    uncopied_example: str
    references: int
    reference_example: str
    now: float


def cutover_gates(seen: Readiness, *, most_waiting: int, most_lag: float, accepted: frozenset[str]) -> tuple[Gate, ...]:
    """Every gate of the cut-over, open or shut."""
    return (
        _stage_gate(seen),
        _postponement_gate(seen),
        _pause_gate(seen),
        *_queue_gates(seen, most_waiting),
        _lag_gate(seen, most_lag),
        _uncopied_gate(seen),
        *_record_gates(seen.census, accepted),
        _reference_gate(seen),
    )


def _stage_gate(seen: Readiness) -> Gate:
    stage = seen.entry.stage
    if stage is Stage.CUT_OVER:
        return Gate("stage", open=True, says="cut over already")
    fault = stage_fault(stage, Stage.CUT_OVER)
    return Gate("stage", open=fault is None, says=fault or f"the migration is {stage.value}", remedy="keyshift start")


def _postponement_gate(seen: Readiness) -> Gate:
    until = seen.entry.postponed_until
    waits = until is not None and until > seen.now
    says = f"postponed by {seen.entry.by}: {seen.entry.why}" if waits else "not postponed"
    return Gate("postponed", open=not waits, says=says, remedy="wait, or keyshift cutover --postpone never")


def _pause_gate(seen: Readiness) -> Gate:
    if seen.paused is None:
        return Gate("running", open=True, says="the migration runs")
    return Gate("running", open=False, says=f"it is paused: {seen.paused}", remedy="keyshift resume")


def _queue_gates(seen: Readiness, most_waiting: int) -> tuple[Gate, ...]:
    gates = []
    for name, (waiting, in_work, dead) in seen.queues.items():
        allowed = most_waiting if name == "events" else 0
        busy = waiting + in_work
        says = f"{waiting} messages wait, {in_work} are in work"
        look = f"keyshift dlq list --queue {name}"
        gates.append(Gate(f"queue {name}", open=busy <= allowed, says=says, remedy="run keyshift worker until it ends"))
        gates.append(Gate(f"dead {name}", open=dead == 0, says=f"{dead} dead messages", remedy=look))
    return tuple(gates)


def _lag_gate(seen: Readiness, most_lag: float) -> Gate:
    if seen.lag is None:
        return Gate("lag", open=True, says="no live event was seen lately")
    says = f"the oldest live event of late was {seen.lag:.0f} s old, {most_lag:.0f} s are allowed"
    return Gate("lag", open=seen.lag <= most_lag, says=says, remedy="wait, or run more workers")


def _uncopied_gate(seen: Readiness) -> Gate:
    if seen.uncopied is None:
        return Gate("uncopied", open=False, says="nobody looked", remedy="leave --no-listing away")
    if not seen.uncopied:
        return Gate("uncopied", open=True, says="every source key that the rules move has a record")
    says = f"{seen.uncopied:,} source keys have no record, such as {seen.uncopied_example}"
    return Gate("uncopied", open=False, says=says, remedy="keyshift backfill --list")


_RECORD_GATES = (
    ("unfinished", "attempts run or ended without saying what they did", "keyshift verify --requeue"),
    ("conflict", "objects are in conflict", "keyshift conflicts list says what to do about each"),
    ("parked", "objects are parked", "see each cause: keyshift verify --out parked.csv"),
    ("gone", "sources vanished and we cannot say why; their copies are kept", "keyshift verify --requeue"),
    ("unverified", "copies are not verified since they changed", "keyshift verify"),
    ("rolled_back", "objects are rolled back", "keyshift rollback (it cannot be cut over any more)"),
)


def _record_gates(census: RecordCensus, accepted: frozenset[str]) -> tuple[Gate, ...]:
    gates = []
    for name, what, remedy in _RECORD_GATES:
        count = getattr(census, name)
        example = (census.examples or {}).get(name, "")
        says = f"{count:,} {what}" + (f", such as {example}" if example else "")
        named = bool(count) and name in accepted and name in ACCEPTABLE
        gates.append(Gate(name.replace("_", "-"), open=not count, says=says, remedy=remedy, accepted=named))
    return tuple(gates)


def _reference_gate(seen: Readiness) -> Gate:
    if not seen.references:
        return Gate("references", open=True, says="nothing that was looked at holds a legacy URI")
    says = f"{seen.references:,} places hold a legacy URI, such as {seen.reference_example}"
    return Gate("references", open=False, says=says, remedy=REFERENCE_REMEDY)
