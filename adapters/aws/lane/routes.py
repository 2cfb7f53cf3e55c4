"""The ways to places: their signatures, their connections."""

import os
from collections.abc import Callable
from hashlib import sha256
from threading import Lock
from time import gmtime, strftime
from typing import Any
from urllib.parse import quote

from botocore.httpsession import get_cert_path

from adapters.aws.lane.answers import Answer
from adapters.aws.lane.connections import Connections, Limits
from adapters.aws.lane.places import Place
from adapters.aws.lane.requests import Request
from adapters.aws.lane.scalars import UnusualError
from adapters.aws.lane.signing import EMPTY_DIGEST, Signer

_TRACE_SAFE = "-=;:+&[]{}\"',"
_WITHOUT_LENGTH = ("GET", "HEAD")


class Route:
    """Signs requests for one place and sends them, each once."""

    def __init__(self, place: Place, connections: Connections) -> None:
        self.place = place
        self._connections = connections
        self._signer = Signer(place.service, place.region)
        self._host = ("host", place.host_header)
        self._tail = f"accept-encoding: identity\r\nuser-agent: {place.user_agent}\r\n"

    def send(self, method: str, request: Request, credentials: Any, before_sending: Callable[[], object]) -> Answer:
        """The answer; raises what ``Connections.exchange`` raises."""
        message = self._signed(method, request, credentials)
        return self._connections.exchange(message, is_head=method == "HEAD", before_sending=before_sending)

    def _signed(self, method: str, request: Request, credentials: Any) -> bytes:
        moment = strftime("%Y%m%dT%H%M%SZ", gmtime())
        body_digest = sha256(request.body).hexdigest() if request.body else EMPTY_DIGEST
        headers = [*request.headers, self._host, ("x-amz-date", moment)]
        if self.place.with_digest:
            headers.append(("x-amz-content-sha256", body_digest))
        if credentials.token:
            headers.append(("x-amz-security-token", credentials.token))
        path = self.place.prefix + request.path
        authorization = self._signer.authorization(
            method,
            path,
            request.query,
            headers,
            body_digest,
            access_key=credentials.access_key,
            secret_key=credentials.secret_key,
            moment=moment,
        )
        target = f"{path}?{request.query}" if request.query else path
        lines = "".join([f"{name}: {text}\r\n" for name, text in headers])
        length = "" if method in _WITHOUT_LENGTH else f"content-length: {len(request.body)}\r\n"
        head = (
            f"{method} {target} HTTP/1.1\r\n{lines}authorization: {authorization}\r\n{self._tail}{length}{_trace()}\r\n"
        )
        return head.encode("ascii") + request.body


class Routes:
    """The routes of one client; those to one host share their connections."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._connections: dict[tuple[str, str, int], Connections] = {}
        self._lock = Lock()

    def to(self, place: Place) -> Route:
        """The route to a place; raises UnusualError, with the reason, where only boto3 can go there."""
        at = (place.scheme, place.host, place.port)
        with self._lock:
            if at not in self._connections:
                self._connections[at] = Connections(*at, self._limits(place))
            return Route(place, self._connections[at])

    def drop_connections(self) -> None:
        """Close the idle ones."""
        for connections in list(self._connections.values()):
            connections.drop()

    def _limits(self, place: Place) -> Limits:
        # botocore has no public names for how a client verifies, and for a proxy on its way.
        session = self._client._endpoint.http_session  # noqa: SLF001
        config = self._client.meta.config
        if session._proxy_config.proxy_url_for(f"{place.scheme}://{place.host}/"):  # noqa: SLF001
            raise UnusualError("a proxy is on its way")
        if config.client_cert or not session._verify:  # noqa: SLF001
            raise UnusualError("certificates are handled in another way")
        return Limits(
            connect_seconds=config.connect_timeout,
            answer_seconds=config.read_timeout,
            kept=config.max_pool_connections,
            ca_certs=get_cert_path(session._verify),  # noqa: SLF001
        )


def _trace() -> str:
    """Lambda's own trace, by which AWS notices functions that call themselves forever."""
    trace = os.environ.get("_X_AMZN_TRACE_ID")
    if not trace or "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
        return ""
    return f"x-amzn-trace-id: {quote(trace, safe=_TRACE_SAFE)}\r\n"
