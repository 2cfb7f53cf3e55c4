"""HTTP servers that are not AWS: a proxy's page, an empty answer, an API that denies or throttles."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count


@contextmanager
def answering(status: int, body: bytes, content_type: str) -> Iterator[str]:
    """The URL of a server on loopback that gives the same answer to every request."""
    with _serving(lambda _, __: (status, {"Content-Type": content_type}, body)) as url:
        yield url


@contextmanager
def one_answer_late(*, numbered: Callable[[int], str]) -> Iterator[str]:
    """The URL of a server that gives each request of a connection, from its second one, the answer to the one before.

    It says of an object that its etag is its key. ``numbered`` makes a request id of the number of a request.
    """
    requests = count(1)
    last: dict[object, _Answer] = {}

    def answer(connection: object, path: str) -> _Answer:
        etag = path.rpartition("/")[2].partition("?")[0]
        own = (200, {"ETag": f'"{etag}"', "x-amz-request-id": numbered(next(requests))}, b"")
        told = last.get(connection, own)
        last[connection] = own
        return told

    with _serving(answer) as url:
        yield url


_Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def _serving(answer_to: Callable[[object, str], _Answer]) -> Iterator[str]:
    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, body = answer_to(self.connection, self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815  # the server's names

        def log_message(self, *_unused: object) -> None:
            """Tests have their own words."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
