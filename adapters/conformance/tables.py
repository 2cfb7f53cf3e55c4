"""Conditional writes of DynamoDB, alone and many in one request (aws-facts.md §5)."""

from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.errors import error_code
from adapters.conformance.bench import Bench, wait_until
from adapters.conformance.trial import Holds, Trial, trial

TRIALS: list[Trial] = []
REFUSED = "ConditionalCheckFailedException, with the old item"
ENTRY_REFUSED = "ConditionalCheckFailed, with the old item"
_OLD = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
_READY_SECONDS = 120.0


def _table(bench: Bench) -> str:
    """The run's table, usable."""
    name, client = bench.name, bench.clients.dynamodb

    def is_ready() -> bool:
        return client.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE"

    def make() -> str:
        remove = partial(_delete_table, client, name)
        with bench.making(f"table {name}: aws dynamodb delete-table --table-name {name}", remove):
            client.create_table(
                TableName=name,
                AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
        wait_until(is_ready, seconds=_READY_SECONDS)
        return name

    return bench.once("table", make)


def _delete_table(client: Any, name: str) -> None:
    """A table that is still being made cannot be deleted yet."""

    def is_deleted() -> bool:
        try:
            client.delete_table(TableName=name)
        except ClientError as error:
            if error_code(error) != "ResourceInUseException":
                raise
            return False
        return True

    if not wait_until(is_deleted, seconds=_READY_SECONDS, pause=2.0):
        client.delete_table(TableName=name)


def _item(bench: Bench, **more: Any) -> dict[str, Any]:
    return {"pk": {"S": bench.new_key()}, **more}


def _put(bench: Bench) -> dict[str, Any]:
    """An item that is there: its key."""
    item = _item(bench, n={"N": "1"})
    bench.clients.dynamodb.put_item(TableName=_table(bench), Item=item)
    return {"pk": item["pk"]}


def _refusal(error: ClientError) -> str:
    response: Any = error.response
    told = "with the old item" if response.get("Item", {}).get("n") == {"N": "1"} else "without the old item"
    return f"{error_code(error)}, {told}"


@trial(TRIALS, "5", "PutItem, a condition that does not hold", REFUSED, vital=True)
def _put_item(bench: Bench) -> str:
    item = _put(bench)
    try:
        bench.clients.dynamodb.put_item(
            TableName=_table(bench),
            Item=item,
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        return _refusal(error)
    return "written"


@trial(TRIALS, "5", "UpdateItem, a condition that does not hold", REFUSED, vital=True)
def _update_item(bench: Bench) -> str:
    item = _put(bench)
    try:
        bench.clients.dynamodb.update_item(
            TableName=_table(bench),
            Key=item,
            UpdateExpression="SET n = :new",
            ConditionExpression="n = :other",
            ExpressionAttributeValues={":new": {"N": "3"}, ":other": {"N": "2"}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        return _refusal(error)
    return "written"


def _insert(bench: Bench, item: dict[str, Any]) -> dict[str, Any]:
    statement = f"INSERT INTO \"{_table(bench)}\" VALUE {{'pk': ?, 'n': ?}}"
    return {"Statement": statement, "Parameters": [item["pk"], {"N": "2"}], **_OLD}


def _update(bench: Bench, item: dict[str, Any], *, known: str) -> dict[str, Any]:
    statement = f'UPDATE "{_table(bench)}" SET n = ? WHERE pk = ? AND n = ?'  # noqa: S608  # a name of this run
    return {"Statement": statement, "Parameters": [{"N": "2"}, item["pk"], {"N": known}], **_OLD}


def _batch(bench: Bench, *statements: dict[str, Any]) -> list[Any]:
    given: Any = list(statements)
    answers: list[Any] = list(bench.clients.dynamodb.batch_execute_statement(Statements=given)["Responses"])
    return answers


def _entry(answer: Any) -> str:
    error = answer.get("Error")
    if not error:
        return "written"
    told = "with the old item" if error.get("Item", {}).get("n") == {"N": "1"} else "without the old item"
    return f"{error.get('Code')}, {told}"


def _number(bench: Bench, item: dict[str, Any]) -> str:
    found = bench.clients.dynamodb.get_item(TableName=_table(bench), Key={"pk": item["pk"]}, ConsistentRead=True)
    return str(found.get("Item", {}).get("n", {}).get("N", "absent"))


@trial(TRIALS, "5", "BatchExecuteStatement, INSERT of an item that is there", "DuplicateItem", vital=True)
def _inserted_again(bench: Bench) -> str:
    (answer,) = _batch(bench, _insert(bench, _put(bench)))
    return _entry(answer).partition(",")[0]


@trial(TRIALS, "5", "The old item beside DuplicateItem", "not documented")
def _item_of_duplicate(bench: Bench) -> Holds:
    (answer,) = _batch(bench, _insert(bench, _put(bench)))
    return Holds(_entry(answer).partition(", ")[2] or "without the old item")


@trial(TRIALS, "5", "BatchExecuteStatement, UPDATE, a condition that does not hold", ENTRY_REFUSED, vital=True)
def _updated_another(bench: Bench) -> str:
    (answer,) = _batch(bench, _update(bench, _put(bench), known="7"))
    return _entry(answer)


@trial(
    TRIALS, "5", "BatchExecuteStatement, UPDATE of an absent item", "ConditionalCheckFailed, and no item", vital=True
)
def _updated_nothing(bench: Bench) -> str:
    item = _item(bench)
    (answer,) = _batch(bench, _update(bench, item, known="1"))
    made = "and no item" if _number(bench, item) == "absent" else "and an item"
    return f"{_entry(answer).partition(',')[0]}, {made}"


@trial(TRIALS, "5", "Statements beside a refused one", "each is done by itself", vital=True)
def _one_by_one(bench: Bench) -> str:
    taken, new, last = _put(bench), _item(bench), _item(bench)
    answers = [_entry(one) for one in _batch(bench, *(_insert(bench, item) for item in (new, taken, last)))]
    numbers = [_number(bench, item) for item in (new, taken, last)]
    is_so = numbers == ["2", "1", "2"] and [one == "written" for one in answers] == [True, False, True]
    return "each is done by itself" if is_so else f"answers {answers}, items {numbers}"


@trial(TRIALS, "5", "TransactWriteItems, one condition that does not hold", "nothing is written", vital=True)
def _transaction(bench: Bench) -> str:
    taken, new, table = _put(bench), _item(bench), _table(bench)
    puts: list[Any] = [
        {
            "Put": {
                "TableName": table,
                "Item": {**item, "n": {"N": "2"}},
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        for item in (new, taken)
    ]
    try:
        bench.clients.dynamodb.transact_write_items(TransactItems=puts)
    except ClientError as error:
        if error_code(error) != "TransactionCanceledException":
            raise
        return "nothing is written" if _number(bench, new) == "absent" else "one is written"
    return "both are written"
