"""Lambda: ``GET /training/{id}`` answers with URIs of the new layout, whatever the record holds."""

from typing import Any

from handlers.portal.access import EVERYBODY
from handlers.portal.http import Answer, Request, Routes, respond
from handlers.portal.wiring import portal_of

_OURS = ("request", "s3_output_path")
"""Attributes that are of no use outside."""


def read_training(request: Request) -> Answer:
    """The record, without what is of no use outside."""
    item, services = request.training(EVERYBODY)
    body = {name: value for name, value in item.items() if name not in _OURS}
    return 200, services.present(body)


ROUTES: Routes = {"GET /training/{training_id}": read_training}


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one request."""
    return respond(event, portal_of(), ROUTES)
