"""``python -m bench lane``: CPU a call of the hot operations in the lane and through boto3, and of the floor's copy.

One thread, one process, one server; the ways take turns in each repetition, and medians are over the repetitions.
"""

import argparse
import json
import os
import resource
import statistics
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.demo.provisioning import create_bus, create_manifest_table, create_queue
from bench.floor import CLAIM, CLAIMED, Floor
from bench.results import write_result
from bench.site import BUCKET, Site, machine, prepared_site

WARM = 10
TABLE = "lane"
KEY = "few/job-0/part-0000000"
Call = Callable[[], object]


def main(*arguments: str) -> None:
    """Measure, print the table, and write build/bench/lane.json."""
    parser = argparse.ArgumentParser(prog="python -m bench lane")
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--repetitions", type=int, default=5)
    given = parser.parse_args(arguments)
    spent: dict[tuple[str, str], list[float]] = {}
    with prepared_site() as site:
        etag = site.put_sources("few", 1).etag
        create_manifest_table(site.clients, TABLE)
        create_bus(site.clients, TABLE)
        queue = create_queue(site.clients, TABLE, visibility=30).url
        ways = {"lane": replace(site.clients, lane=True), "boto3": replace(site.clients, lane=False)}
        calls = {(name, way): call for way, made in ways.items() for name, call in _calls(made, etag, queue)}
        for _ in range(given.repetitions):
            calls["CopyObject", "floor"] = _floor(site, etag)  # anew: the server closes what was idle for long
            for case, call in calls.items():
                spent.setdefault(case, []).append(cpu_of(call, given.calls))
    medians = {case: statistics.median(times) for case, times in spent.items()}
    rows = [{"operation": name, "way": way, "cpu_ms": round(1000 * cpu, 4)} for (name, way), cpu in medians.items()]
    write_result("lane", {"calls": given.calls, "repetitions": given.repetitions, "machine": machine(), "rows": rows})
    for name in dict.fromkeys(name for name, _ in medians):
        told = {way: f"{1000 * cpu:.3f} ms" for (one, way), cpu in medians.items() if one == name}
        print(f"{name:<28}", "  ".join(f"{way} {text}" for way, text in told.items()))


def cpu_of(call: Call, times: int) -> float:
    """Seconds of CPU, user and system, of one call."""
    for _ in range(WARM):
        call()
    before = _spent()
    for _ in range(times):
        call()
    return (_spent() - before) / times


def _spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _calls(clients: AwsClients, etag: str, queue: str) -> Iterator[tuple[str, Call]]:
    source = {"CopySource": {"Bucket": BUCKET, "Key": KEY}, "CopySourceIfMatch": f'"{etag}"'}
    wanted: Any = {
        "Bucket": BUCKET,
        "IfNoneMatch": "*",
        "MetadataDirective": "COPY",
        "StorageClass": "STANDARD",
        **source,
    }
    yield "CopyObject", lambda: clients.s3_once.copy_object(Key=f"t/{uuid.uuid4().hex}", **wanted)
    yield "HeadObject", lambda: clients.s3.head_object(Bucket=BUCKET, Key=KEY, ChecksumMode="ENABLED")
    yield "HeadObject of an absent key", lambda: _refused(lambda: clients.s3.head_object(Bucket=BUCKET, Key="absent"))
    yield from _table_calls(clients)
    entry: Any = {
        "Source": "keyshift",
        "DetailType": "a",
        "Detail": json.dumps({"a": "x" * 800}),
        "EventBusName": TABLE,
    }
    yield "PutEvents (10)", lambda: clients.events.put_events(Entries=[entry | {"Time": datetime.now(UTC)}] * 10)
    body: Any = [{"Id": str(number), "MessageBody": "x" * 500} for number in range(10)]
    yield "SendMessageBatch (10)", lambda: clients.sqs.send_message_batch(QueueUrl=queue, Entries=body)
    yield "ReceiveMessage", lambda: clients.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)


def _table_calls(clients: AwsClients) -> Iterator[tuple[str, Call]]:
    item: Any = {name: {"S": "x" * 40} for name in CLAIMED} | {"deadline": {"N": "1"}, "revision": {"N": "1"}}
    unless: Any = {"ConditionExpression": "attribute_not_exists(pk)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    update: Any = {
        "TableName": TABLE,
        "Key": {"pk": {"S": "one"}},
        "UpdateExpression": "SET #a = :a, #b = :b",
        "ExpressionAttributeNames": {"#a": "state", "#b": "token"},
        "ExpressionAttributeValues": {":a": {"S": "COPIED"}, ":b": {"S": "x" * 32}},
        "ReturnValues": "ALL_OLD",
    }

    def put(record_id: str) -> object:
        return clients.dynamodb.put_item(TableName=TABLE, Item=item | {"pk": {"S": record_id}}, **unless)

    def batch() -> None:
        values = [{"S": "x" * 40}] * (len(CLAIMED) - 1) + [{"N": "1764300000.5"}, {"N": "1"}]
        many: Any = [
            {"Statement": CLAIM.format(TABLE), "Parameters": [{"S": uuid.uuid4().hex}, *values]} for _ in range(25)
        ]
        clients.dynamodb.batch_execute_statement(Statements=many)

    put(uuid.uuid4().hex)
    with suppress(ClientError):
        put("one")
    yield "UpdateItem", lambda: clients.dynamodb.update_item(**update)
    yield "PutItem", lambda: put(uuid.uuid4().hex)
    yield "PutItem that is refused", lambda: _refused(lambda: put("one"))
    yield "BatchExecuteStatement (25)", batch


def _refused(call: Call) -> None:
    with suppress(ClientError):
        call()


def _floor(site: Site, etag: str) -> Call:
    os.environ.update(site.environment)
    numbers = count()
    run = uuid.uuid4().hex
    floor = Floor(BUCKET, KEY, "unused", etag, TABLE)

    def copy() -> None:
        floor._target = f"t/{run}-{next(numbers)}"  # noqa: SLF001  # each copy needs another target
        floor.copies([KEY])

    return copy


if __name__ == "__main__":
    main()
