"""A run of ``doctor --conformance`` names what differs, hides nothing behind a failure, and leaves nothing behind."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.conformance import copies, event_bench, tables, uploads, versions, writes
from adapters.conformance.bench import Bench, Options
from adapters.conformance.run import ConformanceRun, trials_of
from adapters.conformance.trial import Holds, Trial
from domain.errors import UnavailableError
from domain.lifecycle.conformance import Fact, Observed, Outcome, faults_of
from tests.docs.conformance_page import clients_of
from tests.servers import Server, new_name

WAIT_SECONDS = 10.0
OF_S3 = (*writes.TRIALS, *copies.TRIALS, *uploads.TRIALS, *versions.TRIALS)


@pytest.fixture
def prefix() -> str:
    """No other test's resources begin so."""
    return new_name("c")


@pytest.fixture
def clients(standin: Server) -> AwsClients:
    """The run's clients."""
    return clients_of(standin)


def named(clients: AwsClients, prefix: str) -> list[str]:
    """Every resource of the server whose name begins so."""
    found = [one["Name"] for one in clients.s3.list_buckets().get("Buckets", [])]
    found += [url.rpartition("/")[2] for url in clients.sqs.list_queues().get("QueueUrls", [])]
    found += clients.dynamodb.list_tables()["TableNames"]
    found += [one["Name"] for one in clients.events.list_event_buses()["EventBuses"]]
    found += [one["Name"] for one in clients.events.list_rules()["Rules"]]
    return [name for name in found if name.startswith(prefix)]


def trials_named(*texts: str) -> list[Trial]:
    """Those whose names contain one of these."""
    return [one for one in trials_of(Options("x")) if any(text in one.fact.name for text in texts)]


def observed(clients: AwsClients, prefix: str, *trials: Trial) -> list[Observed]:
    """What a run over these trials saw."""
    with ConformanceRun(clients, Options(prefix, WAIT_SECONDS), trials=trials) as run:
        return list(run.observe())


class Planted:
    """A client whose one call is spoiled."""

    def __init__(self, client: Any, call: str, spoil: Any) -> None:
        self._client, self._call, self._spoil = client, call, spoil

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        return (lambda **request: self._spoil(real, request)) if name == self._call else real


def refused(code: str, status: int, operation: str) -> ClientError:
    """An answer of a service."""
    answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


@pytest.mark.parametrize(
    ("call", "parameter", "text"),
    [
        ("put_object", "IfNoneMatch", "PutObject, If-None-Match, the key is taken"),
        ("copy_object", "CopySourceIfMatch", "CopyObject, If-Match on the source"),
        ("copy_object", "IfNoneMatch", "CopyObject, If-None-Match, the key is taken"),
        ("complete_multipart_upload", "IfMatch", "CompleteMultipartUpload, If-Match, another etag"),
        ("delete_object", "IfMatch", "DeleteObject, If-Match, another etag, with versions"),
    ],
)
def test_a_server_that_ignores_a_condition_is_reported(
    clients: AwsClients, prefix: str, call: str, parameter: str, text: str
) -> None:
    """As different and needed, so the command fails; the real server beside it is as expected."""
    (trial,) = trials_named(text)
    assert [one.outcome for one in observed(clients, prefix, trial)] == [Outcome.AS_EXPECTED]

    def without(real: Any, request: dict[str, Any]) -> Any:
        return real(**{name: value for name, value in request.items() if name != parameter})

    clients.__dict__["s3_once"] = Planted(clients.s3_once, call, without)
    (seen,) = observed(clients, prefix, trial)
    assert (seen.outcome, seen.seen[:2]) == (Outcome.DIFFERENT, "20")
    assert faults_of([seen]) == [seen]
    assert named(clients, prefix) == []


def test_a_race_that_two_win_is_reported(clients: AwsClients, prefix: str) -> None:
    """Each sees that the key is absent."""
    trials = trials_named("CopyObject with If-None-Match at the same time")

    def without(real: Any, request: dict[str, Any]) -> Any:
        return real(**{name: value for name, value in request.items() if name != "IfNoneMatch"})

    clients.__dict__["s3_once"] = Planted(clients.s3_once, "copy_object", without)
    (seen,) = observed(clients, prefix, *trials)
    assert (seen.outcome, seen.seen) == (Outcome.DIFFERENT, "16 x 200")


def test_a_missing_permission_is_named_and_hides_nothing_else(clients: AwsClients, prefix: str) -> None:
    """The table cannot be made: its facts say which permission; what follows is tried."""

    def deny(_real: Any, _request: dict[str, Any]) -> Any:
        raise refused("AccessDeniedException", 400, "CreateTable")

    clients.__dict__["dynamodb"] = Planted(clients.dynamodb, "create_table", deny)
    trials = [*trials_named("PutItem"), *trials_named("PutObject, If-None-Match, the key is absent")]
    table, put = observed(clients, prefix, *trials)
    assert table.outcome is Outcome.COULD_NOT_RUN
    assert "CreateTable" in table.seen
    assert put.outcome is Outcome.AS_EXPECTED
    assert faults_of([table, put]) == [table]


@pytest.mark.parametrize(("code", "status"), [("NotImplemented", 501), ("UnknownOperationException", 400)])
def test_a_service_that_is_not_there_is_no_fault(clients: AwsClients, prefix: str, code: str, status: int) -> None:
    """A server of S3 alone is good for S3."""

    def unknown(_real: Any, _request: dict[str, Any]) -> Any:
        raise refused(code, status, "CreateTable")

    clients.__dict__["dynamodb"] = Planted(clients.dynamodb, "create_table", unknown)
    (seen,) = observed(clients, prefix, *trials_named("UpdateItem"))
    assert (seen.outcome, faults_of([seen])) == (Outcome.NOT_OFFERED, [])


