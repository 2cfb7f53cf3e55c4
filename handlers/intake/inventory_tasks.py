"""The task of one data file of an inventory report."""

import json
from collections.abc import Mapping

from domain.errors import MalformedMessageError

KIND = "inventory-file"


def task_of(body: str) -> Mapping[str, str] | None:
    """The task, or ``None`` for another message; MalformedMessageError where the body is not JSON."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:  # nested too deep for a parser: it must fail alone in its batch
        raise MalformedMessageError(f"the message is not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("kind") != KIND:
        return None
    if not isinstance(content.get("manifest"), str) or not isinstance(content.get("file"), str):
        raise MalformedMessageError("an inventory task needs the texts 'manifest' and 'file'")
    return content
