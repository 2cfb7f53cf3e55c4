"""The command line's two roles: each allows what its commands really call, and the lesser one destroys nothing."""

import json

import pytest

from handlers.cli.app import COMMANDS
from tests.deployment.operated import ACTING, OPERATOR, SOURCE
from tests.deployment.operating import MOVED
from tests.deployment.operator_needs import WITHOUT_ROLE, OperatorsNeeds
from tests.deployment.permissions import BY_SERVICES
from tests.deployment.policies import Grant

MOST_CHARACTERS = 10_240
"""All inline policies of a role together (IAM and STS quotas)."""
LONGER_NAMES = 1_500
"""What the longest names of buckets, region and stage would add to those of this stack."""


@pytest.mark.parametrize("role", [OPERATOR, ACTING])
def test_every_call_is_allowed(operators: OperatorsNeeds, role: str) -> None:
    """By an action and a resource of the role; the stand-in allowed them all, too."""
    assert operators.roles[role].lacking == ()


@pytest.mark.parametrize("role", [OPERATOR, ACTING])
def test_nothing_is_allowed_that_no_command_needs(operators: OperatorsNeeds, role: str) -> None:
    """Every action of every statement was called, or asked for by the service, or by AWS's own command line."""
    needs = operators.roles[role]
    assert {(one.sid, one.action) for one in needs.grants} - set(needs.needed) - BY_SERVICES.keys() == set()


def test_every_command_has_a_role(operators: OperatorsNeeds) -> None:
    """A new command is run under one, or says why it needs none."""
    run = {command.split()[0] for needs in operators.roles.values() for command in needs.commands}
    assert run == set(COMMANDS) - WITHOUT_ROLE


def test_the_operator_deletes_and_writes_only_probes(operators: OperatorsNeeds) -> None:
    """And dead letters; no owner's object, no item, no queue, no rule."""
    changing = [one for one in operators.roles[OPERATOR].grants if _changes_objects(one) or ":Delete" in one.action]
    assert {one.sid for one in changing} == {"SourceProbes", "TargetProbes", "DeadLetters"}
    for one in changing:
        ends = "-dead" if one.sid == "DeadLetters" else "probe-*"
        assert all(resource.endswith(ends) for resource in one.resources), one


def _changes_objects(grant: Grant) -> bool:
    return grant.action.startswith(("s3:Put", "s3:Abort")) and grant.action != "s3:PutBucketNotification"


def test_the_operator_who_tries_it_all_the_same_is_refused(operators: OperatorsNeeds) -> None:
    """Cleanup, rewriting and aborting end with the permission's name, and nothing was done."""
    refused = operators.refused
    assert "give the role s3:DeleteObject" in refused.cleanup
    assert "give the role dynamodb:PutItem" in refused.rewrite
    assert "give the role s3:PutObject" in refused.rewrite_manifest
    assert "give the role s3:AbortMultipartUpload" in refused.abort
    assert refused.sources == {f"legacy/old/{key}" for key in (*MOVED, "late", "young")}
    assert refused.uri == f"s3://{SOURCE}/legacy/old/b"


@pytest.mark.parametrize("role", [OPERATOR, ACTING])
def test_policies_stay_within_iams_limit(operators: OperatorsNeeds, role: str) -> None:
    """A deployment would fail over it."""
    written = "".join(json.dumps(one, separators=(",", ":")) for one in operators.roles[role].policies.values())
    assert len(written) < MOST_CHARACTERS - LONGER_NAMES
