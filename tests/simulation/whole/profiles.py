"""Plans by the letter of a scenario: what must happen often so that its break is seen, if there is one."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from tests.simulation.whole.draws import engine_changes, gated_changes, property_changes, trusting_changes
from tests.simulation.whole.plans import ALONE, HISTORIES

Profile = Callable[[Random], Mapping[str, Any]]
FORWARD: Mapping[str, Any] = {"rollback": False, "purge": False}


def _cleanup_without_effect(random: Random) -> Mapping[str, Any]:
    """N: cleanup meets throttling or a role that lacks a permission, and owners delete afterwards."""
    kinds = random.choice((("throttle", "denied"), ("throttle",), ()))
    back = {"rollback": True, "by_command": False} if random.random() < 0.4 else FORWARD
    more = {"roles": random.choice((0, 2, 4)), "strangers": 0, "removes": 0.5}
    return {"cleanup": True, "kinds": kinds, "fault_rate": 0.2, **more, **back}


def _dual_writers(random: Random) -> Mapping[str, Any]:
    """D1: producers write both keys, or move by themselves."""
    return {"dual": random.choice((0.0, 0.5)), "moves": random.choice((0.3, 0.0)), "removes": 0.5, "mirrors": True}


def _equal_bytes(random: Random) -> Mapping[str, Any]:
    """D2: strangers put the same bytes at a target that keeps versions."""
    target = random.choice(({"other_bucket": True, "versioned_target": True}, {"other_bucket": False}))
    return {"versioned": True, "strangers": 12, "twins": 0.7, **target}


def _after_cleanup(random: Random) -> Mapping[str, Any]:
    """M: owners go on after a cleanup of a bucket that keeps versions, and then all is rolled back."""
    return {
        "versioned": True,
        "cleanup": True,
        "rollback": random.random() < 0.7,
        "afterwards": random.randint(1, 3),
        "forgets": random.random() < 0.5,
        "by_command": random.random() < 0.6,
        "removes": 0.6,
        "strangers": 0,
    }


def _put_and_deleted(random: Random) -> Mapping[str, Any]:
    """W: an owner puts and deletes after the cleanup, both before keyshift sees either."""
    return {"versioned": True, "cleanup": True, "afterwards": 3, "removes": 0.5, "strangers": 0, **FORWARD} | {
        "by_command": random.random() < 0.5
    }


def _other_rules(random: Random) -> Mapping[str, Any]:
    """U: rules that do not map the keys, or keep them, for a while."""
    kind = random.choice(("unmapped", "keep"))
    return {"redeploys": 3, "other_rules": kind, "removes": 0.5, "mirrors": True, "buried": 0.1, **FORWARD}


def _erased(random: Random) -> Mapping[str, Any]:
    """V: owners remove versions and markers for good."""
    return {"versioned": True, "erases": 0.4, "cleanup": random.random() < 0.7, "strangers": 0}


def _roles(random: Random) -> Mapping[str, Any]:
    """P: functions and operators lack a permission for a while."""
    return {"roles": 4, "fault_rate": random.choice((0.0, 0.02)), "cleanup": random.random() < 0.7}


def _suspended(random: Random) -> Mapping[str, Any]:
    """S: the source bucket's versioning is suspended in the middle."""
    back = random.random() < 0.6
    return {
        "versioned": True,
        "suspends": random.choice(("first", "later")),
        "cleanup": True,
        "strangers": 0,
        "rollback": back,
        "purge": back,
        "afterwards": random.choice((0, 1)),
        "by_command": random.random() < 0.5,
    }


def _removed_by_rules(random: Random) -> Mapping[str, Any]:
    """A: lifecycle rules remove what keyshift's markers made noncurrent; then all is rolled back."""
    return {
        "versioned": True,
        "cleanup": True,
        "lifecycle": random.choice(("noncurrent", "markers", "older")),
        "afterwards": 1,
        "erases": random.choice((0.0, 0.3)),
        "rollback": True,
        "purge": random.random() < 0.5,
        "by_command": random.random() < 0.5,
        "forgets": False,
        "strangers": 0,
    }


def _expired(random: Random) -> Mapping[str, Any]:
    """X: a lifecycle rule expires sources; its event is as old as their creation."""
    return {"lifecycle": "current", "mirrors": True, "strangers": 0, "versioned": random.random() < 0.5, **FORWARD}


def _gates(random: Random) -> Mapping[str, Any]:
    """L: operators start and cut over through every gate, and Terraform, other operators and migrations are at it."""
    return gated_changes(random) | {
        "operators": random.choice((1, 2)),
        "terraform": random.choice((0, 1, 3)),
        "seconds": 1_800.0,
        "buried": random.choice((0.0, 0.1)),
        "strangers": random.choice((0, 0, 3)),
        "rollback": random.random() < 0.3,
    }


def _properties(random: Random) -> Mapping[str, Any]:
    """K: objects with classes, KMS keys and locks, which lifecycle rules and their producers change after the copy."""
    back = random.random() < 0.3
    return property_changes(random) | {
        "cleanup": random.random() < 0.7,
        "by_command": random.random() < 0.5,
        "forgets": random.random() < 0.4,
        "rollback": back,
        "purge": back and random.random() < 0.6,
        "afterwards": random.choice((0, 1, 2)),
        "strangers": random.choice((0, 0, 3)),
        "verifies": random.random() < 0.6,
        "words": random.randint(2, 6),
    }


