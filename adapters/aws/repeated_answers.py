"""Repeated answers: where a proxy repeats one, the next request would read it as its own answer."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from botocore.parsers import ResponseParserError

KEPT = 4_096
"""Number of answers kept for one client; a repeated one follows its original on the same connection."""
_NUMBERS = ("x-amz-request-id", "x-amzn-requestid")


class RepeatedAnswerError(ResponseParserError):
    """The answer was another request's; the result of this one is unknown."""


class AnswerNumbers:
    """The request ids that one client has read; AWS gives each request a new one.

    HTTP/1.1 relates an answer to its request only by their order on a connection. So an extra answer is read by the
    next request: HEAD shows another object, or an event counts as published and is not. ``drop_connections`` closes the
    idle connections, because the answer that is still due would come on one of them.
    """

    def __init__(self, drop_connections: Callable[[], object]) -> None:
        self._drop_connections = drop_connections
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._last: Mapping[str, str] = {}
        self._lock = Lock()

    def refuse_repeated_answer(self, response_dict: Mapping[str, Any], **_unused: Any) -> None:
        """A botocore handler of ``before-parse``: raises RepeatedAnswerError for an answer that was read before.

        Answers without ids are accepted. While all answers have had the same id (S3Proxy has only one), an answer is
        refused only if it equals the last one in every header.
        """
        headers = response_dict["headers"]
        number = next((headers[name] for name in _NUMBERS if headers.get(name)), None)
        if number is not None and self._came_before(number, dict(headers)):
            self._drop_connections()
            raise RepeatedAnswerError("the answer to another request was repeated")

    def _came_before(self, number: str, headers: Mapping[str, str]) -> bool:
        with self._lock:
            came_before = number in self._seen and (len(self._seen) > 1 or headers == self._last)
            self._last = headers
            self._seen[number] = None
            if len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        return came_before
