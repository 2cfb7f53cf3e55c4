"""Every S3 write condition, judged as AWS does; the emulator serves on one thread, so judging and writing is atomic."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from adapters.standin.wire import Answer, s3_error

_MESSAGE = "At least one of the pre-conditions you specified did not hold"
_SOURCE = "x-amz-copy-source-if-"


def failed(condition: str) -> Answer:
    """S3's 412, which names the condition that did not hold."""
    return s3_error("PreconditionFailed", _MESSAGE, 412, Condition=condition)


def target_refusal(headers: Mapping[str, str], current: Mapping[str, Any] | None, *, key: str) -> Answer | None:
    """If-None-Match and If-Match of a write or delete; ``current`` is ``None`` under a delete marker too.

    If-Match on a missing object is 404, not 412 (S3 User Guide, conditional-writes).
    """
    none_match, match = headers.get("if-none-match", "").strip(), headers.get("if-match", "").strip()
    if none_match and none_match != "*":
        return s3_error(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            501,
            Header="If-None-Match",
        )
    if none_match and current is not None:
        return failed("If-None-Match")
    if match and current is None:
        return s3_error("NoSuchKey", "The specified key does not exist.", 404, Key=key)
    if match and current is not None and not _names(match, current):
        return failed("If-Match")
    return None


def source_refusal(headers: Mapping[str, str], source: Mapping[str, Any]) -> Answer | None:
    """The four x-amz-copy-source-if-* headers; an etag condition outranks its date counterpart."""
    match, none_match = headers.get(f"{_SOURCE}match"), headers.get(f"{_SOURCE}none-match")
    written = _written(source)
    if match:
        if not _names(match, source):
            return failed(f"{_SOURCE}match")
    elif (limit := _date(headers.get(f"{_SOURCE}unmodified-since"))) and written > limit:
        return failed(f"{_SOURCE}unmodified-since")
    if none_match:
        if _names(none_match, source):
            return failed(f"{_SOURCE}none-match")
    elif (limit := _date(headers.get(f"{_SOURCE}modified-since"))) and written <= limit:
        return failed(f"{_SOURCE}modified-since")
    return None


def _names(condition: str, record: Mapping[str, Any]) -> bool:
    return condition == "*" or condition.strip().strip('"') == str(record["etag"]).strip('"')


def _written(record: Mapping[str, Any]) -> datetime:
    # Last-Modified has whole seconds, so the comparison does too.
    return datetime.fromisoformat(str(record["last_modified"])).replace(microsecond=0)


def _date(header: str | None) -> datetime | None:
    if not header:
        return None
    try:
        parsed = parsedate_to_datetime(header)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
