"""Answers that are not AWS's: a proxy's page with status 200 must never be read as an empty answer."""

import re
from collections.abc import Mapping
from typing import Any

from botocore.parsers import ResponseParserError

_PAGE = re.compile(rb"\s*(<\?xml[^>]*>\s*)?<(!doctype\s+)?html", re.IGNORECASE)
_OPENINGS = {"json": b"{", "rest-json": b"{", "rest-xml": b"<", "query": b"<"}
FIRST_ERROR = 300


def refuse_foreign_answers(operation_model: Any, response_dict: Mapping[str, Any], **_unused: Any) -> None:
    """A botocore handler of ``before-parse``: raises ResponseParserError for a success whose body nobody at AWS wrote.

    botocore's parsers take what they do not know for an answer without members: a listing of nothing, a queue without
    messages, a record that is not there.
    """
    opening = _OPENINGS.get(operation_model.service_model.resolved_protocol)
    if opening is None or response_dict["status_code"] >= FIRST_ERROR or not _has_body(operation_model):
        return
    body = bytes(response_dict["body"]).lstrip()
    if not body.startswith(opening) or _PAGE.match(body):
        raise ResponseParserError("the answer is not of AWS")


def _has_body(operation_model: Any) -> bool:
    """Whether AWS writes something into the body that is neither the object's own bytes nor text."""
    shape = operation_model.output_shape
    if shape is None or operation_model.has_streaming_output or operation_model.has_event_stream_output:
        return False
    if operation_model.http.get("method") == "HEAD":
        return False
    payload = shape.serialization.get("payload")
    if payload is not None:
        return bool(shape.members[payload].type_name == "structure")
    return any("location" not in member.serialization for member in shape.members.values())
