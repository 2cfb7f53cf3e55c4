"""The lane sends each request once, on connections that are whole, and hands whatever goes wrong to boto3."""

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from adapters.aws.clients import AwsClients, sending_before
from adapters.aws.lane.client import LeanClient
from adapters.aws.repeated_answers import AnswerNumbers
from domain.errors import LeaseExpiredError
from handlers.bootstrap.process import Process
from handlers.config.settings import read_settings
from tests.wire import Seen, Wire, http, serving
from tests.worlds.lanes import COPY, XML, clients_at, plain_answer, ways

COPIED = http(200, XML["copy_object"])


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A server that answers with a plain success."""
    with serving(plain_answer) as served:
        yield served


def begun(wire: Wire, **more: Any) -> AwsClients:
    """Clients that have sent requests before; what they sent is forgotten."""
    clients = clients_at(wire.url, **more)
    clients.s3_once.copy_object(**COPY)
    clients.s3.head_object(Bucket="bucket", Key="k")
    assert ways(wire) == ["lane", "lane"]
    wire.seen.clear()
    return clients


def test_a_connection_is_kept(wire: Wire) -> None:
    """A new one for each request would cost more than the request."""
    clients = begun(wire)
    for _ in range(3):
        clients.s3_once.copy_object(**COPY)
    assert len({one.connection for one in wire.seen}) == 1
    assert ways(wire) == ["lane"] * 3


def test_a_connection_that_the_server_closed_meanwhile_is_not_used(wire: Wire) -> None:
    """Its request would be lost, and a lost answer costs a copy its certainty."""
    clients = begun(wire)
    clients.s3_once.copy_object(**COPY)
    wire.close_connections()
    clients.s3_once.copy_object(**COPY)
    assert ways(wire) == ["lane", "lane"]
    assert len({one.connection for one in wire.seen}) == 2


def test_a_connection_that_the_answer_ends_is_not_used(wire: Wire) -> None:
    """The server says so in a header."""
    clients = begun(wire)
    wire.answer = lambda _seen: http(200, XML["copy_object"], Connection="close")
    for _ in range(2):
        clients.s3_once.copy_object(**COPY)
    assert len({one.connection for one in wire.seen}) == 2


def test_a_connection_with_an_answer_too_many_is_not_used(wire: Wire) -> None:
    """The next request would take the rest for its own."""
    clients = begun(wire)
    wire.answer = lambda _seen: COPIED + http(200, b"<CopyObjectResult><ETag>other</ETag></CopyObjectResult>")
    etags = [clients.s3_once.copy_object(**COPY)["CopyObjectResult"]["ETag"] for _ in range(3)]
    assert etags == ['"e"'] * 3


@pytest.mark.parametrize("said", [None, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\nhalf"])
def test_a_request_that_must_not_be_repeated_is_not(wire: Wire, said: bytes | None) -> None:
    """Where its answer is lost, what became of it is for the protocol to find out."""
    clients = begun(wire)
    wire.answer = lambda _seen: said
    with pytest.raises(ConnectionClosedError):
        clients.s3_once.copy_object(**COPY)
    assert ways(wire) == ["lane"]


def test_a_request_that_may_be_repeated_is_repeated_by_boto3(wire: Wire) -> None:
    """The lane's attempt was the first one, as the metadata says."""
    clients = begun(wire)
    wire.answer = lambda seen: plain_answer(seen) if seen.is_botocores else None
    answer = clients.s3.head_object(Bucket="bucket", Key="k")
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    assert ways(wire) == ["lane", "boto3"]


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_in_trouble_is_asked_again_by_boto3(wire: Wire, status: int) -> None:
    """And then the lane goes on."""
    clients = begun(wire)
    wire.answer = lambda seen: plain_answer(seen) if seen.is_botocores else http(status, method="HEAD")
    assert clients.s3.head_object(Bucket="bucket", Key="k")["ResponseMetadata"]["RetryAttempts"] == 1
    wire.answer = plain_answer
    clients.s3.head_object(Bucket="bucket", Key="k")
    assert ways(wire) == ["lane", "boto3", "lane"]


