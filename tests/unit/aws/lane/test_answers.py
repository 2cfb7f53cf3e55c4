"""Answers are read as the standard library reads them, in whatever pieces they come."""

import io
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse, IncompleteRead, RemoteDisconnected
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.aws.lane.answers import Answer, AnswerReader


def receiving(pieces: list[bytes]) -> Callable[[int], bytes]:
    """A socket's ``recv`` that gives these bytes, never more than it is asked for, then the end."""
    left = [piece for piece in pieces if piece]

    def receive(size: int) -> bytes:
        if not left:
            return b""
        piece = left.pop(0)
        if len(piece) > size:
            left.insert(0, piece[size:])
        return piece[:size]

    return receive


def read(*pieces: bytes, is_head: bool = False) -> Answer:
    """The answer in these bytes."""
    return AnswerReader(receiving(list(pieces))).read_answer(is_head=is_head)


class _Socket:
    def __init__(self, said: bytes) -> None:
        self._said = said

    def makefile(self, *_unused: Any) -> io.BytesIO:
        return io.BytesIO(self._said)


NAMES = st.from_regex(r"[A-Za-z][A-Za-z-]{0,8}", fullmatch=True).filter(
    lambda name: name.lower() not in ("content-length", "transfer-encoding", "connection")
)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f\x85\xa0"), max_size=12)


def _chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x;note=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nTrailer: x\r\n\r\n"


@given(
    status=st.sampled_from([200, 204, 206, 304, 400, 404, 412, 500, 503]),
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=6),
    body=st.binary(max_size=60),
    framing=st.sampled_from(["length", "chunks", "end"]),
    is_head=st.booleans(),
    cuts=st.lists(st.integers(0, 400), max_size=6),
    size=st.integers(1, 20),
)
def test_the_standard_library_reads_the_same(
    *,
    status: int,
    headers: list[tuple[str, str]],
    body: bytes,
    framing: str,
    is_head: bool,
    cuts: list[int],
    size: int,
) -> None:
    """Status, headers and body, whether the body has a length, comes in chunks or ends with the connection."""
    lines = [f"HTTP/1.1 {status} Reason", *(f"{name}: {text}" for name, text in headers)]
    if framing == "length":
        lines.append(f"Content-Length: {len(body)}")
    if framing == "chunks" and status not in (204, 304):  # the library would wait for chunks that HTTP forbids
        lines.append("Transfer-Encoding: chunked")
    said = "\r\n".join([*lines, "", ""]).encode("latin-1")
    if not is_head and status not in (204, 304):
        said += _chunked(body, size) if framing == "chunks" else body
    theirs = HTTPResponse(_Socket(said), method="HEAD" if is_head else "GET")  # type: ignore[arg-type]
    theirs.begin()
    at = sorted({min(cut, len(said)) for cut in cuts} | {0, len(said)})
    pieces = [said[start:end] for start, end in pairwise(at)]
    ours = read(*pieces, is_head=is_head)
    assert (ours.status, ours.body) == (theirs.status, theirs.read())
    joined: dict[str, list[str]] = {}
    for name, text in theirs.headers.items():
        joined.setdefault(name.lower(), []).append(text)
    assert ours.headers == {name: ", ".join(texts) for name, texts in joined.items()}


def test_two_answers_on_one_connection_are_two() -> None:
    """What comes after the first belongs to the second, however it is cut; then nothing is left."""
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\ntwo"
    for cut in range(len(said)):
        reader = AnswerReader(receiving([said[:cut], said[cut:]]))
        first, second = reader.read_answer(is_head=False), reader.read_answer(is_head=False)
        assert (first.status, first.body, second.status, second.body) == (200, b"one", 404, b"two")
        assert not reader.has_more


def test_what_nobody_asked_for_is_seen() -> None:
    """The next request would take it for its answer."""
    reader = AnswerReader(receiving([b"HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"]))
    reader.read_answer(is_head=False)
    assert reader.has_more


def test_an_interim_answer_is_passed_over() -> None:
    """100 Continue announces another one."""
    assert read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 Done\r\n\r\n").status == 204


def test_a_folded_header_is_one() -> None:
    """As urllib3 unfolds it: one space for the break and the spaces around it."""
    assert read(b"HTTP/1.1 204 No\r\nA: one \t\r\n  two\r\n\r\n").headers == {"a": "one two"}


def test_the_spelling_of_a_name_is_kept() -> None:
    """The names of metadata are cut from it."""
    answer = read(b"HTTP/1.1 204 No\r\nX-Amz-Meta-Owner: a\r\nx-amz-meta-owner: b\r\n\r\n")
    assert (answer.headers, answer.spelled) == ({"x-amz-meta-owner": "a, b"}, {"x-amz-meta-owner": "X-Amz-Meta-Owner"})


@pytest.mark.parametrize(
    ("head", "is_last"),
    [
        (b"HTTP/1.1 204 No\r\n\r\n", False),
        (b"HTTP/1.1 204 No\r\nConnection: keep-alive\r\n\r\n", False),
        (b"HTTP/1.1 204 No\r\nConnection: Close\r\n\r\n", True),
        (b"HTTP/1.0 204 No\r\n\r\n", True),
        (b"HTTP/1.0 204 No\r\nConnection: keep-alive\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: some\r\n\r\nto the end", True),
    ],
)
def test_the_last_answer_of_a_connection_is_known(head: bytes, is_last: bool) -> None:
    """A request on a connection that ends would be lost."""
    assert read(head).is_last is is_last


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", RemoteDisconnected),
        (b"HTTP/1.1 200 OK\r\nContent-Le", IncompleteRead),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour", IncompleteRead),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfour", IncompleteRead),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", IncompleteRead),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", HTTPException),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", HTTPException),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 300_000, HTTPException),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", HTTPException),
        (b"HTTP/2 200\r\n\r\n", HTTPException),
        (b"HTTP/1.1 200 OK\r\nno header\r\n\r\n", HTTPException),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 60_000, HTTPException),
    ],
)
def test_what_is_no_whole_answer_is_refused(said: bytes, error: type[Exception]) -> None:
    """Half a document must not be read as one, and headers without end must not fill the memory."""
    with pytest.raises(error):
        read(said)
