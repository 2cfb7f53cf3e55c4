"""One request of the portal's API knows only itself."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from pydantic import BaseModel

from handlers.demo.portal.caller import answer_of, request_event
from handlers.portal.desk import Portal
from handlers.portal.http import answered, body_of, caller, respond, token_of
from tests.portal_world import MemoryWorld


class Said(BaseModel):
    """Some request."""

    word: str


def test_requests_side_by_side_do_not_see_each_other() -> None:
    """Powertools keeps the current event in a class attribute: one caller's identity, body and key were another's."""
    both, portal = Barrier(2, timeout=10), MemoryWorld().portal

    def routes(api: APIGatewayRestResolver, portal: Portal) -> None:
        def create() -> Response[str]:
            both.wait()
            identity, said = caller(api), body_of(api, Said)
            return answered(200, {"user": identity.user_id, "word": said.word, "key": token_of(api, None, portal)})

        api.post("/training")(create)

    def asked(user: str) -> dict[str, Any]:
        event = request_event("POST", "/training", json.dumps({"word": user}), key=user, user=user)
        return answer_of(respond(event, None, portal, routes)).body

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(asked, ("ada", "bob")))
    assert answers == [{"user": one, "word": one, "key": one} for one in ("ada", "bob")]
