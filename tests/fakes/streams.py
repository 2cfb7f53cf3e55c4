"""DynamoDB Streams of one table with a scripted history, as botocore's client answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

SHARDS_AT_ONCE = 2


@dataclass
class Shard:
    """A shard; ``gaps`` are places before which a page is empty, ``trimmed`` counts what is older than a day."""

    parent: str | None = None
    numbers: list[str] = field(default_factory=list)
    is_closed: bool = False
    gaps: set[int] = field(default_factory=set)
    trimmed: int = 0
    item_id: str | None = None
    is_listed: bool = True
    is_readable: bool = True


class ScriptedStreams:
    """Shards by their ids, in the order in which DescribeStream lists them; ``calls`` is what was asked."""

    def __init__(self, **shards: Shard) -> None:
        self.shards = shards
        self.calls: list[str] = []
        self.is_there = True
        self._expired: set[str] = set()
        self._given: list[str] = []

    def expire(self) -> None:
        """Every iterator that was given so far is older than 15 minutes now."""
        self._expired.update(self._given)

    def describe_stream(self, *, StreamArn: str, ExclusiveStartShardId: str | None = None) -> Mapping[str, Any]:  # noqa: N803
        """Two shards a page."""
        self.calls.append("DescribeStream")
        if not self.is_there:
            raise _error("ResourceNotFoundException", "DescribeStream")
        listed = [name for name, shard in self.shards.items() if shard.is_listed]
        start = listed.index(ExclusiveStartShardId) + 1 if ExclusiveStartShardId in listed else 0
        page = listed[start : start + SHARDS_AT_ONCE]
        told = [
            {"ShardId": name} | ({"ParentShardId": parent} if (parent := self.shards[name].parent) else {})
            for name in page
        ]
        described: dict[str, Any] = {"StreamArn": StreamArn, "Shards": told}
        if start + SHARDS_AT_ONCE < len(listed):
            described["LastEvaluatedShardId"] = page[-1]
        return {"StreamDescription": described}

    def get_shard_iterator(
        self,
        *,
        StreamArn: str,  # noqa: N803
        ShardId: str,  # noqa: N803
        ShardIteratorType: str,  # noqa: N803
        SequenceNumber: str | None = None,  # noqa: N803
    ) -> Mapping[str, Any]:
        """From the horizon, or after a number that is still there."""
        self.calls.append(f"GetShardIterator {ShardId}")
        shard = self._readable(ShardId, "GetShardIterator")
        at = shard.trimmed
        if ShardIteratorType == "AFTER_SEQUENCE_NUMBER":
            at = shard.numbers.index(str(SequenceNumber)) + 1
            if at < shard.trimmed:
                raise _error("TrimmedDataAccessException", "GetShardIterator")
        return {"ShardIterator": self._iterator(ShardId, at)}

    def get_records(self, *, ShardIterator: str, Limit: int) -> Mapping[str, Any]:  # noqa: N803
        """A page, which may be empty before the shard's end; no next iterator after the end of a closed shard."""
        name, at = ShardIterator.split("/")[:2]
        self.calls.append(f"GetRecords {name}")
        shard, start = self._readable(name, "GetRecords"), int(at)
        if ShardIterator in self._expired:
            raise _error("ExpiredIteratorException", "GetRecords")
        if start < shard.trimmed:
            raise _error("TrimmedDataAccessException", "GetRecords")
        numbers = shard.numbers[start : start + Limit]
        if start in shard.gaps:
            shard.gaps.remove(start)
            numbers = []
        end = start + len(numbers)
        answer: dict[str, Any] = {"Records": [_change(number, shard.item_id) for number in numbers]}
        if not (shard.is_closed and end == len(shard.numbers)):
            answer["NextShardIterator"] = self._iterator(name, end)
        return answer

    def _readable(self, name: str, operation: str) -> Shard:
        if name not in self.shards or not self.shards[name].is_readable:
            raise _error("ResourceNotFoundException", operation)
        return self.shards[name]

    def _iterator(self, name: str, at: int) -> str:
        self._given.append(f"{name}/{at}/{len(self._given)}")
        return self._given[-1]


def _change(number: str, item_id: str | None) -> dict[str, Any]:
    images = {"Keys": {"pk": {"S": item_id or f"record-{number}"}}, "SequenceNumber": number}
    return {"eventID": f"e{number}", "eventName": "INSERT", "dynamodb": images}


def _error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}, "ResponseMetadata": _metadata()}, operation)


def _metadata() -> Any:
    return {"HTTPStatusCode": 400}
