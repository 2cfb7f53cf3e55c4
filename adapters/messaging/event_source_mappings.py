"""Lambda's event source mappings, which poll the queues."""

from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.aws.retries import retrying
from domain.errors import UnavailableError

_TRIES = 12
"""A mapping that is changing its state refuses the next change for some seconds (ResourceInUseException)."""


class LambdaEventSourceMappings:
    """EventSourceMappings of the functions named (a name, an ARN, or one with a qualifier)."""

    def __init__(self, clients: AwsClients, functions: Sequence[str]) -> None:
        self._client = clients.functions
        self._functions = functions

    def list_enabled(self) -> Sequence[str]:
        """See the port; one that is being enabled counts."""
        return sorted(
            str(mapping["UUID"])
            for mapping in self._mappings()
            if ":sqs:" in mapping.get("EventSourceArn", "")
            and mapping.get("State") in ("Enabled", "Enabling", "Creating", "Updating")
        )

    def disable_mappings(self, ids: Sequence[str]) -> None:
        """See the port."""
        for one in ids:
            self._switch(one, enabled=False)

    def enable_mappings(self, ids: Sequence[str]) -> None:
        """See the port."""
        for one in ids:
            self._switch(one, enabled=True)

    def _mappings(self) -> Iterator[Any]:
        for function in self._functions:
            with translated("ListEventSourceMappings", function):
                for page in self._client.get_paginator("list_event_source_mappings").paginate(FunctionName=function):
                    yield from page["EventSourceMappings"]

    def _switch(self, mapping: str, *, enabled: bool) -> None:
        for attempt in retrying(attempts=_TRIES, first=0.2, longest=8):
            with attempt, translated("UpdateEventSourceMapping", mapping):
                try:
                    self._client.update_event_source_mapping(UUID=mapping, Enabled=enabled)
                except ClientError as error:
                    code = error_code(error)
                    if code == "ResourceNotFoundException" and enabled:
                        return
                    if code in ("ResourceInUseException", "ResourceConflictException"):
                        raise UnavailableError(f"event source mapping {mapping} is changing its state") from error
                    raise
