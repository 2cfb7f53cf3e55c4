"""Hands a call to boto3: to see where it would go, or with the outcome of the first attempt, which the lane made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import AWSResponse

from adapters.aws.lane.answers import Answer


@dataclass(slots=True)
class Handover:
    """One call of boto3's client; ``signed`` is the last request that botocore itself would send for it.

    With ``is_shown`` nothing is sent: NotSentError ends the call when its request is signed.
    """

    operation: str
    outcome: Answer | Exception | None = None
    is_shown: bool = False
    signed: Any = None


class NotSentError(Exception):
    """A request was only shown."""


_CURRENT: ContextVar[Handover | None] = ContextVar("handover", default=None)


@contextmanager
def handing_over(call: Handover) -> Iterator[Handover]:
    """Within it, this thread's next attempt of the operation has the outcome that ``call`` brings along."""
    token = _CURRENT.set(call)
    try:
        yield call
    finally:
        _CURRENT.reset(token)


def watch_sending(client: Any, before_sending: Callable[[], object]) -> None:
    """Call ``before_sending`` whenever botocore is about to send a signed request, and answer what is handed over."""

    def answer(request: Any, event_name: str, **_unused: Any) -> AWSResponse | None:
        call = _CURRENT.get()
        is_its = call is not None and event_name.endswith(f".{call.operation}")
        if call is not None and is_its and call.outcome is not None:
            outcome, call.outcome = call.outcome, None
            if isinstance(outcome, Exception):
                raise outcome
            headers: Any = {outcome.spelled[name]: text for name, text in outcome.headers.items()}
            return AWSResponse(request.url, outcome.status, headers, _Read(outcome.body))
        if call is not None and is_its:
            call.signed = request
            if call.is_shown:
                raise NotSentError
        before_sending()
        return None

    client.meta.events.register(f"before-send.{client.meta.service_model.service_id.hyphenize()}", answer)


class _Read:
    """A body that was read already, as botocore reads bodies."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_unused: Any) -> Iterator[bytes]:
        yield self._body
