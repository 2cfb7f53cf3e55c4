"""Doctor warns of what a bucket's versions and lifecycle rules would do, before it can bite."""

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import MissingResourceError
from domain.lifecycle.inspection import BucketRules, QueueFacts
from domain.lifecycle.stages import Stage, StageEntry
from handlers.cli.bucket_doctor import annotation_findings, lifecycle_findings, lock_findings, versioning_findings
from handlers.cli.doctor import rules_findings
from handlers.cli.stack_doctor import examine_stack
from handlers.config.rules_file import read_rules

RULES = read_rules(
    """
version: 1
migration: m
source: {bucket: line-1, prefix: legacy/}
target: {bucket: line-2, prefix: layout/}
rules: [{name: move, from: "old/{rest...}", to: "new/{rest...}"}]
"""
)
REFUTED = read_rules(
    """
version: 1
migration: m
source: {bucket: line-1}
target: {bucket: line-1}
rules: [{name: move, from: "{rest...}", to: "x/{rest...}"}]
"""
)


@pytest.mark.parametrize(("versioning", "words"), [("Off", "keeps no versions"), ("Suspended", "is suspended")])
def test_a_source_that_keeps_no_new_versions_is_warned_of(versioning: str, words: str) -> None:
    """Suspended is as bad as Off, and worse where older versions lie below."""
    (found,) = versioning_findings("source bucket", "line-1", versioning)
    assert (found.level, words in found.text) == ("warn", True)


def test_versions_are_no_finding() -> None:
    """Enabled is what cleanup and rollback want."""
    assert list(versioning_findings("source bucket", "line-1", "Enabled")) == []


@pytest.mark.parametrize(
    ("source", "target", "levels"), [(True, False, ["warn"]), (True, True, []), (False, False, []), (False, True, [])]
)
def test_a_target_that_cannot_hold_the_locks_of_its_sources_is_warned_of(
    levels: list[str], *, source: bool, target: bool
) -> None:
    """S3 refuses a copy with a lock to a bucket without Object Lock."""
    facts = (BucketRules("", "AES256", requester_pays=False, has_object_lock=one) for one in (source, target))
    assert [found.level for found in lock_findings(*facts)] == levels


@pytest.mark.parametrize("part", ["source bucket", "target bucket"])
@pytest.mark.parametrize(
    ("action", "given"),
    [
        ("Expiration", {"Expiration": {"Days": 30}}),
        ("Expiration", {"Expiration": {"Date": "2027-01-01"}}),
        ("ExpiredObjectDeleteMarker", {"Expiration": {"ExpiredObjectDeleteMarker": True}}),
        ("NoncurrentVersionExpiration", {"NoncurrentVersionExpiration": {"NoncurrentDays": 3}}),
        ("Transitions", {"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}),
        ("NoncurrentVersionTransitions", {"NoncurrentVersionTransitions": [{"NoncurrentDays": 1}]}),
    ],
)
def test_each_action_of_a_lifecycle_rule_is_one_line(part: str, action: str, given: dict[str, Any]) -> None:
    """It names the rule and the action; what costs keyshift nothing does not warn."""
    (found,) = lifecycle_findings(part, RULES, [{"ID": "r\x1b[2J", **given}])
    mild = part == "target bucket" and action in ("ExpiredObjectDeleteMarker", "NoncurrentVersionTransitions")
    assert found.level == ("ok" if mild else "warn")
    assert f"({action})" in found.text
    assert mild or "suspend it until the migration is done" in found.text
    assert found.text.isprintable(), "a rule's name is another program's text"


def test_a_rule_that_deletes_carried_versions_is_warned_of() -> None:
    """At the target where every version is carried: their dates begin anew."""
    rule = {"ID": "r", "NoncurrentVersionExpiration": {"NewerNoncurrentVersions": 3, "NoncurrentDays": 1}}
    (found,) = lifecycle_findings("target bucket", replace(RULES, carries_versions=True), [rule])
    assert found.level == "warn"
    assert "deletes the carried history" in found.text
    (found,) = lifecycle_findings("target bucket", RULES, [rule])
    assert "carried history" not in found.text


@pytest.mark.parametrize(
    ("prefix", "counts"),
    [("", True), ("legacy/", True), ("legacy/old/deep/", True), ("legacy/other/", False), ("layout/", False)],
)
@pytest.mark.parametrize("form", ["old", "filter", "and"])
def test_a_rule_counts_where_it_touches_keys_that_move(prefix: str, counts: bool, form: str) -> None:
    """Its prefix is written in three ways; tags and sizes may leave out some keys, but do not say which."""
    within: dict[str, Any] = {"Prefix": prefix} if form != "and" else {"And": {"Prefix": prefix, "Tags": []}}
    about = within if form == "old" else {"Filter": within}
    found = list(lifecycle_findings("source bucket", RULES, [{"ID": "r", "Expiration": {"Days": 1}, **about}]))
    assert bool(found) is counts


def test_uploads_that_are_aborted_soon_are_warned_of() -> None:
    """A multipart copy of the largest objects takes days."""
    soon, late = ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days}} for days in (1, 7))
    assert len(list(lifecycle_findings("target bucket", RULES, [soon]))) == 1
    assert list(lifecycle_findings("target bucket", RULES, [late])) == []


