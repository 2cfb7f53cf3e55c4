"""Explore every interleaving of a scenario and check the invariants of protocol.md §2 after every step."""

from collections import deque
from dataclasses import dataclass, field

from domain.protocol.record import Mode, State
from tests.simulation.histories import MARKER, History
from tests.simulation.steps import NOBODY, Explorer
from tests.simulation.world import Scenario, World, first_world, is_dead, is_kept


@dataclass
class Findings:
    """How much was explored, and for each broken invariant the shortest way there."""

    states: int = 0
    complete: bool = True
    broken: dict[str, tuple[str, list[str]]] = field(default_factory=dict)

    def readable(self) -> str:
        """Each broken invariant with its trace."""
        return "\n".join("\n    ".join([f"{text}", *trace]) for text, trace in self.broken.values())


def explore(  # noqa: C901, PLR0912  # one search loop
    scenario: Scenario, *, at_most: int = 2_000_000, until: str | None = None
) -> Findings:
    """Breadth first, so that a trace is as short as can be; not further than ``until`` that invariant is broken."""
    explorer, start = Explorer(scenario), first_world(scenario)
    ways: list[tuple[int, str]] = [(-1, "")]
    numbers = {start: 0}
    queue = deque([start])
    backwards: list[tuple[int, int]] = []
    good: list[int] = []
    findings = Findings()

    def note(text: str, number: int, last: str | None = None) -> None:
        kind = text.split(maxsplit=1)[0].strip(":")
        if kind not in findings.broken:
            trace: list[str] = [] if last is None else [last]
            while number > 0:
                number, step = ways[number]
                trace.append(step)
            findings.broken[kind] = (text, trace[::-1])

    while queue:
        world = queue.popleft()
        number = numbers[world]
        faults = faults_of(world)
        for text in faults:
            note(text, number)
        if faults:
            continue
        if at_rest(world):
            faults = faults_at_rest(world, scenario)
            for text in faults:
                note(text, number)
            if not faults:
                good.append(number)
        for step, after, broken in explorer.changes(world):
            for text in broken:
                note(text, number, step)
            if broken:
                continue
            known = numbers.get(after)
            if known is None:
                known = numbers[after] = len(ways)
                ways.append((number, step))
                queue.append(after)
            backwards.append((known, number))
        if len(ways) > at_most or until in findings.broken:
            findings.complete = False
            break
    findings.states = len(ways)
    if findings.complete and not findings.broken:
        stuck = _cannot_reach(good, backwards, len(ways))
        if stuck is not None:
            note("I7 there is no way from here to a good end", stuck)
    return findings


def _cannot_reach(good: list[int], backwards: list[tuple[int, int]], count: int) -> int | None:
    before: dict[int, list[int]] = {}
    for later, earlier in backwards:
        before.setdefault(later, []).append(earlier)
    reached, stack = set(good), list(good)
    while stack:
        for earlier in before.get(stack.pop(), ()):
            if earlier not in reached:
                reached.add(earlier)
                stack.append(earlier)
    return next((number for number in range(count) if number not in reached), None)


def at_rest(world: World) -> bool:
    """Whether nothing will happen any more by itself."""
    record = world.record
    claim = record.claim if record is not None else None
    return (
        not world.messages
        and not world.in_flight
        and all(worker is None or is_dead(worker) for worker in world.workers)
        and not (claim is not None and claim.deadline >= 0)
    )


def faults_of(world: World) -> list[str]:
    """Invariants that must hold at every moment (I3); what each step breaks says the step itself."""
    record, target = world.record, world.target
    if record is None or record.is_unfinished or record.mode is not Mode.FORWARD or world.last_author == "foreign":
        return []
    faults = []
    if record.state in (State.COPIED, State.CLEANED) and (target is None or target.etag != record.target_etag):
        faults.append(f"I3 the record says {record.state} {record.target_etag}, the target is {target}")
    if record.state is State.TOMBSTONE and target is not None:
        faults.append(f"I3 the record says TOMBSTONE, the target is {target}")
    return faults


def faults_at_rest(world: World, scenario: Scenario) -> list[str]:
    """Invariants that must hold once nothing happens any more (I3, I4, I6, I7)."""
    if world.produced < len(scenario.producer) or world.foreign < len(scenario.foreign):
        return []
    record = world.record
    if record is None:
        return [] if world.truth is None else ["I7 there is no record"]
    if record.mode is Mode.ROLLED_BACK:
        return _faults_after_rollback(world, scenario)
    faults = []
    if record.is_unfinished:
        faults.append(f"I7 unfinished at rest: {record}")
    if record.upload is not None:
        faults.append("I7 an upload is left behind")
    if record.state is State.CONFLICT:
        excused = scenario.is_meddled or _may_have_moved(scenario)
        return faults if excused else [*faults, f"I7 CONFLICT ({record.cause}) with nobody to blame"]
    if scenario.cleans and not (world.cleaned and world.source is None):
        faults.append(f"I7 cleanup left the source {world.source}, {record}")
    if scenario.histories and not scenario.is_meddled:
        faults += _gaps(world, scenario)
    return [*faults, *_dishonest(world), *_not_converged(world, scenario)]


