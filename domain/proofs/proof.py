"""The static proof over a rules file: it finds a key for each fault, or proves that there is none (docs/rules.md).

Every finding carries real keys, mapped by the real rules. Where automata cannot decide (repeated names, names that
``to`` reorders, size) the finding is ``undecided`` and is never left out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, partial
from itertools import combinations
from typing import TypeAlias

from domain.proofs.growth import find_growth
from domain.proofs.sources import find_ambiguity, find_lost_key, find_overlap, find_overlap_with_keep, find_won_key
from domain.proofs.subject import KEEP, Answer, Evidence, Open, Subject
from domain.proofs.targets import (
    find_collision,
    find_collision_with_keep,
    find_collision_within,
    find_invalid_target,
    find_loop,
)
from domain.rules.branches import Branch
from domain.rules.compiled import Allowed, CompiledRules


class FindingKind(StrEnum):
    """The kind of a finding."""

    OVERLAP = "overlap"
    UNREACHABLE = "unreachable"
    COLLISION = "collision"
    LOOP = "loop"
    LOSSY = "lossy"
    AMBIGUOUS = "ambiguous"
    INVALID_TARGET = "invalid-target"
    UNDECIDED = "undecided"
    NOTE = "note"


class ProofVerdict(StrEnum):
    """The answer over all findings: ALLOWED is proven except for findings that the file allows."""

    PROVEN = "proven"
    ALLOWED = "allowed"
    UNDECIDED = "undecided"
    REFUTED = "refuted"


_WHY = {
    FindingKind.OVERLAP: "both match this key, so their order decides",
    FindingKind.UNREACHABLE: "earlier rules or keep take every key that it matches",
    FindingKind.COLLISION: "these keys have the same target",
    FindingKind.LOOP: "the target is matched again as a source",
    FindingKind.LOSSY: "the target does not show which of these keys it came from",
    FindingKind.AMBIGUOUS: "the template can take this key apart in several ways; the shortest first texts win",
    FindingKind.INVALID_TARGET: "the target has an empty, '.' or '..' segment, or is not a valid S3 key",
}


@dataclass(frozen=True, slots=True)
class RulesFinding:
    """One finding; ``about`` is the kind of an UNDECIDED one. ``why`` is the file's reason for allowing it."""

    kind: FindingKind
    rule: str
    other_rule: str | None = None
    keys: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    allowed: bool = False
    why: str = ""
    about: FindingKind | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """All findings, and the exceptions that no finding needs."""

    findings: tuple[RulesFinding, ...]
    unneeded: tuple[Allowed, ...]

    @property
    def verdict(self) -> ProofVerdict:
        """REFUTED beats UNDECIDED beats ALLOWED; notes do not count."""
        counted = [finding for finding in self.findings if finding.kind is not FindingKind.NOTE]
        standing = {finding.kind for finding in counted if not finding.allowed}
        if standing - {FindingKind.UNDECIDED}:
            return ProofVerdict.REFUTED
        if standing:
            return ProofVerdict.UNDECIDED
        return ProofVerdict.ALLOWED if counted else ProofVerdict.PROVEN

    @property
    def is_wished(self) -> bool:
        """Whether the migration may go on."""
        return self.verdict in (ProofVerdict.PROVEN, ProofVerdict.ALLOWED)


def prove_rules(rules: CompiledRules) -> Proof:
    """Look for every kind of finding; one finding for each kind and pair of rules."""
    found: dict[tuple[FindingKind, str, str | None], RulesFinding] = {}
    for kind, rule, other, ask in _questions(Subject(rules)):
        known = found.get((kind, rule, other))
        if known is None or known.kind is FindingKind.UNDECIDED:
            finding = _finding(kind, rule, other, ask())
            if finding is not None and (known is None or finding.kind is kind):
                found[kind, rule, other] = finding
    findings = [_allowed(rules, finding) for finding in (*found.values(), *_notes(Subject(rules)))]
    needed = {entry for finding in findings for entry in rules.allow if _matches(entry, finding)}
    return Proof(tuple(findings), tuple(entry for entry in rules.allow if entry not in needed))


