"""The shards of a table's stream, by their parents."""

from collections.abc import Mapping
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from domain.audit.ports import Shard


def list_shards(client: Any, stream: str, *, subject: str) -> list[Mapping[str, Any]]:
    """Every shard of the stream with this ARN, in AWS's words; an error names ``subject``."""
    shards: list[Mapping[str, Any]] = []
    page: dict[str, Any] = {}
    while True:
        with translated("DescribeStream", subject):
            described = client.describe_stream(StreamArn=stream, **page)["StreamDescription"]
        shards += described.get("Shards", [])
        if not described.get("LastEvaluatedShardId"):
            return shards
        page = {"ExclusiveStartShardId": described["LastEvaluatedShardId"]}


class DynamoDbShardTree:
    """ShardTree on DynamoDB Streams; it lists the shards again for a shard that it does not know."""

    def __init__(self, clients: AwsClients) -> None:
        self._clients = clients
        self._parents: dict[str, str | None] = {}

    def find_parent(self, shard: Shard) -> str | None:
        """See the port."""
        if shard.shard_id not in self._parents and shard.stream:
            listed = list_shards(self._clients.streams, shard.stream, subject=shard.stream)
            self._parents |= {one["ShardId"]: one.get("ParentShardId") for one in listed}
        return self._parents.get(shard.shard_id)
