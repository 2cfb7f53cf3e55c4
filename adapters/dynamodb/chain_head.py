"""The newest link of each audit chain, and the head of heads: items of the manifest table."""

from collections.abc import Mapping
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.dynamodb.attributes import PARTITION_KEY, number, text
from adapters.dynamodb.item_ids import CHAIN_ID, CHAINS_ID
from adapters.dynamodb.item_table import ItemTable
from domain.audit.chain import MISSING_SHARD, Link, NamedLink, named_link


class DynamoDbChainHead:
    """ChainHead on DynamoDB; ``doubted`` is the highest number that was built upon before it was anchored."""

    def __init__(self, clients: AwsClients, table: str, shard: str = MISSING_SHARD) -> None:
        self._items = ItemTable(clients, table)
        self._id = f"{CHAIN_ID}#{shard}" if shard else CHAIN_ID

    def read_head(self) -> Link | None:
        """See the port."""
        return _link(self._items.read_item(self._id))

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
        item = self._items.read_item(self._id)
        return _link(item) == seen and int(item.get("doubted", {"N": "0"})["N"]) >= last

    def _update(self, update: str, condition: str, values: Mapping[str, Any]) -> bool:
        written = self._items.update_if(
            self._id,
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeNames={"#sequence": "sequence"},
            ExpressionAttributeValues=values,
        )
        return written.is_done


class DynamoDbHeadOfHeads:
    """HeadOfHeads on DynamoDB; the item has about 130 bytes for each chain."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._items = ItemTable(clients, table)

    def read_heads(self) -> Mapping[str, Link]:
        """See the port."""
        item = self._items.read_item(CHAINS_ID)
        told = (_named(shard, value) for shard, value in item.items() if shard != PARTITION_KEY)
        return {one.shard: one.link for one in told if one is not None}

    def name_chain(self, shard: str, link: Link, *, ends: str = MISSING_SHARD) -> None:
        """See the port."""
        names = {"#shard": shard, "#sequence": "sequence"} | ({"#ends": ends} if ends else {})
        told = {"M": {"sequence": number(link.sequence), "sha256": text(link.sha256)}}
        self._items.update_if(
            CHAINS_ID,
            UpdateExpression="SET #shard = :link" + (" REMOVE #ends" if ends else ""),
            ConditionExpression="attribute_not_exists(#shard) OR #shard.#sequence < :sequence",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={":link": told, ":sequence": number(link.sequence)},
        )


def _link(item: Mapping[str, Any]) -> Link | None:
    return Link(int(item["sequence"]["N"]), item["sha256"]["S"]) if "sequence" in item else None


def _named(shard: str, value: Mapping[str, Any]) -> NamedLink | None:
    """The entry; ``None`` for one that another program damaged, whose chain then is not named."""
    try:
        link = value["M"]
        return named_link({"shard": shard, "sequence": int(link["sequence"]["N"]), "sha256": link["sha256"]["S"]})
    except (KeyError, TypeError, ValueError):
        return None
