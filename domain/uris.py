"""The forms in which people write where an S3 object is, read to a location and written again in the same form."""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote_to_bytes

from domain.keys import Location, key_fault

_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_SERVICE = re.compile(
    rf"(?:(?P<bucket>{_BUCKET})\.)?"
    r"(?P<service>s3(?P<kind>-fips|-accelerate)?(?P<dual>\.dualstack)?"
    r"(?:[.-](?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9]+))?\.amazonaws\.com(?:\.cn)?)",
    re.IGNORECASE,
)
_HTTP = re.compile(
    r"(?P<scheme>https?://)(?P<host>[^/?#]*)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?P<fragment>#.*)?",
    re.IGNORECASE | re.DOTALL,
)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


class UriForm(StrEnum):
    """How a place is written."""

    S3 = "s3"
    VIRTUAL_HOSTED = "virtual-hosted"
    PATH_STYLE = "path-style"
    KEY = "key"
    """The bare key; its bucket is declared elsewhere."""


@dataclass(frozen=True, slots=True)
class ObjectUri:
    """One place as it is written: ``scheme`` and ``service`` (host without the bucket) as in ``text``.

    ``literal`` are the characters that ``text`` leaves as they are although others encode them; ``region`` is
    the one that the host names.
    """

    text: str
    form: UriForm
    location: Location
    scheme: str = ""
    service: str = ""
    region: str | None = None
    literal: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class UnusableUri:
    """It speaks of S3, but not of one object in a form that can be rewritten; ``reason`` says why."""

    text: str
    reason: str


def read_uri(text: str, *, bucket: str | None = None) -> ObjectUri | UnusableUri | None:
    """Read one place; ``None`` for a text that does not speak of S3. With ``bucket`` a plain text is a key in it."""
    if text[:5].lower() == "s3://":
        return _read_s3(text)
    found = _HTTP.fullmatch(text)
    if found is not None:
        host = _SERVICE.fullmatch(found["host"])
        return _read_http(text, found, host) if host is not None else None
    if bucket is None or not text:
        return None
    return _usable(ObjectUri(text, UriForm.KEY, Location(bucket, text)))


def write_uri(uri: ObjectUri, location: Location, *, region: str | None = None) -> str | UnusableUri:
    """The same form for another place; ``region`` is where the other bucket is, if that is known."""
    if uri.form is UriForm.S3:
        return f"{uri.scheme}{location.bucket}/{location.key}"
    if uri.form is UriForm.KEY:
        if location.bucket != uri.location.bucket:
            return UnusableUri(uri.text, f"a bare key cannot say that the object is now in {location.bucket}")
        return location.key
    service = uri.service
    if location.bucket != uri.location.bucket and "accelerate" in service.lower():
        return UnusableUri(uri.text, "its host is the old bucket's transfer acceleration; the new bucket may have none")
    if location.bucket != uri.location.bucket and uri.region is not None:
        if region is None:
            return UnusableUri(uri.text, "its host belongs to the old bucket; say target.region in the rules file")
        service = service.replace(uri.region, region)
    path = _encoded(location.key, uri.literal)
    if uri.form is UriForm.VIRTUAL_HOSTED:
        return f"{uri.scheme}{location.bucket}.{service}/{path}"
    return f"{uri.scheme}{service}/{location.bucket}/{path}"


def _read_s3(text: str) -> ObjectUri | UnusableUri:
    bucket, _, key = text[5:].partition("/")
    if re.fullmatch(_BUCKET, bucket) is None:
        return UnusableUri(text, f"'{bucket}' is no bucket name")
    return _usable(ObjectUri(text, UriForm.S3, Location(bucket, key), scheme=text[:5]))


def _read_http(text: str, found: re.Match[str], host: re.Match[str]) -> ObjectUri | UnusableUri:
    if found["query"] is not None:
        return UnusableUri(text, "a query string (a presigned URL, a version) belongs to the old key and is left alone")
    if found["fragment"] is not None:
        return UnusableUri(text, "a fragment is no part of an object's URL")
    path = (found["path"] or "/")[1:]
    if "+" in path:
        return UnusableUri(text, "S3 and other readers disagree whether '+' in a URL is a space; write %20 or %2B")
    form, bucket = UriForm.VIRTUAL_HOSTED, host["bucket"]
    if bucket is None:
        form = UriForm.PATH_STYLE
        bucket, _, path = path.partition("/")
        if re.fullmatch(_BUCKET, bucket) is None:
            return UnusableUri(text, f"'{bucket}' is no bucket name")
    try:
        key = unquote_to_bytes(path).decode()
    except UnicodeError:
        return UnusableUri(text, "its text or its percent-encoding is no UTF-8")
    if re.search(r"%(?![0-9A-Fa-f]{2})", path):
        return UnusableUri(text, "it holds a '%' that encodes nothing")
    literal = frozenset(path) - _UNRESERVED - {"%"}
    uri = ObjectUri(
        text, form, Location(bucket.lower(), key), found["scheme"], host["service"], host["region"], literal
    )
    return _usable(uri)


def _usable(uri: ObjectUri) -> ObjectUri | UnusableUri:
    if not uri.location.key:
        return UnusableUri(uri.text, "it names a bucket, not an object")
    fault = key_fault(uri.location.key)
    return uri if fault is None else UnusableUri(uri.text, f"its key cannot be an S3 key: {fault}")


def _encoded(key: str, literal: frozenset[str]) -> str:
    kept = _UNRESERVED | literal
    return "".join(
        one if one in kept else "".join(f"%{byte:02X}" for byte in one.encode("utf-8", "surrogatepass")) for one in key
    )
