"""Cut-over: read all that its gates need, read again what may have changed, then set the stage."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from math import inf

from domain.errors import UnavailableError
from domain.keys import Location, is_probe
from domain.lifecycle.census import Compared, Expected, Role, expected_of
from domain.lifecycle.gates import Gate, GateLimits, Readiness, cutover_gates, state_gates
from domain.lifecycle.ports import CensusBook
from domain.lifecycle.record_census import RecordCensus
from domain.lifecycle.stages import Stage, StageEntry, advanced, postponed
from domain.objects import ListedObject
from domain.protocol.record import State
from domain.rules.routing import ENQUEUED, route_of
from handlers.operations.live_capture import capture_fault, disproof, work_on
from handlers.operations.lookout import Lookout
from handlers.operations.operator import TRIES, Operation
from handlers.operations.status import Status
from handlers.operations.young_copies import YoungCopies

LOOK_AGAIN_SECONDS = 120.0
"""Seconds that a cut-over waits for its probe's event: it "can sometimes take a minute or longer" (S3 user guide)."""
SETTLING_SECONDS = 30.0
"""Seconds that the last check waits until the queue is worked off: at least the events of keyshift's own probes."""
_BUSY = frozenset({"queue events", "lag"})
_FALLEN = {"conflict": State.CONFLICT, "parked": State.PARKED, "gone": State.GONE}
Listed = Iterable[tuple[str, ListedObject]]


@dataclass(frozen=True, slots=True)
class Look:
    """A readiness, and the figures at the start of the check."""

    seen: Readiness
    begun: Status


def look_for_cutover(
    operation: Operation, lookout: Lookout, *, objects: Listed | None, limits: GateLimits, seen: Callable[[], None]
) -> Look:
    """Read what the gates are about; ``objects`` are those of both buckets, ``None``: no listing is read."""
    begun, now = lookout.look(exact=False), operation.dependencies.ports.clock.now()
    census = RecordCensus(verified_since=now - limits.most_age)
    since = now - limits.compare_younger if limits.compare_younger else inf
    young = YoungCopies(operation, census, since=since, most_lag=limits.most_lag)
    compared = None
    with operation.census_book() as book:
        book.add_expected(_counted(operation, young, seen))
        if objects is not None:
            compared = compare(operation, book, objects, most_lag=limits.most_lag, seen=seen)
    young.settle()
    references, held = 0, ""
    for reference in operation.references():
        references += 1
        held = held or f"{reference.holder} {reference.path}: {reference.uri}"
    looked = Readiness(
        entry=StageEntry(),
        census=census,
        queues={},
        lag=None,
        paused=None,
        capture=None,
        compared=compared,
        references=references,
        reference_example=held,
        now=0.0,
    )
    return Look(look_again(operation, lookout, Look(looked, begun)), begun)


def look_again(operation: Operation, lookout: Lookout, look: Look) -> Readiness:
    """The readiness with everything that one request returns read again; the counts of millions stay as they are."""
    status, control = lookout.look(exact=False), operation.control()
    grown = {name: status.records.get(state, 0) - look.begun.records.get(state, 0) for name, state in _FALLEN.items()}
    return replace(
        look.seen,
        entry=operation.stages.read_stage(),
        queues={name: (depth.waiting, depth.in_work, depth.dead) for name, depth in status.queues.items()},
        lag=status.recent.oldest_event if status.recent is not None else None,
        paused=control.reason if control.paused else None,
        capture=capture_fault(operation),
        fallen={name: count for name, count in grown.items() if count > 0},
        now=operation.dependencies.ports.clock.now(),
    )


def _counted(operation: Operation, young: YoungCopies, seen: Callable[[], None]) -> Iterator[Expected]:
    for record in operation.dependencies.ports.manifest.scan_records():
        young.count(record)
        seen()
        yield from expected_of(record)


def compare(
    operation: Operation, book: CensusBook, objects: Listed, *, most_lag: float, seen: Callable[[], None]
) -> Compared:
    """The records in the book that a listing contradicts; a change younger than the permitted lag is on its way."""
    compared = Compared()
    rules = operation.dependencies.rules
    for bucket, listed in objects:
        seen()
        place = Location(bucket, listed.key)
        if is_probe(place.key):
            continue
        expected = book.meet(place)
        for one in expected:
            if not one.fits(listed):
                _look_closer(operation, one.record_id, one.role, compared, most_lag)
        if not expected and bucket == rules.source_bucket and _is_uncopied(operation, place, most_lag):
            compared.uncopied.add(place.uri)
    for record_id, role in book.find_unmet():
        seen()
        _look_closer(operation, record_id, role, compared, most_lag)
    return compared


