"""Proofs about targets: collisions, loops, unclean targets."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice, permutations, product

from domain.keys import key_fault, unclean_segment
from domain.proofs.excluding import Excluding
from domain.proofs.machines import Machine, Step, Walkable
from domain.proofs.refining import Blame, Side, refine_or_settle
from domain.proofs.search import BudgetSpentError, FoundText, search
from domain.proofs.subject import CANDIDATES, KEEP, MAX_SOURCES, Answer, Evidence, Open, Subject, settle
from domain.rules.automata.characters import ANY
from domain.rules.automata.dfa import Chars, Choice, Repeat, Series, compile_expression, literal
from domain.rules.branches import Branch
from domain.rules.compiled import MapOutcome

_ANYTHING = Repeat(Chars(ANY), 0, None)
_SLASH = literal("/")
UNCLEAN = Machine(
    [
        Step(
            compile_expression(
                Series(
                    (
                        Repeat(Series((_ANYTHING, _SLASH)), 0, 1),
                        Choice((literal(""), literal("."), literal(".."))),
                        Repeat(Series((_SLASH, _ANYTHING)), 0, 1),
                    )
                )
            )
        )
    ]
)
"""Every text with an empty, ``.`` or ``..`` segment; ``unclean_segment`` checks one text."""


def find_collision(subject: Subject, one: Branch, other: Branch) -> Answer:
    """Two keys, one taken by each branch, with the same target."""

    def confirm(found: FoundText) -> Evidence | None:
        sources = subject.sources(one, found.captures[0])
        others = list(subject.sources(other, found.captures[1]))
        for key, twin in product(sources, others):
            evidence = _same_place(subject, key, twin)
            if evidence is not None and _ruled(subject, evidence.keys) == (one.rule, other.rule):
                return evidence
        return None

    def coarse() -> tuple[Machine, Machine]:
        return subject.targets(one), subject.targets(other)

    def fine() -> list[Walkable] | None:
        exact = [] if one.source.has_repeats else [subject.keys(one)]
        first, second = subject.won_targets(one, []), subject.won_targets(other, exact)
        return None if first is None or second is None else [first, second]

    def finest() -> list[Walkable] | None:
        first, second = subject.won_targets(one), subject.won_targets(other)
        return None if first is None or second is None else [first, second]

    def blame(found: FoundText) -> Iterator[Blame]:
        for side, branch in enumerate((one, other)):
            for taker in subject.takers(branch, subject.sources(branch, found.captures[side])):
                yield Blame(side, taker)

    sides = [partial(subject.written_by, one), partial(subject.written_by, other)]
    return refine_or_settle(sides, [coarse, fine, finest], confirm, blame, allowance=subject.allowance)


def find_collision_with_keep(subject: Subject, branch: Branch, at: int) -> Answer:
    """A key whose target is a key that ``keep`` names."""

    def confirm(found: FoundText) -> Evidence | None:
        for key in subject.sources(branch, found.captures[0]):
            evidence = _same_place(subject, key, found.text)
            if evidence is not None and _ruled(subject, evidence.keys) == (branch.rule, KEEP):
                return evidence
        return None

    return _meet(subject, branch, subject.keep_machines[at], confirm)


def find_collision_within(subject: Subject, branch: Branch) -> Answer:
    """Two keys of the branch with the same target: ``to`` drops, changes or joins texts."""
    kinds = branch.source.kinds
    loses = [name for name in branch.dropped if len(kinds[name].dfa.texts(2)) > 1]
    if loses:
        return _vary_dropped(subject, branch) or Open.UNDECIDED

    def confirm(found: FoundText) -> Evidence | None:
        first, second = (list(subject.sources(branch, captures)) for captures in found.captures)
        for key, twin in product(first, second):
            evidence = _same_place(subject, key, twin)
            if evidence is not None and _ruled(subject, evidence.keys) == (branch.rule, branch.rule):
                return evidence
        return None

    machine = subject.targets(branch)
    return settle([lambda: (machine, machine)], confirm, differ=True, allowance=subject.allowance)


def _vary_dropped(subject: Subject, branch: Branch) -> Evidence | None:
    try:
        for found in islice(search([subject.targets(branch)], visits=2), CANDIDATES // 10):
            keys = list(islice(subject.sources(branch, found.captures[0]), MAX_SOURCES))
            for key, twin in permutations(keys, 2):
                evidence = _same_place(subject, key, twin)
                if evidence is not None and _ruled(subject, evidence.keys) == (branch.rule, branch.rule):
                    return evidence
    except BudgetSpentError:
        return None
    return None


def find_loop(subject: Subject, branch: Branch, again: Branch) -> Answer:
    """A key that the branch moves to a place from which ``again`` moves it on."""
    if _stays(subject, branch) or _stays(subject, again) or subject.is_kept_always(branch):
        return Open.IMPOSSIBLE

    def confirm(found: FoundText) -> Evidence | None:
        keys = subject.sources(branch, found.captures[0])
        return next((evidence for key in keys if (evidence := _moved_twice(subject, key, (branch, again)))), None)

    def coarse() -> list[Walkable]:
        return [subject.targets(branch), Excluding(subject.keys(again), subject.exact_keep)]

    def fine() -> list[Walkable] | None:
        won = subject.won_targets(branch)
        return None if won is None else [won, Excluding(subject.keys(again), subject.exact_keep)]

    def blame(found: FoundText) -> Iterator[Blame]:
        for key in subject.sources(branch, found.captures[0]):
            for taker in subject.takers(branch, [key]):
                yield Blame(0, taker)
            target = subject.rules.map_key(key).target
            for taker in subject.takers(again, [target.key] if target is not None else []):
                yield Blame(1, taker)

    sides: list[Side] = [partial(subject.written_by, branch), partial(subject.left_to, again)]
    return refine_or_settle(sides, [coarse, fine], confirm, blame, allowance=subject.allowance)


def _moved_twice(subject: Subject, key: str, by: tuple[Branch, Branch]) -> Evidence | None:
    """The key and its target, where the rules of the two branches move one after the other."""
    targets: list[str] = []
    for branch in by:
        mapped = subject.rules.map_key(targets[-1] if targets else key)
        if mapped.outcome is not MapOutcome.MOVE or mapped.target is None or mapped.rule != branch.rule:
            return None
        targets.append(mapped.target.key)
    return Evidence((key, targets[0]), tuple(targets))


def _stays(subject: Subject, branch: Branch) -> bool:
    """Whether every target of the branch is its own source: then nothing is moved."""
    source, target = subject.rules.source, subject.rules.target
    in_place = (source.bucket, source.prefix) == (target.bucket, target.prefix)
    return in_place and branch.source.pieces == branch.target.pieces


def find_invalid_target(subject: Subject, branch: Branch) -> Answer:
    """A key whose target S3 or its clients cannot use as it is."""
    if _stays(subject, branch):
        return Open.IMPOSSIBLE

    def confirm(found: FoundText) -> Evidence | None:
        for key in subject.sources(branch, found.captures[0]):
            mapped = subject.rules.map_key(key)
            if mapped.rule == branch.rule and mapped.outcome is not MapOutcome.KEEP:
                target = mapped.target.key if mapped.target is not None else found.text
                if unclean_segment(target) is not None or key_fault(target) is not None:
                    return Evidence((key,), (target,))
        return None

    return _meet(subject, branch, UNCLEAN, confirm)


def _meet(subject: Subject, branch: Branch, other: Walkable, confirm: Callable[[FoundText], Evidence | None]) -> Answer:
    """A confirmed target of the branch that the other machine accepts too."""

    def fine() -> list[Walkable] | None:
        won = subject.won_targets(branch)
        return None if won is None else [won, other]

    def blame(found: FoundText) -> Iterator[Blame]:
        for taker in subject.takers(branch, subject.sources(branch, found.captures[0])):
            yield Blame(0, taker)

    sides: list[Side] = [partial(subject.written_by, branch), lambda _: other]
    stages = [lambda: (subject.targets(branch), other), fine]
    return refine_or_settle(sides, stages, confirm, blame, allowance=subject.allowance)


def _same_place(subject: Subject, key: str, twin: str) -> Evidence | None:
    if key == twin:
        return None
    one, other = subject.place(key), subject.place(twin)
    if one is None or other is None or one[1] != other[1]:
        return None
    return Evidence((key, twin), (one[1].key, other[1].key))


def _ruled(subject: Subject, keys: tuple[str, ...]) -> tuple[str, ...]:
    places: Iterator[tuple[str, object] | None] = (subject.place(key) for key in keys)
    return tuple(place[0] for place in places if place is not None)
