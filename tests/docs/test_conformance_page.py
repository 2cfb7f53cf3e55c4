"""The page of conformance holds what the stand-in answers, and the permissions that the run uses."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from adapters.aws.clients import AwsClients
from adapters.conformance.bench import Options
from adapters.conformance.run import ConformanceRun, trials_of
from adapters.standin import StandIn, running_standin
from domain.lifecycle.conformance import Observed, Outcome, faults_of
from tests.docs.conformance_page import HEAD, KEY, MARK, PAGE, WAIT_SECONDS, cell_of, clients_of
from tests.servers import standin_server

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "CopyObject": (
        "s3:PutObject",
        "s3:GetObject",
        "s3:GetObjectTagging",
        "s3:PutObjectTagging",
        "s3:GetObjectAnnotation",
        "s3:PutObjectAnnotation",
    ),
    "PutObject": ("s3:PutObject", "s3:PutObjectTagging"),
    "HeadObject": ("s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"),
    "UploadPartCopy": ("s3:PutObject", "s3:GetObject"),
    "DeleteObject": ("s3:DeleteObject", "s3:DeleteObjectVersion"),
    "DeleteObjects": ("s3:DeleteObject",),
    "ListObjectsV2": ("s3:ListBucket",),
    "ListObjectVersions": ("s3:ListBucketVersions",),
    "ListParts": ("s3:ListMultipartUploadParts",),
    "ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
    "PutBucketNotificationConfiguration": ("s3:PutBucketNotification",),
    "GetBucketNotificationConfiguration": ("s3:GetBucketNotification",),
    "BatchExecuteStatement": ("dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"),
    "TransactWriteItems": ("dynamodb:PutItem",),
    **dict.fromkeys(("CreateMultipartUpload", "CompleteMultipartUpload"), ("s3:PutObject",)),
}
"""The permissions of a call whose name is another one."""


@pytest.fixture(scope="module")
def clients(standin_process: StandIn) -> AwsClients:
    """The run's clients."""
    return clients_of(standin_server(standin_process))


@pytest.fixture(scope="module")
def run(clients: AwsClients) -> tuple[list[Observed], set[str]]:
    """What the stand-in answers, and the actions that the run needs there."""
    needed: set[str] = set()

    def note(model: Any, **_unused: Any) -> None:
        service = {"eventbridge": "events"}.get(name := model.service_model.service_name, name)
        needed.update(ACTIONS.get(model.name, (f"{service}:{model.name}",)))

    for client in (clients.s3, clients.s3_once, clients.dynamodb, clients.sqs, clients.events):
        client.meta.events.register("before-call", note)
    with ConformanceRun(clients, Options("conformance-page", WAIT_SECONDS, KEY)) as running:
        return list(running.observe()), needed


def rows() -> Iterator[dict[str, str]]:
    """The table of the page."""
    for line in PAGE.read_text(encoding="utf-8").partition(MARK)[2].splitlines()[2:]:
        yield dict(zip(HEAD, [cell.strip() for cell in line.strip().strip("|").split("|")], strict=True))


def policy_of_page() -> Any:
    """The permissions that it tells an operator to give."""
    return json.loads(PAGE.read_text(encoding="utf-8").partition("```json\n")[2].partition("```")[0])


@pytest.mark.slow("tries each fact on a stand-in of its own")
def test_the_page_holds_what_the_stand_in_answers(run: tuple[list[Observed], set[str]]) -> None:
    """Fact by fact; what is measured is left out. After a change: ``make conformance``."""
    observed, _ = run
    assert {row["Fact"]: row["Stand-in"] for row in rows()} == {one.fact.name: cell_of(one) for one in observed}
    assert faults_of(observed) == []


def test_the_page_has_every_fact_with_its_section_and_none_of_aws() -> None:
    """No account was asked: the column of AWS says so in each row."""
    facts = [trial.fact for trial in trials_of(Options("page", kms_key=KEY))]
    found = [(row["Section"], row["Fact"], row["Needed"], row["Expected"]) for row in rows()]
    assert found == [(f"§{one.section}", one.name, "yes" if one.is_vital else "", one.expected) for one in facts]
    assert {row["AWS"] for row in rows()} == {"not yet run"}
    assert len({one.name for one in facts}) == len(facts)


def test_each_section_that_a_fact_names_is_in_the_facts() -> None:
    """``aws-facts.md`` states it there."""
    page = (PAGE.parent / "design" / "aws-facts.md").read_text(encoding="utf-8")
    headings = {line.split()[1].rstrip(".") for line in page.splitlines() if line.startswith(("## ", "### "))}
    assert {trial.fact.section for trial in trials_of(Options("page"))} <= headings


@pytest.mark.slow("tries each fact on a stand-in of its own")
def test_the_policy_of_the_page_is_what_the_run_uses(run: tuple[list[Observed], set[str]]) -> None:
    """Neither more nor less, and on resources whose names begin as the run's."""
    statements = policy_of_page()["Statement"]
    granted = {action for one in statements for action in one["Action"]}
    assert granted == run[1]
    assert all("keyshift-conformance-*" in json.dumps(one["Resource"]) for one in statements)


def observed_by(policy: str, standin: StandIn) -> list[Observed]:
    """What a user with this policy sees of a server that checks permissions."""
    root = replace(standin_server(standin), access_key="test", secret_key="test")
    iam = root.client("iam")
    iam.create_user(UserName="engineer")
    iam.put_user_policy(UserName="engineer", PolicyName="conformance", PolicyDocument=policy)
    key = iam.create_access_key(UserName="engineer")["AccessKey"]
    server = replace(root, access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    with ConformanceRun(clients_of(server), Options("keyshift-conformance", WAIT_SECONDS)) as running:
        observed = list(running.observe())
    assert running.left == []
    return observed


@pytest.mark.slow("starts a stand-in that checks permissions")
@pytest.mark.parametrize("missing", ["", "s3:PutBucketVersioning"])
def test_the_policy_of_the_page_is_enough(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Each fact can be tried with it. Without one of its actions the facts that need it name it; nothing is left."""
    monkeypatch.setenv("AUTH", "true")
    policy = policy_of_page()
    for statement in policy["Statement"]:
        statement["Action"] = [action for action in statement["Action"] if action != missing]
    with running_standin() as standin:
        observed = observed_by(json.dumps(policy), standin)
    told = {one.seen for one in observed if one.outcome is Outcome.COULD_NOT_RUN}
    assert all(f"give the role {missing}" in one for one in told) if missing else told == set()
    assert bool(faults_of(observed)) is bool(missing)
    by_name = {one.fact.name: one for one in observed}
    denied = by_name["CopyObject of an object without annotations, where they are denied"]
    assert denied.outcome is Outcome.AS_EXPECTED  # here bucket policies count