def _is_uncopied(operation: Operation, place: Location, most_lag: float) -> bool:
    rules, ports = operation.dependencies.rules, operation.dependencies.ports
    if not isinstance(route_of(rules, place), ENQUEUED):
        return False
    there = ports.store.look_at_object(place)
    if there is None or there.last_modified > ports.clock.now() - most_lag:
        return False
    return ports.manifest.read_record(place.record_id) is None


def _look_closer(operation: Operation, record_id: str, role: Role, compared: Compared, most_lag: float) -> None:
    """A listing is outdated when it ends: only the present record and key count."""
    ports = operation.dependencies.ports
    record = ports.manifest.read_record(record_id)
    for one in expected_of(record) if record is not None else ():
        if one.role is not role:
            continue
        seen = ports.store.look_at_object(one.place)
        if one.holds(seen):
            continue
        if one.role is Role.TARGET:
            compared.replaced.add(one.place.uri)
        elif seen is None or seen.last_modified <= ports.clock.now() - most_lag:
            compared.changed.add(one.place.uri)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator allows: limits, gates that may be closed, and the reason."""

    limits: GateLimits
    accepted: frozenset[str]
    why: str

    def gates(self, seen: Readiness) -> tuple[Gate, ...]:
        """Every gate, by these terms."""
        return cutover_gates(seen, limits=self.limits, accepted=self.accepted)


def cut_over(
    operation: Operation, lookout: Lookout, look: Look, *, terms: Terms, wait: float = LOOK_AGAIN_SECONDS
) -> tuple[tuple[Gate, ...], StageEntry | None]:
    """Cut over; returns the gates, and the entry after the cut-over, or ``None`` when a gate is closed.

    The first check may have taken hours. So everything that one request returns is read again, after live capture was
    proven.
    """
    gates = terms.gates(look.seen)
    if any(gate.holds for gate in gates) or look.seen.entry.stage is Stage.CUT_OVER:
        return gates, None if any(gate.holds for gate in gates) else look.seen.entry
    fault = disproof(operation, wait=wait)
    until = operation.dependencies.ports.clock.monotonic() + SETTLING_SECONDS
    while True:
        seen = look_again(operation, lookout, look)
        seen = replace(seen, capture=seen.capture or fault)
        gates = terms.gates(seen)
        holding = {gate.name for gate in gates if gate.holds}
        if not holding <= _BUSY or operation.dependencies.ports.clock.monotonic() > until:
            return gates, None
        if not holding:
            break
        work_on(operation)
    accepts = [f"accepted: {gate.name} ({gate.says})" for gate in gates if gate.accepted]
    said = "; ".join([terms.why, *accepts] if terms.why else accepts) or "every gate is open"
    last, entry = step_guarded(operation, Stage.CUT_OVER, why=said)
    return (gates, entry) if entry is not None else (_renewed(gates, last), None)


def _renewed(gates: tuple[Gate, ...], newer: tuple[Gate, ...]) -> tuple[Gate, ...]:
    named = {gate.name: gate for gate in newer}
    return tuple(named.get(gate.name, gate) for gate in gates)


def step_guarded(operation: Operation, stage: Stage, *, why: str) -> tuple[tuple[Gate, ...], StageEntry | None]:
    """Set the stage only if it is permitted and nothing is paused or postponed; the write itself checks that.

    Returns the gates of the last check, and the entry after the step, or ``None`` when a gate is closed. Raises
    UnavailableError when other commands change the entry or the control each time.
    """
    clock = operation.dependencies.ports.clock
    for _ in range(TRIES):
        before, control, now = operation.stages.read_stage(), operation.control(), clock.now()
        gates = state_gates(before, control.reason if control.paused else None, now=now, stage=stage)
        if any(gate.holds for gate in gates):
            return gates, None
        if before.stage is stage:
            return gates, before
        after = advanced(before, stage, by=operation.by, why=why, now=now)
        if operation.stages.write_stage(after, before=before, control=control):
            return gates, after
    raise UnavailableError("other commands changed the stage or the control item each time")


def postpone_cutover(operation: Operation, until: float | None, *, why: str) -> StageEntry:
    """Postpone the cut-over, or allow it again."""
    now = operation.dependencies.ports.clock.now()
    return operation.change_stage(lambda before: postponed(before, until, by=operation.by, why=why, now=now))[1]
