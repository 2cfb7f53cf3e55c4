"""Operations of AWS's JSON services: DynamoDB and its streams, SQS, EventBridge."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

from adapters.aws.lane.answers import Answer
from adapters.aws.lane.json_shapes import JsonReader, JsonWriter
from adapters.aws.lane.requests import Request, metadata_of
from adapters.aws.lane.scalars import UnusualError

_CHECKSUM = "x-amz-crc32"


class JsonOperation:
    """One operation; raises UnusualError for one that the lane cannot do."""

    def __init__(self, model: Any) -> None:
        service = model.service_model
        self.name, self.method = model.name, model.http["method"]
        if model.http["requestUri"] != "/" or model.endpoint or model.idempotent_members or model.http_checksum:
            raise UnusualError(f"the request of {model.name}")
        self._write = JsonWriter().of(model.input_shape)
        self._read = JsonReader().of(model.output_shape) if model.output_shape is not None else None
        self._has_checksum = service.service_name == "dynamodb"
        self._headers = [
            ("content-type", f"application/x-amz-json-{service.metadata['jsonVersion']}"),
            ("x-amz-target", f"{service.metadata['targetPrefix']}.{model.name}"),
        ]
        if service.is_query_compatible:
            self._headers.append(("x-amzn-query-mode", "true"))

    def request(self, params: Mapping[str, Any]) -> Request:
        """See Operation."""
        try:
            body = json.dumps(self._write(params), allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise UnusualError from error
        return Request("/", "", list(self._headers), body)

    def read(self, answer: Answer) -> dict[str, Any]:
        """See Operation; an answer that does not have the checksum it names is botocore's, which asks again."""
        if self._has_checksum and answer.headers.get(_CHECKSUM, "") not in ("", str(zlib.crc32(answer.body))):
            raise UnusualError
        parsed: dict[str, Any] = {}
        if self._read is not None:
            try:
                parsed = self._read(json.loads(answer.body))
            except ValueError as error:
                raise UnusualError from error
        if "ResponseMetadata" in parsed:
            raise UnusualError
        parsed["ResponseMetadata"] = metadata_of(answer)
        return parsed
