"""Lambda: where the bytes of URIs are now."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from domain.errors import InputError
from handlers.bootstrap.process import Process
from handlers.bootstrap.references import resolver_of
from handlers.config.settings import read_settings
from handlers.operations.resolve import Resolver, as_json

MOST_URIS = 1_000
"""Of one invocation."""


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001  # Lambda's two
    """Answer ``{"uris": […]}`` (or ``{"uri": …}``) with ``{"answers": […]}``."""
    return respond(event, _resolver())


def respond(event: Mapping[str, Any], resolver: Resolver) -> dict[str, Any]:
    """The answers; raises InputError for an event of another shape."""
    given = event if isinstance(event, Mapping) else {}
    uris = given.get("uris", [given["uri"]] if "uri" in given else None)
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        raise InputError('the event must be {"uris": ["s3://…", …]} or {"uri": "s3://…"}')
    if len(uris) > MOST_URIS:
        raise InputError(f"the event has {len(uris)} URIs, one call answers {MOST_URIS}; send them in parts")
    return {"answers": [as_json(answer) for answer in resolver.resolve_all(uris)]}


@cache
def _resolver() -> Resolver:
    return resolver_of(Process(read_settings()))