def everything_of(bench: Bench) -> None:
    """One of each resource."""
    for bucket in (bench.plain, bench.versioned, bench.suspended, bench.told):
        bench.put(bucket)
    uploads.begun(bench, bench.plain, "left")
    event_bench.directly(bench)
    tables.TRIALS[0].observe(bench)


@pytest.mark.parametrize("error", [RuntimeError("a mistake"), KeyboardInterrupt(), UnavailableError("gone")])
def test_nothing_is_left_after_a_trial_that_breaks_off(clients: AwsClients, prefix: str, error: BaseException) -> None:
    """Buckets with versions, markers and an upload, queues, table: all go; the error is told."""

    def break_off(bench: Bench) -> str:
        everything_of(bench)
        assert len(named(clients, prefix)) >= 6
        raise error

    trial = Trial(Fact("2.1", "breaks off", ""), break_off)
    if isinstance(error, UnavailableError):
        assert [one.outcome for one in observed(clients, prefix, trial)] == [Outcome.COULD_NOT_RUN]
    else:
        with pytest.raises(type(error)):
            observed(clients, prefix, trial)
    assert named(clients, prefix) == []


def test_nothing_is_left_where_an_answer_to_a_creation_was_lost(clients: AwsClients, prefix: str) -> None:
    """The bucket exists, although the run never heard of it."""

    def lose(real: Any, request: dict[str, Any]) -> Any:
        real(**request)
        raise refused("InternalError", 500, "CreateBucket")

    clients.__dict__["s3"] = Planted(clients.s3, "create_bucket", lose)
    observed(clients, prefix, *trials_named("If-None-Match, under a delete marker"))
    assert named(clients, prefix) == []


def test_what_cannot_be_removed_is_named_with_its_remedy(clients: AwsClients, prefix: str) -> None:
    """The rest is removed all the same."""
    real_s3 = clients.s3

    def deny(_real: Any, _request: dict[str, Any]) -> Any:
        raise refused("AccessDenied", 403, "DeleteBucket")

    clients.__dict__["s3"] = Planted(clients.s3, "delete_bucket", deny)
    trials = [*trials_named("PutItem"), *trials_named("PutObject, If-None-Match, the key is absent")]
    with ConformanceRun(clients, Options(prefix, WAIT_SECONDS), trials=trials) as run:
        list(run.observe())
    (left,) = run.left
    (bucket,) = named(clients, prefix)
    assert f"aws s3 rb s3://{bucket}" in left
    real_s3.delete_bucket(Bucket=bucket)


def test_a_server_without_an_answer_is_one_error_and_not_eighty(prefix: str) -> None:
    """And there is nothing to remove: the request was not sent."""
    clients = AwsClients(
        endpoint_url="http://127.0.0.1:9", region="us-east-1", access_key_id="x", secret_access_key="x"
    )
    with pytest.raises(UnavailableError), ConformanceRun(clients, Options(prefix)) as run:
        list(run.observe())
    assert run.left == []


def test_events_that_never_come_end_the_wait(clients: AwsClients, prefix: str) -> None:
    """Once for all facts about them: a server may have no notifications."""

    def nothing(_real: Any, _request: dict[str, Any]) -> dict[str, Any]:
        return {}

    clients.__dict__["sqs"] = Planted(clients.sqs, "receive_message", nothing)
    trials = trials_named("Key in a direct event", "Event of changed tags")
    with ConformanceRun(clients, Options(prefix, 0.1), trials=trials) as run:
        seen = list(run.observe())
    assert [one.outcome for one in seen] == [Outcome.NOT_OFFERED] * 2
    assert "no event arrived within" in seen[0].seen


def test_seaweedfs_has_what_keyshift_needs_of_s3(seaweedfs: Server, prefix: str) -> None:
    """A server that we did not write: differences, but none that is needed."""
    seen = observed(clients_of(seaweedfs), prefix, *OF_S3)
    assert faults_of(seen) == []
    assert "HeadObject of a delete marker by its version id" in {
        one.fact.name for one in seen if one.outcome is Outcome.DIFFERENT
    }


def test_moto_is_not_fit(moto_endpoint: Server, prefix: str) -> None:
    """It copies over what is there (emulators.md), and three facts about conditions of copies say so."""
    trials = trials_named("CopyObject, If")
    seen = faults_of(observed(clients_of(moto_endpoint), prefix, *trials))
    assert [one.fact.name for one in seen if one.seen == "200"] == [
        "CopyObject, If-Match on the source, another etag",
        "CopyObject, If-None-Match, the key is taken",
        "CopyObject, If-Match on the target, another etag",
    ]


def test_an_answer_that_is_measured_holds_with_what_was_seen(clients: AwsClients, prefix: str) -> None:
    """A text holds only if it is the expected one; an answer that lacks a field is different."""

    def lacking(_: Bench) -> str:
        raise KeyError("VersionId")

    fact = Fact("1.3", "delay", "seconds")
    seen = observed(
        clients,
        prefix,
        Trial(fact, lambda _: Holds("0.3 s")),
        Trial(fact, lambda _: "0.3 s"),
        Trial(fact, lacking),
        Trial(fact, None, "too slow"),
    )
    assert [(one.outcome, one.seen) for one in seen] == [
        (Outcome.AS_EXPECTED, "0.3 s"),
        (Outcome.DIFFERENT, "0.3 s"),
        (Outcome.DIFFERENT, "an answer lacks VersionId"),
        (Outcome.NOT_TRIED, "too slow"),
    ]
