"""A server between a client and the real one that counts what crosses the wire, whatever sent it."""

import http.client
import json
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from adapters.standin.wire import operation_of
from domain.audit.packs import PACK_TYPE

CHUNK = 64 * 1024
"""SQS and EventBridge bill each 64 KB begun."""
_HOP = frozenset({"connection", "content-length", "transfer-encoding"})


@dataclass(slots=True)
class Counted:
    """Requests by AWS's name of the operation, and what each service bills for them (units by the same names)."""

    requests: Counter[str] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)
    entries: int = 0
    entry_bytes: int = 0
    """Of what went to EventBridge."""
    single_entries: int = 0
    single_bytes: int = 0
    """Of those that are not packs: the audit log's, unless the stack logs everything."""

    def note(self, operation: str, request: bytes, answer: bytes) -> None:
        """Count one request."""
        self.requests[operation] += 1
        self.units[operation] += units_of(operation, request, answer)
        if operation == "PutEvents":
            for entry in json.loads(request)["Entries"]:
                size, is_single = _entry_bytes(entry), int(entry.get("DetailType") != PACK_TYPE)
                self.entries += 1
                self.entry_bytes += size
                self.single_entries += is_single
                self.single_bytes += is_single * size


def units_of(operation: str, request: bytes, answer: bytes) -> int:
    """What one request is billed as: write units of items up to 1 KB, entries, chunks of 64 KB, requests."""
    if operation == "BatchExecuteStatement":
        return len(json.loads(request)["Statements"])
    if operation == "BatchGetItem":
        return sum(len(wanted["Keys"]) for wanted in json.loads(request)["RequestItems"].values())
    if operation == "TransactWriteItems":
        return 2 * len(json.loads(request)["TransactItems"])
    if operation == "PutEvents":
        return sum(math.ceil(_entry_bytes(entry) / CHUNK) for entry in json.loads(request)["Entries"])
    if operation in ("SendMessage", "SendMessageBatch", "ReceiveMessage"):
        return max(1, math.ceil(max(len(request), len(answer)) / CHUNK))
    return 1


def _entry_bytes(entry: dict[str, Any]) -> int:
    return sum(len(str(entry.get(name, "")).encode()) for name in ("Source", "DetailType", "Detail"))


class CountingServer:
    """Forwards every request as it came; ``begin`` starts a new count and returns it."""

    def __init__(self, upstream: str) -> None:
        self._lock = threading.Lock()
        self._counted = Counted()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Forwarding, urlsplit(upstream), self._note))
        self._server.daemon_threads = True

    @property
    def endpoint_url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def begin(self) -> Counted:
        """Count into a new one from now on."""
        with self._lock:
            self._counted = Counted()
            return self._counted

    @contextmanager
    def running(self) -> Iterator["CountingServer"]:
        """Serve while the block runs."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _note(self, operation: str, request: bytes, answer: bytes) -> None:
        with self._lock:
            self._counted.note(operation, request, answer)


class _Forwarding(BaseHTTPRequestHandler):
    """One client's connection, and the one to the server behind it."""

    protocol_version = "HTTP/1.1"

    def __init__(self, place: SplitResult, note: Callable[[str, bytes, bytes], None], *connection: Any) -> None:
        self._note = note
        self._behind = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        try:
            super().__init__(*connection)
        finally:
            self._behind.close()

    def forward(self) -> None:
        """Ask the server, count, and pass its answer on."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            self._behind.putheader(name, value)
        self._behind.endheaders(body)
        answer = self._behind.getresponse()
        content = answer.read()
        self._note(self._operation(), body, content)
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        length = answer.headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward  # noqa: N815  # the server's names

    def log_message(self, *_unused: object) -> None:
        """Nothing."""

    def _operation(self) -> str:
        headers = {name.lower(): value for name, value in self.headers.items()}
        target = headers.get("x-amz-target")
        if target:
            return target.rpartition(".")[2]
        place = urlsplit(self.path)
        _, _, key = place.path.lstrip("/").partition("/")
        return operation_of(self.command, key, parse_qs(place.query, keep_blank_values=True), headers)
