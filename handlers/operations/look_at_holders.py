"""Puts a look for holders together: what it reads, where it is kept, and who makes it."""

from dataclasses import dataclass
from functools import partial

from domain.protocol.ports import RecordPages
from domain.rules.compiled import CompiledRules
from domain.rules.references import NO_REFERENCES
from handlers.operations.holder_looks import HOLDERS_SECONDS, HolderLooks, Look, read_manifests
from handlers.operations.holder_parts import Looked, parts_of
from handlers.operations.holder_scan import HolderScan
from handlers.operations.operator import Operation
from handlers.operations.runs import KeptRun
from handlers.operations.watched_holders import AwaitsLooks, Holders, LooksHere

BEGUN_SECONDS = 60.0
"""Messages that wait are received again within half of this time, and a look begins then."""


@dataclass(frozen=True, slots=True)
class LookAtHolders:
    """The looks for one run, and what each of them reads."""

    looks: HolderLooks
    scan: HolderScan

    @property
    def is_needed(self) -> bool:
        """Whether anything may hold an object."""
        return bool(self.scan.phases)


def has_holders(rules: CompiledRules) -> bool:
    """Whether anything may hold an object, by what the rules file names."""
    return rules.references != NO_REFERENCES or bool(rules.pins)


def look_at_holders(
    operation: Operation, kept: KeptRun, pages: RecordPages, *, of_copies: bool, segments: int
) -> LookAtHolders:
    """The looks for a run: at what holds the sources, or the copies at their new places.

    The records of augmented manifests are read in so many ``segments``, each process with the same number.
    """
    dependencies, clock = operation.dependencies, operation.dependencies.ports.clock
    looked = Looked(of_copies, segments, pages, dependencies.sleep, partial(read_manifests, kept))
    first, second = parts_of(operation.finders, operation.pins, looked)
    scan = HolderScan(first, second, now=clock.now)
    margin, digest = dependencies.policy.margin_seconds, dependencies.rules.digest
    looks = HolderLooks(kept, sum(scan.phases), digest, operation.by, clock, dependencies.new_token, margin)
    return LookAtHolders(looks, scan)


def holders_of(operation: Operation, look: LookAtHolders, *, looks_here: bool) -> Holders:
    """What holds the objects of the run. Without ``looks_here`` other processes look, and this one waits for them."""
    if not look.is_needed:
        return Holders(look.looks, None)
    dependencies = operation.dependencies
    if looks_here:
        pool = dependencies.objects_at_once
        return Holders(look.looks, LooksHere(look.looks, look.scan, pool, dependencies.sleep))
    return Holders(look.looks, AwaitsLooks(look.looks, dependencies.sleep))


def begin_due_look(looks: HolderLooks) -> Look | None:
    """The look to work on: the one that goes on, or another one if it is time for it.

    Another one begins before the last is too old, so that a look that takes some minutes holds no removal up.
    """
    look = looks.newest()
    if look is None:
        return looks.begin(None)
    if not look.is_whole:
        return look
    took = look.read_at - look.run.begun_at
    rest = HOLDERS_SECONDS - min(max(took, 0.0) + BEGUN_SECONDS, HOLDERS_SECONDS / 2)
    return look if looks.is_good(look, seconds=rest) else looks.begin(look)