def test_attempts_are_counted_with_the_lanes(wire: Wire) -> None:
    """Not one more than without a lane."""
    clients = begun(wire, read_attempts=2)
    wire.answer = lambda _seen: http(503, method="HEAD")
    with pytest.raises(ClientError) as raised:
        clients.s3.head_object(Bucket="bucket", Key="k")
    assert ways(wire) == ["lane", "boto3"]
    assert raised.value.response["ResponseMetadata"]["RetryAttempts"] == 1


def test_an_absent_object_costs_one_request(wire: Wire) -> None:
    """It is an answer like any other."""
    clients = begun(wire)
    wire.answer = lambda _seen: http(404, method="HEAD")
    with pytest.raises(ClientError) as raised:
        clients.s3.head_object(Bucket="bucket", Key="k")
    assert raised.value.response["Error"]["Code"] == "404"
    assert ways(wire) == ["lane"]


def test_an_answer_that_comes_too_late_is_another_requests(wire: Wire) -> None:
    """Its connection goes with it."""
    clients = begun(wire, request_seconds=0.3, read_attempts=1)
    released = threading.Event()

    def answer(seen: Seen) -> bytes:
        if seen.path.endswith("/slow"):
            released.wait(5)
        return http(200, method="HEAD", ETag=seen.path)

    wire.answer = answer
    with pytest.raises(ReadTimeoutError):
        clients.s3.head_object(Bucket="bucket", Key="slow")
    released.set()
    assert clients.s3.head_object(Bucket="bucket", Key="quick")["ETag"] == "/bucket/quick"


def test_a_server_that_is_gone_is_named(wire: Wire) -> None:
    """As boto3 names it."""
    clients = begun(wire)
    with serving(plain_answer) as other:
        gone = begun(other)
    with pytest.raises(EndpointConnectionError, match="Could not connect"):
        gone.s3_once.copy_object(**COPY)
    clients.s3_once.copy_object(**COPY)


def test_threads_have_their_own_answers(wire: Wire) -> None:
    """However many share the lane, and however late some answers are."""
    clients = begun(wire)

    def answer(seen: Seen) -> bytes:
        time.sleep(0.002 if seen.path[-1] in "13579" else 0)
        return http(200, method="HEAD", ETag=seen.path, x_amz_request_id=seen.path)

    wire.answer = answer
    with ThreadPoolExecutor(8) as pool:
        keys = [f"key-{number}" for number in range(200)]
        etags = list(pool.map(lambda key: clients.s3.head_object(Bucket="bucket", Key=key)["ETag"], keys))
    assert etags == [f"/bucket/{key}" for key in keys]
    assert set(ways(wire)) == {"lane"}
    assert len({one.connection for one in wire.seen}) <= 8


def test_a_bucket_in_another_region_is_found_once(wire: Wire) -> None:
    """By boto3, after S3's redirect; then the lane signs for that region."""

    def answer(seen: Seen) -> bytes:
        if "/eu-central-1/s3/" in seen.headers["authorization"]:
            return plain_answer(seen)
        return http(301, method="HEAD", x_amz_bucket_region="eu-central-1")

    wire.answer = answer
    for has_lane in (False, True):
        wire.seen.clear()
        clients = clients_at(wire.url, lane=has_lane)
        for _ in range(3):
            assert clients.s3.head_object(Bucket="bucket", Key="k")["ETag"] == '"e"'
    assert ways(wire) == ["lane", "boto3", "lane", "lane"]


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """The seconds."""
        return self.seconds


def test_a_request_that_is_late_is_not_sent(wire: Wire) -> None:
    """The claim has ended; the connection is whole and serves the next one."""
    clock = Clock()
    clients = begun(wire, monotonic=clock)
    clients.s3_once.copy_object(**COPY)
    clock.seconds = 10.0
    with pytest.raises(LeaseExpiredError), sending_before(10.0):
        clients.s3_once.copy_object(**COPY)
    clients.s3_once.copy_object(**COPY)
    assert ways(wire) == ["lane", "lane"]
    assert len({one.connection for one in wire.seen}) == 1


