"""The forms in which people write where an S3 object is: read to a location and written again in the same form."""

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from urllib.parse import unquote, unquote_plus, unquote_to_bytes

from domain.keys import Location, is_bucket_name, key_fault
from domain.references.uri_hosts import ACCESS_POINT_HOST, SERVICE, is_access_point

_S3 = re.compile(r"(?P<scheme>\s*s3[an]?://)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
"""``s3a`` and ``s3n`` are Hadoop's names for the same."""
_ARN = re.compile(r"(?P<scheme>\s*arn:[a-z0-9-]+:s3:::)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_ACCESS_POINT_ARN = re.compile(
    r"\s*(?:s3[an]?://)?arn:[a-z0-9-]+:(?:s3|s3-object-lambda):[a-z0-9-]*:[0-9]*:accesspoint[/:][^/]*"
    r"(?:/(?P<rest>.*))?",
    re.IGNORECASE | re.DOTALL,
)
_HTTP = re.compile(
    r"(?P<scheme>\s*https?://)(?P<host>[^/?#]*)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?P<fragment>#.*)?",
    re.IGNORECASE | re.DOTALL,
)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
_MAX_HOST = 300
"""A host name has at most 253 characters; a port comes after it."""
_OF_ONE_BUCKET = ("accelerate", "website")
_PATTERN = "'*' and '?' stand for any text"
_MAX_ENDS = 16
"""Places in a key at which a query or a fragment may begin."""

POINT = "it names an access point, which does not tell its bucket"


class UriForm(StrEnum):
    """How a place is written."""

    S3 = "s3"
    ARN = "arn"
    VIRTUAL_HOSTED = "virtual-hosted"
    PATH_STYLE = "path-style"
    KEY = "key"
    """The bare key; its bucket is declared elsewhere."""


@dataclass(frozen=True, slots=True)
class ObjectUri:
    """One place as it is written: ``scheme`` and ``service`` (host without the bucket) as in ``text``.

    ``literal`` are the characters that ``text`` leaves unencoded although other writers encode them. ``region`` is the
    region in the host name.
    """

    text: str
    form: UriForm
    location: Location
    scheme: str = ""
    service: str = ""
    region: str | None = None
    literal: frozenset[str] = frozenset()
    written: str = ""
    """The key as it is written in a URL: its writer may not have encoded it."""

    @property
    def others(self) -> tuple[Location, ...]:
        """Places that some readers take it for.

        Such readers decode the key once more, or not at all, or cut a query off.
        """
        bucket, key = self.location.bucket, self.location.key
        return tuple(Location(bucket, one) for one in readings_of(key, self.written or key) if one != key)


@dataclass(frozen=True, slots=True)
class UnusableUri:
    """It refers to S3, but not to one object in a form that can be rewritten; ``reason`` gives the cause.

    ``bucket`` is the bucket that it names, ``None`` where it does not name one (an access point). ``keys`` are those
    that it may mean, ``None`` where it may mean any.
    """

    text: str
    reason: str
    bucket: str | None = None
    keys: tuple[str, ...] | None = None


def readings_of(*keys: str) -> tuple[str, ...]:
    """Every key that a reader may take these for: unchanged, without a query or fragment, decoded, without spaces.

    AWS's own Java library reads ``?versionId=`` in ``s3://``. Encoded keys from events are often stored unchanged.
    """
    found = dict.fromkeys(keys)
    for key in keys:
        ends = islice(re.finditer(r"[?#]", key), _MAX_ENDS)
        for one in (key, *(key[: end.start()] for end in ends)):
            found |= dict.fromkeys((one, unquote(one, errors="replace"), unquote_plus(one, errors="replace")))
    found |= dict.fromkeys([cut for one in found for cut in (one.strip(), one[:-1] if one[-1:].isspace() else one)])
    return tuple(one for one in found if key_fault(one) is None)


def read_uri(text: str, *, bucket: str | None = None) -> ObjectUri | UnusableUri | None:
    """Read one place; ``None`` for a text that does not refer to S3. With ``bucket`` a plain text is a key in it."""
    found = _ACCESS_POINT_ARN.fullmatch(text)
    if found is not None:
        key = found["rest"] or ""
        # In an ARN "object/" comes before the key, in the command line's form the key alone.
        return _of_point(text, key, key.removeprefix("object/"))
    for expression, form in ((_S3, UriForm.S3), (_ARN, UriForm.ARN)):
        found = expression.fullmatch(text)
        if found is not None:
            return _read_plain(text, form, found["scheme"], found["rest"])
    found = _HTTP.fullmatch(text)
    if found is not None:
        if len(found["host"]) > _MAX_HOST:
            return None
        host = SERVICE.fullmatch(found["host"])
        if host is not None:
            return _read_http(text, found, host)
        if ACCESS_POINT_HOST.fullmatch(found["host"]) is not None:
            return _of_point(text, *_http_keys(found))
        return None
    if bucket is None or not text:
        return None
    return _usable(ObjectUri(text, UriForm.KEY, Location(bucket, text)))


def write_uri(uri: ObjectUri, location: Location, *, region: str | None = None) -> str | UnusableUri:
    """The same form for another place; ``region`` is where the other bucket is, if that is known."""
    if uri.form is UriForm.ARN and _is_pattern(location.key):
        return _unwritable(uri, f"in an ARN, {_PATTERN}, and so they do in the new key {location.key}")
    if uri.form in (UriForm.S3, UriForm.ARN):
        return f"{uri.scheme}{location.bucket}/{location.key}"
    moves = location.bucket != uri.location.bucket
    if uri.form is UriForm.KEY:
        if moves:
            return _unwritable(uri, f"a bare key cannot say that the object is now in {location.bucket}")
        return location.key
    service = uri.service
    for special in _OF_ONE_BUCKET:
        if moves and special in service.lower():
            names = {"accelerate": "transfer acceleration", "website": "website"}
            return _unwritable(uri, f"its host is the old bucket's {names[special]}; the new bucket may have none")
    if moves and uri.region is not None:
        if region is None:
            return _unwritable(uri, "its host belongs to the old bucket; say target.region in the rules file")
        service = service.replace(uri.region, region)
    path = _encoded(location.key, uri.literal)
    if uri.form is UriForm.VIRTUAL_HOSTED:
        return f"{uri.scheme}{location.bucket}.{service}/{path}"
    return f"{uri.scheme}{service}/{location.bucket}/{path}"


def _unwritable(uri: ObjectUri, reason: str) -> UnusableUri:
    return UnusableUri(uri.text, reason, uri.location.bucket, (uri.location.key,))


def _of_point(text: str, *keys: str) -> UnusableUri:
    return UnusableUri(text, POINT, None, readings_of(*keys) if any(keys) else None)


def _read_plain(text: str, form: UriForm, scheme: str, rest: str) -> ObjectUri | UnusableUri:
    bucket, _, key = rest.partition("/")
    if is_access_point(bucket):
        return _of_point(text, key)
    if not is_bucket_name(bucket):
        keys = readings_of(key) if key else None
        return UnusableUri(text, f"'{bucket}' is not a bucket name", bucket.strip(), keys)
    if form is UriForm.ARN and _is_pattern(key):
        return UnusableUri(text, f"in an ARN, {_PATTERN}", bucket)
    return _usable(ObjectUri(text, form, Location(bucket, key), scheme=scheme))


def _is_pattern(key: str) -> bool:
    return "*" in key or "?" in key


def _http_keys(found: re.Match[str]) -> tuple[str, ...]:
    """The keys that an https URL may mean: its path, also where ``?`` and ``#`` were meant as part of the key."""
    path = (found["path"] or "/")[1:]
    return path, path + (found["query"] or "") + (found["fragment"] or "")


def _read_http(text: str, found: re.Match[str], host: re.Match[str]) -> ObjectUri | UnusableUri:
    path, form, bucket = (found["path"] or "/")[1:], UriForm.VIRTUAL_HOSTED, (host["bucket"] or "").lower()
    paths: tuple[str, ...] = _http_keys(found)
    if not bucket:
        form = UriForm.PATH_STYLE
        bucket, _, path = path.partition("/")
        paths = tuple(one.partition("/")[2] for one in paths)
    if is_access_point(bucket):
        return _of_point(text, *paths)
    fault = _http_fault(path, found, bucket)
    if fault is not None:
        return UnusableUri(text, fault, bucket, readings_of(*paths) or None)
    try:
        key = unquote_to_bytes(path).decode()
    except UnicodeError:
        return UnusableUri(text, "its text or its percent-encoding is not UTF-8", bucket)
    if re.search(r"%(?![0-9A-Fa-f]{2})", path):
        return UnusableUri(text, "it holds a '%' that encodes nothing", bucket, readings_of(*paths) or None)
    if "website" in host["service"].lower() and (not path or path.endswith("/")):
        return UnusableUri(text, "it names a website's index document, not an object", bucket)
    literal = frozenset(path) - _UNRESERVED - {"%"}
    region = host["region"] or host["private_region"]
    return _usable(
        ObjectUri(text, form, Location(bucket, key), found["scheme"], host["service"], region, literal, path)
    )


def _http_fault(path: str, found: re.Match[str], bucket: str) -> str | None:
    """Why the URL does not name one object, before its percent-encoding is read; ``None`` when it may."""
    if found["query"] is not None:
        return "a query string (a presigned URL, a version) belongs to the old key and is left alone"
    if found["fragment"] is not None:
        return "a fragment does not belong to an object's URL"
    if "+" in path:
        return "S3 and other readers disagree whether '+' in a URL is a space; write %20 or %2B"
    if not is_bucket_name(bucket):
        return f"'{bucket}' is not a bucket name"
    return None


def _usable(uri: ObjectUri) -> ObjectUri | UnusableUri:
    place = uri.location
    if not place.key:
        return UnusableUri(uri.text, "it names a bucket, not an object", place.bucket)
    fault = key_fault(place.key)
    if fault is None:
        return uri
    return UnusableUri(uri.text, f"its key cannot be an S3 key: {fault}", place.bucket, readings_of(place.key))


def _encoded(key: str, literal: frozenset[str]) -> str:
    kept = _UNRESERVED | literal
    return "".join(
        one if one in kept else "".join(f"%{byte:02X}" for byte in one.encode("utf-8", "surrogatepass")) for one in key
    )
