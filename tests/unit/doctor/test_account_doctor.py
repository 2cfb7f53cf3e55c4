"""Doctor says what copies for another account need, before anything moves."""

from dataclasses import replace
from typing import Any

import pytest

from domain.kms_keys import KeyMap
from domain.rules.compiled import CompiledRules
from handlers.cli.account_doctor import key_findings
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
OWN = "111111111111"
KEY = f"arn:aws:kms:us-east-1:{OWN}:key/11111111-2222-4333-8444-555555555555"
NEW = "arn:aws:kms:us-east-1:222222222222:key/99999999-2222-4333-8444-555555555555"


class _Account:
    """An Inspector that is asked for keys, ownership and the credentials."""

    def __init__(self, *keys: str) -> None:
        self._keys = frozenset(keys)

    def kms_keys(self, bucket: str, prefix: str) -> frozenset[str]:
        """See Inspector."""
        assert (bucket, prefix) == ("line-1", "legacy/")
        return self._keys

    def identity(self) -> str:
        """See Inspector."""
        return f"arn:aws:sts::{OWN}:assumed-role/operator/session"


def of_target(**changes: Any) -> CompiledRules:
    """The rules with another target."""
    return replace(RULES, target=replace(RULES.target, **changes))


@pytest.mark.parametrize(
    ("rules", "level", "words"),
    [
        (RULES, "ok", "so will their copies be"),
        (of_target(expected_owner="222222222222"), "warn", "readers in the target's account 222222222222"),
        (of_target(region="eu-west-1"), "fail", "S3 refuses it in the target's region"),
        (of_target(region="us-east-1"), "ok", "so will their copies be"),
    ],
)
def test_a_key_that_the_copies_cannot_or_should_not_have_is_named(rules: CompiledRules, level: str, words: str) -> None:
    """With the line for the rules file."""
    account: Any = _Account(KEY)
    (found,) = key_findings(rules, account)
    assert (found.level, words in found.text) == (level, True)
    assert (f'encryption: {{map: {{"{KEY}": "ARN OF A KEY"}}}}' in found.text) is (level != "ok")


def test_a_mapped_key_is_shown_and_not_warned_of() -> None:
    """The decision is made."""
    account: Any = _Account(KEY)
    mapped = replace(of_target(expected_owner="222222222222"), kms_keys=KeyMap({KEY: NEW}))
    (found,) = key_findings(mapped, account)
    assert (found.level, found.text) == ("ok", f"copies of objects under {KEY} get {NEW}")


def test_sources_without_keys_are_no_finding() -> None:
    """Most buckets."""
    account: Any = _Account()
    assert list(key_findings(RULES, account)) == []
