"""The audit chain's newest link: one item of the manifest table."""

from collections.abc import Mapping
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.dynamodb.attributes import number, text
from adapters.dynamodb.item_ids import CHAIN_ID
from adapters.dynamodb.item_table import ItemTable
from domain.audit.chain import Link


class DynamoDbChainHead:
    """ChainHead on DynamoDB; ``doubted`` is the highest number that was built upon before it was anchored."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._items = ItemTable(clients, table)

    def read_head(self) -> Link | None:
        """See the port."""
        return _link(self._items.read_item(CHAIN_ID))

    def advance_head(self, link: Link) -> bool:
        """See the port."""
        is_newest = "attribute_not_exists(#sequence) OR #sequence < :sequence"
        is_there = "#sequence = :sequence AND sha256 = :sha256"
        is_certain = "attribute_not_exists(doubted) OR doubted < :sequence"
        return self._update(
            "SET #sequence = :sequence, sha256 = :sha256",
            f"({is_newest} OR ({is_there})) AND ({is_certain})",
            {":sequence": number(link.sequence), ":sha256": text(link.sha256)},
        )

    def doubt_segments(self, last: int, *, seen: Link | None) -> bool:
        """See the port; of two marks the higher one stays."""
        is_seen, values = "attribute_not_exists(#sequence)", {":last": number(last)}
        if seen is not None:
            is_seen = "#sequence = :seen AND sha256 = :sha256"
            values |= {":seen": number(seen.sequence), ":sha256": text(seen.sha256)}
        is_further = "attribute_not_exists(doubted) OR doubted < :last"
        if self._update("SET doubted = :last", f"({is_seen}) AND ({is_further})", values):
            return True
        item = self._items.read_item(CHAIN_ID)
        return _link(item) == seen and int(item.get("doubted", {"N": "0"})["N"]) >= last

    def _update(self, update: str, condition: str, values: Mapping[str, Any]) -> bool:
        written = self._items.update_if(
            CHAIN_ID,
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeNames={"#sequence": "sequence"},
            ExpressionAttributeValues=values,
        )
        return written.is_done


def _link(item: Mapping[str, Any]) -> Link | None:
    return Link(int(item["sequence"]["N"]), item["sha256"]["S"]) if "sequence" in item else None
