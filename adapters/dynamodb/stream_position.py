"""How far the manifest's stream has been read, and who may read it: one item of the manifest table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.dynamodb.attributes import number, text
from adapters.dynamodb.item_ids import POSITION_ID
from adapters.dynamodb.item_table import ItemTable
from domain.protocol.ports import Clock

CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Planned:
    """The batch that is being delivered ends with this record: read again after a crash, it is the same batch."""

    shard_id: str
    last: str


@dataclass(slots=True)
class Position:
    """Shard to the last confirmed sequence number, or to ``closed``."""

    confirmed: dict[str, str] = field(default_factory=dict)
    planned: Planned | None = None


class PositionItem:
    """The item; one reader at a time holds it, for ``lease_seconds`` after its last write."""

    def __init__(self, clients: AwsClients, table: str, clock: Clock, *, token: str, lease_seconds: float) -> None:
        self._items = ItemTable(clients, table)
        self._clock = clock
        self._token = token
        self._lease_seconds = lease_seconds

    def take(self) -> Position | None:
        """Take or keep the lease; returns the position, or ``None`` while another reader holds it."""
        now = self._clock.now()
        free = "attribute_not_exists(lease_token) OR lease_token = :me OR lease_until < :now"
        answer = self._update(
            "SET lease_token = :me, lease_until = :until",
            free,
            {":now": number(now), ":until": number(now + self._lease_seconds)},
        )
        return _position(answer) if answer is not None else None

    def keep(self) -> bool:
        """Hold the lease for as long again; ``False`` when another reader has taken over."""
        until = number(self._clock.now() + self._lease_seconds)
        return self._update("SET lease_until = :until", "lease_token = :me", {":until": until}) is not None

    def save(self, position: Position) -> bool:
        """Write the position; ``False`` when another reader has taken over."""
        confirmed = {shard: text(number_) for shard, number_ in position.confirmed.items()}
        planned = position.planned
        plan = {"shard": text(planned.shard_id), "last": text(planned.last)} if planned is not None else {}
        until = number(self._clock.now() + self._lease_seconds)
        values = {":confirmed": {"M": confirmed}, ":planned": {"M": plan}, ":until": until}
        update = "SET confirmed = :confirmed, planned = :planned, lease_until = :until"
        return self._update(update, "lease_token = :me", values) is not None

    def release(self) -> None:
        """Let another reader continue immediately."""
        self._update("SET lease_until = :never", "lease_token = :me", {":never": number(0)})

    def _update(self, update: str, condition: str, values: Mapping[str, Any]) -> Mapping[str, Any] | None:
        written = self._items.update_if(
            POSITION_ID,
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeValues={":me": text(self._token), **values},
            ReturnValues="ALL_NEW",
        )
        return written.item if written.is_done else None


def _position(item: Mapping[str, Any]) -> Position:
    confirmed = {shard: value["S"] for shard, value in item.get("confirmed", {"M": {}})["M"].items()}
    plan = item.get("planned", {"M": {}})["M"]
    return Position(confirmed, Planned(plan["shard"]["S"], plan["last"]["S"]) if plan else None)
