"""Doctor and start look at what a migration with ``versions: all`` needs of both buckets."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from domain.errors import AccessDeniedError
from domain.lifecycle.inspection import BucketFacts
from handlers.cli.finding import Finding
from handlers.cli.versions_doctor import version_findings
from handlers.config.rules_file import read_rules
from handlers.operations.operator import Shut
from handlers.operations.start import plan_start
from tests.worlds.gates import Place

RULES = read_rules(
    """
version: 1
migration: m
source: {bucket: line-1, prefix: legacy/}
target: {bucket: line-2, prefix: layout/}
versions: all
rules: [{name: move, from: "old/{rest...}", to: "new/{rest...}"}]
"""
)


@dataclass
class Buckets:
    """The two buckets, as doctor asks for them."""

    source: str = "Enabled"
    target: str = "Enabled"
    has_earlier: bool = True
    denied: str = ""

    def bucket(self, name: str) -> BucketFacts:
        """See Inspector."""
        return BucketFacts({"line-1": self.source, "line-2": self.target}[name], (), 0.0)

    def can_read_versions(self, bucket: str, prefix: str) -> bool:
        """See Inspector."""
        assert (bucket, prefix) in {("line-1", "legacy/"), ("line-2", "layout/")}
        if bucket == self.denied:
            raise AccessDeniedError(f"ListObjectVersions on s3://{bucket}: denied")
        return self.has_earlier


def found(buckets: Any, **rules: Any) -> Iterator[Finding]:
    """Doctor's lines."""
    return version_findings(replace(RULES, **rules), buckets)


@pytest.mark.parametrize("status", ["Off", "Suspended"])
def test_a_target_bucket_that_keeps_no_versions_is_an_error(status: str) -> None:
    """It names the bucket and what to run; current versions alone need none."""
    first = next(found(Buckets(target=status)))
    assert first.level == "fail"
    assert f"versioning of target bucket line-2 is {status}" in first.text
    assert "put-bucket-versioning --bucket line-2" in first.text
    assert list(found(Buckets(target=status), carries_versions=False)) == []


@pytest.mark.parametrize(
    ("source", "level", "words"),
    [("Off", "ok", "has never kept versions"), ("Suspended", "warn", "is suspended for versions"), ("Enabled", "", "")],
)
def test_a_source_bucket_without_versions_is_told(source: str, level: str, words: str) -> None:
    """It is no error: there is nothing else to carry."""
    told = [one for one in found(Buckets(source=source)) if one.text.startswith("source bucket")]
    assert [(one.level, words in one.text) for one in told] == ([(level, True)] if words else [])


def test_versions_of_both_buckets_are_tried() -> None:
    """Those of the source are carried, and verify compares them with those of the target."""
    told = [one.text for one in found(Buckets()) if "can be listed" in one.text]
    assert [text.split()[2] for text in told] == ["line-1", "line-2"]
    assert all("an earlier one can be read" in text for text in told)
    assert "no earlier version was found" in list(found(Buckets(has_earlier=False)))[-1].text
    with pytest.raises(AccessDeniedError):
        list(found(Buckets(denied="line-2")))


def test_start_refuses_a_target_bucket_that_keeps_no_versions() -> None:
    """Before it changes anything."""
    world = Place()
    operation = world.operation()
    rules = replace(operation.dependencies.rules, carries_versions=True)
    carrying = replace(operation, dependencies=replace(operation.dependencies, rules=rules))
    refused = plan_start(replace(carrying, target_versioning=lambda: "Suspended"), through="queue")
    assert isinstance(refused, Shut)
    assert "is Suspended: each version would replace the one before it" in refused.why
    assert not isinstance(plan_start(carrying, through="queue"), Shut)