Question: TypeAlias = tuple[FindingKind, str, str | None, Callable[[], Answer]]


def _questions(subject: Subject) -> Iterator[Question]:
    branches = subject.rules.branches
    for rule in subject.rules.rules:
        own = [branch for branch in branches if branch.rule == rule]
        yield FindingKind.UNREACHABLE, rule, None, partial(_never_wins, subject, own)
    for branch in branches:
        yield FindingKind.AMBIGUOUS, branch.rule, None, partial(find_ambiguity, subject, branch)
        yield FindingKind.INVALID_TARGET, branch.rule, None, partial(find_invalid_target, subject, branch)
        yield from _sharing(branch, branch, partial(find_collision_within, subject, branch))
    for one, other in combinations(branches, 2):
        yield from _sharing(one, other, partial(find_collision, subject, one, other))
        if one.rule != other.rule:
            yield FindingKind.OVERLAP, one.rule, other.rule, partial(find_overlap, subject, one, other)
    for branch in branches:
        for at in range(len(subject.rules.keep)):
            yield FindingKind.OVERLAP, branch.rule, KEEP, partial(find_overlap_with_keep, subject, branch, at)
            if subject.is_in_place:
                ask = partial(find_collision_with_keep, subject, branch, at)
                yield FindingKind.COLLISION, branch.rule, KEEP, ask
        if subject.is_in_place:
            for again in branches:
                yield FindingKind.LOOP, branch.rule, again.rule, partial(find_loop, subject, branch, again)


def _sharing(one: Branch, other: Branch, ask: Callable[[], Answer]) -> Iterator[Question]:
    """Whether they share a target; within one rule that also means that it cannot be reversed."""
    once = cache(ask)
    yield FindingKind.COLLISION, one.rule, other.rule, once
    if one.rule == other.rule:
        yield FindingKind.LOSSY, one.rule, None, once


def _finding(kind: FindingKind, rule: str, other: str | None, answer: Answer) -> RulesFinding | None:
    if answer is Open.IMPOSSIBLE:
        return None
    if isinstance(answer, Evidence):
        return RulesFinding(kind, rule, answer.winner or other, answer.keys, answer.targets, why=_WHY[kind])
    why = f"whether there is a finding of kind '{kind}' could not be decided"
    return RulesFinding(FindingKind.UNDECIDED, rule, other, why=why, about=kind)


def _never_wins(subject: Subject, branches: list[Branch]) -> Answer:
    """Evidence that no branch of one rule ever takes a key."""
    answers = (find_won_key(subject, branch) for branch in branches)
    undecided = False
    for answer in answers:
        if isinstance(answer, Evidence):
            return Open.IMPOSSIBLE
        undecided |= answer is Open.UNDECIDED
    return Open.UNDECIDED if undecided else find_lost_key(subject, branches[0])


def _notes(subject: Subject) -> Iterator[RulesFinding]:
    """For each rule the branch that leaves the least room."""
    for rule in subject.rules.rules:
        own = (find_growth(subject, branch) for branch in subject.rules.branches if branch.rule == rule)
        sized = [(len(growth.key.encode()), growth) for growth in own if growth is not None]
        if sized:
            _, growth = min(sized, key=lambda pair: pair[0])
            why = f"targets grow: with a longer '{growth.name}' than in this key, the target is too long for S3"
            yield RulesFinding(FindingKind.NOTE, rule, None, (growth.key,), (growth.target,), why=why)


def _allowed(rules: CompiledRules, finding: RulesFinding) -> RulesFinding:
    entry = next((entry for entry in rules.allow if _matches(entry, finding)), None)
    return finding if entry is None else replace(finding, allowed=True, why=entry.why)


def _matches(entry: Allowed, finding: RulesFinding) -> bool:
    return entry.covers(finding.kind.value, finding.rule, finding.other_rule)
