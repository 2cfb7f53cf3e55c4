"""Proofs about which rule takes a key: overlap, unreachable, ambiguous."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import islice

from domain.proofs.excluding import Excluding
from domain.proofs.refining import Blame, refine_or_settle
from domain.proofs.search import BudgetSpentError, FoundText, search
from domain.proofs.subject import Answer, Evidence, Subject, settle
from domain.rules.branches import Branch
from domain.rules.templates import Template


def find_overlap(subject: Subject, one: Branch, other: Branch) -> Answer:
    """A key that both match."""

    def confirm(found: FoundText) -> Evidence | None:
        first, second = found.captures
        candidates = (found.text, *subject.sources(one, first), *subject.sources(other, second))
        for key in candidates:
            rest = subject.within(key)
            if rest is not None:
                taken, also = one.source.match(rest), other.source.match(rest)
                if taken is not None and also is not None:
                    prefix = subject.rules.target_prefix
                    return Evidence((key,), (prefix + one.target.render(taken), prefix + other.target.render(also)))
        return None

    first, second = subject.keys(one), subject.keys(other)
    return refine_or_settle(
        [lambda _: first, lambda _: second], [lambda: (first, second)], confirm, allowance=subject.allowance
    )


def find_overlap_with_keep(subject: Subject, branch: Branch, at: int) -> Answer:
    """A key that the branch and the ``keep`` template number ``at`` both match."""
    keep: Template = subject.rules.keep[at]

    def confirm(found: FoundText) -> Evidence | None:
        for key in (found.text, *subject.sources(branch, found.captures[0])):
            rest = subject.within(key)
            if rest is not None and keep.match(rest) is not None:
                taken = branch.source.match(rest)
                if taken is not None:
                    return Evidence((key,), (subject.rules.target_prefix + branch.target.render(taken), key))
        return None

    first, second = subject.keys(branch), subject.keep_machines[at]
    return refine_or_settle(
        [lambda _: first, lambda _: second], [lambda: (first, second)], confirm, allowance=subject.allowance
    )


def find_won_key(subject: Subject, branch: Branch) -> Answer:
    """A key of the branch that no earlier rule takes; IMPOSSIBLE proves that it never takes a key."""

    def confirm(found: FoundText) -> Evidence | None:
        for key in (found.text, *subject.sources(branch, found.captures[0])):
            mapped = subject.rules.map_key(key)
            if mapped.rule == branch.rule:
                return Evidence((key,), (mapped.target.key if mapped.target else key,))
        return None

    machine = subject.keys(branch)

    def blame(found: FoundText) -> Iterator[Blame]:
        for taker in subject.takers(branch, (found.text, *subject.sources(branch, found.captures[0]))):
            yield Blame(0, taker)

    return refine_or_settle(
        [partial(subject.left_to, branch)],
        [lambda: (machine,), lambda: (Excluding(machine, subject.exact_before(branch)),)],
        confirm,
        blame,
        allowance=subject.allowance,
    )


def find_lost_key(subject: Subject, branch: Branch) -> Evidence:
    """For a branch that never takes a key: a key of it and the rule that takes it; no keys where it matches none."""
    with suppress(BudgetSpentError):
        for found in islice(search([subject.keys(branch)], visits=2), 100):
            for key in (found.text, *subject.sources(branch, found.captures[0])):
                rest, place = subject.within(key), subject.place(key)
                if rest is not None and place is not None and branch.source.match(rest) is not None:
                    return Evidence((key,), (place[1].key,), place[0])
    return Evidence((), ())


def find_ambiguity(subject: Subject, branch: Branch) -> Answer:
    """A key that the branch's ``from`` can split in two ways."""

    def confirm(found: FoundText) -> Evidence | None:
        for key in (found.text, *(key for captures in found.captures for key in subject.sources(branch, captures))):
            rest = subject.within(key)
            if rest is not None:
                parses = list(islice(branch.source.parses(rest), 2))
                if len(parses) == 2:
                    prefix = subject.rules.target_prefix
                    return Evidence((key,), tuple(prefix + branch.target.render(parse) for parse in parses))
        return None

    machine = subject.keys(branch)
    return settle([lambda: (machine, machine)], confirm, differ=True, allowance=subject.allowance)
