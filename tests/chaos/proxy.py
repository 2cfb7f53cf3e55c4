"""A proxy that spoils HTTP: resets, late and doubled requests and answers, cut-off answers, and whole outages."""

import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from urllib.parse import unquote, urlsplit

from domain.keys import Location

_CHUNK = 65_536
_NO_BODY = (204, 304)
_REDIRECTED = 300
_PRECONDITION_FAILED = 412


@dataclass(frozen=True, slots=True)
class Troubles:
    """How often each trouble happens to a request, from 0 to 1; times in seconds.

    ``held`` requests reach the server only after up to ``longest``, whether or not anybody still waits for the answer.
    """

    reset_before: float = 0.0
    reset_after: float = 0.0
    held: float = 0.0
    late: float = 0.0
    doubled_request: float = 0.0
    doubled_answer: float = 0.0
    cut_off: float = 0.0
    longest: float = 4.0


QUIET = Troubles()


@dataclass(slots=True)
class FaultProxy:
    """Listens on a free port of the loopback and forwards to ``upstream``, as the troubles of the moment say."""

    upstream: str
    seed: int = 1
    troubles: Troubles = QUIET
    down: bool = False
    happened: Counter[str] = field(default_factory=Counter)
    _sent_twice: set[str] = field(default_factory=set)
    _unheard: set[str] = field(default_factory=set)
    _listener: socket.socket = field(init=False)
    _random: Random = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Listen at once."""
        self._random = Random(self.seed)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint_url(self) -> str:
        """Where clients are to connect."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def targets_sent_twice(self) -> frozenset[Location]:
        """The targets whose copy was made without an answer, and then refused because it was there already."""
        with self._lock:
            paths = [unquote(path).removeprefix("/").partition("/") for path in self._sent_twice]
        return frozenset(Location(bucket, key) for bucket, _, key in paths)

    def close(self) -> None:
        """Listen no more; what is under way ends with its connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._guarded, args=(client,), daemon=True).start()

    def _guarded(self, client: socket.socket) -> None:
        try:
            with client:
                self._serve(client)
        except (OSError, ValueError):
            return  # the client or the server has gone: nothing is left to forward

    def _serve(self, client: socket.socket) -> None:
        rest = b""
        while True:
            if self.down:
                self._note("refused")
                _reset(client)
                return
            request, rest = _read_message(client, rest, head_only=False)
            if not request or not self._pass_on(client, request):
                return

    def _pass_on(self, client: socket.socket, request: bytes) -> bool:
        """Forward one request; whether the connection still stands."""
        trouble = self._draw()
        if trouble == "reset_before":
            _reset(client)
            return False
        if trouble == "held":
            time.sleep(self._delay())
        if trouble == "doubled_request":
            self._note_copy(request, self._ask(request), is_heard=False)
        answer = self._ask(request)
        self._note_copy(request, answer, is_heard=trouble not in ("held", "late", "reset_after", "cut_off"))
        if trouble == "reset_after":
            _reset(client)
            return False
        if trouble == "cut_off":
            client.sendall(answer[: len(answer) // 2])
            _reset(client)
            return False
        if trouble == "late":
            time.sleep(self._delay())
        client.sendall(answer)
        if trouble == "doubled_answer":
            client.sendall(answer)
            return False
        return True

    def _ask(self, request: bytes) -> bytes:
        place = urlsplit(self.upstream)
        with socket.create_connection((place.hostname or "", place.port or 80), timeout=120) as server:
            server.sendall(request)
            answer, _ = _read_message(server, b"", head_only=request.startswith(b"HEAD "))
            if not answer:
                raise ConnectionResetError("the server gave no answer")
            return answer

    def _note_copy(self, request: bytes, answer: bytes, *, is_heard: bool) -> None:
        """Remember a copy that was made unheard, and a refusal that it earned the same copy when it came again."""
        line, _, rest = request.partition(b"\r\n")
        completes = line.startswith(b"POST") and b"uploadId=" in line
        if not completes and not (line.startswith(b"PUT") and b"x-amz-copy-source:" in rest.lower()):
            return
        path, status = line.split(b" ")[1].partition(b"?")[0].decode(), int(answer.split(b" ", 2)[1])
        with self._lock:
            if status < _REDIRECTED and not is_heard:
                self._unheard.add(path)
            elif status == _PRECONDITION_FAILED and path in self._unheard:
                self._sent_twice.add(path)

    def _draw(self) -> str:
        with self._lock:
            drawn, troubles = self._random.random(), self.troubles
            names = ["reset_before", "reset_after", "held", "late", "doubled_request", "doubled_answer", "cut_off"]
            for name in names:
                share = getattr(troubles, name)
                if drawn < share:
                    self.happened[name] += 1
                    return name
                drawn -= share
        return ""

    def _delay(self) -> float:
        with self._lock:
            return self._random.uniform(0.2, self.troubles.longest)

    def _note(self, name: str) -> None:
        with self._lock:
            self.happened[name] += 1


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _read_message(connection: socket.socket, rest: bytes, *, head_only: bool) -> tuple[bytes, bytes]:
    """One whole HTTP message (request or answer), and what came after it; empty where the connection ended."""
    content = rest
    while b"\r\n\r\n" not in content:
        piece = connection.recv(_CHUNK)
        if not piece:
            return b"", b""
        content += piece
    head, _, body = content.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
    if fields.get(b"expect", b"").lower() == b"100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        lines = [line for line in lines if not line.lower().startswith(b"expect:")]
        head = b"\r\n".join(lines)
    is_answer = head.startswith(b"HTTP/")
    if head_only or (is_answer and int(head.split(b" ", 2)[1]) in _NO_BODY):
        return head + b"\r\n\r\n" + body, b""
    if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
        while not body.endswith(b"0\r\n\r\n"):
            piece = connection.recv(_CHUNK)
            if not piece:
                return b"", b""
            body += piece
        return head + b"\r\n\r\n" + body, b""
    length = int(fields.get(b"content-length", b"0" if not is_answer else b"-1"))
    while length < 0 or len(body) < length:
        piece = connection.recv(_CHUNK)
        if not piece:
            break
        body += piece
    whole = len(body) if length < 0 else length
    return head + b"\r\n\r\n" + body[:whole], body[whole:]
