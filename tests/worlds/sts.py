"""An STS that gives the same answer to every request."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes.clock import FakeClock

STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


@contextmanager
def answering_posts(status: int, body: str, content_type: str) -> Iterator[tuple[str, list[str]]]:
    """A service that says the same to every request; its URL, and the bodies it was sent."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_arguments: Any) -> None:
            """Quiet."""

        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def credentials_of_role(seconds: float, clock: FakeClock) -> str:
    """The answer to AssumeRole: temporary credentials that end so many seconds from now."""
    ends = datetime.fromtimestamp(clock.now() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    words = {"AccessKeyId": "theirs", "SecretAccessKey": "hidden", "SessionToken": "session", "Expiration": ends}
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in words.items())
    result = f"<AssumeRoleResult><Credentials>{inside}</Credentials></AssumeRoleResult>"
    return f'<AssumeRoleResponse xmlns="{STS_NAMESPACE}">{result}</AssumeRoleResponse>'