def _every_form(random: Random) -> Mapping[str, Any]:
    """H: references in every form, and texts that cannot be rewritten, while sources are cleaned up."""
    back = random.random() < 0.3
    return {
        "forms": True,
        "items": random.choice((2, 6)),
        "edits": 30,
        "manifests": random.choice((0, 2)),
        "rewrites": True,
        "cleanup": True,
        "by_command": True,
        "strangers": 0,
        "rollback": back,
        "purge": back and random.random() < 0.5,
    }


def _long_waits(random: Random) -> Mapping[str, Any]:
    """R: the circuit breaker pauses for longer than a queue's receives last; nothing else goes wrong."""
    quiet = {"fault_rate": 0.0, "garbage": 0, "buried": 0.0, "lost_events": 0.0, "max_receives": 8}
    return {**quiet, "trips": random.randint(1, 2), "pauses": random.choice((0, 1)), "strangers": 0}


def _enforced(random: Random) -> Mapping[str, Any]:
    """C: the target bucket takes conditions of completed uploads only, so each worker learns to copy in parts."""
    back = random.random() < 0.4
    return {
        "enforces": True,
        "large": random.choice((0.0, 0.3)),
        "fault_rate": random.choice((0.0, 0.1, 0.25)),
        "cleanup": random.random() < 0.6,
        "rollback": back,
        "purge": back and random.random() < 0.7,
        "replaced": random.choice((0, 1)),
    }


def _broken_off(random: Random) -> Mapping[str, Any]:
    """G: a large object is overwritten faster than it is copied in parts, to where no etag can be foretold."""
    return {
        "keys": 1,
        "words": 40,
        "large": 1.0,
        "repeats": 0.1,
        "removes": 0.05,
        "seconds": 1_800.0,
        "fault_rate": random.choice((0.3, 0.4)),
        "kinds": ("error", "lost", "time-out", "throttle", "kill-sent", "kill-after"),
        "other_bucket": True,
        "encrypted": True,
        "strangers": 0,
        "items": 0,
        "manifests": 0,
        "cleanup": False,
        **FORWARD,
    }


def _histories(random: Random) -> Mapping[str, Any]:
    """B: every version is carried, while owners write, delete and remove versions, and rules expire them."""
    back = random.random() < 0.3
    return {
        **HISTORIES,
        "keys": random.choice((1, 2, 4)),
        "words": random.randint(3, 9),
        "removes": random.choice((0.2, 0.5)),
        "erases": random.choice((0.0, 0.0, 0.3)),
        "lifecycle": random.choice(("", "", "noncurrent", "markers", "older")),
        "other_bucket": random.random() < 0.6,
        "strangers": random.choice((0, 0, 3)),
        "stale_rows": random.choice((0, 6)),
        "lost_events": random.choice((0.0, 0.3)),
        "latest_event": random.choice((10.0, 300.0)),
        "fault_rate": random.choice((0.0, 0.05, 0.2)),
        "backfill": random.random() < 0.8,
        "cleanup": random.random() < 0.5,
        "afterwards": random.choice((0, 2)),
        "rollback": back,
        "purge": back and random.random() < 0.6,
        "large": random.choice((0.0, 0.2)),
    }


def _runs_by_functions(random: Random) -> Mapping[str, Any]:
    """F: functions verify, clean up, roll back and purge; they are killed, stopped, and their runs are cancelled."""
    return {
        **engine_changes(random),
        "keys": random.choice((4, 8, 16)),
        "versioned": random.random() < 0.5,
        "forgets": random.random() < 0.3,
        "fault_rate": random.choice((0.0, 0.02, 0.1, 0.2)),
        "strangers": random.choice((0, 0, 3)),
        "pauses": random.choice((0, 0, 1)),
        "redeploys": random.choice((0, 0, 0, 2)),
    }


def _trusted_start(random: Random) -> Mapping[str, Any]:
    """T: an operator starts, one backfill follows, and nothing else repairs what either has missed."""
    return {
        **gated_changes(random),
        **trusting_changes(),
        "keys": random.choice((4, 8, 16)),
        "words": random.randint(2, 6),
        "seconds": random.choice((60.0, 300.0, 600.0)),
        "fault_rate": random.choice((0.0, 0.02, 0.1)),
    }


PROFILES: Mapping[str, Profile] = {
    "N": _cleanup_without_effect,
    "D1": _dual_writers,
    "D2": _equal_bytes,
    "M": _after_cleanup,
    "W": _put_and_deleted,
    "U": _other_rules,
    "V": _erased,
    "P": _roles,
    "S": _suspended,
    "A": _removed_by_rules,
    "X": _expired,
    "K": _properties,
    "H": _every_form,
    "R": _long_waits,
    "G": _broken_off,
    "C": _enforced,
    "B": _histories,
    "L": _gates,
    "F": _runs_by_functions,
    "T": _trusted_start,
}


def changes_of(name: str, seed: int) -> dict[str, Any]:
    """What the profile makes of this seed's plan."""
    return {**ALONE, **PROFILES[name](Random(f"{name}:{seed}"))}
