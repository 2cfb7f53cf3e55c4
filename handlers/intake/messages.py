"""Decode the body of one SQS message into notices, and write the bodies of rows (aws-facts.md §1, §4)."""

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from domain.errors import MalformedMessageError
from domain.keys import Location
from domain.objects import ListedObject
from domain.protocol.notices import Notice, NoticeKind
from handlers.intake.notifications import Ignored, bus_notice, direct_notices, read_sequencer, validated

ENVELOPES = 3
"""Maximum number of SNS envelopes around one event; AWS can build a topic behind a topic, and not more."""
BODY_BYTES = 60_000
"""SQS bills each 64 KB begun as one request."""
ROWS = 100
"""Number of objects that a worker handles well within one visibility time-out."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The notices of one message; ``faults`` are its records that could not be read, each with the reason."""

    notices: tuple[Notice, ...] = ()
    ignored: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    migration: str | None = None


class BackfillRow(BaseModel):
    """One object to be handled; ``size`` in bytes, ``etag`` without quotes.

    ``is_plain`` means that neither a KMS key nor an object lock is used. With a ``sequencer`` it is a created event
    that was handed on, and keeps its order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(min_length=1)
    etag: str | None = None
    size: NonNegativeInt | None = None
    version_id: str | None = None
    storage_class: str | None = None
    sequencer: str | None = None
    is_plain: Literal[True] | None = None

    @classmethod
    def of_listed(cls, listed: ListedObject) -> "BackfillRow":
        """The row for an object of a listing."""
        # Without a class the worker reads HEAD first: an encrypted object's etag does not predict the copy's.
        storage_class = None if listed.is_encrypted else listed.storage_class
        return cls(
            key=listed.key,
            etag=listed.etag,
            size=listed.size,
            version_id=listed.version_id,
            storage_class=storage_class,
            is_plain=listed.is_plain or None,
        )

    @classmethod
    def of_notice(cls, notice: Notice) -> "BackfillRow":
        """The row that hands a notice on."""
        in_order = notice.kind is NoticeKind.CREATED and notice.sequencer is not None
        return cls(
            key=notice.source.key,
            etag=notice.etag,
            size=notice.size,
            version_id=notice.version_id,
            storage_class=notice.storage_class,
            is_plain=notice.is_plain or None,
            sequencer=notice.sequencer.text if in_order and notice.sequencer else None,
        )

    def notice(self, bucket: str) -> Notice:
        """The notice of the row."""
        sequencer = read_sequencer(self.sequencer)
        return Notice(
            kind=NoticeKind.CREATED if sequencer else NoticeKind.LISTED,
            source=Location(bucket, self.key),
            etag=self.etag,
            version_id=self.version_id,
            size=self.size,
            sequencer=sequencer,
            storage_class=self.storage_class,
            is_plain=bool(self.is_plain),
        )


class _BackfillMessage(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1]
    kind: Literal["backfill"]
    migration: str = Field(min_length=1)
    bucket: str = Field(min_length=1)
    rows: tuple[BackfillRow, ...] = Field(min_length=1)


def decode_message(body: str, *, own_principals: Collection[str] = ()) -> Decoded:
    """The notices in ``body``; raises MalformedMessageError with the fault where nothing in it can be used."""
    content = _parsed(body)
    for _ in range(ENVELOPES):
        if content.get("Type") != "Notification":
            break
        content = _parsed(content.get("Message"), what="the SNS envelope's Message")
    if "Records" in content:
        return _decode_direct(content["Records"], own_principals)
    if "detail-type" in content and content.get("source") == "aws.s3":
        answer = bus_notice(content)
        return Decoded(ignored=(answer.reason,)) if isinstance(answer, Ignored) else Decoded(notices=(answer,))
    if content.get("kind") == "backfill":
        message = validated(_BackfillMessage, content)
        return Decoded(tuple(row.notice(message.bucket) for row in message.rows), migration=message.migration)
    if content.get("Event") == "s3:TestEvent":
        return Decoded(ignored=("S3's test event, sent when the notification was configured",))
    raise MalformedMessageError(_unknown(content))


def _parsed(text: Any, *, what: str = "the body") -> dict[str, Any]:
    if not isinstance(text, str):
        raise MalformedMessageError(f"{what} is not text")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedMessageError(f"{what} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise MalformedMessageError(f"{what} is JSON, but not an object")
    return content


def _decode_direct(records: Any, own_principals: Collection[str]) -> Decoded:
    if not isinstance(records, list) or not records:
        raise MalformedMessageError("Records is not a list with at least one entry")
    answers = list(direct_notices(records, own_principals=own_principals))
    faults = tuple(answer for answer in answers if isinstance(answer, str))
    if len(faults) == len(answers):
        raise MalformedMessageError("; ".join(faults[:3]))
    return Decoded(
        notices=tuple(answer for answer in answers if isinstance(answer, Notice)),
        ignored=tuple(answer.reason for answer in answers if isinstance(answer, Ignored)),
        faults=faults,
    )


def _unknown(content: dict[str, Any]) -> str:
    if content.get("Type") == "SubscriptionConfirmation":
        return (
            f"the SNS topic {content.get('TopicArn')} waits for the confirmation of its subscription: open SubscribeURL"
        )
    if "detail-type" in content:
        return f"an EventBridge event of {content.get('source')!r}, not of S3: narrow the rule to source aws.s3"
    names = ", ".join(sorted(map(repr, list(content)[:8]))) or "none"
    return f"not a known message (S3 notification, EventBridge event, SNS envelope, backfill rows); its fields: {names}"


def encode_backfill(
    rows: Iterable[BackfillRow],
    *,
    migration: str,
    bucket: str,
    at_most_bytes: int = BODY_BYTES,
    at_most_rows: int = ROWS,
) -> Iterator[str]:
    """Pack rows into message bodies of at most so many bytes (one row may exceed it alone) and rows.

    The text is ASCII, because SQS refuses control characters that S3 keys may contain (aws-facts.md §4).
    """
    head = json.dumps({"v": 1, "kind": "backfill", "migration": migration, "bucket": bucket})[:-1] + ', "rows": ['
    packed: list[str] = []
    size = len(head) + 2
    for row in rows:
        text = json.dumps(row.model_dump(exclude_none=True), separators=(",", ":"))
        if packed and (len(packed) >= at_most_rows or size + len(text) + 1 > at_most_bytes):
            yield head + ",".join(packed) + "]}"
            packed, size = [], len(head) + 2
        packed.append(text)
        size += len(text) + 1
    if packed:
        yield head + ",".join(packed) + "]}"
