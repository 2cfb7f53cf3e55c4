"""Lambda: ``GET /training/{id}/compile`` says how the compilation jobs stand, with URIs of the new layout."""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from handlers.portal.access import EVERYBODY
from handlers.portal.compilation import shown
from handlers.portal.desk import Portal
from handlers.portal.http import answered, caller, respond
from handlers.portal.presenting import presented
from handlers.portal.wiring import portal_of


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request."""
    return respond(event, context, portal_of(), routes)


def routes(api: APIGatewayRestResolver, portal: Portal) -> None:
    """``GET /training/{id}/compile``."""

    def read(training_id: str) -> Response[str]:
        item, desk = portal.training(training_id, caller(api), EVERYBODY)
        jobs = [shown(job) for job in item.get("compilation_jobs", [])]
        body = {"training_id": training_id, "compilation_jobs": jobs}
        return answered(200, presented(body, paths=desk.paths, layout=desk.layout))

    api.get("/training/<training_id>/compile")(read)
