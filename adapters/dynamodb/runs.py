"""Runs of stage work: items of the manifest table, so that any process can join or cancel them."""

import json
import zlib
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.aws.retries import retrying
from adapters.dynamodb.attributes import PARTITION_KEY, Item, number, text
from adapters.dynamodb.item_ids import RUN_PREFIX
from adapters.dynamodb.item_table import ItemTable
from adapters.local.clock import SystemClock
from domain.errors import MissingResourceError, ThrottledError
from domain.protocol.ports import Clock
from domain.runs.run import Run, RunState
from domain.runs.slices import Slice, SliceClaim
from domain.runs.works import is_look

_KEPT_SECONDS = 30 * 24 * 3600
"""The slices and their results; the run itself stays, so that it can be seen what was done."""
_LOOK_KEPT_SECONDS = 24 * 3600
"""Those of a look for holders, which is repeated every few minutes."""
# "revision" marks a record's item (adapters.dynamodb.record_item), and a run is not a record.
_REVISION = "run_revision"


class DynamoDbRunBook:
    """RunBook on DynamoDB: an item for each run, each slice that was begun, and each part of its results."""

    def __init__(self, clients: AwsClients, table: str, clock: Clock | None = None) -> None:
        self._client = clients.dynamodb
        self._table = table
        self._items = ItemTable(clients, table)
        self._clock = clock or SystemClock()

    def read_run(self, work: str) -> Run | None:
        """See the port."""
        item = self._items.read_item(RUN_PREFIX + work)
        return _run_of(item) if item else None

    def read_runs(self, works: Sequence[str]) -> Sequence[Run]:
        """See the port; up to 100 runs are read in one request."""
        found = {run.work: run for run in map(_run_of, self._items.read_items([RUN_PREFIX + work for work in works]))}
        return [found[work] for work in works if work in found]

    def write_run(self, run: Run, *, before: Run | None) -> bool:
        """See the port; a repeat by the SDK finds the run that this call wrote."""
        condition: dict[str, Any] = {"ConditionExpression": f"attribute_not_exists({PARTITION_KEY})"}
        if before is not None:
            condition = {
                "ConditionExpression": f"run_id = :id AND {_REVISION} = :revision",
                "ExpressionAttributeValues": {":id": text(before.run_id), ":revision": number(before.revision)},
            }
        written = self._items.put_if(_item_of_run(run), **condition)
        return written.is_done or (bool(written.item) and _run_of(written.item) == run)

    def read_slices(self, run: Run) -> Sequence[Slice]:
        """See the port."""
        found = [Slice(index) for index in range(run.slices)]
        ids = {_slice_id(run, index): index for index in range(run.slices)}
        for item in self._items.read_items(list(ids)):
            index = ids[item[PARTITION_KEY]["S"]]
            found[index] = _slice_of(item, index)
        return found

    def write_slice(self, run: Run, one: Slice, *, before: Slice, parts: Sequence[str] = ()) -> bool:
        """See the port; a repeat by the SDK finds the slice that this call wrote."""
        kept = _LOOK_KEPT_SECONDS if is_look(run.work) else _KEPT_SECONDS
        expires_at = number(int(self._clock.now()) + kept)
        item = _item_of_slice(run, one) | {"expires_at": expires_at}
        condition: dict[str, Any] = {"ConditionExpression": f"attribute_not_exists({PARTITION_KEY})"}
        if before.revision:
            condition = {
                "ConditionExpression": f"{_REVISION} = :revision",
                "ExpressionAttributeValues": {":revision": number(before.revision)},
            }
        if not parts:
            written = self._items.put_if(item, **condition)
            return written.is_done or (bool(written.item) and _slice_of(written.item, one.number) == one)
        puts: list[Any] = [{"Put": {"TableName": self._table, "Item": item, **condition}}]
        for part, lines in enumerate(parts, before.parts):
            body = {"B": zlib.compress(lines.encode())}
            kept_item = {PARTITION_KEY: text(_part_id(run, one.number, part)), "kept": body, "expires_at": expires_at}
            puts.append({"Put": {"TableName": self._table, "Item": kept_item}})
        for attempt in retrying(attempts=6, first=0.05, longest=2, after=ThrottledError):
            with attempt:
                return self._write_together(run, one, puts)
        raise AssertionError  # the last attempt raised

    def _write_together(self, run: Run, one: Slice, puts: list[Any]) -> bool:
        with translated("TransactWriteItems", f"{self._table} ({_slice_id(run, one.number)})"):
            try:
                self._client.transact_write_items(TransactItems=puts)
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise
                reasons: Any = error.response.get("CancellationReasons", [])
                if reasons and reasons[0].get("Code") == "ConditionalCheckFailed":
                    there = self._items.read_item(_slice_id(run, one.number))
                    return bool(there) and _slice_of(there, one.number) == one
                raise ThrottledError(f"{self._table}: another transaction holds the slice") from error
        return True

    def read_part(self, run: Run, number: int, part: int) -> str:
        """See the port."""
        item = self._items.read_item(_part_id(run, number, part))
        if not item:
            raise MissingResourceError(
                f"part {part} of slice {number} of the run of {run.work} is not kept any more: results are kept for"
                f" {_KEPT_SECONDS // 86_400} days"
            )
        body: bytes = item["kept"]["B"]
        return zlib.decompress(body).decode()


