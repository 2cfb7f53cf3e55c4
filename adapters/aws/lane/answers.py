"""Reads HTTP/1.1 answers off a socket; what is left over after one is known, so that no answer is taken for another."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from http.client import BadStatusLine, HTTPException, IncompleteRead, LineTooLong, RemoteDisconnected

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})( .*)?")
_HEXADECIMAL = re.compile(rb"[0-9a-fA-F]{1,16}")
_LONGEST_HEAD = 256 * 1024
_LONGEST_LINE = 64
_RECEIVED = 64 * 1024
_WITHOUT_BODY = (204, 304)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; the names of ``headers`` in lower case, the values of one name joined as botocore joins them.

    ``spelled`` has the names as the server wrote them, by those in lower case; after ``is_last`` the connection ends.
    """

    status: int
    headers: dict[str, str]
    spelled: dict[str, str]
    body: bytes
    is_last: bool


class AnswerReader:
    """Reads the answers of one connection, one after another; ``receive`` is the socket's ``recv``.

    Raises HTTPException for an answer that is not HTTP/1.1 or ends too early, and what ``receive`` raises.
    """

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._held = b""

    @property
    def has_more(self) -> bool:
        """Whether bytes came that belong to no answer that was read."""
        return bool(self._held)

    def read_answer(self, *, is_head: bool) -> Answer:
        """The next answer; that to a HEAD has no body, whatever its headers say."""
        while True:
            is_old, status, lines = self._read_head()
            if status >= 200:
                break
        headers, spelled = _headers_of(lines)
        connection = headers.get("connection", "").lower()
        is_last = "close" in connection or (is_old and "keep-alive" not in connection)
        length = headers.get("content-length", "")
        if is_head or status in _WITHOUT_BODY:
            body = b""
        elif headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._read_chunks()
        elif length.isascii() and length.isdigit():
            body = self._take(int(length))
        else:
            body, is_last = self._rest(), True
        return Answer(status, headers, spelled, body, is_last)

    def _read_head(self) -> tuple[bool, int, list[str]]:
        held = self._held
        while (end := _END_OF_HEAD.search(held)) is None:
            if len(held) > _LONGEST_HEAD:
                raise LineTooLong("headers")
            more = self._receive(_RECEIVED)
            if not more:
                raise IncompleteRead(held) if held else RemoteDisconnected("closed without an answer")
            held += more
        self._held = held[end.end() :]
        first, *lines = held[: end.start()].decode("latin-1").replace("\r\n", "\n").split("\n")
        status = _STATUS.fullmatch(first)
        if status is None:
            raise BadStatusLine(first[:_LONGEST_LINE])
        return status[1] == "0", int(status[2]), lines

    def _take(self, size: int) -> bytes:
        parts, missing = [self._held], size - len(self._held)
        while missing > 0:
            more = self._receive(max(missing, _RECEIVED))
            if not more:
                raise IncompleteRead(b"".join(parts), missing)
            parts.append(more)
            missing -= len(more)
        held = b"".join(parts)
        self._held = held[size:]
        return held[:size]

    def _rest(self) -> bytes:
        parts = [self._held]
        while more := self._receive(_RECEIVED):
            parts.append(more)
        self._held = b""
        return b"".join(parts)

    def _read_chunks(self) -> bytes:
        parts: list[bytes] = []
        while size := _size_of(self._line()):
            parts.append(self._take(size))
            if self._line():
                raise HTTPException("a chunk is longer than it says")
        while self._line():  # trailers
            pass
        return b"".join(parts)

    def _line(self) -> bytes:
        while (end := self._held.find(b"\n")) < 0:
            if len(self._held) > _LONGEST_HEAD:
                raise LineTooLong("chunk")
            more = self._receive(_RECEIVED)
            if not more:
                raise IncompleteRead(self._held)
            self._held += more
        line, self._held = self._held[:end], self._held[end + 1 :]
        return line.removesuffix(b"\r")


def _size_of(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if _HEXADECIMAL.fullmatch(digits) is None:
        raise HTTPException(f"no size of a chunk: {digits[:_LONGEST_LINE]!r}")
    return int(digits, 16)


def _headers_of(lines: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    headers: dict[str, str] = {}
    spelled: dict[str, str] = {}
    lower = ""
    for line in lines:
        if line[:1] in (" ", "\t") and lower:  # a folded line continues the one before
            headers[lower] = f"{headers[lower].rstrip(' 	')} {line.lstrip(' 	')}"
            continue
        name, colon, text = line.partition(":")
        if not colon:
            raise HTTPException(f"no header: {line[:_LONGEST_LINE]!r}")
        lower, text = name.lower(), text.lstrip(" \t")
        headers[lower] = f"{headers[lower]}, {text}" if lower in headers else text
        spelled.setdefault(lower, name)
    return headers, spelled
