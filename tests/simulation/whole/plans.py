"""What one seed stands for: how many keys and workers, what owners, strangers, operators and faults do."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any

from tests.simulation.whole.dice import KINDS
from tests.simulation.whole.draws import gated_changes, later_changes, runs_changes

ALONE: Mapping[str, Any] = {
    "redeploys": 0,
    "roles": 0,
    "dual": 0.0,
    "moves": 0.0,
    "twins": 0.0,
    "erases": 0.0,
    "afterwards": 0,
    "versioned_target": False,
    "unfenced": False,
    "lifecycle": "",
    "suspends": "",
    "gated": False,
    "on_call": True,
    "replaced": 0,
    "properties": False,
    "locks": False,
    "locks_later": False,
    "promises_class": False,
    "breaks": False,
    "property_roles": 0,
    "forms": False,
    "trips": 0,
    "engine": 0,
    "cancels": 0,
    "trusts": False,
    "histories": False,
}
"""What the profiles are about: each plays its own part only."""
HISTORIES: Mapping[str, Any] = {
    "histories": True,
    "versioned": True,
    "versioned_target": True,
    "mirrors": True,
    "suspends": "",
}
"""A migration that carries every version."""
WITH_HISTORIES = 0.1
"""How many random plans do."""
GATED = 0.05
"""How many random plans go through start and cut-over."""
GATED_LATER = 0.15
FIRST_LATER = 10_000_000
"""Smaller seeds were played before there were properties, forms and trips: what a document says of one stays true."""
FIRST_HISTORIES = 15_000_000
"""Smaller seeds were played before there was ``versions: all``."""
FIRST_RUNS = 20_000_000
"""From this seed on functions do runs of stage work, and more plans go through start and cut-over."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One simulated migration; rates are probabilities, times are seconds."""

    seed: int
    keys: int = 4
    workers: int = 2
    words: int = 3
    """How often each owner writes or deletes, at most."""
    seconds: float = 600.0
    """How long owners and strangers are at it."""
    repeats: float = 0.3
    """How often an owner puts bytes that were there before."""
    removes: float = 0.2
    strangers: int = 0
    """How often somebody writes or deletes at a target."""
    backfill: bool = True
    stale_rows: int = 0
    lost_events: float = 0.0
    duplicates: float = 0.1
    latest_event: float = 300.0
    fault_rate: float = 0.05
    kinds: tuple[str, ...] = KINDS
    longest_stall: float = 150.0
    learns: bool = False
    """Whether the processes learn limits of the prefixes that throttle, and hold back what asks them."""
    pauses: int = 0
    verifies: bool = False
    """Whether an operator verifies again and again while everything goes on."""
    items: int = 0
    """How many items of the application hold URIs."""
    edits: int = 0
    """How often the application writes them meanwhile."""
    rewrites: bool = False
    """Whether the command rewrites references too, beside the function that follows what happens."""
    manifests: int = 0
    """How many more objects are manifests whose lines hold URIs of the others."""
    by_command: bool = False
    """Whether cleanup and rollback are the operator's whole commands, with their gates, and not only their cores."""
    forgets: bool = False
    """Whether cleanup deletes the versions too."""
    buried: float = 0.0
    """How many events come to lie among the dead letters, as after a day of a wrong permission."""
    garbage: int = 0
    """How many messages nobody can read."""
    redeploys: int = 0
    """How often other rules are deployed for a while, under which no key is moved."""
    other_rules: str = "impossible"
    """What those make of a key: its new key is impossible, it is unmapped, or kept."""
    roles: int = 0
    """How often a role lacks a permission for a while."""
    dual: float = 0.0
    """How often a producer writes both keys."""
    moves: float = 0.0
    """How often a producer moves an object by himself: a copy, then a delete."""
    twins: float = 0.0
    """How often a stranger puts bytes that are there already, with metadata of his own."""
    erases: float = 0.0
    """How often an owner removes a version, or a delete marker, for good."""
    afterwards: int = 0
    """How often, at most, each owner writes or deletes after everything has settled; a rollback comes after that."""
    lifecycle: str = ""
    """Which lifecycle rule of the source bucket runs after everything has settled, or meanwhile where that may be."""
    suspends: str = ""
    """When the source bucket's versioning is suspended: ``first`` or ``later``."""
    unfenced: bool = False
    """Whether owners put the same bytes with other metadata while an unversioned source is being cleaned up."""
    decides: bool = False
    """Whether an operator now and then lets sources take their targets over what strangers did."""
    cleanup: bool = False
    rollback: bool = False
    purge: bool = False
    versioned: bool = False
    versioned_target: bool = False
    """Whether the other bucket keeps versions."""
    other_bucket: bool = False
    encrypted: bool = False
    mirrors: bool = True
    large: float = 0.2
    """How many objects are copied in parts."""
    parts_at_once: int = 2
    promised: bool = False
    """Whether the rules file promises a class, and that there is neither a KMS key nor a lock."""
    properties: bool = False
    """Whether producers give their objects classes, KMS keys and locks, and change them later."""
    locks: bool = False
    """Whether both buckets have Object Lock."""
    locks_later: bool = False
    """Whether an operator enables it on the target bucket only when everything else has settled."""
    promises_class: bool = False
    """Whether the rules file promises the class alone."""
    breaks: bool = False
    """Whether producers do not keep the promise."""
    property_roles: int = 0
    """How often a role may not use a KMS key, set a lock, or see one, for a while."""
    forms: bool = False
    """Whether the application writes URIs in every form, and texts that cannot be rewritten."""
    trips: int = 0
    """How often the circuit breaker pauses the migration for long, which leaves Lambda's pollers on."""
    gated: bool = False
    """Whether the migration is started, cut over and cleaned up by commands, through all their gates."""
    operators: int = 0
    """How many other operators interfere meanwhile."""
    terraform: int = 0
    """How often another program takes live capture away."""
    sends_already: bool = False
    """Whether the bucket's events reach the queue before the start."""
    second: bool = False
    """Whether another migration of the same bucket starts and rolls back."""
    reports: int = 0
    """How many inventory reports are delivered, all of them too early."""
    on_call: bool = True
    """Whether dead letters are looked after before everything has come to rest."""
    replaced: int = 0
    """How often the functions are replaced, with another configuration."""
    trusts: bool = False
    """Whether one backfill after the start has to be enough: nothing is repaired before that is judged."""
    engine: int = 0
    """How many functions work on each queue of stage work; without them commands work alone."""
    cancels: int = 0
    """How often another operator cancels the runs that go on."""
    blunt: bool = False
    """Whether the server answers a conditional delete of what is not there with 412, as SeaweedFS does."""
    histories: bool = False
    """Whether the migration carries every version, into a bucket that keeps versions."""
    enforces: bool = False
    """Whether the target bucket answers 501 to a CopyObject with a condition."""
    together: bool = True
    """Whether many claims and many commits are written in one request."""
    checksums: bool = True
    knows_itself: bool = True
    max_receives: int = 8

    @classmethod
    def of_seed(cls, seed: int, **given: Any) -> "Plan":
        """The plan that the seed stands for, less what is given."""
        random = Random(seed * 7_919 + 1)
        chance = random.random
        other_bucket = chance() < 0.4
        rollback = chance() < 0.3
        plan = cls(
            seed,
            keys=random.choice((1, 2, 4, 8, 16)),
            workers=random.randint(1, 5),
            words=random.randint(1, 6),
            seconds=random.choice((60.0, 600.0, 1_800.0)),
            strangers=random.choice((0, 0, 3, 12)),
            backfill=chance() < 0.7,
            stale_rows=random.choice((0, 4, 12)),
            lost_events=random.choice((0.0, 0.0, 0.1)),
            duplicates=random.choice((0.0, 0.1, 0.4)),
            fault_rate=random.choice((0.0, 0.02, 0.1, 0.25)),
            pauses=random.choice((0, 0, 2)),
            cleanup=chance() < 0.5,
            rollback=rollback,
            purge=rollback and chance() < 0.7,
            versioned=chance() < 0.4,
            other_bucket=other_bucket,
            encrypted=other_bucket and chance() < 0.5,
            mirrors=chance() < 0.8,
            parts_at_once=random.choice((1, 2, 4)),
            promised=chance() < 0.3,
            knows_itself=chance() < 0.7,
            max_receives=random.choice((3, 8, 50)),
            verifies=chance() < 0.4,
            items=random.choice((0, 1, 3, 6)),
            edits=random.choice((4, 12, 30)),
            rewrites=chance() < 0.5,
            by_command=chance() < 0.5,
            forgets=chance() < 0.5,
            buried=random.choice((0.0, 0.0, 0.1)),
            garbage=random.choice((0, 0, 2)),
            manifests=random.choice((0, 0, 1, 3)),
            decides=chance() < 0.5,
            redeploys=random.choice((0, 0, 1, 3)),
            other_rules=random.choice(("impossible", "unmapped", "keep")),
            roles=random.choice((0, 0, 0, 2)),
            dual=random.choice((0.0, 0.0, 0.0, 0.3)),
            moves=random.choice((0.0, 0.0, 0.0, 0.2)),
            twins=random.choice((0.0, 0.0, 0.5)),
            erases=random.choice((0.0, 0.0, 0.0, 0.2)),
            afterwards=random.choice((0, 0, 2)),
            lifecycle=random.choice(("", "", "", "noncurrent", "markers", "older", "current", "class")),
            suspends=random.choice(("", "", "", "first", "later")),
            versioned_target=other_bucket and chance() < 0.4,
            blunt=chance() < 0.3,
            together=Random(seed * 7_919 + 2).random() < 0.7,
        )
        if chance() < (GATED if seed < FIRST_RUNS else GATED_LATER):
            plan = replace(plan, **{**ALONE, **gated_changes(random)})
        elif seed >= FIRST_LATER:
            own = Random(f"later:{seed}")
            plan = replace(plan, **later_changes(own))
            if seed >= FIRST_HISTORIES and own.random() < WITH_HISTORIES:
                plan = replace(plan, **HISTORIES)
        if seed >= FIRST_RUNS:
            own = Random(f"runs:{seed}")
            plan = replace(plan, **runs_changes(own, gated=plan.gated))
        return replace(plan, **given)

    def smaller(self) -> list["Plan"]:
        """Simpler plans of the same kind, the simplest first."""
        changes: list[dict[str, Any]] = [
            {"keys": 1},
            {"keys": max(1, self.keys // 2)},
            {"workers": 1},
            {"workers": max(1, self.workers - 1)},
            *({"kinds": ()}, {"fault_rate": 0.0}),
            *({"kinds": tuple(kind for kind in self.kinds if kind != one)} for one in self.kinds),
            *({"strangers": 0}, {"strangers": self.strangers // 2}),
            *({"stale_rows": 0}, {"lost_events": 0.0}, {"duplicates": 0.0}, {"pauses": 0}, {"backfill": False}),
            *({"cleanup": False}, {"rollback": False, "purge": False}, {"purge": False}, {"versioned": False}),
            *({"other_bucket": False, "encrypted": False}, {"encrypted": False}, {"large": 0.0}),
            *({"items": 0, "edits": 0}, {"items": min(1, self.items)}, {"edits": self.edits // 2}, {"rewrites": False}),
            *({"manifests": 0}, {"manifests": min(1, self.manifests)}),
            *({"verifies": False}, {"by_command": False}, {"forgets": False}, {"buried": 0.0}, {"garbage": 0}),
            *({"roles": 0}, {"dual": 0.0}, {"moves": 0.0}, {"twins": 0.0}, {"erases": 0.0}, {"afterwards": 0}),
            *({"lifecycle": ""}, {"suspends": ""}, {"versioned_target": False}, {"unfenced": False}, {"blunt": False}),
            {"together": False},
            {"enforces": False},
            {"histories": False},
            *({"properties": False, "locks": False, "promises_class": False, "breaks": False}, {"property_roles": 0}),
            *(
                {"locks": False},
                {"locks_later": False},
                {"promises_class": False},
                {"promised": False, "breaks": False},
            ),
            *({"operators": 0}, {"terraform": 0}, {"second": False}, {"reports": 0}, {"replaced": 0}),
            *({"engine": 0, "cancels": 0}, {"engine": min(1, self.engine)}, {"cancels": 0}),
            *({"decides": False}, {"redeploys": 0}, {"redeploys": min(1, self.redeploys)}),
            *({"words": 1}, {"words": max(1, self.words - 1)}, {"max_receives": 50}, {"knows_itself": True}),
        ]
        found = [replace(self, **change) for change in changes]
        return [plan for number, plan in enumerate(found) if plan != self and plan not in found[:number]]

    def arguments(self) -> str:
        """What to give to the command so that it makes this plan."""
        usual = Plan.of_seed(self.seed)
        told = [f"--seed {self.seed}"]
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name != "seed" and value != getattr(usual, one.name):
                told.append(f"--with {one.name}={','.join(value) if isinstance(value, tuple) else value}")
        return " ".join(told)


def read_changes(texts: list[str]) -> dict[str, Any]:
    """``name=value`` as the plan's own types."""
    usual, found = Plan(0), dict[str, Any]()
    for text in texts:
        name, _, value = text.partition("=")
        kind = type(getattr(usual, name))
        if kind is tuple:
            found[name] = tuple(one for one in value.split(",") if one)
        else:
            found[name] = value == "True" if kind is bool else kind(value)
    return found
