"""Lambda: ``GET /training/{id}`` answers with URIs of the new layout, whatever the record holds."""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from handlers.portal.access import EVERYBODY
from handlers.portal.desk import Portal
from handlers.portal.http import answered, caller, respond
from handlers.portal.presenting import presented
from handlers.portal.wiring import portal_of

_OURS = ("request", "s3_output_path")
"""Attributes that are of no use outside."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request."""
    return respond(event, context, portal_of(), routes)


def routes(api: APIGatewayRestResolver, portal: Portal) -> None:
    """``GET /training/{id}``."""

    def read(training_id: str) -> Response[str]:
        item, desk = portal.training(training_id, caller(api), EVERYBODY)
        body = {name: value for name, value in item.items() if name not in _OURS}
        return answered(200, presented(body, paths=desk.paths, layout=desk.layout))

    api.get("/training/<training_id>")(read)