def test_rules_that_start_would_refuse_fail() -> None:
    """Before anything moves, and at any stage."""
    for entry in (StageEntry(), StageEntry(Stage.LIVE, rules_digest=REFUTED.digest)):
        assert [one.level for one in rules_findings(REFUTED, entry)] == ["fail"]


def test_rules_that_were_not_proven_by_start_fail() -> None:
    """Another file than the stage names; an earlier version's stage names none, which is a warning."""
    assert [one.level for one in rules_findings(RULES, StageEntry())] == ["ok"]
    assert [one.level for one in rules_findings(RULES, StageEntry(Stage.LIVE, rules_digest=RULES.digest))] == ["ok"]
    assert [one.level for one in rules_findings(RULES, StageEntry(Stage.LIVE, rules_digest="e"))] == ["ok", "fail"]
    assert [one.level for one in rules_findings(RULES, StageEntry(Stage.LIVE))] == ["ok", "warn"]


class _Sources:
    """Looks at annotations; an Inspector that is asked for nothing else."""

    def __init__(self, *, is_there: bool) -> None:
        self._is_there = is_there
        self.asked: list[tuple[str, str]] = []

    def can_read_annotations(self, bucket: str, prefix: str) -> bool:
        """See Inspector."""
        self.asked.append((bucket, prefix))
        return self._is_there


@pytest.mark.parametrize(("is_there", "words"), [(True, "can be read"), (False, "no object yet")])
def test_annotations_are_tried_on_a_source(words: str, *, is_there: bool) -> None:
    """Without the permission every copy would be made, and no source could be cleaned up."""
    sources: Any = _Sources(is_there=is_there)
    (found,) = annotation_findings(RULES, sources)
    assert (found.level, words in found.text, sources.asked) == ("ok", True, [("line-1", "legacy/")])


def test_promised_annotations_are_not_tried() -> None:
    """The finding says what the promise means."""
    sources: Any = _Sources(is_there=True)
    (found,) = annotation_findings(replace(RULES, promised_unannotated=True), sources)
    assert ("neither copied nor looked for" in found.text, sources.asked) == (True, [])


class _Stack:
    """A stack whose buckets can be looked at, and nothing else."""

    name = "keyshift"

    def bucket(self, _: str) -> BucketRules:
        """See StackInspector."""
        return BucketRules("", "AES256", requester_pays=True)

    def __getattr__(self, name: str) -> Any:
        raise MissingResourceError(name)


@pytest.mark.parametrize("accepted", [False, True])
def test_a_requester_pays_bucket_needs_its_line(*, accepted: bool) -> None:
    """The finding names the line and its side; without the line S3 denies every request of another account."""
    rules = replace(RULES, source=replace(RULES.source, requester_pays=accepted))
    stack: Any = _Stack()
    found = [one for one in examine_stack(rules, stack, queue=lambda _: QueueFacts(0, 0, "", 0)) if one.level == "fail"]
    told = {one.part: one.text for one in found if one.part.endswith("bucket")}
    assert ("source bucket" in told) is not accepted
    assert "write `requester_pays: true` under `target` in the rules file" in told["target bucket"]
