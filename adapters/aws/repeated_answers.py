"""Answers that came before: where something on the way repeats one, the next request would take it for its own."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from botocore.parsers import ResponseParserError

KEPT = 4_096
"""Answers remembered of one client; a repeated one follows its original on the same connection."""
_NUMBERS = ("x-amz-request-id", "x-amzn-requestid")


class RepeatedAnswerError(ResponseParserError):
    """The answer was another request's; what became of this one is unknown."""


class AnswerNumbers:
    """The request ids that one client has read; AWS gives each request another one.

    HTTP/1.1 ties an answer to its request by nothing but their order on a connection, so whatever is left over on it
    answers the next request: a look that shows another object, an event that counts as published and never was.
    ``drop_connections`` closes the idle ones, since the answer that is still due would come on one of them.
    """

    def __init__(self, drop_connections: Callable[[], object]) -> None:
        self._drop_connections = drop_connections
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._last: Mapping[str, str] = {}
        self._lock = Lock()

    def refuse_repeated_answer(self, response_dict: Mapping[str, Any], **_unused: Any) -> None:
        """A botocore handler of ``before-parse``: raises RepeatedAnswerError for an answer that came before.

        A server that gives no ids is taken as it is; while all answers have had the same one (S3Proxy gives no other),
        only what is the last one's copy in every header is refused.
        """
        headers = response_dict["headers"]
        number = next((headers[name] for name in _NUMBERS if headers.get(name)), None)
        if number is not None and self._came_before(number, dict(headers)):
            self._drop_connections()
            raise RepeatedAnswerError("the answer to another request came again")

    def _came_before(self, number: str, headers: Mapping[str, str]) -> bool:
        with self._lock:
            came_before = number in self._seen and (len(self._seen) > 1 or headers == self._last)
            self._last = headers
            self._seen[number] = None
            if len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        return came_before
