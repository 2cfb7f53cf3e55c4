"""What some plans are about, drawn from a chance of its own: it changes nothing of what other plans are."""

from random import Random
from typing import Any

CLASSES = ("STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR")
"""Classes whose objects can be read at once."""


def gated_changes(random: Random) -> dict[str, Any]:
    """Operators who act through every gate, and what may make a gate false."""
    return {
        "gated": True,
        "by_command": True,
        "operators": random.choice((0, 1, 1, 2)),
        "terraform": random.choice((0, 0, 1, 2)),
        "sends_already": random.random() < 0.4,
        "second": random.random() < 0.4,
        "reports": random.choice((0, 0, 1)),
        "replaced": random.choice((0, 0, 2)),
        "on_call": random.random() < 0.7,
        "longest_stall": 30.0,
        "fault_rate": random.choice((0.0, 0.01, 0.03)),
        "items": 0,
        "manifests": 0,
    }


def property_changes(random: Random) -> dict[str, Any]:
    """Producers who give their objects classes, KMS keys and locks, and rules files that promise what they do."""
    locks = random.random() < 0.5
    # Only a bucket that keeps versions has Object Lock, and its versioning cannot be suspended.
    kept = {"versioned": True, "versioned_target": True, "suspends": ""} if locks else {}
    later = {"locks_later": True, "other_bucket": True} if locks and random.random() < 0.3 else {}
    promise = random.choice(("", "", "class", "all", "broken"))
    return {
        "properties": True,
        "locks": locks,
        "promises_class": promise == "class",
        "promised": promise in ("all", "broken"),
        "breaks": promise == "broken",
        "lifecycle": random.choice(("", "class", "class", "archive", "target", "noncurrent")),
        "property_roles": random.choice((0, 0, 1, 2)),
        **kept,
        **later,
    }


def later_changes(random: Random) -> dict[str, Any]:
    """What came into the plans later: in a share of them each, and by a chance of its own."""
    changes = property_changes(random) if random.random() < 0.3 else {}
    return changes | {"forms": random.random() < 0.2, "trips": random.choice((0, 0, 0, 0, 1))}


def engine_changes(random: Random) -> dict[str, Any]:
    """Functions that do runs of stage work, and an operator who cancels some."""
    back = random.random() < 0.4
    return {
        "engine": random.randint(1, 3),
        "cancels": random.choice((0, 0, 1, 3)),
        "by_command": True,
        "verifies": random.random() < 0.7,
        "cleanup": random.random() < 0.7,
        "rollback": back,
        "purge": back and random.random() < 0.7,
    }


def trusting_changes() -> dict[str, Any]:
    """A start and one backfill, and whatever may go wrong but what is repaired by a verification alone."""
    return {
        "trusts": True,
        "sends_already": False,
        "kinds": (
            "error",
            "throttle",
            "lost",
            "time-out",
            "slow",
            "stall",
            "late",
            "kill-before",
            "kill-sent",
            "kill-after",
        ),
        "lost_events": 0.0,
        "buried": 0.0,
        "operators": 0,
        "terraform": 0,
        "reports": 0,
        "strangers": 0,
        "pauses": 0,
        "verifies": False,
        "decides": False,
        "rollback": False,
        "purge": False,
        "max_receives": 50,
        "engine": 0,
    }


def runs_changes(random: Random, *, gated: bool) -> dict[str, Any]:
    """What came last: in a share of the plans each."""
    changes = engine_changes(random) if random.random() < 0.4 else {}
    return changes | (trusting_changes() if gated and random.random() < 0.4 else {})
