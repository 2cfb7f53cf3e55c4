"""The AWS clients of one process, each made once, on first use; touch them before threads start."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config

from adapters.aws.errors import translated
from adapters.aws.foreign_answers import refuse_foreign_answers
from adapters.aws.lane.client import HOT, LeanClient
from adapters.aws.lane.handover import watch_sending
from adapters.aws.lane.scalars import read_timestamp
from adapters.aws.repeated_answers import AnswerNumbers
from adapters.local.clock import SystemClock
from domain.errors import InputError, LeaseExpiredError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_greengrassv2 import GreengrassV2Client
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 30
"""Longer than SQS's longest poll (20 s)."""
_SEND_BEFORE: ContextVar[float | None] = ContextVar("send_before", default=None)


@contextmanager
def sending_before(moment: float) -> Iterator[None]:
    """Let this thread's S3 requests leave only before ``moment`` (monotonic seconds).

    The time is checked just before each try of the signed request is sent. After the moment, LeaseExpiredError is
    raised (protocol.md §6).
    """
    token = _SEND_BEFORE.set(moment)
    try:
        yield
    finally:
        _SEND_BEFORE.reset(token)


@dataclass(frozen=True)
class AwsClients:
    """This process's AWS configuration.

    ``request_seconds`` is the time-out of a request to S3. ``connections`` count per client. ``read_attempts`` are for
    S3 requests that may be repeated.
    The endpoint, the region and the credentials come from the environment unless given (``AWS_ENDPOINT_URL``, …);
    ``endpoints`` are those of single services (``sagemaker``, ``greengrassv2``) that have another one.
    With ``lane``, hot operations take the lean lane (docs/design/lane.md); boto3 makes all others.
    """

    connections: int = 64
    request_seconds: float = 110.0
    read_attempts: int = 5
    endpoint_url: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    endpoints: tuple[tuple[str, str], ...] = ()
    monotonic: Callable[[], float] = SystemClock().monotonic
    lane: bool = False

    @cached_property
    def _session(self) -> boto3.Session:
        with translated("Session", "the AWS configuration"):
            core = botocore.session.get_session()
            core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=read_timestamp)
            return boto3.Session(
                botocore_session=core,
                aws_access_key_id=self.access_key_id,
                aws_secret_access_key=self.secret_access_key,
                aws_session_token=self.session_token,
                # botocore itself reads AWS_DEFAULT_REGION only, every other SDK AWS_REGION.
                region_name=self.region or os.environ.get("AWS_REGION"),
            )

    @cached_property
    def s3(self) -> "S3Client":
        """S3 for reads and for requests that may be repeated; the SDK tries again."""
        client: S3Client = self._make("s3", attempts=self.read_attempts, seconds=self.request_seconds)
        return client

    @cached_property
    def s3_once(self) -> "S3Client":
        """S3 for requests that change an object: sent once, because a repeat by the SDK would look like a refusal."""
        client: S3Client = self._make("s3", attempts=1, seconds=self.request_seconds)
        return client

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """The manifest's table."""
        client: DynamoDBClient = self._make("dynamodb", attempts=6)
        return client

    @cached_property
    def streams(self) -> "DynamoDBStreamsClient":
        """The table's stream."""
        client: DynamoDBStreamsClient = self._make("dynamodbstreams", attempts=6)
        return client

    @cached_property
    def sqs(self) -> "SQSClient":
        """Queues."""
        client: SQSClient = self._make("sqs", attempts=5)
        return client

    @cached_property
    def events(self) -> "EventBridgeClient":
        """EventBridge."""
        client: EventBridgeClient = self._make("events", attempts=5)
        return client

    @cached_property
    def functions(self) -> "LambdaClient":
        """Lambda: the event source mappings of the queues."""
        client: LambdaClient = self._make("lambda", attempts=5)
        return client

    @cached_property
    def sts(self) -> "STSClient":
        """STS: the caller's identity."""
        client: STSClient = self._make("sts", attempts=3)
        return client

    @cached_property
    def sagemaker(self) -> "SageMakerClient":
        """The portal's training and compilation jobs."""
        client: SageMakerClient = self._make("sagemaker", attempts=5)
        return client

    @cached_property
    def greengrass(self) -> "GreengrassV2Client":
        """Published components."""
        client: GreengrassV2Client = self._make("greengrassv2", attempts=5)
        return client

    def client_of(self, service: str) -> Any:
        """A client of a service that only a few commands use."""
        return self._make(service, attempts=5)

    def _make(self, service: Any, *, attempts: int, seconds: float = _ANSWER_SECONDS) -> Any:
        config = Config(
            retries={"total_max_attempts": attempts, "mode": "standard"},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=seconds,
            max_pool_connections=self.connections,
            tcp_keepalive=True,
            user_agent_extra="keyshift",
        )
        try:
            with translated("CreateClient", service):
                endpoint_url = dict(self.endpoints).get(service, self.endpoint_url)
                client = self._session.client(service, endpoint_url=endpoint_url, config=config)
                client.meta.events.register("before-parse", refuse_foreign_answers)
                return self._with_lane(client, service)
        except ValueError as error:
            raise InputError(f"The AWS endpoint or region cannot be used: {error}; correct AWS_ENDPOINT_URL") from error

    def _with_lane(self, client: Any, service: str) -> Any:
        # botocore has no public name for the connections of a client.
        drops: list[Callable[[], object]] = [client._endpoint.http_session.close]  # noqa: SLF001
        numbers = AnswerNumbers(lambda: [drop() for drop in drops])
        client.meta.events.register("before-parse", numbers.refuse_repeated_answer)
        before_sending = self._refuse_late_requests if service == "s3" else _nothing
        watch_sending(client, before_sending)
        credentials = self._session.get_credentials()
        if service not in HOT or not self.lane or credentials is None:
            return client
        lean = LeanClient(client, credentials, numbers, before_sending)
        drops.append(lean.drop_connections)
        return lean

    def _refuse_late_requests(self) -> None:
        moment = _SEND_BEFORE.get()
        if moment is not None and self.monotonic() >= moment:
            raise LeaseExpiredError("The claim has no time left for this request: not sent")


def _nothing() -> None:
    """What requests of other services wait for."""
