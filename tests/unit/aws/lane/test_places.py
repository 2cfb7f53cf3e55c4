"""The lane goes where botocore goes: regions, partitions, FIPS, dual stack, access points; otherwise it steps aside."""

import json
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.loaders import Loader

from adapters.aws.lane import connections
from adapters.aws.lane.answers import Answer
from adapters.aws.lane.client import LeanClient
from adapters.aws.lane.connections import Connections
from adapters.aws.lane.handover import watch_sending
from adapters.aws.lane.json_operation import JsonOperation
from adapters.aws.lane.places import place_of
from adapters.aws.lane.requests import Request
from adapters.aws.lane.scalars import UnusualError
from adapters.aws.lane.signing import EMPTY_DIGEST
from adapters.aws.repeated_answers import AnswerNumbers
from tests.worlds.lanes import XML

KEYS: dict[str, Any] = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret"}
ACCESS_POINT = "arn:aws:s3:eu-west-1:123456789012:accesspoint/mine"
OUTPOST = "arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-01234567890123456/accesspoint/mine"


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> list[bytes]:
        return [self._content]


class World:
    """A lean client of real AWS whose requests stay here: what botocore would send, and what the lane would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, service: str, region: str, **config: Any) -> None:
        self.theirs: list[AWSPreparedRequest] = []
        self.ours: list[tuple[tuple[str, int], bytes]] = []
        session = boto3.Session(region_name=region, **KEYS)
        settings = Config(retries={"total_max_attempts": 1, "mode": "standard"}, **config)
        client = session.client(service, config=settings)  # type: ignore[call-overload]  # the name is not known here
        watch_sending(client, lambda: None)
        client.meta.events.register_first(f"before-send.{client.meta.service_model.service_id.hyphenize()}", self._note)
        client.meta.events.register_last("before-send", self._answer)
        monkeypatch.setattr(connections.Connections, "exchange", self._exchange_of(self))
        self.client = LeanClient(client, session.get_credentials(), AnswerNumbers(lambda: None), lambda: None)

    def _note(self, request: AWSPreparedRequest, **_unused: Any) -> None:
        self.theirs.append(request)

    def _answer(self, request: AWSPreparedRequest, **_unused: Any) -> AWSResponse:
        body = XML["copy_object"] if request.method == "PUT" else b"{}"
        return AWSResponse(request.url, 200, {}, _Body(body))  # type: ignore[arg-type]  # a dict does

    @staticmethod
    def _exchange_of(world: "World") -> Any:
        def exchange(there: Connections, message: bytes, **_unused: Any) -> Answer:
            world.ours.append((there._place, message))
            body = XML["copy_object"] if message.startswith(b"PUT") else b"{}"
            return Answer(200, {}, {}, body, is_last=False)

        return exchange

    def check(self, scope: str) -> str:
        """The address of both requests, which are one and signed for ``scope``."""
        (theirs,), ((place, message), *_) = self.theirs, self.ours
        head = message.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:])
        url = urlsplit(theirs.url)
        assert place == (url.hostname, url.port or 443)
        assert headers["host"] == url.netloc
        assert head[0].split(" ")[:2] == [theirs.method, url.path]
        assert f"/{scope}/aws4_request" in headers["authorization"]
        assert f"/{scope}/aws4_request" in str(theirs.headers["Authorization"])
        return f"{url.netloc}{url.path}"


def copied(world: World, bucket: str) -> None:
    """Two copies to a key with a space."""
    for _ in range(2):
        world.client.copy_object(Bucket=bucket, Key="a b", CopySource={"Bucket": "source", "Key": "k"})


@pytest.mark.parametrize(
    ("region", "bucket", "config", "scope", "address"),
    [
        ("us-east-1", "line-1", {}, "us-east-1/s3", "line-1.s3.amazonaws.com/a%20b"),
        ("eu-central-1", "line-1", {}, "eu-central-1/s3", "line-1.s3.eu-central-1.amazonaws.com/a%20b"),
        ("cn-north-1", "line-1", {}, "cn-north-1/s3", "line-1.s3.cn-north-1.amazonaws.com.cn/a%20b"),
        ("us-east-1", "with.dots", {}, "us-east-1/s3", "s3.amazonaws.com/with.dots/a%20b"),
        (
            *("us-east-1", "line-1", {"s3": {"addressing_style": "path"}}),
            *("us-east-1/s3", "s3.amazonaws.com/line-1/a%20b"),
        ),
        (
            *("us-east-1", "line-1", {"use_fips_endpoint": True}),
            *("us-east-1/s3", "line-1.s3-fips.us-east-1.amazonaws.com/a%20b"),
        ),
        (
            *("eu-west-1", "line-1", {"use_dualstack_endpoint": True}),
            *("eu-west-1/s3", "line-1.s3.dualstack.eu-west-1.amazonaws.com/a%20b"),
        ),
        (
            *("eu-west-1", "line-1", {"s3": {"use_accelerate_endpoint": True}}),
            *("eu-west-1/s3", "line-1.s3-accelerate.amazonaws.com/a%20b"),
        ),
        (
            *("eu-west-1", ACCESS_POINT, {}),
            *("eu-west-1/s3", "mine-123456789012.s3-accesspoint.eu-west-1.amazonaws.com/a%20b"),
        ),
        (
            *("eu-west-1", OUTPOST, {}),
            "eu-west-1/s3-outposts",
            "mine-123456789012.op-01234567890123456.s3-outposts.eu-west-1.amazonaws.com/a%20b",
        ),
    ],
)
def test_a_bucket_has_botocores_address(
    monkeypatch: pytest.MonkeyPatch, *, region: str, bucket: str, config: dict[str, Any], scope: str, address: str
) -> None:
    """Virtual hosts, paths, partitions, and every kind of endpoint."""
    world = World(monkeypatch, "s3", region, **config)
    copied(world, bucket)
    assert world.check(scope) == address


def test_buckets_have_places_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore shows one request for each."""
    world = World(monkeypatch, "s3", "us-east-1")
    for bucket in ("one", "two", "one", "two"):
        world.client.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": "source", "Key": "k"})
    assert [urlsplit(one.url).netloc for one in world.theirs] == ["one.s3.amazonaws.com", "two.s3.amazonaws.com"]
    assert [place[0] for place, _ in world.ours] == ["one.s3.amazonaws.com", "two.s3.amazonaws.com"] * 2


