"""Cut-over: everything that its gates ask is looked up once, and only then the stage changes."""

from collections.abc import Callable, Iterable

from domain.gates import Gate, Readiness, RecordCensus, cutover_gates
from domain.keys import Location
from domain.ports import KeyBook
from domain.probing import is_probe
from domain.record import Record
from domain.rules import MapOutcome
from domain.stages import Stage, StageEntry, advanced, postponed
from handlers.lifecycle import Operation
from handlers.looking import Lookout


def look_for_cutover(
    operation: Operation, lookout: Lookout, *, keys: Iterable[str] | None, most_lag: float, seen: Callable[[], None]
) -> Readiness:
    """What the gates are about; ``keys`` are the source bucket's, ``None``: nobody lists them."""
    status = lookout.look(exact=False)
    census = RecordCensus()
    with operation.key_book() as book:
        _count_records(operation, census, book, seen)
        uncopied, example = None, ""
        if keys is not None:
            uncopied, example = _count_uncopied(operation, book, keys, most_lag, seen)
    references, held = 0, ""
    for reference in operation.references():
        references += 1
        held = held or f"{reference.holder} {reference.path}: {reference.uri}"
    control = operation.control()
    return Readiness(
        entry=operation.stages.read_stage(),
        census=census,
        queues={name: (depth.waiting, depth.in_work, depth.dead) for name, depth in status.queues.items()},
        lag=status.recent.oldest_event if status.recent is not None else None,
        paused=control.reason if control.paused else None,
        uncopied=uncopied,
        uncopied_example=example,
        references=references,
        reference_example=held,
        now=operation.dependencies.ports.clock.now(),
    )


def _count_records(operation: Operation, census: RecordCensus, book: KeyBook, seen: Callable[[], None]) -> None:
    def counted(record: Record) -> tuple[Location, Location | None]:
        census.add(record)
        seen()
        return record.source, record.target if record.target.key else None

    book.add_pairs(counted(record) for record in operation.dependencies.ports.manifest.scan_records())


def _count_uncopied(
    operation: Operation, book: KeyBook, keys: Iterable[str], most_lag: float, seen: Callable[[], None]
) -> tuple[int, str]:
    """Source keys that the rules move and no record is of; what is younger than the lag allowed is on its way."""
    rules, ports = operation.dependencies.rules, operation.dependencies.ports
    uncopied, example = 0, ""
    for key in keys:
        seen()
        place = Location(rules.source_bucket, key)
        if is_probe(key) or book.has_source(place) or book.has_target(place):
            continue
        if rules.map_key(key).outcome not in (MapOutcome.MOVE, MapOutcome.REJECTED):
            continue
        there = ports.store.look_at_object(place)
        if there is None or there.last_modified > ports.clock.now() - most_lag:
            continue
        if ports.manifest.read_record(place.record_id) is None:
            uncopied += 1
            example = example or place.uri
    return uncopied, example


def cut_over(  # noqa: PLR0913  # what was seen, and what is allowed
    operation: Operation, seen: Readiness, *, most_waiting: int, most_lag: float, accepted: frozenset[str], why: str
) -> tuple[tuple[Gate, ...], StageEntry | None]:
    """The gates, and the entry after the cut-over; ``None`` when a gate holds."""
    gates = cutover_gates(seen, most_waiting=most_waiting, most_lag=most_lag, accepted=accepted)
    if any(gate.holds for gate in gates):
        return gates, None
    clock = operation.dependencies.ports.clock
    accepts = [f"accepted: {gate.name} ({gate.says})" for gate in gates if gate.accepted]
    said = "; ".join([why, *accepts] if why else accepts)

    def change(before: StageEntry) -> StageEntry:
        if before.stage is Stage.CUT_OVER:
            return before
        return advanced(before, Stage.CUT_OVER, by=operation.by, why=said or "every gate is open", now=clock.now())

    return gates, operation.change_stage(change)[1]


def postpone_cutover(operation: Operation, until: float | None, *, why: str) -> StageEntry:
    """Put the cut-over off, or allow it again."""
    now = operation.dependencies.ports.clock.now()
    return operation.change_stage(lambda before: postponed(before, until, by=operation.by, why=why, now=now))[1]
