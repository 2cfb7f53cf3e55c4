"""Lambda's Runtime API as far as Lambda's own client needs it: packaged code runs under the client that AWS ships.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

CLIENT = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
"""What Lambda's image has beside the function: the client, its compiled part, and what it imports."""
_VERSION = "/2018-06-01/runtime"
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the function answered; ``error`` is the error's type where the client reported one."""

    body: Any
    error: str | None = None


@dataclass(slots=True)
class RuntimeApi:
    """Invocations on their way in, answers on their way out."""

    url: str
    waiting: "queue.Queue[tuple[str, float, bytes]]" = field(default_factory=queue.Queue)
    answers: "queue.Queue[tuple[str, Answer]]" = field(default_factory=queue.Queue)

    def invoke(self, event: Any, *, seconds: float = 300.0) -> Answer:
        """One invocation whose deadline is so many seconds away; a negative number: it has passed."""
        request_id = str(uuid4())
        self.waiting.put((request_id, time.time() + seconds, json.dumps(event).encode()))
        answered, answer = self.answers.get(timeout=_PATIENCE)
        if answered != request_id:
            raise LookupError(f"{answered} was answered instead of {request_id}: {answer}")
        return answer


@contextmanager
def running_api() -> Iterator[RuntimeApi]:
    """The API, on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: Any) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            request_id, deadline, body = api.waiting.get()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", request_id)
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int(deadline * 1_000)))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:f")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            # The client sends an answer in chunks.
            body = json.loads(self._body() or b"null")
            parts = self.path.removeprefix(_VERSION).strip("/").split("/")
            error = body.get("errorType") if parts[-1] == "error" else None
            api.answers.put((parts[1] if parts[0] == "invocation" else "init", Answer(body, error)))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _body(self) -> bytes:
            if "chunked" not in (self.headers.get("Transfer-Encoding") or ""):
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api = RuntimeApi(f"127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def running_function(
    handler: str, *, code: Path, layers: list[Path], image: Path, environment: Mapping[str, str]
) -> Iterator[RuntimeApi]:
    """The function under Lambda's client, with its zip, its layers and nothing else that is installed here.

    ``image`` is an empty folder: it becomes what Lambda's image holds.
    """
    _link_client(image)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with running_api() as api:
        variables = {
            **kept,
            **environment,
            "AWS_LAMBDA_RUNTIME_API": api.url,
            "AWS_LAMBDA_FUNCTION_NAME": handler.rpartition("/")[2],
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
            "LAMBDA_TASK_ROOT": str(code),
            "PYTHONPATH": os.pathsep.join(map(str, (code, *layers, image))),
        }
        # -S: no installed package is found, but for what the path names.
        command = [sys.executable, "-S", "-m", "awslambdaric", f"{handler}.handler"]
        process = subprocess.Popen(command, cwd=code, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # noqa: S603  # our own code
        drained = threading.Thread(target=process.communicate, daemon=True)
        drained.start()
        try:
            yield api
        finally:
            process.kill()
            drained.join()


def _link_client(image: Path) -> None:
    for name in CLIENT:
        found = find_spec(name)
        if found is None or found.origin is None:
            raise LookupError(f"{name} is not installed: it comes with awslambdaric")
        origin = Path(found.origin)
        place = origin.parent if origin.name == "__init__.py" else origin
        (image / place.name).symlink_to(place)