def test_a_table_has_the_accounts_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB has one for each account; botocore takes it where the credentials name theirs."""
    monkeypatch.setitem(KEYS, "aws_account_id", "123456789012")
    world = World(monkeypatch, "dynamodb", "eu-central-1")
    for _ in range(2):
        world.client.get_item(TableName="t", Key={"pk": {"S": "a"}})
    assert world.check("eu-central-1/dynamodb") == "123456789012.ddb.eu-central-1.amazonaws.com/"


def test_tables_of_another_account_have_another_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch's place depends on the tables that it names."""
    world = World(monkeypatch, "dynamodb", "eu-central-1")
    for table in ("t", "arn:aws:dynamodb:eu-central-1:210987654321:table/t", "t"):
        world.client.batch_get_item(RequestItems={table: {"Keys": [{"pk": {"S": "a"}}]}})
    assert (len(world.theirs), len(world.ours)) == (2, 3)


def test_events_to_a_global_endpoint_are_boto3s(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are signed in another way; here the SDK even lacks a library for it."""
    world = World(monkeypatch, "events", "eu-central-1")
    entry: Any = {"Source": "a", "DetailType": "b", "Detail": "{}"}
    with pytest.raises(botocore.exceptions.MissingDependencyException):
        world.client.put_events(Entries=[entry], EndpointId="abcde.veo")
    world.client.put_events(Entries=[entry])
    assert (len(world.theirs), len(world.ours)) == (1, 1)


def test_unsigned_requests_are_boto3s(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What is not signed with Signature Version 4 never takes the lane; the log says so once."""
    world = World(monkeypatch, "s3", "us-east-1", signature_version=botocore.UNSIGNED)
    copied(world, "line-1")
    assert (len(world.theirs), world.ours) == (3, [])
    assert [record.getMessage() for record in caplog.records] == [
        "CopyObject goes through boto3, which costs more CPU: it is not signed with Signature Version 4"
    ]


OWN = Request("/k", "tagging", [("x-amz-meta-a", "b")], b"")
SIGNED = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
SENT = {"Authorization": SIGNED, "X-Amz-Meta-A": "b", "X-Amz-Content-SHA256": EMPTY_DIGEST, "User-Agent": "agent"}


def sent(
    url: str = "https://h/k?tagging", *, method: str = "GET", body: bytes = b"", **more: str
) -> AWSPreparedRequest:
    """A request as botocore prepares it; a header that is empty is left out."""
    headers: Any = {name: text for name, text in (SENT | _dashed(more)).items() if text}
    return AWSPreparedRequest(method, url, headers, body, stream_output=False)


def _dashed(more: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): text for name, text in more.items()}


