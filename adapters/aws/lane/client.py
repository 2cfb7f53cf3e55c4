"""A client that looks like boto3's: hot operations take the lane, everything else is boto3's own."""

import logging
from collections.abc import Callable
from typing import Any

from adapters.aws.lane.hot_call import HotCall, Shared
from adapters.aws.lane.routes import Routes
from adapters.aws.lane.scalars import UnusualError
from adapters.aws.repeated_answers import AnswerNumbers

_LOG = logging.getLogger(__name__)
HOT = {
    "s3": "head_object copy_object upload_part_copy delete_object get_object_tagging list_object_annotations",
    "dynamodb": "get_item put_item update_item batch_get_item batch_execute_statement scan",
    "dynamodbstreams": "get_records",
    "sqs": "receive_message send_message_batch delete_message_batch change_message_visibility_batch",
    "events": "put_events",
}


class LeanClient:
    """boto3's ``client`` with a lane for its service's hot operations; threads may share it.

    ``credentials`` are botocore's, asked for each request; ``before_sending`` is called when a signed request is about
    to leave, and may raise to keep it back.
    """

    def __init__(
        self, client: Any, credentials: Any, numbers: AnswerNumbers, before_sending: Callable[[], object]
    ) -> None:
        self._client = client
        self._hot = frozenset(HOT.get(client.meta.service_model.service_name, "").split())
        self._routes = Routes(client)
        self._shared = Shared(self._routes, numbers, credentials, before_sending)

    def __getattr__(self, name: str) -> Any:
        """boto3's attribute, or a hot operation, which is made once."""
        if name not in self._hot:
            return getattr(self._client, name)
        try:
            call: Any = HotCall(self._client, name, self._shared)
        except UnusualError as error:
            _LOG.warning("%s goes through boto3, which costs more CPU: the lane does not know %s", name, error)
            call = getattr(self._client, name)
        setattr(self, name, call)
        return call

    def drop_connections(self) -> None:
        """Close the lane's idle connections."""
        self._routes.drop_connections()
