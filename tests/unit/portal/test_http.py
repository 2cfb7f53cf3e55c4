"""One request of the portal's API knows only itself."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from pydantic import BaseModel

from handlers.demo.portal.caller import Caller, answer_of, request_event
from handlers.portal.http import Answer, Request, respond
from tests.worlds.portal import PortalMemoryWorld


class Said(BaseModel):
    """Some request."""

    word: str


def test_requests_side_by_side_do_not_see_each_other() -> None:
    """A framework kept the current event in a class attribute: one caller's identity, body and key were another's."""
    both, portal = Barrier(2, timeout=10), PortalMemoryWorld().portal

    def create(request: Request) -> Answer:
        both.wait()
        identity, said = request.caller, request.body_as(Said)
        return 200, {"user": identity.user_id, "word": said.word, "key": request.token(None)}

    def asked(user: str) -> dict[str, Any]:
        event = request_event("POST", "/training", json.dumps({"word": user}), key=user, caller=Caller(user))
        return answer_of(respond(event, portal, {"POST /training": create})).body

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(asked, ("ada", "bob")))
    assert answers == [{"user": one, "word": one, "key": one} for one in ("ada", "bob")]


@pytest.mark.parametrize(
    ("method", "path", "training_id"),
    [
        ("GET", "/training/t-1/compile", "t-1"),
        ("GET", "/training/t-1/compile/", "t-1"),
        ("get", "/training/t%201:~/compile", "t%201:~"),
        ("GET", "/training//compile", None),
        ("GET", "/training/t-1", None),
        ("GET", "/training/t-1/compile/more", None),
        ("POST", "/training/t-1/compile", None),
        ("GET", "/", None),
    ],
)
def test_a_function_answers_its_own_route_only(method: str, path: str, training_id: str | None) -> None:
    """API Gateway has chosen by the same method and path; a slash at the end changes nothing."""
    routes = {"GET /training/{training_id}/compile": lambda request: (200, {"training_id": request.training_id})}
    answer = answer_of(respond(request_event(method, path, caller=Caller()), PortalMemoryWorld().portal, routes))
    if training_id is None:
        assert (answer.status, answer.body) == (404, {"statusCode": 404, "message": "Not found"})
    else:
        assert (answer.status, answer.body) == (200, {"training_id": training_id})
