"""The subject of a proof: the rules' automata, the final place of a key, and the search for evidence."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import islice, product

from domain.keys import Location, key_fault
from domain.proofs.excluding import Excluding
from domain.proofs.machines import Machine, Step, Walkable, literal_step, template_steps
from domain.proofs.search import BudgetSpentError, FoundText, find_shared, search
from domain.rules.branches import Branch
from domain.rules.compiled import CompiledRules, MapOutcome
from domain.rules.templates import Captures, Template

KEEP = "keep"
"""The name of the ``keep`` templates in findings."""
CANDIDATES = 40
"""Candidates that one search may offer before the question counts as undecided."""
COARSE_BUDGET, FINE_BUDGET = 60_000, 15_000
"""States that one search may meet: about a second; finer searches cost more for each state."""
ALLOWANCE, LEAST_BUDGET = 3_000_000, 1_000
"""States that all undecided questions of one file may use up, and what each may use after that."""
SAMPLES = 3
"""Texts that are tried for a name which ``to`` drops."""
MAX_SOURCES = 6
"""Source keys that are tried for one candidate."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Real keys and their targets by the real rules; ``winner`` takes them, if it is not the branch in question."""

    keys: tuple[str, ...]
    targets: tuple[str, ...]
    winner: str | None = None


class Open(StrEnum):
    """The answers without evidence."""

    IMPOSSIBLE = "impossible"
    UNDECIDED = "undecided"


Answer = Evidence | Open


