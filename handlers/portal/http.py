"""From API Gateway to a function of the portal and back: routes, errors, idempotency keys."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent, APIGatewayProxyEventV2
from pydantic import BaseModel, ValidationError

from domain.errors import InputError, KeyshiftError, TransientError
from domain.portal.layout import LayoutError
from handlers.portal.access import Identity, identity_of
from handlers.portal.desk import Portal
from handlers.portal.errors import HttpError

Body = TypeVar("Body", bound=BaseModel)
Answer = tuple[int, Mapping[str, Any]]
LONGEST_TOKEN = 256


class HttpApiRequest(APIGatewayProxyEventV2):
    """A request through an HTTP API in payload format 2.0, which has neither ``httpMethod`` nor ``path``."""

    @property
    def path(self) -> str:
        """The path without the stage: it stands before the path, but not behind a domain name of one's own."""
        path, stage = str(self["rawPath"]), str(_context_of(self.raw_event).get("stage") or "$default")
        return path.removeprefix(f"/{stage}") if path.startswith(f"/{stage}/") else path


class OneRequest(APIGatewayRestResolver):
    """The routes of one request.

    Powertools keeps the current event in an attribute of the class, which requests side by side in one process would
    share: one would be answered with the identity and the body of another.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(strip_prefixes=["/api/v1"])
        self._event = _request_of(event)

    @property
    def current_event(self) -> APIGatewayProxyEvent | HttpApiRequest:  # type: ignore[override]  # there it is a plain attribute
        """This request."""
        return self._event


def _request_of(event: Mapping[str, Any]) -> APIGatewayProxyEvent | HttpApiRequest:
    """The request in its form; raises InputError for an event that API Gateway does not send."""
    http = _context_of(event).get("http")
    if event.get("version") == "2.0" and isinstance(http, Mapping):
        if isinstance(http.get("method"), str) and isinstance(event.get("rawPath"), str):
            return HttpApiRequest(dict(event))
    elif isinstance(event.get("httpMethod"), str) and isinstance(event.get("path"), str):
        return APIGatewayProxyEvent(dict(event))
    raise InputError(
        "this is no request of API Gateway: it names no method and path; look at what invokes the function"
    )


def _context_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    context = event.get("requestContext")
    return context if isinstance(context, Mapping) else {}


def api_of(event: Mapping[str, Any]) -> APIGatewayRestResolver:
    """An API whose errors are answers: 400, 401, 403, 404, 409 as said; 502 and 503 for what AWS says."""
    api = OneRequest(event)

    def refused(error: HttpError) -> Response[str]:
        return answered(error.status, error.body())

    def invalid(error: ValidationError) -> Response[str]:
        faults = [{"field": ".".join(map(str, one["loc"])) or "body", "why": one["msg"]} for one in error.errors()]
        said = "; ".join(f"{one['field']}: {one['why']}" for one in faults)
        return answered(400, {"error": said, "field": faults[0]["field"], "faults": faults})

    def unfit(error: LayoutError) -> Response[str]:
        return answered(400, {"error": str(error), "field": error.field})

    def unusable(error: InputError) -> Response[str]:
        return answered(409, {"error": str(error)})

    def later(error: TransientError) -> Response[str]:
        return answered(503, {"error": str(error), "cause": error.cause}, {"Retry-After": "5"})

    def upstream(error: KeyshiftError) -> Response[str]:
        return answered(502, {"error": str(error), "cause": error.cause})

    # As calls, because powertools' decorators have no types.
    for kind, answer in (
        (HttpError, refused),
        (ValidationError, invalid),
        (LayoutError, unfit),
        (InputError, unusable),
        (TransientError, later),
        (KeyshiftError, upstream),
    ):
        api.exception_handler(kind)(answer)
    return api


def answered(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response[str]:
    """A JSON answer."""
    return Response(
        status_code=status,
        content_type="application/json",
        body=json.dumps(body, default=_written),
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def respond(
    event: Mapping[str, Any], context: Any, portal: Portal, routes: Callable[[APIGatewayRestResolver, Portal], None]
) -> dict[str, Any]:
    """Answer one request; the routes are made for this portal."""
    api = api_of(event)
    routes(api, portal)
    return api.resolve(dict(event), context)


def caller(api: APIGatewayRestResolver) -> Identity:
    """Who asks."""
    return identity_of(api.current_event.raw_event)


def body_of(api: APIGatewayRestResolver, model: type[Body]) -> Body:
    """The request's body by its model; no body is an empty one."""
    return model.model_validate_json(api.current_event.decoded_body or "{}")


def token_of(api: APIGatewayRestResolver, given: str | None, portal: Portal) -> str:
    """The caller's idempotency key (header ``Idempotency-Key``, or ``client_token`` in the body), else a new one."""
    headers = {name.lower(): str(value) for name, value in (api.current_event.headers or {}).items() if value}
    token = headers.get("idempotency-key") or given or portal.new_token()
    if len(token) > LONGEST_TOKEN:
        raise HttpError(400, f"The idempotency key has at most {LONGEST_TOKEN} characters", field="Idempotency-Key")
    return token


def _written(value: Any) -> int | float | str | list[str]:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
