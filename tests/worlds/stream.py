"""One record at two moments, and the changes of it as a DynamoDB stream tells them."""

from dataclasses import replace
from typing import Any

from domain.keys import Location
from domain.protocol.record import Claim, Record, State
from tests.worlds.handlers import BUCKET

BEGUN = Record(
    source=Location(BUCKET, "old/a"), target=Location(BUCKET, "new/a"), claim=Claim("t", 1.0), rule="move", size=3
)
DONE = replace(BEGUN, claim=None, state=State.COPIED, revision=2, changed_at=1.5)


def change(number: int, old: Record | None, new: Record | None, pk: str | None = None) -> dict[str, Any]:
    """One entry of a stream event; an image is an item that the bench reads as its record."""
    told = new or old
    images: dict[str, Any] = {"OldImage": {"record": old}} if old else {}
    images |= {"NewImage": {"record": new}} if new else {}
    key = pk or (told.record_id if told else "")
    return {
        "eventID": f"e{number}",
        "dynamodb": {"Keys": {"pk": {"S": key}}, "SequenceNumber": f"{number}00", **images},
    }