def _slice_id(run: Run, index: int) -> str:
    return f"{RUN_PREFIX}{run.work}#{run.run_id}#{index}"


def _part_id(run: Run, index: int, part: int) -> str:
    return f"{_slice_id(run, index)}#{part}"


def _item_of_run(run: Run) -> dict[str, Any]:
    return {
        PARTITION_KEY: text(RUN_PREFIX + run.work),
        "run_id": text(run.run_id),
        "slices": number(run.slices),
        "options": text(json.dumps(dict(run.options))),
        "rules_digest": text(run.rules_digest),
        "by": text(run.by),
        "begun_at": number(run.begun_at),
        "state": text(run.state.value),
        "ended_by": text(run.ended_by),
        "ended_at": number(run.ended_at),
        "why": text(run.why),
        _REVISION: number(run.revision),
    }


def _run_of(item: Item) -> Run:
    return Run(
        work=item[PARTITION_KEY]["S"].removeprefix(RUN_PREFIX),
        run_id=item["run_id"]["S"],
        slices=int(item["slices"]["N"]),
        options=json.loads(item["options"]["S"]),
        rules_digest=item["rules_digest"]["S"],
        by=item["by"]["S"],
        begun_at=float(item["begun_at"]["N"]),
        state=RunState(item["state"]["S"]),
        ended_by=item["ended_by"]["S"],
        ended_at=float(item["ended_at"]["N"]),
        why=item["why"]["S"] if "why" in item else "",
        revision=int(item[_REVISION]["N"]),
    )


def _item_of_slice(run: Run, one: Slice) -> dict[str, Any]:
    item: dict[str, Any] = {
        PARTITION_KEY: text(_slice_id(run, one.number)),
        "cursor": text(one.cursor),
        "done": {"BOOL": one.is_done},
        "counts": {"M": {name: number(count) for name, count in one.counts.items()}},
        "parts": number(one.parts),
        "failures": number(one.failures),
        "why": text(one.why),
        _REVISION: number(one.revision),
    }
    if one.claim is not None:
        item |= {"token": text(one.claim.token), "deadline": number(one.claim.deadline)}
    return item


def _slice_of(item: Item, index: int) -> Slice:
    claim = SliceClaim(item["token"]["S"], float(item["deadline"]["N"])) if "token" in item else None
    return Slice(
        number=index,
        cursor=item["cursor"]["S"],
        is_done=item["done"]["BOOL"],
        counts={name: int(count["N"]) for name, count in item["counts"]["M"].items()},
        parts=int(item["parts"]["N"]),
        claim=claim,
        failures=int(item["failures"]["N"]),
        why=item["why"]["S"],
        revision=int(item[_REVISION]["N"]),
    )
