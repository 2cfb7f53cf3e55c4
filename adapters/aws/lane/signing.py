"""Signature Version 4; the key of a day is derived once."""

from collections.abc import Iterable
from hashlib import sha256
from hmac import digest

_ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_DIGEST = sha256(b"").hexdigest()


class Signer:
    """Signs requests to one service in one region."""

    def __init__(self, service: str, region: str) -> None:
        self._parts = (region, service, "aws4_request")
        self._scope = "/".join(self._parts)
        self._derived: tuple[str, str, bytes] = ("", "", b"")

    def authorization(  # noqa: PLR0913  # the parts of a canonical request, in AWS's order
        self,
        method: str,
        path: str,
        query: str,
        headers: Iterable[tuple[str, str]],
        body_digest: str,
        *,
        access_key: str,
        secret_key: str,
        moment: str,
    ) -> str:
        """The value of the header ``authorization``.

        ``path`` and ``query`` are encoded as they are sent; ``headers`` are all that is signed, their names in lower
        case and each once; ``moment`` is the value of ``x-amz-date``, such as ``20260101T120000Z``.
        """
        ordered = sorted(headers)
        names = ";".join([name for name, _ in ordered])
        lines = "".join([f"{name}:{_trimmed(text)}\n" for name, text in ordered])
        canonical = f"{method}\n{path}\n{canonical_query(query)}\n{lines}\n{names}\n{body_digest}"
        scope = f"{moment[:8]}/{self._scope}"
        text = f"{_ALGORITHM}\n{moment}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = digest(self._key(secret_key, moment[:8]), text.encode(), "sha256").hex()
        return f"{_ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"

    def _key(self, secret_key: str, day: str) -> bytes:
        known_secret, known_day, key = self._derived
        if (known_secret, known_day) != (secret_key, day):
            key = digest(f"AWS4{secret_key}".encode(), day.encode(), "sha256")
            for part in self._parts:
                key = digest(key, part.encode(), "sha256")
            self._derived = (secret_key, day, key)
        return key


def canonical_query(query: str) -> str:
    """The encoded parameters in the order of their names, then of their values, each with ``=``."""
    if not query:
        return ""
    pairs = [(name, text) for name, _, text in (one.partition("=") for one in query.split("&"))]
    return "&".join([f"{name}={text}" for name, text in sorted(pairs)])


def _trimmed(text: str) -> str:
    """Without spaces at its ends, and single ones within."""
    return " ".join(text.split()) if "  " in text or text[:1] == " " or text[-1:] == " " else text
