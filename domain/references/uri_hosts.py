"""S3's host names, and the names of access points, which stand for a bucket without naming it."""

import re
from functools import lru_cache
from urllib.parse import unquote

from domain.keys import BUCKET_NAME

_REGION = r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]+"
_DOMAIN = (
    r"(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov|csp\.hci\.ic\.gov|cloud\.adc-e\.uk)"
    r"\.?(?::[0-9]+)?"
)
"""The DNS suffixes of AWS's partitions (botocore's partitions.json), a root dot and a port."""

SERVICE = re.compile(
    rf"(?:(?P<bucket>{BUCKET_NAME})\.)?"
    r"(?P<service>(?:"
    rf"bucket\.vpce-[a-z0-9-]+\.s3\.(?P<private_region>{_REGION})\.vpce"
    rf"|s3(?:-fips|-accelerate|-external-1|-website)?(?:\.dualstack)?(?:[.-](?P<region>{_REGION}))?"
    rf")\.{_DOMAIN})",
    re.IGNORECASE,
)
"""Hosts of the S3 user guide's pages on virtual hosting, dual-stack, acceleration, websites and PrivateLink."""

ACCESS_POINT_HOST = re.compile(
    rf".+\.(?:s3-accesspoint|s3-object-lambda|accesspoint)(?:-fips)?\.(?:.+\.)?{_DOMAIN}", re.IGNORECASE
)
"""Regional, Object Lambda, PrivateLink and Multi-Region access points."""

_ALIAS = re.compile(r".+(?:-s3alias|--ol-s3|\.mrap)", re.IGNORECASE)
_ARN = re.compile(r"arn:[a-z0-9-]+:(?:s3|s3-object-lambda):[a-z0-9-]*:[0-9]*:accesspoint[/:][^/]+", re.IGNORECASE)
_TRACE = re.compile(r":accesspoint[/:]|[.-]accesspoint\.|s3-object-lambda|-s3alias|--ol-s3|\.mrap\b", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)


def is_access_point(bucket: str) -> bool:
    """Whether the text in the bucket's place is an access point's alias or ARN."""
    return _ALIAS.fullmatch(bucket) is not None or _ARN.fullmatch(bucket) is not None


def may_name(text: str, bucket: str) -> bool:
    """Whether a text that cannot be read mentions the bucket, or an access point that may be the bucket's.

    The bucket's name counts as a whole: ``line-1`` is not in ``line-10`` or ``pipeline-1``.
    """
    forms = {text, unquote(text), _ESCAPE.sub(_unescaped, text)}
    return any(_name_of(bucket).search(form) or _TRACE.search(form) for form in forms)


@lru_cache(maxsize=16)
def _name_of(bucket: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z0-9-])(?<![a-z0-9]\.){re.escape(bucket)}(?![a-z0-9-])", re.IGNORECASE)


def _unescaped(found: re.Match[str]) -> str:
    """One JSON escape, decoded; a line end or another control character becomes a space, which separates words."""
    return chr(int(found[1], 16)) if found[1] else found[2] if found[2] in '"\\/' else " "
