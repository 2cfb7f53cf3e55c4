"""The tally of the newest window: one item of the manifest table that every process adds to."""

from collections.abc import Mapping
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.dynamodb.attributes import PARTITION_KEY, number, text
from adapters.dynamodb.item_ids import PULSE_ID
from adapters.dynamodb.item_table import ItemTable
from domain.steering.pulse import Tally, Window

_CAUSE = "cause."
_AGES = ("oldest_event", "oldest_row")


class DynamoDbPulseBook:
    """PulseBook on DynamoDB: one update for each tally, one more where an age is a new maximum."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._items = ItemTable(clients, table)

    def add_tally(self, tally: Tally, *, window: Window) -> Tally | None:
        """See the port."""
        item = self._add(tally, window) or self._begin(tally, window) or self._add(tally, window)
        if item is None:
            return None
        summed = _tally(item)
        for name in _AGES:
            if getattr(tally, name) > getattr(summed, name):
                self._raise_age(name, getattr(tally, name), window)
        return summed.plus(Tally(oldest_event=tally.oldest_event, oldest_row=tally.oldest_row))

    def read_tally(self) -> tuple[Window, Tally] | None:
        """See the port."""
        item = self._items.read_item(PULSE_ID)
        if not item:
            return None
        return Window(int(item["fence"]["N"]), int(item["window"]["N"])), _tally(item)

    def _add(self, tally: Tally, window: Window) -> Mapping[str, Any] | None:
        sums = _sums(tally)
        names = {f"#s{index}": name for index, name in enumerate(sums)}
        values = {f":s{index}": number(value) for index, value in enumerate(sums.values())}
        terms = ", ".join(f"#s{index} :s{index}" for index in range(len(sums)))
        return self._update(f"ADD {terms}", "fence = :fence AND #window = :window", names, values, window)

    def _begin(self, tally: Tally, window: Window) -> Mapping[str, Any] | None:
        """Replace the whole earlier window; done by the first process that adds to a new one."""
        item = {name: number(value) for name, value in _sums(tally).items()}
        item |= {"fence": number(window.fence), "window": number(window.number), PARTITION_KEY: text(PULSE_ID)}
        older = "attribute_not_exists(fence) OR fence < :fence OR (fence = :fence AND #window < :window)"
        written = self._items.put_if(
            item,
            ConditionExpression=older,
            ExpressionAttributeNames={"#window": "window"},
            ExpressionAttributeValues=_window_values(window),
        )
        return item if written.is_done else None

    def _raise_age(self, name: str, age: float, window: Window) -> None:
        same = "fence = :fence AND #window = :window AND (attribute_not_exists(#age) OR #age < :age)"
        self._update("SET #age = :age", same, {"#age": name}, {":age": number(age)}, window)

    def _update(
        self, update: str, condition: str, names: Mapping[str, str], values: Mapping[str, Any], window: Window
    ) -> Mapping[str, Any] | None:
        written = self._items.update_if(
            PULSE_ID,
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeNames={"#window": "window", **names},
            ExpressionAttributeValues={**_window_values(window), **values},
            ReturnValues="ALL_NEW",
        )
        return written.item if written.is_done else None


def _window_values(window: Window) -> dict[str, Any]:
    return {":fence": number(window.fence), ":window": number(window.number)}


def _sums(tally: Tally) -> dict[str, int]:
    causes = {_CAUSE + name: count for name, count in tally.causes.items()}
    return {"ended": tally.ended, "failed": tally.failed, "denied": tally.denied} | causes


def _tally(item: Mapping[str, Any]) -> Tally:
    def whole(name: str) -> int:
        return int(item.get(name, {"N": "0"})["N"])

    causes = {name.removeprefix(_CAUSE): int(value["N"]) for name, value in item.items() if name.startswith(_CAUSE)}
    ages = {name: float(item.get(name, {"N": "0"})["N"]) for name in _AGES}
    return Tally(whole("ended"), whole("failed"), whole("denied"), causes, **ages)