@pytest.mark.parametrize("said", [None, http(500), http(403)])
def test_a_request_that_left_in_time_keeps_its_outcome(wire: Wire, said: bytes | None) -> None:
    """That it was not sent would be false where the answer comes after the claim's end."""
    clock = Clock()
    clients = begun(wire, monotonic=clock)

    def answer(_seen: Seen) -> bytes | None:
        clock.seconds = 20.0
        return said

    wire.answer = answer
    with pytest.raises((ClientError, ConnectionClosedError)), sending_before(10.0):
        clients.s3_once.copy_object(**COPY)
    assert ways(wire) == ["lane"]


def test_a_repeat_that_would_be_late_is_not_sent(wire: Wire) -> None:
    """The time counts at each try."""
    clock = Clock()
    clients = begun(wire, monotonic=clock)

    def answer(_seen: Seen) -> bytes | None:
        clock.seconds = 20.0
        return None

    wire.answer = answer
    with pytest.raises(LeaseExpiredError), sending_before(10.0):
        clients.s3.head_object(Bucket="bucket", Key="k")
    assert ways(wire) == ["lane"]


class Rotating:
    """Credentials that are renewed for each request."""

    def __init__(self) -> None:
        self.access_key, self.secret_key, self.token = "AKID0", "secret", "token"
        self._asked = 0

    def get_frozen_credentials(self) -> "Rotating":
        """The next ones."""
        self._asked += 1
        self.access_key, self.token = f"AKID{self._asked}", f"token{self._asked}"
        return self


def test_renewed_credentials_sign_the_next_request(wire: Wire) -> None:
    """A role's credentials last for an hour, a worker for weeks."""
    boto3s = clients_at(wire.url, lane=False).s3_once
    lean = LeanClient(boto3s, Rotating(), AnswerNumbers(lambda: None), lambda: None)
    for _ in range(2):
        lean.copy_object(**COPY)
    keys = [one.headers["authorization"].partition("Credential=")[2].partition("/")[0] for one in wire.seen]
    tokens = [one.headers["x-amz-security-token"] for one in wire.seen]
    assert (keys, tokens) == (["AKID1", "AKID2"], ["token1", "token2"])


def test_a_proxy_is_not_gone_round(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a proxy is configured, nothing leaves but through it; a line of the log says what it costs."""
    with serving(plain_answer) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        clients = clients_at("http://s3.example")
        with caplog.at_level(logging.WARNING, logger="adapters.aws.lane"):
            for _ in range(3):
                clients.s3_once.copy_object(**COPY)
        assert ways(proxy) == ["boto3"] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "CopyObject goes through boto3, which costs more CPU: a proxy is on its way"
    ]


def test_lambdas_trace_is_passed_on(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """By it AWS stops functions that call themselves for ever."""
    clients = begun(wire)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=ä;Sampled=1")
    clients.s3_once.copy_object(**COPY)
    clients_at(wire.url, lane=False).s3_once.copy_object(**COPY)
    ours, theirs = wire.seen
    assert (ours.is_botocores, theirs.is_botocores) == (False, True)
    assert ours.headers["x-amzn-trace-id"] == theirs.headers["x-amzn-trace-id"]


@pytest.mark.parametrize(("lane", "way"), [({}, "lane"), ({"KEYSHIFT_LANE": "boto3"}, "boto3")])
def test_a_setting_turns_the_lane_off(wire: Wire, lane: dict[str, str], way: str) -> None:
    """Without it, processes with settings have the lane."""
    settings = read_settings(
        {"KEYSHIFT_RULES_FILE": "r", "KEYSHIFT_TABLE": "t", "KEYSHIFT_ENDPOINT_URL": wire.url, **lane}
    )
    clients = replace(Process(settings).clients, region="us-east-1", access_key_id="AKID", secret_access_key="s")
    for _ in range(2):
        clients.s3_once.copy_object(**COPY)
    assert ways(wire) == [way, way]


def test_without_credentials_boto3_says_so(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lane has nothing to sign with."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/none")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/none")
    clients = AwsClients(endpoint_url=wire.url, region="us-east-1", lane=True)
    assert not isinstance(clients.s3, LeanClient)
