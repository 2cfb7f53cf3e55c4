"""Refusals that a migration expects: an absent object, a condition that does not hold; all others are botocore's."""

from collections.abc import Mapping
from typing import Any

from botocore.parsers import create_parser

_EXPECTED = frozenset(
    {"404", "NoSuchKey", "NoSuchVersion", "412", "PreconditionFailed", "ConditionalCheckFailedException"}
)
"""Codes that botocore neither repeats nor redirects."""
_STATUSES = (400, 404, 412)


class Refusals:
    """The expected errors of one operation, made by botocore's own parser."""

    def __init__(self, client: Any, model: Any, more: Mapping[str, Any]) -> None:
        self._client = client
        self._model = model
        self._parser = create_parser(model.service_model.resolved_protocol)
        self._more = more

    def error_of(self, told: Mapping[str, Any]) -> Exception | None:
        """The error that boto3 raises for an answer in botocore's form; ``None`` where botocore has to decide.

        ``more`` is what botocore adds to the metadata of every first attempt.
        """
        if told["status_code"] not in _STATUSES or "expires" in told["headers"]:
            return None
        parsed = self._parser.parse(told, self._model.output_shape)
        code = parsed.get("Error", {}).get("Code")
        if code not in _EXPECTED:
            return None
        modelled = self._model.service_model.shape_for_error_code(code)
        if modelled is not None:
            parsed.update(self._parser.parse(told, modelled))
        parsed["ResponseMetadata"].update(self._more)
        error: Exception = self._client.exceptions.from_code(code)(parsed, self._model.name)
        return error
