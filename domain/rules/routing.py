"""The route of one notice, for the worker, dead-letter queues, S3 Batch Operations, backfill, verify and cutover."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from domain.keys import Location, is_probe
from domain.rules.compiled import CompiledRules, MapOutcome
from domain.rules.template_filters import TooManyParsesError

REFUSED = "no rule maps this key, and the rules file has: unmapped: fail"


class RouteKind(StrEnum):
    """The names of the routes, as figures and dead-letter messages show them."""

    TARGET_BUCKET = "target-bucket"
    OTHER_BUCKET = "other-bucket"
    PROBE = "probe"
    KEEP = "keep"
    UNMAPPED = "unmapped"
    REJECTED = "rejected"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class InTargetBucket:
    """The object is in the target bucket of two: the event of a copy, with nothing to do."""

    kind: ClassVar = RouteKind.TARGET_BUCKET


@dataclass(frozen=True, slots=True)
class InOtherBucket:
    """The object is in a bucket that the rules do not name: its message is malformed."""

    kind: ClassVar = RouteKind.OTHER_BUCKET


@dataclass(frozen=True, slots=True)
class Probe:
    """The object is a probe of live capture, independent of the rules for its key."""

    kind: ClassVar = RouteKind.PROBE


@dataclass(frozen=True, slots=True)
class Kept:
    """The rules keep the object where it is; ``reason`` names the rule."""

    reason: str
    kind: ClassVar = RouteKind.KEEP


@dataclass(frozen=True, slots=True)
class Unmapped:
    """No rule maps the key; ``is_refused``: the rules file forbids that (``unmapped: fail``)."""

    reason: str
    is_refused: bool
    kind: ClassVar = RouteKind.UNMAPPED


@dataclass(frozen=True, slots=True)
class Rejected:
    """The object cannot move to the key that its ``rule`` gives; ``rule`` is empty where no rule was reached."""

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
    """The route of the object at ``source``; its key is mapped once.

    A target in the source bucket costs a second mapping, which rejects a target that would be moved again. A backfill
    leaves that to the worker, because it enqueues both routes.
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
        return Unmapped(reason, is_mistake(rules, source.key))
    return Rejected(mapped.rule or "", reason)


def is_refused(route: Route) -> bool:
    """Whether the rules file forbids the key, so that its message must not be acknowledged."""
    return isinstance(route, Unmapped) and route.is_refused


def is_mistake(rules: CompiledRules, key: str) -> bool:
    """Whether the rules call this key, which no rule maps, a mistake.

    In one bucket the key of a copy is not one: its event comes with every copy. A copy is known by the rules of today,
    because the manifest cannot be asked for a record by its target.
    """
    if rules.unmapped != "fail":
        return False
    return not (rules.source_bucket == rules.target_bucket and fits_target_layout(rules, key))


def fits_target_layout(rules: CompiledRules, key: str) -> bool:
    """Whether a rule may have made this key."""
    if not key.startswith(rules.target_prefix):
        return False
    rest = key[len(rules.target_prefix) :]
    try:
        return any(branch.target.match(rest) is not None for branch in rules.branches)
    except TooManyParsesError:
        return True
