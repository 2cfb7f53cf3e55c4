"""How many requests each way of an object takes, counted on the wire; a change of any number is meant to be seen.

The numbers are of so many objects together as one invocation or a few get, so that shared requests are whole numbers.
Into how many requests the statements of a batch go depends on when copies end, so the statements are pinned instead.
``python -m bench requests`` prints what it was; docs/performance.md shows it an object.
"""

import math
from collections.abc import Iterator

import pytest

from bench.counting import CountingServer
from bench.requests import LARGE_OBJECTS, OBJECTS, WAYS, counted_way, counting_site
from bench.site import Site, prepared_site
from handlers.engine.together import MOST_TOGETHER

BATCH, STATEMENTS = "BatchExecuteStatement", "statements"
IN_ONE_MESSAGE = {"ReceiveMessage": 1, "DeleteMessageBatch": 1}
IN_FIVE_BATCHES = {"ReceiveMessage": 5, "DeleteMessageBatch": 5}
AT_ONCE = {STATEMENTS: 100, "CopyObject": 50}
LOOKED_AT = {STATEMENTS: 100, "CopyObject": 50, "HeadObject": 50}
TOLD_AGAIN = {STATEMENTS: 50}
MOVES = {
    "backfill row": IN_ONE_MESSAGE | AT_ONCE,
    "listing row": IN_ONE_MESSAGE | LOOKED_AT,
    "listing row, promised": IN_ONE_MESSAGE | AT_ONCE,
    "live event": IN_FIVE_BATCHES | LOOKED_AT,
    "live event, promised": IN_FIVE_BATCHES | AT_ONCE,
    "duplicate row": IN_ONE_MESSAGE | TOLD_AGAIN | {"BatchGetItem": 2},
    "duplicate event": IN_FIVE_BATCHES | TOLD_AGAIN | {"BatchGetItem": 5},
    "overwrite": IN_FIVE_BATCHES | LOOKED_AT | {"BatchGetItem": 5, "UpdateItem": 50, "HeadObject": 100},
    "delete": IN_FIVE_BATCHES
    | {"UpdateItem": 50, "HeadObject": 100, "ObjectSubresource": 50, "PutItem": 100, "DeleteObject": 50},
    "copy in parts": IN_ONE_MESSAGE
    | {"UpdateItem": 2, "PutItem": 10, "HeadObject": 4, "ObjectSubresource": 2, "ListObjectAnnotations": 2}
    | {"CreateMultipartUpload": 2, "UploadPartCopy": 8, "CompleteMultipartUpload": 2},
}
TWO_CHANGES = {"PutEvents": 1, "PutObject": 1, "UpdateItem": 1, "TransactWriteItems": 1}
THREE_CHANGES = {"PutEvents": 2, "PutObject": 2, "UpdateItem": 2, "TransactWriteItems": 2}
AUDITS = {
    "backfill row": TWO_CHANGES,
    "listing row": TWO_CHANGES,
    "listing row, promised": TWO_CHANGES,
    "live event": TWO_CHANGES,
    "live event, promised": TWO_CHANGES,
    "duplicate row": {},
    "duplicate event": {},
    "overwrite": TWO_CHANGES,
    "delete": THREE_CHANGES,
    "copy in parts": {"PutEvents": 1, "PutObject": 1, "UpdateItem": 1, "TransactWriteItems": 1},
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A stand-in of its own."""
    with prepared_site() as made:
        yield made


@pytest.fixture(scope="module")
def counting(site: Site) -> Iterator[CountingServer]:
    """What counts in front of it."""
    with counting_site(site) as server:
        yield server


@pytest.mark.parametrize("name", WAYS)
def test_requests_by_kind(site: Site, counting: CountingServer, name: str) -> None:
    """Neither one more nor one less; a batch of statements takes at least as many requests as it must."""
    counted = counted_way(site, counting, name)
    assert counted["objects"] == (LARGE_OBJECTS if name == "copy in parts" else OBJECTS)
    requests, statements = counted["move"]["requests"], counted["move"]["units"].get(BATCH, 0)
    batches = requests.pop(BATCH, 0)
    assert requests | ({STATEMENTS: statements} if statements else {}) == MOVES[name]
    assert math.ceil(statements / MOST_TOGETHER) <= batches <= statements
    assert counted["audit"]["requests"] == AUDITS[name]