@dataclass(slots=True)
class Allowance:
    """What the questions of one file may still use up: a proof with many undecided questions must end too."""

    left: int = ALLOWANCE

    def budget(self, wanted: int) -> int:
        """``wanted``, or less when little is left."""
        return min(wanted, max(LEAST_BUDGET, self.left // 20))


def settle(
    stages: Sequence[Callable[[], Sequence[Walkable] | None]],
    confirm: Callable[[FoundText], Evidence | None],
    *,
    differ: bool = False,
    allowance: Allowance | None = None,
) -> Answer:
    """Search each stage, the cheap and coarse one first, for a text; only a confirmed text is evidence.

    A stage whose search ends without any text proves that there is none, because each stage's machines accept at
    least what the rules accept.
    """
    allowance = allowance or Allowance()
    for number, build in enumerate(stages):
        machines = build()
        if machines is None:
            continue
        budget = allowance.budget(COARSE_BUDGET if not number else FINE_BUDGET)
        answer = _asked(machines, confirm, budget, differ=differ)
        if answer is not Open.UNDECIDED:
            return answer
        allowance.left -= budget
    return Open.UNDECIDED


def _asked(
    machines: Sequence[Walkable], confirm: Callable[[FoundText], Evidence | None], budget: int, *, differ: bool
) -> Answer:
    """One stage: a first round, and if it finds texts a second one that reaches each state in more ways."""
    offered = 0
    with suppress(BudgetSpentError):
        for visits in (1, 4):
            for found in islice(search(machines, differ=differ, budget=budget, visits=visits), CANDIDATES):
                offered += 1
                evidence = confirm(found)
                if evidence is not None:
                    return evidence
            if not offered:
                return Open.IMPOSSIBLE
    return Open.UNDECIDED


class Subject:
    """The rules to be proven, with each automaton made once."""

    def __init__(self, rules: CompiledRules) -> None:
        self.rules = rules
        self.allowance = Allowance()
        self._keys: dict[int, Machine] = {}
        self._targets: dict[int, Machine] = {}
        self._transducers: dict[int, Machine | None] = {}
        self._kept_always: dict[int, bool] = {}
        self._places: dict[str, tuple[str, Location] | None] = {}
        self._remainders: dict[tuple[str, int, frozenset[int]], Excluding] = {}

    @property
    def is_in_place(self) -> bool:
        """Whether sources and targets live in one bucket."""
        return self.rules.source_bucket == self.rules.target_bucket

    @cached_property
    def keep_machines(self) -> list[Machine]:
        """The source keys that each ``keep`` template matches."""
        return [self._read(template) for template in self.rules.keep]

    @cached_property
    def exact_keep(self) -> list[Machine]:
        """Those that describe their keys exactly."""
        pairs = zip(self.rules.keep, self.keep_machines, strict=True)
        return [machine for template, machine in pairs if not template.has_repeats]

    def keys(self, branch: Branch) -> Machine:
        """The source keys that the branch matches, or more."""
        if id(branch) not in self._keys:
            self._keys[id(branch)] = self._read(branch.source)
        return self._keys[id(branch)]

    def targets(self, branch: Branch) -> Machine:
        """The target keys that the branch can make, or more."""
        if id(branch) not in self._targets:
            self._targets[id(branch)] = Machine(template_steps(branch.target, self.rules.target_prefix))
        return self._targets[id(branch)]

    def exact_before(self, branch: Branch) -> list[Machine]:
        """Everything that certainly takes keys of ``branch``: ``keep`` and earlier branches, where exact."""
        at = next(index for index, other in enumerate(self.rules.branches) if other is branch)
        earlier = [self.keys(other) for other in self.rules.branches[:at] if not other.source.has_repeats]
        return [*self.exact_keep, *earlier]

    def won_targets(self, branch: Branch, before: Sequence[Machine] | None = None) -> Walkable | None:
        """The target keys of the keys that ``branch`` wins, or more; ``None`` where ``to`` reorders its names."""
        moving = self._moving(branch)
        return None if moving is None else Excluding(moving, self.exact_before(branch) if before is None else before)

    def left_to(self, branch: Branch, others: Sequence[Machine]) -> Walkable:
        """The source keys that the branch matches and none of the ``others`` takes, or more."""
        return self._without(("keys", id(branch)), self.keys(branch), others)

    def written_by(self, branch: Branch, others: Sequence[Machine]) -> Walkable:
        """The target keys of the keys that none of the ``others`` takes, or more."""
        moving = self._moving(branch)
        if moving is None or not others:
            return self.targets(branch)
        return self._without(("targets", id(branch)), moving, others)

    def _moving(self, branch: Branch) -> Machine | None:
        if id(branch) not in self._transducers:
            steps = _transducer(branch, self.rules.source_prefix, self.rules.target_prefix)
            self._transducers[id(branch)] = None if steps is None else Machine(steps)
        return self._transducers[id(branch)]

    def _without(self, name: tuple[str, int], base: Machine, others: Sequence[Machine]) -> Walkable:
        if not others:
            return base
        known = (*name, frozenset(map(id, others)))
        if known not in self._remainders:
            self._remainders[known] = Excluding(base, others)
        return self._remainders[known]

    def takers(self, branch: Branch, keys: Iterable[str]) -> Iterator[Machine]:
        """What takes each key before ``branch`` has its turn, where that is known exactly."""
        at = next(index for index, other in enumerate(self.rules.branches) if other is branch)
        templates = [*self.rules.keep, *(other.source for other in self.rules.branches[:at])]
        for rest in filter(None, map(self.within, keys)):
            taker = next((index for index, one in enumerate(templates) if one.match(rest) is not None), None)
            if taker is not None and not templates[taker].has_repeats:
                kept = len(self.rules.keep)
                yield self.keep_machines[taker] if taker < kept else self.keys(self.rules.branches[taker - kept])

    def is_kept_always(self, branch: Branch) -> bool:
        """Whether ``keep`` certainly takes every target of the branch: one check that is valid for every later rule."""
        if id(branch) not in self._kept_always:
            escaping = Excluding(self.targets(branch), self.exact_keep)
            try:
                self._kept_always[id(branch)] = find_shared([escaping], budget=FINE_BUDGET) is None
            except BudgetSpentError:
                self._kept_always[id(branch)] = False
        return self._kept_always[id(branch)]

    def sources(self, branch: Branch, captures: Captures) -> Iterator[str]:
        """Source keys with these captures; for names that are missing a few texts are tried."""
        kinds = branch.source.kinds
        missing = [name for name in branch.source.names if name not in captures]
        choices = [kinds[name].dfa.texts(SAMPLES) for name in missing]
        for choice in islice(product(*choices), MAX_SOURCES):
            filled = {**captures, **dict(zip(missing, choice, strict=True))}
            yield self.rules.source_prefix + branch.source.render(filled)

    def place(self, key: str) -> tuple[str, Location] | None:
        """The rule (or KEEP) that decides the final place of the object at ``key``, and place; ``None`` if unknown."""
        if key not in self._places:
            self._places[key] = self._find_place(key)
        return self._places[key]

    def _find_place(self, key: str) -> tuple[str, Location] | None:
        mapped = self.rules.map_key(key)
        if mapped.outcome is MapOutcome.MOVE and mapped.target is not None:
            return mapped.rule or KEEP, mapped.target
        if mapped.outcome is MapOutcome.KEEP and (mapped.rule is not None or self.is_kept(key)):
            return mapped.rule or KEEP, Location(self.rules.source_bucket, key)
        return None

    def is_kept(self, key: str) -> bool:
        """Whether a ``keep`` template names the key."""
        rest = self.within(key)
        return rest is not None and any(template.match(rest) is not None for template in self.rules.keep)

    def within(self, key: str) -> str | None:
        """The valid key without the source prefix; ``None`` where it is not a valid key or has another prefix."""
        prefix = self.rules.source_prefix
        return key[len(prefix) :] if key_fault(key) is None and key.startswith(prefix) else None

    def _read(self, template: Template) -> Machine:
        return Machine(template_steps(template, self.rules.source_prefix))


def _transducer(branch: Branch, source_prefix: str, target_prefix: str) -> list[Step] | None:
    """Steps that read the source and write the target, where ``to`` has each name once and in the order of ``from``."""
    if branch.target.has_repeats:
        return None
    steps = [literal_step(source_prefix, writes=False), literal_step(target_prefix, reads=False)]
    writes = list(branch.target.pieces)
    wanted = set(branch.target.names)
    for piece in branch.source.pieces:
        if isinstance(piece, str):
            is_copied = writes[:1] == [piece]
            steps.append(literal_step(piece, writes=is_copied))
            writes = writes[1:] if is_copied else writes
            continue
        if piece.repeats or piece.name not in wanted:
            steps.append(Step(piece.kind.dfa, piece.name, writes=False))
            continue
        while writes and isinstance(writes[0], str):
            steps.append(literal_step(str(writes.pop(0)), reads=False))
        following = writes.pop(0)
        if isinstance(following, str) or following.name != piece.name:
            return None
        steps.append(Step(piece.kind.dfa, piece.name, filter=following.filter))
    steps.extend(literal_step(str(piece), reads=False) for piece in writes)
    return steps