def test_the_place_of_a_request() -> None:
    """Host and port as HTTP names them, and the path before the key."""
    place = place_of(sent("https://h:8443/prefix/k?tagging="), OWN, "GET")
    assert (place.scheme, place.host_header, place.prefix) == ("https", "h:8443", "/prefix")
    assert (place.region, place.service, place.user_agent) == ("us-east-1", "s3", "agent")
    assert place_of(sent("http://[::1]:80/k?tagging"), OWN, "GET").host_header == "[::1]"


@pytest.mark.parametrize(
    ("request_of_botocore", "why"),
    [
        (sent(Authorization="AWS4-ECDSA-P256-SHA256 Credential=A/20260101/s3/aws4_request, x"), "not signed with"),
        (sent(Authorization="AWS AKID:signature"), "not signed with"),
        (sent(X_Amz_Content_SHA256="UNSIGNED-PAYLOAD"), "body is not signed"),
        (sent(x_amz_s3session_token="t"), "other headers: x-amz-s3session-token"),
        (sent(X_Amz_Meta_A="c"), "other headers: x-amz-meta-a"),
        (sent(method="PUT"), "another request"),
        (sent(body=b"body"), "another request"),
        (sent("https://h/other?tagging"), "another address"),
        (sent("https://h/k?tagging&versionId=v"), "another address"),
        (sent("https://h/prefix/k?tagging", X_Amz_Content_SHA256=""), "has a path"),
    ],
)
def test_a_request_that_the_lane_would_make_otherwise_is_boto3s(request_of_botocore: Any, why: str) -> None:
    """A later botocore, or a setting that the lane does not know, is found out by the first request."""
    with pytest.raises(UnusualError, match=why):
        place_of(request_of_botocore, OWN, "GET")


def test_s3s_rules_do_not_read_the_key() -> None:
    """So one place serves all keys of a bucket; botocore offers keys to the rules all the same."""
    rules = json.dumps(Loader().load_service_model("s3", "endpoint-rule-set-1")["rules"])
    assert "Bucket" in rules
    assert [name for name in ("Key", "Prefix", "CopySource") if f'"{name}"' in rules or f"{{{name}}}" in rules] == []


def test_an_operation_that_the_lane_does_not_know_is_refused_when_it_is_made() -> None:
    """Not at its first call."""
    model = boto3.Session(region_name="us-east-1", **KEYS).client("dynamodb").meta.service_model
    with pytest.raises(UnusualError, match="the request of TransactWriteItems"):
        JsonOperation(model.operation_model("TransactWriteItems"))
