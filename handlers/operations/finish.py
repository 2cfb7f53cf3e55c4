"""Finish: the migration is done when no source that the rules moved is left to clean."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from domain.lifecycle.census import Expected, expected_of
from domain.lifecycle.gates import DEFAULT_LIMITS, queue_gates, source_gates
from domain.lifecycle.stages import Stage, stage_fault
from domain.protocol.record import State
from handlers.operations.cutover import Listed, compare, step_guarded
from handlers.operations.lookout import Lookout
from handlers.operations.operator import Operation, Shut


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What may be left at the end: sources that are blocked (``keep_rest``), and so many live messages in a queue."""

    keep_rest: bool = False
    most_waiting: int = DEFAULT_LIMITS.most_waiting


def finish_migration(
    operation: Operation,
    lookout: Lookout,
    *,
    objects: Listed,
    allowed: Leftovers,
    seen: Callable[[], None] = lambda: None,
) -> Shut | None:
    """Set the stage to DONE, if no source that the rules moved is left to clean; it cannot be undone.

    With ``keep_rest``, blocked sources may stay where they are, as long as no attempt is unfinished. A source without a
    record does not count as blocked: it was never moved. ``objects`` are those of both buckets. Messages in a queue or
    a dead-letter queue may concern any source. Returns why the migration is not finished, or ``None``.
    """
    fault = stage_fault(operation.stages.read_stage().stage, Stage.DONE)
    with operation.census_book() as book:
        left, example = 0, ""

        def counted() -> Iterator[Expected]:
            nonlocal left, example
            for record in operation.dependencies.ports.manifest.scan_records():
                seen()
                if record.is_unfinished or not (record.state in (State.CLEANED, State.TOMBSTONE) or allowed.keep_rest):
                    left += 1
                    example = example or f"{record.source.uri} ({record.state.value})"
                yield from expected_of(record)

        book.add_expected(counted())
        if left:
            why = f"{left:,} records are not cleaned, such as {example}: keyshift cleanup shows what blocks each one"
            return Shut(why)
        if fault is not None:
            return Shut(fault)
        gates = source_gates(compare(operation, book, objects, most_lag=0.0, seen=seen))
    depths = lookout.look(exact=False).queues
    gates += queue_gates(
        {name: (one.waiting, one.in_work, one.dead) for name, one in depths.items()}, allowed.most_waiting
    )
    shut = next((gate for gate in gates if gate.holds), None)
    if shut is None:
        why = "the sources that are left stay" if allowed.keep_rest else "every source is cleaned"
        shut = next((gate for gate in step_guarded(operation, Stage.DONE, why=why)[0] if gate.holds), None)
    return Shut(f"{shut.name}: {shut.says}: {shut.remedy}") if shut is not None else None
