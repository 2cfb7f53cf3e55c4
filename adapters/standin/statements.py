"""PartiQL writes: the emulator leaves them out of the table's stream; and statements of a batch that fail alone.

A fault on ``BatchStatement`` spoils single statements of a BatchExecuteStatement that itself succeeds.
"""

import copy
import json
from collections.abc import Callable
from typing import Any

from adapters.standin.emulator import Emulator
from adapters.standin.faults import FaultPlan

MOST = 25

Item = dict[str, Any]


class StrictStatements:
    """INSERT, UPDATE and their batches in front of the emulator's own."""

    def __init__(self, dynamodb: Any, plan: FaultPlan) -> None:
        self._dynamodb = dynamodb
        self._plan = plan
        self._insert, self._update = dynamodb._partiql_insert, dynamodb._partiql_update
        self._execute_batch = dynamodb._batch_execute_statement

    def install(self) -> None:
        """Put them in front."""
        self._dynamodb._partiql_insert = self.insert
        self._dynamodb._partiql_update = self.update
        self._dynamodb._batch_execute_statement = self.execute_batch

    def insert(self, table: Item, parsed: Item) -> Any:
        """One INSERT, in the stream too."""
        item = parsed.get("item", {})
        item = item["M"] if set(item) == {"M"} else item
        key = self._dynamodb._extract_key_val(item.get(table["pk_name"]))
        return self._streamed(table, parsed["table"], key, lambda: self._insert(table, parsed))

    def update(self, table: Item, parsed: Item, data: Item | None = None) -> Any:
        """One UPDATE, in the stream too."""
        key = self._dynamodb._partiql_key_target(table, parsed)[0]
        return self._streamed(table, parsed["table"], key, lambda: self._update(table, parsed, data))

    def _streamed(self, table: Item, name: str, key: Any, write: Callable[[], Any]) -> Any:
        """Write, then tell the stream. keyshift's tables have a partition key only, so a key names one item."""
        before = copy.deepcopy(self._item(table, key))
        answer = write()
        if answer[0] == 200:
            event = "MODIFY" if before else "INSERT"
            self._dynamodb._emit_stream_event(name, event, before, self._item(table, key))
        return answer

    @staticmethod
    def _item(table: Item, key: Any) -> Item | None:
        found: Item | None = next(iter(table["items"].get(key, {}).values()), None)
        return found

    def execute_batch(self, data: Item) -> Any:
        """The batch, in the request's order; a statement that a fault concerns fails alone."""
        statements = data.get("Statements") or []
        if not self._plan or not statements or len(statements) > MOST:
            return self._execute_batch(data)
        responses = []
        for statement in statements:
            fault = self._plan.take_exactly("BatchStatement")
            if fault is not None:
                responses.append({"Error": {"Code": fault.code, "Message": fault.message}})
                continue
            status, headers, body = self._execute_batch({**data, "Statements": [statement]})
            if status != 200:
                return status, headers, body
            responses += json.loads(body)["Responses"]
        return self._dynamodb.json_response({"Responses": responses})


def install_statements(emulator: Emulator, plan: FaultPlan) -> None:
    """Put them in front; ``install`` once per process."""
    StrictStatements(emulator.dynamodb, plan).install()
