"""What S3's events of keyshift's own copies and deletes cost: live capture receives them beside those of producers."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from domain.planning.functions import SECONDS_PER_OBJECT, Functions
from domain.planning.prices import CostLine, Prices
from domain.rules.compiled import CompiledRules

EVENTS_PER_BATCH = 10
"""Live events in one batch of the function (serverless.yml, ``batchSize``)."""
_MILLION = 1e6


class Notifications(StrEnum):
    """How S3's events reach the events queue: the stack's parameter of this name."""

    EVENTBRIDGE = "eventbridge"
    SQS = "sqs"


@dataclass(frozen=True, slots=True)
class OwnEvents:
    """Whether EventBridge bills S3's events, whether copies raise one, and whether the events queue receives that one.

    S3 bills no event that it sends to a queue. Through EventBridge it sends those of the whole bucket, and each is
    billed; the prefix only decides what the rule lets through (aws-facts.md §1.2, §9.2). A delete by cleanup is always
    received. Two buckets have no event of a copy: only the source bucket has notifications.
    """

    billed: bool = False
    of_copies: bool = False
    copies_received: bool = False
    of_deletes: bool = False

    @classmethod
    def of(cls, rules: CompiledRules, notifications: Notifications) -> "OwnEvents":
        """Those of a migration; targets of which only some are below the source prefix count as received."""
        one, other = rules.source_prefix, rules.target_prefix
        return cls(
            billed=notifications is Notifications.EVENTBRIDGE,
            of_copies=rules.source_bucket == rules.target_bucket,
            copies_received=one.startswith(other) or other.startswith(one),
            of_deletes=True,
        )


NO_OWN_EVENTS = OwnEvents()
"""Without live capture, as where workers are measured by themselves."""


@dataclass(frozen=True, slots=True)
class EventRequests:
    """Requests of one received event, as tests/integration/test_own_events.py counts them."""

    looks: int
    table_writes: int


COPY_EVENT, DELETE_EVENT = EventRequests(0, 0), EventRequests(3, 2)
"""A copy's key is only mapped. A delete by cleanup is claimed, both keys are read, and the record stays CLEANED."""


def cost_copy_events(objects: int, prices: Prices, functions: Functions, own: OwnEvents) -> Iterator[CostLine]:
    """The items of the bill for the events of so many copies."""
    if own.of_copies:
        yield from _lines("events of the copies", objects, prices, own, is_received=own.copies_received)
        time = functions.gib_seconds(objects, 0.0) if own.copies_received else 0.0
        yield CostLine("events of the copies: Lambda time", 0, time * prices.lambda_gib_second)


def cost_delete_events(objects: int, prices: Prices, functions: Functions, own: OwnEvents) -> Iterator[CostLine]:
    """The items of the bill for the events of a cleanup's deletes, without their audit events."""
    if own.of_deletes:
        name = "events of the cleanup"
        looks, writes = objects * DELETE_EVENT.looks, objects * DELETE_EVENT.table_writes
        time = functions.gib_seconds(objects, objects * SECONDS_PER_OBJECT)
        yield from _lines(name, objects, prices, own, is_received=True)
        yield CostLine(f"{name}: S3 reads", looks, looks * prices.read_per_million / _MILLION)
        yield CostLine(f"{name}: DynamoDB", writes, writes * prices.dynamodb_write_per_million / _MILLION)
        yield CostLine(f"{name}: Lambda time", 0, time * prices.lambda_gib_second)


def _lines(name: str, events: int, prices: Prices, own: OwnEvents, *, is_received: bool) -> Iterator[CostLine]:
    """EventBridge for each event; for each received one its message, and a part of a receive, a delete, a function."""
    if own.billed:
        yield CostLine(f"{name}: EventBridge", events, events * prices.eventbridge_per_million / _MILLION)
    if is_received:
        batches = -(-events // EVENTS_PER_BATCH)
        requests = events + 2 * batches
        yield CostLine(f"{name}: SQS", requests, requests * prices.sqs_per_million / _MILLION)
        yield CostLine(f"{name}: Lambda", batches, batches * prices.lambda_request_per_million / _MILLION)
