"""One hot operation of a client: sent once in the lane, or handed to boto3.

botocore shows, without sending it, the first request for a bucket or a table: so the lane learns where they go, and
that it makes the same. A plain success and an expected refusal are read here. Any other answer, and a connection that
broke, is given to boto3 as the outcome of its first attempt, so that errors, repeats and their pauses are botocore's.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import HTTPClientError

from adapters.aws.foreign_answers import refuse_foreign_answers
from adapters.aws.lane.answers import Answer
from adapters.aws.lane.handover import Handover, NotSentError, handing_over
from adapters.aws.lane.json_operation import JsonOperation
from adapters.aws.lane.places import place_of
from adapters.aws.lane.refusals import Refusals
from adapters.aws.lane.requests import Operation, Request, first_of
from adapters.aws.lane.rest_operation import RestOperation
from adapters.aws.lane.routes import Route, Routes
from adapters.aws.lane.scalars import UnusualError
from adapters.aws.repeated_answers import AnswerNumbers

_LOG = logging.getLogger(__name__)
_PROTOCOLS: dict[str, Callable[[Any], Operation]] = {"rest-xml": RestOperation, "json": JsonOperation}
_KEYS = re.compile(r"keys\((\w+)\)")
_NOT_OF_PLACE = frozenset({"Key", "Prefix", "CopySource"})
"""Parameters that botocore offers to the rules of endpoints, and that S3's rules do not read."""
_SUCCESS = (200, 204)


@dataclass(frozen=True, slots=True)
class Shared:
    """What the hot operations of one client share; ``before_sending`` may raise to keep a signed request back."""

    routes: Routes
    numbers: AnswerNumbers
    credentials: Any
    before_sending: Callable[[], object]


class HotCall:
    """boto3's method ``name`` with a lane; raises UnusualError, when made, for an operation that can have none."""

    def __init__(self, client: Any, name: str, shared: Shared) -> None:
        meta = client.meta
        self._model = meta.service_model.operation_model(meta.method_to_api_mapping[name])
        protocol = self._model.service_model.resolved_protocol
        if protocol not in _PROTOCOLS:
            raise UnusualError(f"the protocol {protocol}")
        self._call: Callable[..., Any] = getattr(client, name)
        self._operation = _PROTOCOLS[protocol](self._model)
        self._first = first_of(meta.config.retries["total_max_attempts"])
        self._refusals = Refusals(client, self._model, self._first)
        self._key_of = _place_key(self._model)
        self._shared = shared
        self._places: dict[Any, Route | None] = {}

    def __call__(self, **params: Any) -> Any:
        """Returns and raises what boto3's method does."""
        try:
            key = self._key_of(params)
            is_known, route = key in self._places, self._places.get(key)
            if is_known and route is None:
                return self._call(**params)
            request = self._operation.request(params)
        except (TypeError, UnusualError):
            request = None
        if request is None:
            return self._call(**params)
        return self._begin(key, params, request) if route is None else self._send(key, route, params, request)

    def _begin(self, key: Any, params: dict[str, Any], request: Request) -> Any:
        shown = Handover(self._operation.name, is_shown=True)
        try:
            with handing_over(shown):
                return self._call(**params)  # answered, so by something before the network, such as a stub
        except NotSentError:
            route = self._learn(key, shown.signed, request)
        return self._call(**params) if route is None else self._send(key, route, params, request)

    def _learn(self, key: Any, signed: Any, own: Request) -> Route | None:
        try:
            self._places[key] = self._shared.routes.to(place_of(signed, own, self._operation.method))
        except UnusualError as error:
            self._places[key] = None
            _LOG.warning("%s goes through boto3, which costs more CPU: %s", self._operation.name, error)
        return self._places[key]

    def _send(self, key: Any, route: Route, params: dict[str, Any], request: Request) -> Any:
        credentials = self._shared.credentials.get_frozen_credentials()
        try:
            outcome: Any = route.send(self._operation.method, request, credentials, self._shared.before_sending)
            return self._read(outcome)
        except HTTPClientError as error:
            outcome = error
        except UnusualError:
            pass
        with handing_over(Handover(self._operation.name, outcome)) as handover:
            answer = self._call(**params)
        if handover.signed is not None:  # sent again, perhaps to another region
            self._learn(key, handover.signed, request)
        return answer

    def _read(self, answer: Answer) -> Any:
        """The parsed success; raises an expected refusal, and UnusualError for what botocore has to read."""
        told = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
        if answer.status not in _SUCCESS:
            refusal = self._refusals.error_of(told)
            if refusal is None:
                raise UnusualError
            self._shared.numbers.refuse_repeated_answer(told)
            raise refusal
        parsed = self._operation.read(answer)
        parsed["ResponseMetadata"].update(self._first)
        refuse_foreign_answers(self._model, told)
        self._shared.numbers.refuse_repeated_answer(told)
        return parsed


def _place_key(model: Any) -> Callable[[dict[str, Any]], Any]:
    """What a call's place depends on: the parameters that the rules of endpoints may read."""
    names = [parameter.member_name for parameter in model.context_parameters if parameter.name not in _NOT_OF_PLACE]
    lists: list[str] = []
    for one in dict(model.operation_context_parameters).values():
        found = _KEYS.fullmatch(one["path"])
        if found is None:
            raise UnusualError("its place depends on more than the lane can tell")
        lists.append(found[1])

    def key_of(params: dict[str, Any]) -> Any:
        return (*[params.get(name) for name in names], *[name for one in lists for name in params.get(one, ())])

    return key_of
