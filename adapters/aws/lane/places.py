"""Where an operation's requests go, read off one that botocore signed and sent itself.

So the endpoint's rules, the region, the signing name, FIPS, dual stack and access points are botocore's alone, and a
request that the lane would make in another way is found before the first one leaves.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from adapters.aws.lane.requests import Request
from adapters.aws.lane.scalars import UnusualError
from adapters.aws.lane.signing import EMPTY_DIGEST, canonical_query

_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=[^ ]+/[0-9]{8}/([^/ ,]+)/([^/ ,]+)/aws4_request, .*")
_PORTS = {"http": 80, "https": 443}
_SDK = frozenset(
    {
        *("amz-sdk-invocation-id", "amz-sdk-request", "authorization", "content-length", "user-agent"),
        *("x-amz-date", "x-amz-security-token", "x-amzn-trace-id"),
    }
)
_DIGEST = "x-amz-content-sha256"


@dataclass(frozen=True, slots=True)
class Place:
    """Scheme, host and port, the path before the operation's own, and what is signed for."""

    scheme: str
    host: str
    port: int
    prefix: str
    region: str
    service: str
    user_agent: str
    with_digest: bool

    @property
    def host_header(self) -> str:
        """As HTTP and the signature name the host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def place_of(sent: Any, own: Request, method: str) -> Place:
    """The place of botocore's prepared request ``sent``, for which the lane would have sent ``own``.

    Raises UnusualError, with the reason, where the two differ in anything but the parts that differ in every request.
    """
    headers = {name.lower(): _text(value) for name, value in sent.headers.items()}
    signed = _SIGNED.fullmatch(headers.get("authorization", ""))
    if signed is None:
        raise UnusualError("it is not signed with Signature Version 4")
    url = urlsplit(sent.url)
    body = sent.body or b""
    digest = headers.pop(_DIGEST, None)
    if digest not in (None, sha256(own.body).hexdigest() if own.body else EMPTY_DIGEST):
        raise UnusualError("its body is not signed")
    theirs = {name: value for name, value in headers.items() if name not in _SDK}
    if sent.method != method or body != own.body:
        raise UnusualError("botocore makes another request of it")
    if others := sorted(name for name, _ in theirs.items() ^ dict(own.headers).items()):
        raise UnusualError(f"botocore sends other headers: {', '.join(dict.fromkeys(others))}")
    if canonical_query(url.query) != canonical_query(own.query) or not url.path.endswith(own.path):
        raise UnusualError("botocore makes another address of it")
    if digest is None and url.path != "/":
        raise UnusualError("its endpoint has a path, which is signed in another form")
    return Place(
        scheme=url.scheme,
        host=url.hostname or "",
        port=url.port or _PORTS[url.scheme],
        prefix=url.path[: len(url.path) - len(own.path)],
        region=signed[1],
        service=signed[2],
        user_agent=headers.get("user-agent", ""),
        with_digest=digest is not None,
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
