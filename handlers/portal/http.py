"""From API Gateway to a function of the portal and back: routes, errors, idempotency keys."""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent, APIGatewayProxyEventV2
from pydantic import BaseModel, ValidationError

from domain.errors import InputError, KeyshiftError, TransientError
from domain.portal.layout import LayoutError
from domain.portal.records import Item
from handlers.portal.access import Identity, UserRole, identity_of
from handlers.portal.errors import HttpError
from handlers.portal.portal import Portal, UseCaseServices

Body = TypeVar("Body", bound=BaseModel)
Answer = tuple[int, Mapping[str, Any]]
LONGEST_TOKEN = 256
_API = "/api/v1"
_TRAINING = re.compile(r"/training/(?P<training_id>[^/]+)(?P<action>(?:/[a-z]+)?)")


class HttpApiRequest(APIGatewayProxyEventV2):
    """A request through an HTTP API in payload format 2.0, which has neither ``httpMethod`` nor ``path``."""

    @property
    def path(self) -> str:
        """The path without the stage: it stands before the path, but not behind a domain name of one's own."""
        path, stage = str(self["rawPath"]), str(_context_of(self.raw_event).get("stage") or "$default")
        return path.removeprefix(f"/{stage}") if path.startswith(f"/{stage}/") else path


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``training_id`` is the one that its path names, empty where it names none."""

    event: APIGatewayProxyEvent | HttpApiRequest
    portal: Portal
    training_id: str

    @property
    def caller(self) -> Identity:
        """Who asks; 401 without an identity."""
        return identity_of(self.event.raw_event)

    def body_as(self, model: type[Body]) -> Body:
        """The body by its model; no body is an empty one."""
        return model.model_validate_json(self.event.decoded_body or "{}")

    def token(self, given: str | None) -> str:
        """The caller's idempotency key: the header ``Idempotency-Key``, else ``given`` in the body, else a new one."""
        headers = {name.lower(): str(value) for name, value in (self.event.headers or {}).items() if value}
        token = headers.get("idempotency-key") or given or self.portal.new_token()
        if len(token) > LONGEST_TOKEN:
            raise HttpError(400, f"The idempotency key has at most {LONGEST_TOKEN} characters", field="Idempotency-Key")
        return token

    def training(self, roles: frozenset[UserRole]) -> tuple[Item, UseCaseServices]:
        """The record and its use case: 404 where there is no record, 403 where the caller may not."""
        return self.portal.training(self.training_id, self.caller, roles)


Routes = Mapping[str, Callable[[Request], Answer]]
"""By method and path, such as ``GET /training/{training_id}``."""


def respond(event: Mapping[str, Any], portal: Portal, routes: Routes) -> dict[str, Any]:
    """Answer one request: 400, 401, 403, 404, 409 as said; 502 and 503 for what AWS says."""
    asked = _request_of(event)
    headers: dict[str, str | list[str]] = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    try:
        status, body = _answer(asked, portal, routes)
    except TransientError as error:
        status, body = 503, {"error": str(error), "cause": error.cause}
        headers["Retry-After"] = "5"
    except (HttpError, ValidationError, KeyshiftError) as error:
        status, body = _refusal(error)
    return {
        "statusCode": status,
        "body": json.dumps(body, default=_written),
        "isBase64Encoded": False,
        **asked.header_serializer().serialize(headers=headers, cookies=[]),
    }


def _answer(asked: APIGatewayProxyEvent | HttpApiRequest, portal: Portal, routes: Routes) -> Answer:
    """What the function of the route says, which API Gateway has chosen by the same method and path."""
    path = asked.path.removeprefix(_API) if asked.path.startswith(f"{_API}/") else asked.path
    named = _TRAINING.fullmatch(path.rstrip("/"))
    training_id = named["training_id"] if named is not None else ""
    template = f"/training/{{training_id}}{named['action']}" if named is not None else path.rstrip("/")
    route = routes.get(f"{asked.http_method.upper()} {template}")
    if route is None:
        return 404, {"statusCode": 404, "message": "Not found"}
    return route(Request(asked, portal, training_id))


def _refusal(error: HttpError | ValidationError | KeyshiftError) -> Answer:
    """What an error says of the request, or of AWS."""
    match error:
        case HttpError():
            return error.status, error.body()
        case ValidationError():
            faults = [{"field": ".".join(map(str, one["loc"])) or "body", "why": one["msg"]} for one in error.errors()]
            said = "; ".join(f"{fault['field']}: {fault['why']}" for fault in faults)
            return 400, {"error": said, "field": faults[0]["field"], "faults": faults}
        case LayoutError():
            return 400, {"error": str(error), "field": error.field}
        case InputError():
            return 409, {"error": str(error)}
        case _:
            return 502, {"error": str(error), "cause": error.cause}


def _request_of(event: Mapping[str, Any]) -> APIGatewayProxyEvent | HttpApiRequest:
    """The request in its form; raises InputError for an event that API Gateway does not send."""
    http = _context_of(event).get("http")
    if event.get("version") == "2.0" and isinstance(http, Mapping):
        if isinstance(http.get("method"), str) and isinstance(event.get("rawPath"), str):
            return HttpApiRequest(dict(event))
    elif isinstance(event.get("httpMethod"), str) and isinstance(event.get("path"), str):
        return APIGatewayProxyEvent(dict(event))
    raise InputError("this is not a request of API Gateway: it has no method and path; check what invokes the function")


def _context_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    context = event.get("requestContext")
    return context if isinstance(context, Mapping) else {}


def _written(value: Any) -> int | float | str | list[str]:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
