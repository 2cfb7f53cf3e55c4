"""Where one notice goes: asked by the worker, dead letters, S3 Batch Operations, backfill, verify and cutover."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from domain.keys import Location, is_probe
from domain.rules.compiled import CompiledRules, MapOutcome
from domain.rules.template_filters import TooManyParsesError

REFUSED = "no rule maps this key, and the rules say: unmapped: fail"


class RouteKind(StrEnum):
    """The names of the routes, as figures and dead letters show them."""

    TARGET_BUCKET = "target-bucket"
    OTHER_BUCKET = "other-bucket"
    PROBE = "probe"
    KEEP = "keep"
    UNMAPPED = "unmapped"
    REJECTED = "rejected"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class InTargetBucket:
    """The object is in the target bucket of two: the event of a copy, which asks for nothing."""

    kind: ClassVar = RouteKind.TARGET_BUCKET


@dataclass(frozen=True, slots=True)
class InOtherBucket:
    """The object is in a bucket that the rules do not name: its message is malformed."""

    kind: ClassVar = RouteKind.OTHER_BUCKET


@dataclass(frozen=True, slots=True)
class Probe:
    """The object is a probe of live capture, whatever the rules say of its key."""

    kind: ClassVar = RouteKind.PROBE


@dataclass(frozen=True, slots=True)
class Kept:
    """The rules leave the object where it is; ``reason`` says by which of them."""

    reason: str
    kind: ClassVar = RouteKind.KEEP


@dataclass(frozen=True, slots=True)
class Unmapped:
    """No rule maps the key; ``is_refused``: the rules call that a mistake (``unmapped: fail``)."""

    reason: str
    is_refused: bool
    kind: ClassVar = RouteKind.UNMAPPED


@dataclass(frozen=True, slots=True)
class Rejected:
    """The object cannot move to what its ``rule`` makes of the key; ``rule`` is empty where no rule was reached."""

    rule: str
    reason: str
    kind: ClassVar = RouteKind.REJECTED


@dataclass(frozen=True, slots=True)
class Moved:
    """The object moves to ``target`` by ``rule``."""

    rule: str
    target: Location
    kind: ClassVar = RouteKind.MOVE


Route = InTargetBucket | InOtherBucket | Probe | Kept | Unmapped | Rejected | Moved
ENQUEUED = (Moved, Rejected)
"""A worker writes a record on these routes: a backfill enqueues such objects, and verify expects their records."""


def route_of(rules: CompiledRules, source: Location, *, is_loop_rejected: bool = True) -> Route:
    """Where the object at ``source`` goes; its key is mapped once.

    A target in the source bucket costs a second mapping, which rejects what would be moved again. A backfill leaves
    that to the worker, since it enqueues both routes.
    """
    if source.bucket != rules.source_bucket:
        return InTargetBucket() if source.bucket == rules.target_bucket else InOtherBucket()
    if is_probe(source.key):
        return Probe()
    mapped = rules.map_once(source.key) if is_loop_rejected else rules.map_key(source.key)
    reason = mapped.reason or ""
    if mapped.target is not None:
        return Moved(mapped.rule or "", mapped.target)
    if mapped.outcome is MapOutcome.KEEP:
        return Kept(reason)
    if mapped.outcome is MapOutcome.UNMAPPED:
        return Unmapped(reason, _is_mistake(rules, source.key))
    return Rejected(mapped.rule or "", reason)


def is_refused(route: Route) -> bool:
    """Whether the rules call the key a mistake, so that its message must not be acknowledged."""
    return isinstance(route, Unmapped) and route.is_refused


def _is_mistake(rules: CompiledRules, key: str) -> bool:
    """In one bucket the key of a copy is not one: no rule maps it further, and its event comes with every copy."""
    if rules.unmapped != "fail":
        return False
    return not (rules.source_bucket == rules.target_bucket and fits_target_layout(rules, key))


def fits_target_layout(rules: CompiledRules, key: str) -> bool:
    """Whether some rule could have made this key."""
    if not key.startswith(rules.target_prefix):
        return False
    rest = key[len(rules.target_prefix) :]
    try:
        return any(branch.target.match(rest) is not None for branch in rules.branches)
    except TooManyParsesError:
        return True
