"""Answers that are not AWS's: a proxy's page with status 200 must not be read as an empty answer."""

import re
from collections.abc import Mapping
from typing import Any

from botocore.parsers import ResponseParserError

_PAGE = re.compile(rb"\s*(<\?xml[^>]*>\s*)?<(!doctype\s+)?html", re.IGNORECASE)
_OPENINGS = {"json": b"{", "rest-json": b"{", "rest-xml": b"<", "query": b"<"}
_WITH_ETAG = ("GetObject", "HeadObject", "PutObject", "UploadPart")
FIRST_ERROR = 300


def refuse_foreign_answers(operation_model: Any, response_dict: Mapping[str, Any], **_unused: Any) -> None:
    """A botocore handler of ``before-parse``: raises ResponseParserError for a success whose body is not AWS's.

    botocore's parsers read an unknown body as an answer without members: an empty listing, a queue without messages, a
    missing record.
    """
    opening = _OPENINGS.get(operation_model.service_model.resolved_protocol)
    if opening is None or response_dict["status_code"] >= FIRST_ERROR:
        return
    is_foreign = operation_model.name in _WITH_ETAG and "etag" not in response_dict["headers"]
    if not operation_model.has_streaming_output and not operation_model.has_event_stream_output:
        body = bytes(response_dict["body"]).lstrip()
        is_foreign |= _PAGE.match(body) is not None
        is_foreign |= _has_body(operation_model) and not body.startswith(opening)
    if is_foreign:
        raise ResponseParserError("the answer is not AWS's")


def _has_body(operation_model: Any) -> bool:
    """Whether AWS's body has members that are not text."""
    shape = operation_model.output_shape
    if shape is None or operation_model.http.get("method") == "HEAD":
        return False
    payload = shape.serialization.get("payload")
    if payload is not None:
        return bool(shape.members[payload].type_name == "structure")
    return any("location" not in member.serialization for member in shape.members.values())