def _gaps(world: World, scenario: Scenario) -> list[str]:
    """Whether the target does not hold the versions and deletes of its source in their order, and once (I10)."""
    there = marks_of(world.at_target)
    wanted = marks_of(tuple(one for one in world.at_source if one.author != "us" or one.value != MARKER))
    if wanted and wanted[-1] is None and (world.cleaned or world.is_doubtful):
        del wanted[-1]  # a delete of what cleanup emptied, or may have, proves nothing (protocol.md §5)
    rest = iter(there)
    lacking = [one for one in wanted if one not in rest]
    numbers = [one for one in there if one is not None]
    # A proxy that sends a copy over equal bytes twice has it done twice: the condition names bytes only.
    is_twice = len(set(numbers)) < len(numbers) and world.doubled == scenario.doubled
    return [f"I10 the source has {wanted}, the target {there}"] if lacking or is_twice else []


def marks_of(history: History) -> list[int | None]:
    """The words of a key's versions, oldest first; ``None`` for a delete marker that hides one."""
    marks: list[int | None] = []
    for one in history:
        if one.value != MARKER:
            marks.append(one.number)
        elif marks and marks[-1] is not None:
            marks.append(None)
    return marks


def _may_have_moved(scenario: Scenario) -> bool:
    """Whether what is at the target may be a copy sent twice, or the object of an owner who moves by himself."""
    return bool(scenario.doubled) and "del" in scenario.producer


def _dishonest(world: World) -> list[str]:
    """What the record says about the source and is not so (I3)."""
    record = world.record
    if record is None:
        return []
    faults = []
    if record.state is State.CLEANED and not (world.cleaned or world.is_doubtful):
        faults.append(f"I3 the record says that we cleaned the source up, which is {world.source}")
    if record.state in (State.CLEANED, State.GONE, State.TOMBSTONE) and world.source is not None:
        faults.append(f"I3 the record says {record.state}, the source is {world.source}")
    copied = (State.COPIED.value, record.source_etag or "")
    cleaned = (State.CLEANED.value, record.source_etag or "")
    if record.state in (State.COPIED, State.CLEANED) and not {copied, cleaned} & world.audited:
        faults.append("I4 the copy was never reported")
    return faults


def _not_converged(world: World, scenario: Scenario) -> list[str]:
    """Whether both keys do not hold what the owner said last (I7)."""
    truth, target = world.truth, world.target
    if truth is None:
        ours = target is not None and target.author == "us"
        # Of a key that we emptied, or may have, his delete proves nothing.
        proven = scenario.delete_events and not world.cleaned and not world.is_doubtful
        # Nor can a copy that was sent twice be told from the object of a producer who writes to both places.
        proven = proven and world.doubled == scenario.doubled
        return [f"I7 its owner deleted it, the target is {target}"] if scenario.mirror and proven and ours else []
    if world.last_author != "foreign" and (target is None or target.value != truth):
        return [f"I7 not converged: {truth}, target {target}, source {world.source}, {world.record}"]
    return []


def _faults_after_rollback(world: World, scenario: Scenario) -> list[str]:
    record, truth, source = world.record, world.truth, world.source
    if record is None:
        return []
    faults = []
    deletes = {"del", "expire", "destroy"} & set(scenario.producer)
    if record.state is State.ROLLBACK_CONFLICT and not (scenario.is_meddled or deletes):
        faults.append("I6 a rollback conflict with nobody to blame")
    if record.claim is not None and record.claim.token != NOBODY:
        faults.append("I7 a claim is left behind")
    # What changed between its look and its write a rollback can only tell.
    is_told = world.is_too_late and record.state is State.ROLLBACK_CONFLICT
    if truth is not None and (source is None or source.value != truth) and is_kept(world) and not is_told:
        faults.append(f"I6 the source is {source}, its owner's last word is {truth}")
    if truth is None and source is not None and not (world.is_traceless or world.is_doubtful or world.is_too_late):
        faults.append(f"I6 the source is {source}, its owner deleted it")
    if record.state is State.PURGED and world.target is not None and world.target.author == "us":
        faults.append(f"I6 the copy is left behind: {world.target}")
    return faults
