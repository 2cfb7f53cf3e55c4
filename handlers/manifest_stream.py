"""Lambda: the manifest's stream is the outbox; each change becomes an audit event and counts."""

from typing import Any

from handlers.bootstrap import dependencies_of
from handlers.engine.outbox import respond


def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Publish the changes; the answer names the first one that was not published, and the stream comes back to it."""
    dependencies = dependencies_of("manifest-stream")
    dependencies.observer.begin(context)
    return respond(event, dependencies)
