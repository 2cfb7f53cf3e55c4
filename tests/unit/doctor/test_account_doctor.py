"""Doctor says what copies for another account need, before anything moves."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import AccessDeniedError, KeyshiftError, MissingResourceError, RefusedRequestError
from domain.kms_keys import KeyMap
from domain.lifecycle.inspection import QueueFacts
from domain.rules.compiled import CompiledRules
from handlers.cli.account_doctor import key_findings, ownership_findings
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
OWN = "111111111111"
KEY = f"arn:aws:kms:us-east-1:{OWN}:key/11111111-2222-4333-8444-555555555555"
NEW = "arn:aws:kms:us-east-1:222222222222:key/99999999-2222-4333-8444-555555555555"


class _Account:
    """An Inspector that is asked for keys, ownership and the credentials."""

    def __init__(
        self, *keys: str, ownership: str = "", bucket_account: str = OWN, error: type[KeyshiftError] = AccessDeniedError
    ) -> None:
        self._keys = frozenset(keys)
        self._ownership, self._bucket_account = ownership, bucket_account
        self._error = error

    def kms_keys(self, bucket: str, prefix: str) -> frozenset[str]:
        """See Inspector."""
        assert (bucket, prefix) == ("line-1", "legacy/")
        return self._keys

    def is_of_account(self, bucket: str, account: str) -> bool:
        """See Inspector."""
        assert bucket == "line-2"
        return account == self._bucket_account

    def ownership(self, bucket: str) -> str:
        """See Inspector."""
        if not self._ownership:
            raise self._error(f"GetBucketOwnershipControls on s3://{bucket} is denied")
        return self._ownership

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


OTHER = "222222222222"


@pytest.mark.parametrize(
    ("ownership", "account", "granted", "level", "words"),
    [
        ("BucketOwnerEnforced", OTHER, False, "ok", "the bucket's account owns every copy (BucketOwnerEnforced)"),
        ("BucketOwnerEnforced", OTHER, True, "warn", "changes nothing, remove it"),
        ("BucketOwnerEnforced", OWN, True, "warn", "changes nothing, remove it"),
        ("ObjectWriter", OWN, True, "warn", "changes nothing, remove it"),
        ("ObjectWriter", OWN, False, "ok", "the bucket's account owns every copy (ObjectWriter)"),
        ("ObjectWriter", OTHER, False, "warn", "could not read them: write `acl: bucket-owner-full-control`"),
        ("BucketOwnerPreferred", OTHER, False, "warn", "could not read them: write `acl: bucket-owner-full-control`"),
        ("BucketOwnerPreferred", OTHER, True, "ok", "will own every copy"),
        ("ObjectWriter", OTHER, True, "ok", f"gets full control of every copy of account {OWN}"),
        ("", OTHER, False, "warn", "is denied; or ask its account"),
        ("", OTHER, True, "warn", "is denied; or ask its account"),
    ],
)
def test_whether_the_targets_account_controls_the_copies_is_said(
    ownership: str, account: str, level: str, words: str, *, granted: bool
) -> None:
    """By the bucket's Object Ownership and the rules file's ACL."""
    inspector: Any = _Account(ownership=ownership, bucket_account=account)
    (found,) = ownership_findings(replace(RULES, grants_full_control=granted), inspector)
    assert (found.level, words in found.text) == (level, True)


def test_a_server_that_does_not_know_object_ownership_is_no_failure() -> None:
    """Other servers than AWS leave it out."""
    inspector: Any = _Account(error=RefusedRequestError)
    (found,) = ownership_findings(RULES, inspector)
    assert found.level == "warn"


class _Roles:
    """A StackInspector whose roles may do nothing; it notes what was simulated."""

    def __init__(self) -> None:
        self.resources = {f"{name}Role": name for name in ("ObjectEvents", "Backfill", "BatchOperations")}
        self.resources |= {"ManifestTable": "manifest", "EventsQueue": "queue"}
        self.simulated: dict[str, set[tuple[str, ...]]] = {}

    def account(self) -> str:
        """See StackInspector."""
        return OWN

    def region(self) -> str:
        """See StackInspector."""
        return "us-east-1"

    def denied(self, _: str, actions: Sequence[str], resource: str, *, account: str) -> Sequence[str]:
        """See StackInspector."""
        assert account == (OTHER if resource == NEW else OWN)
        self.simulated.setdefault(resource, set()).add(tuple(actions))
        return actions

    def __getattr__(self, name: str) -> Any:
        raise MissingResourceError(name)


def test_the_roles_are_asked_for_what_the_rules_file_names() -> None:
    """Both keys of a pair, and the ACL; a key without its ARN cannot be simulated."""
    stack: Any = _Roles()
    pairs = {KEY: NEW, "66666666-2222-4333-8444-555555555555": NEW}
    rules = replace(RULES, kms_keys=KeyMap(pairs), grants_full_control=True)
    found = [one.text for one in examine_stack(rules, stack, queue=lambda _: QueueFacts(0, 0, "", 0))]
    assert stack.simulated[KEY] == {("kms:Decrypt",)}
    assert stack.simulated[NEW] == {("kms:GenerateDataKey", "kms:Decrypt")}
    assert (
        f"BackfillRole may not kms:GenerateDataKey on {NEW}: deploy with --param kmsKeyArn=ARN,ARN, all keys in it"
        in found
    )
    assert any("BackfillRole may not s3:PutObjectAcl" in one for one in found)
