"""Many conditional writes in one request: BatchExecuteStatement, with an answer for each statement.

Each statement is a write of its own with its own condition: some may be done and others not, in any order. DynamoDB
takes at most 25 of them, each about another item.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import from_code, translated
from adapters.dynamodb.attributes import PARTITION_KEY, Item
from domain.errors import RefusedRequestError, TransientError

MOST = 25
"""Statements of one request."""
_DENIED = "AccessDenied"
_REFUSALS = frozenset({"DuplicateItem", "ConditionalCheckFailed"})


class Answer(StrEnum):
    """What became of one statement."""

    DONE = "done"
    REFUSED = "refused"
    """The condition did not hold; ``item`` is what is in the table, if DynamoDB says it."""
    UNKNOWN = "unknown"
    """Throttled, not answered, or refused for another reason: the same write alone tells."""


@dataclass(frozen=True, slots=True)
class Executed:
    """The answer to one statement."""

    answer: Answer
    item: Item


@dataclass(frozen=True, slots=True)
class Statement:
    """One write in PartiQL; ``parameters`` are in DynamoDB's JSON."""

    text: str
    parameters: Sequence[Any]


class StatementTable:
    """A table that takes conditional writes together."""

    def __init__(self, clients: AwsClients, name: str) -> None:
        self._client = clients.dynamodb
        self._name = name

    def insert(self, item: Item) -> Statement:
        """Put an item that must not exist yet."""
        names = ", ".join(f"'{name}': ?" for name in item)
        return Statement(f'INSERT INTO "{self._name}" VALUE {{{names}}}', list(item.values()))

    def update(self, before: Item, after: Item, *, unchanged: Sequence[str]) -> Statement:
        """Make ``after`` of ``before``, which must still have the values of the attributes ``unchanged``."""
        changed = {name: value for name, value in after.items() if before.get(name) != value}
        removed = [name for name in before if name not in after]
        edits = [*(f'SET "{name}"=?' for name in changed), *(f'REMOVE "{name}"' for name in removed)]
        named = (PARTITION_KEY, *unchanged)
        condition = " AND ".join(f'"{name}"=?' for name in named)
        text = f'UPDATE "{self._name}" {" ".join(edits)} WHERE {condition}'
        return Statement(text, [*changed.values(), *(before[name] for name in named)])

    def execute(self, statements: Sequence[Statement]) -> list[Executed]:
        """Send them, at most 25 in one request; the answers are in their order.

        Raises only what concerns every statement alike, for example a missing table or permission.
        """
        parts = [statements[start : start + MOST] for start in range(0, len(statements), MOST)]
        return [executed for part in parts for executed in self._execute(part)]

    def _execute(self, statements: Sequence[Statement]) -> list[Executed]:
        request: Any = [
            {
                "Statement": statement.text,
                "Parameters": statement.parameters,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
            for statement in statements
        ]
        try:
            with translated("BatchExecuteStatement", self._name):
                answers: Any = self._client.batch_execute_statement(Statements=request)["Responses"]
        except (TransientError, RefusedRequestError):
            # Of a lost answer nothing is known, and one impossible statement must not take the others along.
            answers = []
        for error in (answer["Error"] for answer in answers if "Error" in answer):
            if error.get("Code") == _DENIED:
                raise from_code(_DENIED, error.get("Message", ""), "BatchExecuteStatement", self._name)
        executed = [_executed(answer) for answer in answers[: len(statements)]]
        return executed + [Executed(Answer.UNKNOWN, {})] * (len(statements) - len(executed))


def _executed(answer: Mapping[str, Any]) -> Executed:
    error = answer.get("Error")
    if error is None:
        return Executed(Answer.DONE, {})
    # AWS documents the codes without "Exception"; other servers add it.
    is_refused = str(error.get("Code", "")).removesuffix("Exception") in _REFUSALS
    return Executed(Answer.REFUSED if is_refused else Answer.UNKNOWN, error.get("Item") or {})
