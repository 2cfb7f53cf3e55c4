"""A client of the portal's API: requests as API Gateway passes them to the functions, and their answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from handlers.portal import (
    compilation,
    compilation_read,
    greengrass_publish,
    packaging,
    training,
    training_read,
)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The answer that the client sees."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller; without a role the request has none."""

    user: str = "ada"
    role: str | None = "PortalAdmin"


def request_event(
    method: str, path: str, body: Any = None, *, caller: Caller, key: str | None = None
) -> dict[str, Any]:
    """One request through API Gateway; ``key`` is the idempotency key."""
    user, role = caller.user, caller.role
    claims = {"sub": user, "email": f"{user}@example.org", "custom:role": role}
    return {
        "httpMethod": method,
        "path": f"/api/v1{path}",
        "headers": {"Idempotency-Key": key} if key else {},
        "queryStringParameters": None,
        "requestContext": {"authorizer": {"claims": claims} if role else {}, "stage": "prod", "path": path},
        "body": body if isinstance(body, str) or body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def function_of(method: str, path: str) -> ModuleType:
    """The function that API Gateway sends this request to."""
    if path == "/training":
        return training
    tail = path.split("/")[3] if path.count("/") > 2 else ""
    if method == "GET":
        return compilation_read if tail == "compile" else training_read
    return {"compile": compilation, "package": packaging}.get(tail, greengrass_publish)


def answer_of(answered: Mapping[str, Any]) -> HttpAnswer:
    """A function's answer, as API Gateway hands it on."""
    return HttpAnswer(int(answered["statusCode"]), json.loads(answered["body"]))


def call(method: str, path: str, body: Any = None, *, key: str | None = None) -> HttpAnswer:
    """Call the handler that Lambda would call, with the settings in the environment."""
    event = request_event(method, path, body, key=key, caller=Caller())
    return answer_of(function_of(method, path).handler(event, None))
