"""Lambda: ``GET /training/{id}/compile`` says how the compilation jobs stand, with URIs of the new layout."""

from typing import Any

from handlers.portal.access import EVERYBODY
from handlers.portal.compilation import shown
from handlers.portal.http import Answer, Request, Routes, respond
from handlers.portal.wiring import portal_of


def read_compilation(request: Request) -> Answer:
    """The record's compilation jobs."""
    item, services = request.training(EVERYBODY)
    jobs = [shown(job) for job in item.get("compilation_jobs", [])]
    return 200, services.present({"training_id": request.training_id, "compilation_jobs": jobs})


ROUTES: Routes = {"GET /training/{training_id}/compile": read_compilation}


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one request."""
    return respond(event, portal_of(), ROUTES)
