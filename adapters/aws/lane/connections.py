"""Kept connections to one host, verified as botocore's own, with botocore's errors."""

import socket
import ssl
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import create_urllib3_context
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError as NotConnectedInTimeError
from urllib3.exceptions import NewConnectionError
from urllib3.exceptions import SSLError as UnverifiedError
from urllib3.util.ssl_match_hostname import CertificateError
from urllib3.util.wait import wait_for_read

from adapters.aws.lane.answers import Answer, AnswerReader

_OPTIONS = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds to connect and between two bytes of an answer, idle connections kept, the file of trusted CAs."""

    connect_seconds: float
    answer_seconds: float
    kept: int
    ca_certs: str | None


class _Connection:
    """An open connection and what was read ahead on it."""

    __slots__ = ("_opened", "reader", "sock")

    def __init__(self, opened: HTTPConnection) -> None:
        self._opened = opened
        self.sock: Any = opened.sock
        self.reader = AnswerReader(self.sock.recv)

    @property
    def is_dropped(self) -> bool:
        """Whether the server closed it, or sent bytes without a request: botocore's own test before a reuse."""
        return self.reader.has_more or wait_for_read(self.sock, timeout=0.0)

    def send(self, message: bytes) -> None:
        """Send it; a server that closes while it is sent may have answered before, so the answer decides."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(message)

    def close(self) -> None:
        self._opened.close()


class Connections:
    """Connections to one host; threads share them, and each has one for itself during a request."""

    def __init__(self, scheme: str, host: str, port: int, limits: Limits) -> None:
        self._url = f"{scheme}://{host}:{port}/"
        self._place = (host, port)
        self._limits = limits
        self._idle: deque[_Connection] = deque()
        weakref.finalize(self, _close, self._idle)
        self._context: ssl.SSLContext | None = create_urllib3_context() if scheme == "https" else None

    def exchange(self, message: bytes, *, is_head: bool, before_sending: Callable[[], object]) -> Answer:
        """The answer to a request, which is sent once; ``before_sending`` may raise, and then nothing is sent.

        Raises botocore's HTTPClientError, as botocore does for the same failure.
        """
        connection = self._take()
        try:
            before_sending()
        except BaseException:
            self._keep(connection)
            raise
        try:
            connection.send(message)
            answer = connection.reader.read_answer(is_head=is_head)
        except BaseException as error:
            connection.close()
            if isinstance(error, TimeoutError):
                raise ReadTimeoutError(endpoint_url=self._url, error=error) from error
            if isinstance(error, ssl.SSLError):
                raise SSLError(endpoint_url=self._url, error=error) from error
            if isinstance(error, (OSError, HTTPException)):
                raise ConnectionClosedError(endpoint_url=self._url, request=None, error=error) from error
            raise
        if answer.is_last:
            connection.close()
        else:
            self._keep(connection)
        return answer

    def drop(self) -> None:
        """Close the idle connections."""
        _close(self._idle)

    def _take(self) -> _Connection:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._connect()
            if not connection.is_dropped:
                return connection
            connection.close()

    def _keep(self, connection: _Connection) -> None:
        if len(self._idle) < self._limits.kept:
            self._idle.append(connection)
        else:
            connection.close()

    def _connect(self) -> _Connection:
        opened = self._new()
        try:
            opened.connect()
        except NewConnectionError as error:
            raise EndpointConnectionError(endpoint_url=self._url, error=error) from error
        except NotConnectedInTimeError as error:
            raise ConnectTimeoutError(endpoint_url=self._url, error=error) from error
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=self._url, error=error) from error
        except (ssl.SSLError, CertificateError, UnverifiedError) as error:
            raise SSLError(endpoint_url=self._url, error=error) from error
        except (OSError, HTTPException) as error:
            raise ConnectionClosedError(endpoint_url=self._url, request=None, error=error) from error
        except Exception as error:
            raise HTTPClientError(error=error) from error
        opened.sock.settimeout(self._limits.answer_seconds)
        return _Connection(opened)

    def _new(self) -> HTTPConnection:
        host, port = self._place
        limits = self._limits
        if self._context is None:
            return HTTPConnection(host, port, timeout=limits.connect_seconds, socket_options=_OPTIONS)
        return HTTPSConnection(
            host,
            port,
            timeout=limits.connect_seconds,
            socket_options=_OPTIONS,
            ssl_context=self._context,
            ca_certs=limits.ca_certs,
            cert_reqs="CERT_REQUIRED",
        )


def _close(idle: deque[_Connection]) -> None:
    with suppress(IndexError):
        while True:
            idle.pop().close()
