"""Where one object goes: the bucket first, then probes, then what the rules say of its key."""

import pytest

from domain.keys import Location
from domain.rules.compiled import CompiledRules, MappedKey
from domain.rules.routing import (
    InOtherBucket,
    InTargetBucket,
    Kept,
    Moved,
    Probe,
    Rejected,
    Route,
    Unmapped,
    route_of,
)
from handlers.config.rules_file import read_rules

PROBE = ".keyshift/probe-" + "0" * 32
TWO_BUCKETS = """
version: 1
migration: routes
source: {bucket: line-1}
target: {bucket: line-2}
rules:
  - {name: move, from: "old/{rest...}", to: "new/{rest...}"}
  - {name: all, from: "{rest...}.jpg", to: "images/{rest...}.jpg"}
keep: ["kept/{rest...}"]
unmapped: fail
"""
ONE_BUCKET = TWO_BUCKETS.replace("line-2", "line-1")


@pytest.mark.parametrize(
    ("bucket", "key", "route"),
    [
        ("line-1", "old/a", Moved("move", Location("line-2", "new/a"))),
        ("line-1", "kept/a", Kept("keep 'kept/{rest...}'")),
        ("line-1", "a", Unmapped("no rule matches it", is_refused=True)),
        ("line-1", "new/a", Unmapped("no rule matches it", is_refused=True)),
        ("line-1", PROBE, Probe()),
        ("line-1", "old/" + PROBE, Probe()),
        ("line-1", "x" * 1025, Rejected("", "it is not a valid S3 key: it has 1025 bytes of UTF-8, S3 allows 1024")),
        ("line-2", "old/a", InTargetBucket()),
        ("line-2", PROBE, InTargetBucket()),
        ("line-3", "old/a", InOtherBucket()),
        ("line-3", PROBE, InOtherBucket()),
    ],
)
def test_each_object_has_one_route(bucket: str, key: str, route: Route) -> None:
    """A probe in a bucket that nothing moves is not the migration's probe."""
    assert route_of(read_rules(TWO_BUCKETS), Location(bucket, key)) == route


def test_in_one_bucket_the_key_of_a_copy_is_unmapped_and_not_refused() -> None:
    """Its event comes with every copy."""
    rules = read_rules(ONE_BUCKET)
    assert route_of(rules, Location("line-1", "new/a")) == Unmapped("no rule matches it", is_refused=False)
    assert route_of(rules, Location("line-1", "elsewhere")) == Unmapped("no rule matches it", is_refused=True)


def test_a_target_that_is_moved_again_is_rejected_unless_a_backfill_asks() -> None:
    """A backfill enqueues it either way, and the worker parks it."""
    rules, source = read_rules(ONE_BUCKET), Location("line-1", "a.jpg")
    route = route_of(rules, source)
    assert isinstance(route, Rejected)
    assert (route.rule, "a loop" in route.reason) == ("all", True)
    assert route_of(rules, source, is_loop_rejected=False) == Moved("all", Location("line-1", "images/a.jpg"))


def test_the_key_of_an_object_is_mapped_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second mapping, in one bucket, is of the target's key."""
    mapped: list[str] = []
    map_key = CompiledRules.map_key

    def counted(rules: CompiledRules, key: str) -> MappedKey:
        mapped.append(key)
        return map_key(rules, key)

    monkeypatch.setattr(CompiledRules, "map_key", counted)
    route_of(read_rules(TWO_BUCKETS), Location("line-1", "old/a"))
    assert mapped == ["old/a"]
    route_of(read_rules(ONE_BUCKET), Location("line-1", "old/a"))
    assert mapped == ["old/a", "old/a", "new/a"]
