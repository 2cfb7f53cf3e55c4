"""A server on loopback that records requests byte by byte and answers as it is told."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_SDK = frozenset({"amz-sdk-invocation-id", "amz-sdk-request", "user-agent", "authorization", "x-amz-date", "host"})


@dataclass(frozen=True, slots=True)
class Seen:
    """One request; ``connection`` is the number of the connection that it came on."""

    connection: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def is_botocores(self) -> bool:
        """Whether botocore itself sent it."""
        return "amz-sdk-invocation-id" in self.headers

    @property
    def told(self) -> tuple[object, ...]:
        """Everything that does not differ between two requests of one meaning."""
        headers = {name: text for name, text in self.headers.items() if name not in _SDK}
        return self.method, self.path, sorted(self.query.split("&")), headers, self.body


Answering = Callable[[Seen], bytes | None]


@dataclass(slots=True)
class Wire:
    """``answer`` makes the bytes of an answer; ``None``, or bytes that do not end, close the connection."""

    url: str
    answer: Answering
    seen: list[Seen] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)

    def close_connections(self) -> None:
        """Close every connection, as a server does that restarts."""
        for one in self.connections:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.connections.clear()


def http(status: int = 200, body: bytes = b"", *, method: str = "GET", **headers: str) -> bytes:
    """An answer with the right length; ``_`` in the name of a header stands for ``-``."""
    lines = [f"HTTP/1.1 {status} Said"]
    lines += [f"{name.replace('_', '-')}: {text}" for name, text in headers.items()]
    if status not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if method == "HEAD" else body)


@contextmanager
def serving(answer: Answering, *, tls: ssl.SSLContext | None = None) -> Iterator[Wire]:
    """A server while the block runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "http" if tls is None else "https"
    wire = Wire(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", answer)

    def accept() -> None:
        number = 0
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            number += 1
            threading.Thread(target=_serve, args=(wire, connection, number, tls), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        wire.close_connections()


def _serve(wire: Wire, connection: socket.socket, number: int, tls: ssl.SSLContext | None) -> None:
    with suppress(OSError, ValueError), connection:
        served = connection if tls is None else tls.wrap_socket(connection, server_side=True)
        wire.connections.append(served)
        with served, served.makefile("rb") as reader:
            while (first := reader.readline()) != b"":
                method, target, _ = first.decode("latin-1").split(" ", 2)
                headers: dict[str, str] = {}
                while (line := reader.readline().decode("latin-1").rstrip("\r\n")) != "":
                    name, _, text = line.partition(":")
                    assert name.lower() not in headers, "a header came twice"
                    headers[name.lower()] = text.removeprefix(" ")
                body = reader.read(int(headers.get("content-length", "0")))
                path, _, query = target.partition("?")
                seen = Seen(number, method, path, query, headers, body)
                wire.seen.append(seen)
                said = wire.answer(seen)
                if said is None:
                    return
                served.sendall(said)
                if b"connection: close" in said.lower():
                    return
