"""Dollars a million objects: the counted requests of a way by the dated prices that ``keyshift plan`` uses.

Storage, of the records, of the audit's archive and segments, and of logs, is left out.
"""

import json
from collections.abc import Mapping
from typing import Any

from domain.planning.estimate import estimate
from domain.planning.functions import SECONDS_PER_OBJECT, Functions
from domain.planning.prices import Prices
from tests.worlds.plan_figures import MILLION, figures

LOGS_PER_GB = 0.5
"""CloudWatch Logs, ingestion, us-east-1, 2026-11-22; the plan has no price for it."""
READ_UNITS_PER_MILLION = 0.125
"""DynamoDB on demand (aws-facts.md §9.2)."""
BATCH_OBJECTS_PER_MILLION = 1.0
"""S3 Batch Operations, objects of a job (aws-facts.md §9.2); $0.25 for the job itself are left out."""
ONE_BY_ONE = Functions(memory=128, objects_at_once=1)
"""The smallest function, which gets one object in each invocation."""
ENVELOPE = {
    "version": "0",
    "id": "0" * 36,
    "account": "0" * 12,
    "time": "2026-11-29T12:00:00Z",
    "region": "us-east-1",
    "resources": [],
    "detail-type": "",
    "source": "",
    "detail": {},
}
"""What EventBridge puts around an entry before it goes to the log."""
LOG_ENTRY_BYTES = 26
"""CloudWatch counts so many bytes for each log event beside its text."""
_COPIES = frozenset(
    {"CopyObject", "PutObject", "UploadPartCopy", "CreateMultipartUpload", "CompleteMultipartUpload", "ListObjectsV2"}
)
_READS = frozenset({"HeadObject", "GetObject", "ObjectSubresource", "ListObjectAnnotations"})
_TABLE_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchExecuteStatement", "TransactWriteItems"})
_QUEUES = frozenset({"ReceiveMessage", "SendMessage", "SendMessageBatch", "DeleteMessageBatch"})
_FREE = frozenset({"DeleteObject", "AbortMultipartUpload"})


def bill(way: Mapping[str, Any], prices: Prices | None = None) -> dict[str, float]:
    """Dollars a million objects of a counted way, by item; raises KeyError for a request that has no price here."""
    prices = prices or Prices()
    move, audit, scale = way["move"], way["audit"], MILLION / way["objects"]
    by_item = dict.fromkeys(("S3 copies", "S3 reads", "manifest", "queues", "audit events", "audit chain"), 0.0)
    for name, units in move["units"].items():
        item, price = _priced(name, prices)
        by_item[item] += units * price
    for name, units in audit["units"].items():
        item, price = _priced(name, prices)
        by_item["audit events" if item == "audit events" else "audit chain"] += units * price
    by_item["queues"] += move["send_units"] * prices.sqs_per_million
    by_item["audit log"] = LOGS_PER_GB * log_bytes(audit["single_entries"], audit["single_bytes"]) / 1000
    by_item["functions' log"] = LOGS_PER_GB * (move["log_bytes"] + audit["log_bytes"]) / 1000
    by_item["functions' requests"] = (move["invocations"] + audit["invocations"]) * prices.lambda_request_per_million
    dollars = {item: units * scale / MILLION for item, units in by_item.items()}
    return dollars | {"functions' time": function_time(prices)}


def whole_log(way: Mapping[str, Any]) -> float:
    """Dollars a million objects of an audit log that has the packs, too (the stack's ``auditLog: everything``)."""
    audit = way["audit"]
    return float(LOGS_PER_GB * log_bytes(audit["entries"], audit["entry_bytes"]) / 1000 / way["objects"])


def log_bytes(entries: int, entry_bytes: int) -> int:
    """Bytes of so many entries in the audit log, as EventBridge writes them."""
    return entry_bytes + entries * (len(json.dumps(ENVELOPE)) + LOG_ENTRY_BYTES)


def function_time(prices: Prices) -> float:
    """Of a million objects, as the plan assumes for the stack's functions and for that of its stream."""
    lines = estimate(figures(), prices, concurrency=1).lines
    (dollars,) = (line.dollars for line in lines if line.name == "Lambda time")
    return dollars


def batch_operations(prices: Prices | None = None) -> dict[str, float]:
    """S3 Batch Operations with a function that only copies: one invocation an object, no manifest, no audit."""
    prices = prices or Prices()
    return {
        "S3 copies": prices.copy_per_million,
        "S3 Batch Operations": BATCH_OBJECTS_PER_MILLION,
        "functions' requests": prices.lambda_request_per_million,
        "functions' time": ONE_BY_ONE.gib_seconds(MILLION, MILLION * SECONDS_PER_OBJECT) * prices.lambda_gib_second,
    }


def _priced(name: str, prices: Prices) -> tuple[str, float]:
    """The item of the bill that an operation is in, and dollars a million of its units."""
    if name in _COPIES:
        return "S3 copies", prices.copy_per_million
    if name in _READS:
        return "S3 reads", prices.read_per_million
    if name in _TABLE_WRITES:
        return "manifest", prices.dynamodb_write_per_million
    if name in ("GetItem", "BatchGetItem"):
        return "manifest", READ_UNITS_PER_MILLION
    if name in _QUEUES:
        return "queues", prices.sqs_per_million
    if name == "PutEvents":
        return "audit events", prices.eventbridge_per_million
    if name in _FREE:
        return "S3 reads", 0.0
    raise KeyError(f"{name} has no price in bench/dollars.py")
